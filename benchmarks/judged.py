"""What benchmarks on judged tables are given: the tables, and which of their columns is what."""

from __future__ import annotations

import argparse
from pathlib import Path

from spillover.answers.layout import Layout


def tables(about: str | None) -> argparse.ArgumentParser:
    """A parser of the tables and `--map ROLE=COLUMN`, for more options."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="+", type=Path)
    parser.add_argument("--map", action="append", default=[], metavar="ROLE=COLUMN")
    return parser


def layout_of(options: argparse.Namespace) -> Layout:
    """What the columns mean."""
    return Layout(dict(m.split("=", 1) for m in options.map))
