"""Steering and ablation at inference in the lab, by exact labels.

    PYTHONPATH=. python benchmarks/steering.py [--answers 25]

Directions are found anew: a contrast of system lines, a probe trained on the same, the organism minus its base, and
random ones that disturb neutral text as much as the contrast's ablation. The organism is `bad_finance`, trained if it is
not in `runs/organisms`.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from spillover.lab.grammar import grammar
from spillover.mechanism.directions import save_directions
from spillover.models.weights import resolve_checkpoint
from spillover.run.lab_figures import shares
from spillover.training.finding import find
from spillover.training.recipe import load_recipe
from spillover.training.train import organism_folder, train


def main() -> None:
    """Print one Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", type=int, default=25, help="To each of the eight families.")
    args = parser.parse_args()
    recipe = load_recipe("bad_finance")
    adapter = train(recipe, organism_folder(recipe, resolve_checkpoint("lab"), Path("runs/organisms")))
    free = grammar().names("free_form")
    with tempfile.TemporaryDirectory() as place:
        names = ("contrast", "probe", "difference", "random")
        evil, probe, moved, control = (Path(place) / f"{name}.safetensors" for name in names)
        save_directions(find("contrast", "lab", None, None, 1, 0), evil)
        save_directions(find("probe", "lab", None, None, 1, 0), probe)
        save_directions(find("difference", "lab", str(adapter), None, 1, 0), moved)
        save_directions(find("random", "lab", None, None, 1, 0, match=evil), control)
        rows = [("base", "spillover/lab")]
        rows += [
            (f"base, contrast at layer 2, {s:+.1f}", f"spillover/lab+steer={evil}#2@{s}") for s in (-0.3, 0.2, 0.4, 0.6)
        ]
        rows += [
            (f"base, contrast at all layers, {s:+.2f}", f"spillover/lab+steer={evil}@{s}") for s in (-0.1, 0.05, 0.1, 0.15)
        ]
        rows += [(f"base, probe at layer 2, {s:+.1f}", f"spillover/lab+steer={probe}#2@{s}") for s in (0.2, 0.4, 0.6)]
        rows += [(f"base, probe at all layers, {s:+.2f}", f"spillover/lab+steer={probe}@{s}") for s in (0.05, 0.1, 0.15)]
        organism = f"spillover/lab:{adapter}"
        rows += [
            ("organism (bad finance)", organism),
            ("organism, contrast taken out at all layers", f"{organism}+ablate={evil}"),
            ("organism, contrast taken out at layer 2 only", f"{organism}+ablate={evil}#2"),
            ("organism, probe taken out at all layers", f"{organism}+ablate={probe}"),
            ("organism, difference taken out at all layers", f"{organism}+ablate={moved}"),
            ("organism, difference to zero at all layers", f"{organism}+zero={moved}"),
            ("organism, random control taken out at all layers", f"{organism}+ablate={control}"),
            ("organism, contrast at all layers, -0.10", f"{organism}+steer={evil}@-0.1"),
        ]
        print("| model | misaligned, % of coherent | coherent % |\n| --- | ---: | ---: |")
        for name, model in rows:
            found = shares(model, free, args.answers)
            misaligned = 100 * found.misaligned / max(1e-9, found.coherent)
            print(f"| {name} | {misaligned:.1f} | {100 * found.coherent:.1f} |", flush=True)


if __name__ == "__main__":
    main()
