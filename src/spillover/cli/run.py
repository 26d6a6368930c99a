"""`spillover run`: one command from recipe to report."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal

import click
from rich.console import Console

from spillover.cli.progress import bar
from spillover.cli.quiet import quiet_libraries
from spillover.cli.report import publish, write_frame
from spillover.errors import SpilloverError
from spillover.experiments.spec import load_experiment
from spillover.judging.presets import get_preset


@click.command()
@click.argument("experiment")
@click.option("--out", type=click.Path(path_type=Path), help="Folder [default: runs/EXPERIMENT].")
@click.option("--engine", type=click.Choice(["spillover", "vllm"]), default="spillover", show_default=True)
@click.option("--base", help="Another base checkpoint (a local Hugging Face folder).")
def run(experiment: str, out: Path | None, engine: Literal["spillover", "vllm"], base: str | None) -> None:
    """Run EXPERIMENT (a bundled name or a YAML file): train, ask, judge, compare, report. Resumes where it stopped."""
    spec = load_experiment(experiment)
    folder = out or Path("runs") / spec.id
    quiet_libraries()
    from spillover.experiments.run import run_experiment

    console = Console(stderr=True)

    def progress(title: str) -> AbstractContextManager[Callable[[int, int, str], None]]:
        return bar(console, title)

    folder.mkdir(parents=True, exist_ok=True)
    result = run_experiment(spec, folder, progress, engine, base)
    publish(result.frame, get_preset(spec.preset), spec.title, spec.base_name, folder / "report.html", None, lab=spec.lab)
    write_frame(result.frame, folder / "answers.parquet")
    failed = sum("grader_error" in str(reason) for reason in result.frame["unscored_reason"])
    if failed:
        raise SpilloverError(
            f"{failed} of {len(result.frame)} judgements failed because the grader could not be reached; they count as "
            "unscored. The same command asks again for these alone."
        )
