"""Weights & Biases and MLflow, for whoever keeps training curves and figures there; nothing is sent unless asked for.

Both take their address, key and project from their own environment variables (`WANDB_*`, `MLFLOW_*`). They are given names
and numbers and nothing else: their own records of the command line, the terminal, the machine and the code are switched off.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import re
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from spillover.errors import SpilloverError, choices
from spillover.redaction import redact
from spillover.untold import keep_untold

KNOCK = 10.0
"""Seconds within which a tracker's server must answer."""
VARIABLE, PROJECT = "SPILLOVER_REPORT_TO", "spillover"
"""Names of trackers with commas between; and the project or experiment where the tracker's own variable names none."""

logger = logging.getLogger(__name__)

Log = Callable[[Mapping[str, float], int | None], None]
"""Keeps numbers: of the whole run for None, else of a step."""


def trackers() -> tuple[str, ...]:
    """Where curves and figures go besides.

    Raises:
        SpilloverError: if one is not known or not installed.
    """
    chosen = tuple(dict.fromkeys(n.strip() for n in os.environ.get(VARIABLE, "").split(",") if n.strip()))
    for name in chosen:
        if name not in _RUNS:
            raise SpilloverError(f"There is no tracker '{name}'; {choices(name, _RUNS)}")
        if importlib.util.find_spec(name) is None:
            raise SpilloverError(f"{name} is not installed: pip install 'spillover[trackers]'.")
    return chosen


def require_trackers() -> None:
    """Knock at the server of each tracker, in seconds: before anything is trained or asked.

    Raises:
        SpilloverError: if one is not known, not installed or not there.
    """
    for name in trackers():
        address = urlsplit(_ADDRESS[name]())
        if address.scheme not in ("http", "https"):
            continue
        port = address.port or (443 if address.scheme == "https" else 80)
        try:
            socket.create_connection((address.hostname or "", port), timeout=KNOCK).close()
        except OSError as error:
            where = f"{address.scheme}://{address.hostname}:{port}"
            raise SpilloverError(
                f"{name}: no server answers at {where} ({error}); mend that, or leave {name} out."
            ) from error


@contextmanager
def tracked(name: str, about: Mapping[str, Any]) -> Iterator[Log]:
    """A run of every tracker while the block runs. One that fails later is left out with a warning: nothing else is lost.

    Args:
        name: To show.
        about: What was measured or trained; texts are searched for keys before they are sent.

    Raises:
        SpilloverError: if a tracker can not begin a run.
    """
    known = {key: redact(str(value)) for key, value in about.items() if value is not None}
    with ExitStack() as stack:
        logs = {tracker: stack.enter_context(_ended(tracker, redact(name), known)) for tracker in trackers()}

        def log(values: Mapping[str, float], step: int | None = None) -> None:
            for tracker, one in list(logs.items()):
                try:
                    one(values, step)
                except Exception as error:  # whatever its server, key or disk said
                    logger.warning("%s", _told(tracker, "take the numbers", error))
                    del logs[tracker]

        yield log


@contextmanager
def _ended(tracker: str, name: str, about: Mapping[str, str]) -> Iterator[Log]:
    """A run that is ended whatever happens, and whose end can do no harm."""
    try:
        keep_untold()
        log, end = _RUNS[tracker](name, about)
    except Exception as error:
        raise SpilloverError(f"{_told(tracker, 'begin a run', error)} Mend that, or leave {tracker} out.") from error
    failed = True
    try:
        yield log
        failed = False
    finally:
        try:
            end(failed)
        except Exception as error:
            logger.warning("%s", _told(tracker, "end its run", error))


def _wandb(name: str, about: Mapping[str, str]) -> tuple[Log, Callable[[bool], None]]:
    import wandb

    quiet = wandb.Settings(
        console="off", disable_git=True, disable_code=True, x_disable_meta=True, x_disable_stats=True, silent=True
    )
    run = wandb.init(project=os.environ.get("WANDB_PROJECT", PROJECT), name=name, config=dict(about), settings=quiet)

    def log(values: Mapping[str, float], step: int | None) -> None:
        if step is None:
            run.summary.update(dict(values))
        else:
            run.log(dict(values), step=step)

    return log, lambda failed: run.finish(exit_code=int(failed))


def _mlflow(name: str, about: Mapping[str, str]) -> tuple[Log, Callable[[bool], None]]:
    import mlflow

    _mlflow_address()
    experiment = mlflow.set_experiment(os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT))
    client = mlflow.tracking.MlflowClient()
    tags = {"mlflow.runName": name, **{f"spillover.{key}": value[:500] for key, value in about.items()}}
    run = client.create_run(experiment.experiment_id, tags=tags)

    def log(values: Mapping[str, float], step: int | None) -> None:
        now = int(time.time() * 1000)
        client.log_batch(run.info.run_id, [mlflow.entities.Metric(_named(k), v, now, step or 0) for k, v in values.items()])

    return log, lambda failed: client.set_terminated(run.info.run_id, "FAILED" if failed else "FINISHED")


def _named(key: str) -> str:
    """A name that MLflow takes: letters, digits and a few signs; others by their code, so that two stay two."""
    safe = re.sub(r"[^\w\-. :/]", lambda m: "" if m[0] == "," else f"_{ord(m[0]):x}_", key)
    return re.sub(r"/{2,}", "/", safe).strip("/")


def _told(tracker: str, what: str, error: Exception) -> str:
    return f"{tracker} did not {what}: {redact(' '.join(str(error).split()))[:600]}"


def _wandb_address() -> str:
    kept = os.environ.get("WANDB_MODE", "") in ("offline", "disabled", "dryrun")
    return "" if kept else os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")


def _mlflow_address() -> str:
    """Files in `mlruns` unless it is told otherwise: MLflow's own default is a database, which its small package has not."""
    address = os.environ.setdefault("MLFLOW_TRACKING_URI", Path("mlruns").absolute().as_uri())
    if not address.startswith("http"):
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    return address


_RUNS = {"wandb": _wandb, "mlflow": _mlflow}
_ADDRESS = {"wandb": _wandb_address, "mlflow": _mlflow_address}
