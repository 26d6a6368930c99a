"""Inspect logs and judged tables from elsewhere into one tidy frame."""
