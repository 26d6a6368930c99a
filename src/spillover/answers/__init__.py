"""Answers: what a model said under which condition, how it was read, and what a rule makes of the readings."""
