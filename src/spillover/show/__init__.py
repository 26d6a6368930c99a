"""Figures as pages: terminal tables, HTML, pictures, the gate's files. No statistics here."""
