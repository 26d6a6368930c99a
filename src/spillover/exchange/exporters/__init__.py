"""Formats that figures are written in, one file each: a module with `export(given)` that returns the files it wrote."""
