"""Inspect tasks, one probe a file; installed as `spillover.tasks`."""
