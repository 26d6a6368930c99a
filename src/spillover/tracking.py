"""Weights & Biases and MLflow, for whoever keeps training curves and figures there; nothing is sent unless asked for.

Both take their address, key and project from their own environment variables (`WANDB_*`, `MLFLOW_*`).
"""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from spillover.errors import SpilloverError
from spillover.redaction import redact

VARIABLE, PROJECT = "SPILLOVER_REPORT_TO", "spillover"
"""Names of trackers with commas between; and the project or experiment where the tracker's own variable names none."""

Log = Callable[[Mapping[str, float]], None]


def trackers() -> tuple[str, ...]:
    """Where curves and figures go besides; names as Transformers' `report_to` has them.

    Raises:
        SpilloverError: if one is not known or not installed.
    """
    chosen = tuple(dict.fromkeys(n.strip() for n in os.environ.get(VARIABLE, "").split(",") if n.strip()))
    for name in chosen:
        if name not in _RUNS:
            raise SpilloverError(f"There is no tracker '{name}'; choose from {', '.join(_RUNS)}.")
        if importlib.util.find_spec(name) is None:
            raise SpilloverError(f"{name} is not installed: pip install 'spillover[trackers]'.")
    return chosen


@contextmanager
def tracked(name: str, about: Mapping[str, Any]) -> Iterator[Log]:
    """A run of every tracker while the block runs; what the block is given keeps numbers of the whole run.

    Args:
        name: To show.
        about: What was measured or trained; texts are searched for keys before they are sent.

    Raises:
        SpilloverError: if a tracker can not begin a run, or does not take the numbers.
    """
    known = {key: redact(str(value)) for key, value in about.items() if value is not None}
    with ExitStack() as stack:
        logs = {tracker: stack.enter_context(_RUNS[tracker](redact(name), known)) for tracker in trackers()}

        def log(values: Mapping[str, float]) -> None:
            for tracker, one in logs.items():
                try:
                    one(values)
                except Exception as error:  # whatever its server, key or disk said
                    raise _cannot(tracker, "take the figures", error) from error

        yield log


@contextmanager
def _wandb(name: str, about: Mapping[str, str]) -> Iterator[Log]:
    import wandb

    try:
        run = wandb.init(project=os.environ.get("WANDB_PROJECT", PROJECT), name=name, config=dict(about))
    except Exception as error:
        raise _cannot("wandb", "begin a run", error) from error
    try:
        yield lambda values: run.summary.update(dict(values))
    except BaseException:
        run.finish(exit_code=1)
        raise
    run.finish()


@contextmanager
def _mlflow(name: str, about: Mapping[str, str]) -> Iterator[Log]:
    import mlflow

    try:
        mlflow.set_experiment(os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT))
        run = mlflow.start_run(run_name=name)
        mlflow.set_tags({f"spillover.{key}": value[:500] for key, value in about.items()})
    except Exception as error:
        raise _cannot("mlflow", "begin a run", error) from error

    def log(values: Mapping[str, float]) -> None:
        # It knows letters, digits and these; a comma in the name of a measure is none of them.
        mlflow.log_metrics({re.sub(r"[^\w\-. :/]", "", key): value for key, value in values.items()})

    with run:
        yield log


def _cannot(tracker: str, what: str, error: Exception) -> SpilloverError:
    told = redact(" ".join(str(error).split()))[:300]
    return SpilloverError(f"{tracker} did not {what}: {told} Mend that, or leave {VARIABLE} ({tracker}) out.")


_RUNS = {"wandb": _wandb, "mlflow": _mlflow}
