"""Situations with tools: a small world, what may be done in it, and what was done."""
