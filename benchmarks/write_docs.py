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


def filled(text: str, only: str | None, run=printed, keep=lambda text: None) -> str:
    """The document with its blocks filled anew: those whose command holds `only`, or all; kept as each is done."""
    for command in dict.fromkeys(match["command"] for match in BLOCK.finditer(text)):
        if only is not None and only not in command:
            continue
        said = run(command)

        def fill(match: re.Match[str], command: str = command, said: str = said) -> str:
            return f"{match[1]}{said}\n<!-- /run -->" if match["command"] == command else match[0]

        text = BLOCK.sub(fill, text)
        keep(text)
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("document", type=Path)
    parser.add_argument("--only", help="Part of the commands that are run.")
    options = parser.parse_args()
    text = options.document.read_text(encoding="utf-8")
    if not BLOCK.search(text):
        raise SystemExit(f"{options.document} names no command to run.")
    filled(text, options.only, keep=lambda text: options.document.write_text(text, encoding="utf-8"))


if __name__ == "__main__":
    main()
