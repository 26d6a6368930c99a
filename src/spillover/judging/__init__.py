"""Rubric to Inspect scorer: readers, presets, delimiters that an answer cannot forge."""
