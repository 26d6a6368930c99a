"""What the thin files in `tasks/` share: asking, checking, building."""
