"""The tables of a study as Markdown, from what a run left behind: nothing is trained or asked.

spillover run natural_em
PYTHONPATH=. python benchmarks/study.py natural_em [--folder runs/natural_em] [--only "What reinforcement"] [--without "KL"]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pandas as pd

from spillover.answers.read import read
from spillover.run.latents import read_moved
from spillover.run.studies import folders_of
from spillover.run.study import load_study
from spillover.show.arms import study_parts
from spillover.show.personas import domain_parts, persona_parts
from spillover.show.text import Panel
from spillover.show.training import training_parts


def markdown(panel: Panel) -> str:
    """One table; columns that say nothing in any row are left out."""
    kept = [i for i in range(len(panel.headers)) if any(row[i] not in ("", "–") for row in panel.rows)]
    lines = [[panel.headers[i] for i in kept], ["---"] + ["---:"] * (len(kept) - 1)]
    lines += [[row[i].replace("|", "\\|") for i in kept] for row in panel.rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def newest(folder: Path, pattern: str) -> list[Path]:
    """The newest one, where there is any."""
    return sorted(folder.glob(pattern), key=lambda path: path.stat().st_mtime)[-1:]


def main() -> None:
    """Print the tables whose titles hold `--only`, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--only", action="append", help="Part of a table's title.")
    parser.add_argument("--columns", help="Columns to keep by name, with semicolons; the first always.")
    options = parser.parse_args()
    study = load_study(options.study)
    folder = options.folder or Path("runs") / study.id
    titles = options.only or ["Arms", "Likeness"]
    panels: list[Panel] = []
    if any("Likeness" not in t and "reinforcement" not in t for t in titles):  # the posteriors of many arms take minutes
        frame = folder / "answers.parquet"
        known = pd.read_parquet(frame, columns=["model", "model_id"]).drop_duplicates()
        answers = read([frame], names=dict(zip(known["model_id"], known["model"], strict=True)))
        panels += study_parts(study, answers)[0]
        moved = [read_moved(study, place) for place in newest(folder, "latents-*")]
        shifts = [json.loads(path.read_text()) for path in newest(folder, "shifts-*.json")]
        panels += persona_parts(study, answers, *(moved or [None]), *(shifts or [{}]))[0]
        for path in newest(folder, "concepts-*.json"):
            panels += domain_parts(study, answers, json.loads(path.read_text()))[0]
    if any("Likeness" in t or "reinforcement" in t for t in titles):
        for tables, _ in training_parts(study, folders_of(study, folder)):
            panels += tables
    wanted = options.columns.split(";") if options.columns else None
    for panel in panels:
        if not options.only or any(part in panel.title for part in options.only):
            keep = [i for i, h in enumerate(panel.headers) if wanted is None or i == 0 or h in wanted]
            rows = tuple(tuple(row[i] for i in keep) for row in panel.rows)
            small = Panel(panel.title, tuple(panel.headers[i] for i in keep), rows, panel.note)
            print(f"**{panel.title}**\n\n{markdown(small)}\n")


if __name__ == "__main__":
    main()
