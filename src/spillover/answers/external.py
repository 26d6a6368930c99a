"""What the tasks of other packages scored: their own metrics, as their logs have them."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from inspect_ai.log import read_eval_log

from spillover.answers.logs import find_logs, short_names

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class OtherScore:
    """One metric of another package's task.

    Attributes:
        task: Name, such as `inspect_evals/gsm8k`, with the arguments that it was given.
        metric: Its name; with the scorer's, and that of the reducer of epochs, where a log has several scores.
        model: Who answered.
        value: As the task reports it, on its own scale.
        stderr: Its standard error where the task reports one.
        samples: Samples that were scored.
        unscored: Samples that were not.
    """

    task: str
    metric: str
    model: str
    value: float
    stderr: float | None
    samples: int
    unscored: int


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
        scores = header.results.scores if header.results else []
        passed = ", ".join(f"{k}={v}" for k, v in sorted((header.eval.task_args_passed or {}).items()))
        for score in scores:
            spread = score.metrics.get("stderr")
            scorer = ", ".join(filter(None, (score.name, score.reducer))) + ": " if len(scores) > 1 else ""
            for name, metric in score.metrics.items():
                if name == "stderr":
                    continue
                found.append(
                    OtherScore(
                        task=f"{header.eval.task_registry_name}{f' ({passed})' if passed else ''}",
                        metric=f"{scorer}{name}",
                        model=short[header.eval.model],
                        value=float(metric.value),
                        stderr=float(spread.value) if spread and name in ("mean", "accuracy") else None,
                        samples=score.scored_samples or 0,
                        unscored=score.unscored_samples or 0,
                    )
                )
    return found


def drift(found: Iterable[OtherScore], of: OtherScore, base: str | None) -> float | None:
    """A metric minus the base's; None for the base itself and where the base has none, or more than one."""
    known = [s.value for s in found if (s.task, s.metric, s.model) == (of.task, of.metric, base)]
    return of.value - known[0] if len(known) == 1 and of.model != base else None
