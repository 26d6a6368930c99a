"""Entries for the register of Inspect Evals: one `eval.yaml` for each probe, with what was measured as its report."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from functools import cache
from importlib.metadata import distribution, metadata
from pathlib import Path
from typing import Any

import yaml

from spillover import __version__
from spillover.exchange.export import Given
from spillover.leaderboard.board import Column, Entry, Value
from spillover.models.checks import of_the_lab
from spillover.probes.probe import Probe, probes
from spillover.schema import parse_json
from spillover.writing import write_text

Row = tuple[Entry, Column, Value]


def export(given: Given) -> list[Path]:
    """A file for every probe of this package that a model was asked; the register names one task an entry."""
    rows: dict[str, list[Row]] = {}
    for entry in given.entries:
        for column, value in given.values(entry):
            figure = entry.sources[column.key].figure
            if figure is not None:
                rows.setdefault(figure.cell.probe, []).append((entry, column, value))
    written = []
    for name, probe in probes().items():
        if name in rows:
            target = given.out / "inspect_evals" / f"spillover_{name}" / "eval.yaml"
            target.parent.mkdir(parents=True, exist_ok=True)
            write_text(target, yaml.safe_dump(_entry(probe, rows[name], given), sort_keys=False, allow_unicode=True))
            written.append(target)
    return written


def _entry(probe: Probe, rows: Sequence[Row], given: Given) -> dict[str, Any]:
    papers = [source.removeprefix("arXiv ") for source in probe.inspired_by if source.startswith("arXiv ")]
    return {
        "full_title": f"Spillover: {probe.title}",
        "common_title": f"spillover/{probe.name}",
        "description": " ".join(probe.about.split()),
        "id": f"spillover_{probe.name}",
        **({"arxiv": f"https://arxiv.org/abs/{papers[0]}"} if papers else {}),
        "contributors": [given.organisation],
        "tags": list(probe.tags),
        "tasks": [{"name": probe.name, "task_path": f"tasks/{probe.name}.py"}],
        "source": {"repository_url": _address(), "repository_commit": _commit()},
        "evaluation_report": {
            "commit": _commit(),
            "version": probe.version,
            "command": _command(probe, rows, given),
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(given.made)),
            "notes": [
                f"Spillover {__version__}, preset {given.preset}. Shares from 0 to 1, means from -1 to 1. lower and upper: "
                "95 % interval for questions like these. unscored: share of answers without a verdict.",
                *(
                    ["The lab: a synthetic world with tiny models. These figures say nothing about real models."]
                    if any(of_the_lab(given.provenance.get(e.name, {}).get("model", e.name)) for e, _, _ in rows)
                    else []
                ),
                *(["When this was exported the checkout had changes that are in no commit."] if _changed() else []),
            ],
            "results": _results(probe, rows),
        },
    }


def _results(probe: Probe, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """A row for every model and condition."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for entry, column, value in rows:
        judge = ", ".join(entry.sources[column.key].judges) or None
        about = {"model": entry.name, "task": probe.name, "judge": judge, "condition": column.probe}
        row = found.setdefault((entry.name, column.probe), {**about, "metrics": []})
        row["metrics"].append({"key": column.measure, **vars(value)})
    return list(found.values())


def _command(probe: Probe, rows: Sequence[Row], given: Given) -> str | None:
    """Of every model, a line for each."""
    names = dict.fromkeys(entry.name for entry, _, _ in rows)
    lines = [line for n in names for line in given.provenance.get(n, {}).get("command", "").splitlines()]
    own = dict.fromkeys(line for line in lines if f"/{probe.name} " in f"{line} ")
    return "\n".join(own) or None


def _address() -> str:
    found = metadata("spillover").get_all("Project-URL") or []
    return next(str(url).split(", ", 1)[1] for url in found if url.startswith("Source, "))


def _commit() -> str:
    """Of this package: as pip was told, or of the checkout that it runs from; else the tag of its version."""
    told = parse_json(distribution("spillover").read_text("direct_url.json") or "{}")
    return str(told.get("vcs_info", {}).get("commit_id") or _git("rev-parse", "HEAD") or f"v{__version__}")


def _changed() -> bool:
    """Whether it runs from a checkout with changes of its own."""
    return bool(_git("status", "--porcelain", "--untracked-files=no"))


@cache
def _git(*words: str) -> str | None:
    """What git says of the checkout; None where there is none."""
    root = Path(__file__).parents[4]
    if not (root / ".git").exists():
        return None
    try:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):  # no git here, or no repository of its own
        return None
    return done.stdout.strip()
