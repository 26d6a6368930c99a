"""Rates, clustered intervals and paired drift. Pure Python; no Inspect, no torch."""
