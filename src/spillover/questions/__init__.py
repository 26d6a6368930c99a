"""Load and validate question sets; registry of published sources."""
