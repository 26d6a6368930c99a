"""Situations with tools as data: worlds, scenarios, what counts as sabotage in them. Nothing here asks a model."""
