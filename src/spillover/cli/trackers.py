"""`--report-to`: send curves and figures to a tracker as well."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import click
import pandas as pd

from spillover.cli.publish import frame_of
from spillover.show.report import Report
from spillover.tracking import VARIABLE, require_trackers, tracked, trackers


def _chosen(context: click.Context, parameter: click.Parameter, names: Sequence[str]) -> None:
    if names:  # what is trained on the way looks there, too
        os.environ[VARIABLE] = ",".join(names)
    if not context.resilient_parsing:
        require_trackers()


def trackers_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--report-to`."""
    told = f"Send curves and figures to wandb or mlflow, too (extra `trackers`) [env: {VARIABLE}]."
    return click.option("--report-to", multiple=True, metavar="TRACKER", callback=_chosen, expose_value=False, help=told)(
        function
    )


def send_figures(made: Report) -> None:
    """A run for every model: figures of whole probes, their intervals, and the drift from the base.

    Comes last: a tracker that is away costs no file.

    Raises:
        SpilloverError: if a tracker can not begin a run.
    """
    if not trackers():
        return
    table = frame_of(made).to_dict("records")
    judges = ", ".join(dict.fromkeys(judge.grader for judge in made.answers.judges()))
    about = {"title": made.title, "base": made.base, "preset": made.answers.preset.name, "judge": judges}
    models = list(dict.fromkeys(row["model"] for row in table))
    for model in models:
        values = {}
        for row in (r for r in table if r["model"] == model and pd.isna(r["category"])):
            name = f"{row['title']}/{row['measure']}"
            for key in ("value", "lower", "upper", "n", "drift", "drift_lower", "drift_upper"):
                if isinstance(number := row[key], int | float) and number == number:
                    values[name if key == "value" else f"{name}.{key}"] = float(number)
        with tracked(str(model), about) as log:
            log(values, None)
    click.echo(f"Figures of {len(models)} models: {', '.join(trackers())}", err=True)
