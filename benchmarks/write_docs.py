"""Run the commands that a document names and write what they print between their marks.

    PYTHONPATH=. python benchmarks/write_docs.py docs/reference/simulations.md [--only coverage]

A block reads `<!-- run: python benchmarks/coverage.py --quick -->`, what was printed, `<!-- /run -->`.
"""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
from pathlib import Path

BLOCK = re.compile(r"(<!-- run: (?P<command>[^\n]+?) -->\n)(?P<printed>.*?)(\n?<!-- /run -->)", re.DOTALL)


def printed(command: str) -> str:
    """What a command prints on standard output.

    Raises:
        SystemExit: if it fails.
    """
    words = shlex.split(command)
    done = subprocess.run([sys.executable, *words[1:]], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{command} failed:\n{done.stderr}")
    return done.stdout.strip("\n")


def filled(text: str, only: str | None, run=printed) -> str:
    """The document with its blocks filled anew: those whose command holds `only`, or all."""

    def fill(match: re.Match[str]) -> str:
        command = match["command"]
        if only is not None and only not in command:
            return match[0]
        return f"{match[1]}{run(command)}\n<!-- /run -->"

    return BLOCK.sub(fill, text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("document", type=Path)
    parser.add_argument("--only", help="Part of the commands that are run.")
    options = parser.parse_args()
    text = options.document.read_text(encoding="utf-8")
    if not BLOCK.search(text):
        raise SystemExit(f"{options.document} names no command to run.")
    options.document.write_text(filled(text, options.only), encoding="utf-8")


if __name__ == "__main__":
    main()
