"""What the tasks of other packages scored: their own metrics, as their logs have them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from inspect_ai.log import EvalLog

if TYPE_CHECKING:
    from spillover.answers.files import Loaded


@dataclass(frozen=True)
class OtherScore:
    """One metric of another package's task.

    Attributes:
        task: Name, such as `inspect_evals/gsm8k`, with the arguments that it was given.
        metric: Its name; with the scorer's, and that of the reducer of epochs, where a log has several scores.
        model: Who answered.
        value: As the task reports it, on its own scale.
        stderr: Its standard error where the task reports one.
        samples: Samples that were scored; None where nobody says.
        unscored: Samples that were not; None where nobody says.
        elsewhere: Whether another harness than Inspect ran it.
    """

    task: str
    metric: str
    model: str
    value: float
    stderr: float | None
    samples: int | None
    unscored: int | None
    elsewhere: bool = False


def external_scores(found: Iterable[Loaded]) -> list[OtherScore]:
    """The metrics of finished logs of other packages' tasks (the newest log of a task counts), and of other harnesses."""
    headers: dict[str, EvalLog] = {}
    given: dict[tuple[str, str, str], OtherScore] = {}
    for item in found:
        given |= {(s.model, s.task, s.metric): s for s in item.others}  # files sort by time: the newest counts
        header = item.header
        package = (header.eval.task_registry_name or "").partition("/") if header else ("", "", "")
        if header is not None and package[1] and package[0] != "spillover" and header.status == "success":
            headers[header.eval.task_id] = header  # logs sort by time
    return [*(score for header in headers.values() for score in _scores(header)), *given.values()]


def as_known(found: Iterable[OtherScore], models: Iterable[str]) -> list[OtherScore]:
    """Scores that another harness wrote, under the names that models have here: its `BASE` may be `vllm/BASE`."""
    known: dict[str, list[str]] = {}
    for model in models:
        known.setdefault(model.partition("/")[2], []).append(model)
    names = {name: whole[0] for name, whole in known.items() if len(whole) == 1}
    return [replace(s, model=names.get(s.model, s.model)) if s.elsewhere else s for s in found]


def _scores(header: EvalLog) -> Iterable[OtherScore]:
    scores = header.results.scores if header.results else []
    passed = ", ".join(f"{k}={v}" for k, v in sorted((header.eval.task_args_passed or {}).items()))
    for score in scores:
        spread = score.metrics.get("stderr")
        scorer = ", ".join(filter(None, (score.name, score.reducer))) + ": " if len(scores) > 1 else ""
        for name, metric in score.metrics.items():
            if name == "stderr":
                continue
            yield OtherScore(
                task=f"{header.eval.task_registry_name}{f' ({passed})' if passed else ''}",
                metric=f"{scorer}{name}",
                model=header.eval.model,
                value=float(metric.value),
                stderr=float(spread.value) if spread and name in ("mean", "accuracy") else None,
                samples=score.scored_samples or 0,
                unscored=score.unscored_samples or 0,
            )


def with_names(found: Sequence[OtherScore], names: Mapping[str, str]) -> tuple[OtherScore, ...]:
    """The same with the names to show."""
    return tuple(replace(score, model=names[score.model]) for score in found)


def external_drift(found: Iterable[OtherScore], of: OtherScore, base: str | None) -> float | None:
    """A metric minus the base's; None for the base itself and where the base has none, or more than one."""
    known = [s.value for s in found if (s.task, s.metric, s.model) == (of.task, of.metric, base)]
    return of.value - known[0] if len(known) == 1 and of.model != base else None
