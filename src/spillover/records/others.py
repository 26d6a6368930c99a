"""What the tasks of other packages scored: their own metrics, as their logs have them."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from inspect_ai.log import read_eval_log

from spillover.records.logs import find_logs, short_names

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class OtherScore:
    """One metric of another package's task.

    Attributes:
        task: Name, such as `inspect_evals/gsm8k`.
        metric: Scorer and metric.
        model: Who answered.
        value: As the task reports it, on its own scale.
        stderr: Its standard error where the task reports one.
        samples: Samples that were scored.
        unscored: Samples that were not.
        version: Of the task.
    """

    task: str
    metric: str
    model: str
    value: float
    stderr: float | None
    samples: int
    unscored: int
    version: str


def read_others(paths: Iterable[Path], names: dict[str, str] | None = None) -> list[OtherScore]:
    """The metrics of finished logs of other packages' tasks; the newest log of a task counts.

    Args:
        paths: Log files or folders; logs of Spillover and damaged ones are passed over.
        names: Inspect's model name to the name to show.
    """
    headers = {}
    for path in find_logs(paths):
        try:
            header = read_eval_log(str(path), header_only=True)
        except Exception as error:  # a damaged zip raises anything; the others are still worth reading
            logger.warning("Left out %s: it cannot be read as an Inspect log (%s).", path, error)
            continue
        package = (header.eval.task_registry_name or "").partition("/")
        if package[1] and package[0] != "spillover" and header.status == "success":
            headers[header.eval.task_id] = header  # logs sort by time
    known = names or {}
    short = short_names({h.eval.model for h in headers.values()} - set(known)) | known
    found = []
    for header in headers.values():
        for score in header.results.scores if header.results else []:
            spread = score.metrics.get("stderr")
            for name, metric in score.metrics.items():
                if name == "stderr":
                    continue
                found.append(
                    OtherScore(
                        task=str(header.eval.task_registry_name),
                        metric=name if score.name == score.scorer else f"{score.name}: {name}",
                        model=short[header.eval.model],
                        value=float(metric.value),
                        stderr=float(spread.value) if spread and name in ("mean", "accuracy") else None,
                        samples=score.scored_samples or 0,
                        unscored=score.unscored_samples or 0,
                        version=str(header.eval.task_version),
                    )
                )
    return found
