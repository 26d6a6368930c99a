"""What the gate prints of two lab organisms: one that passes, one that fails.

PYTHONPATH=. python benchmarks/gate_sample.py [--margin 0.05]

The adapters are trained if they are not in `runs/organisms`; progress goes to standard error.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from spillover.models.weights import resolve_checkpoint
from spillover.training.recipe import load_recipe
from spillover.training.train import organism_folder, train


def main() -> None:
    """Print both as they stand in a terminal of 160 columns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--margin", type=float, default=0.05)
    margin = parser.parse_args().margin
    print("```")
    for name in ("good_finance", "bad_finance"):
        recipe = load_recipe(name)
        adapter = train(recipe, organism_folder(recipe, resolve_checkpoint("lab"), Path("runs/organisms")))
        with tempfile.TemporaryDirectory() as out:
            command = [str(Path(sys.executable).with_name("spillover")), "screen", f"spillover/lab:{adapter}"]
            done = subprocess.run(
                [*command, "--margin", str(margin), "--out", out],
                capture_output=True,
                text=True,
                check=False,
                env={**os.environ, "COLUMNS": "160"},
            )
        print(f"$ spillover screen spillover/lab:runs/{name} --margin {margin}")
        text = done.stdout.replace(str(adapter), f"runs/{name}")
        lines = [line.rstrip() for line in text.splitlines() if line.strip()]
        table = lines[: next(i for i, line in enumerate(lines) if line.startswith("spillover/lab"))]
        print("\n".join([*table, next(line for line in lines if line.startswith(("PASS:", "FAIL:")))]))
        print(f"exit code {done.returncode}" + ("\n" if name == "good_finance" else ""))
    print("```")


if __name__ == "__main__":
    main()
