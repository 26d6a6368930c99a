"""`spillover baseline`: a base's answers, kept for later screens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from spillover.cli.models import open_models
from spillover.cli.numbers import FEW
from spillover.cli.outputs import BASELINE, OutFolder
from spillover.cli.quiet import quiet_libraries
from spillover.cli.screen_options import asker, judge_of, probes_of, settings_of, shared
from spillover.locking import only_one
from spillover.models.checks import refuse_self_grading
from spillover.screening.baseline import make_baseline
from spillover.screening.run import Screen


@click.command()
@click.argument("base")
@click.option("--rounds", type=FEW, required=True, help="Answers to every question.")
@click.option("-o", "--out", type=BASELINE, required=True, help="File to write (.json).")
@click.option("--logs", type=OutFolder("logs"), help="Folder of the logs [default: runs/baseline].")
@shared
def baseline(
    base: str,
    rounds: int,
    out: Path,
    logs: Path | None,
    timeout: int | None,
    model_arg: tuple[str, ...],
    grader_arg: tuple[str, ...],
    **options: Any,
) -> None:
    """Ask BASE once and store its outcomes, so that `spillover screen --baseline` need not ask it again."""
    quiet_libraries()
    settings, grader = settings_of(base, options)
    gated, _ = probes_of(settings)
    (target,), judge = open_models([base], model_arg), judge_of(grader, timeout, grader_arg)
    refuse_self_grading(target, judge)
    folder = logs or Path("runs") / "baseline"
    with only_one(folder):
        place = folder / f"logs-{Screen(target, target, judge, gated, [], settings, folder, asker()).digest[:12]}"
        stored = make_baseline(target, judge, gated, rounds, settings, place, asker())
        stored.save(out)
    click.echo(f"Baseline: {out} ({rounds} rounds of {', '.join(stored.probes)})")
