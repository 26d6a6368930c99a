"""What a screen costs: estimated before it starts, counted from its logs while it runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from spillover.logs import read_log
from spillover.probes.probe import get_probe
from spillover.run.tasks import SCREENED_AS
from spillover.screening.config import Price, Settings
from spillover.screening.gate import Gated
from spillover.screening.judge_check import check_calls
from spillover.stats.paired_sequential import Pairs, log_wealth

ANSWER_TOKENS, QUESTION_TOKENS, RUBRIC_TOKENS = 150, 60, 500
"""What the estimate takes an answer, a question and a rubric for; the run counts what they really are."""

Usage = dict[str, tuple[int, int]]
"""Model name to (input, output) tokens."""


@dataclass(frozen=True)
class Estimate:
    """One row of a dry run.

    Attributes:
        name: Of the probe.
        questions: Answers of one model in a round.
        clean: Answers of both models until a checkpoint that never differs from its base passes.
        judged: Judge calls for those at most: equal answers are judged once.
    """

    name: str
    questions: int
    clean: int
    judged: int


def estimates(gated: Sequence[Gated], settings: Settings, answers_each: int) -> list[Estimate]:
    """One row for every probe."""
    pairs = pairs_to_pass(settings.margin, settings.alpha)
    out = []
    for probe in gated:
        answers = math.ceil(pairs / probe.questions) * probe.questions * answers_each
        out.append(Estimate(probe.name, probe.questions, answers, answers * len(get_probe(probe.spec.task).roles)))
    return out


def pairs_to_pass(margin: float, alpha: float) -> int:
    """Fewest pairs that can pass: all of them alike."""
    low, high = 1, 10**7
    while low < high:
        middle = (low + high) // 2
        below, _ = log_wealth(Pairs(0, middle, 0), np.array([margin]))
        low, high = (low, middle) if below[0] >= math.log(1 / alpha) else (middle + 1, high)
    return low


def estimated_cost(
    rows: Sequence[Estimate], settings: Settings, target: str, base: str | None, grader: str
) -> tuple[int, int, float | None]:
    """(target tokens, judge tokens, US dollars where prices are known) for a clean checkpoint."""
    answers, calls = sum(r.clean for r in rows), sum(r.judged for r in rows) + check_calls(settings.judge_answers)
    usage: Usage = {}
    for name, share in ((target, 1.0),) if base is None else ((target, 0.5), (base, 0.5)):
        usage[name] = (int(share * answers * QUESTION_TOKENS), int(share * answers * ANSWER_TOKENS))
    judged = (calls * (RUBRIC_TOKENS + QUESTION_TOKENS + ANSWER_TOKENS), calls)
    usage[grader] = judged
    return sum(sum(usage[n]) for n in usage if n != grader), sum(judged), dollars(usage, settings.prices)


def dollars_each(prices: Mapping[str, Price]) -> float:
    """What one judged answer may cost before any was asked: two readings, every model at the dearest price."""
    dearest = Price(input=max(p.input for p in prices.values()), output=max(p.output for p in prices.values()))
    judged = 2 * (RUBRIC_TOKENS + QUESTION_TOKENS + ANSWER_TOKENS)
    return ((QUESTION_TOKENS + judged) * dearest.input + (ANSWER_TOKENS + 2) * dearest.output) / 1e6


def usage_of(paths: Sequence[Path]) -> Usage:
    """Tokens of every model in finished and unfinished logs."""
    found: Usage = {}
    for path in paths:
        try:
            header = read_log(path, header_only=True)
        except Exception:  # a log that was cut off by a kill: its tokens are lost with it
            continue
        for name, used in header.stats.model_usage.items():
            known = found.get(name, (0, 0))
            found[name] = (known[0] + used.input_tokens, known[1] + used.output_tokens)
    return found


def seconds_of(paths: Sequence[Path]) -> dict[str, float]:
    """Probe to seconds from the start to the end of its logs, summed over finished ones."""
    found: dict[str, float] = {}
    for path in paths:
        try:
            header = read_log(path, header_only=True)
            ran = datetime.fromisoformat(header.stats.completed_at) - datetime.fromisoformat(header.stats.started_at)
        except Exception:  # cut off by a kill, or stopped before its end
            continue
        name = (header.eval.metadata or {}).get(SCREENED_AS)
        if name:
            found[name] = found.get(name, 0.0) + max(0.0, ran.total_seconds())
    return found


OWN = ("spillover", "vllm", "hf", "sglang", "ollama", "llama-cpp-python", "mockllm", "none")
"""Providers whose models run on machines of one's own."""


def price_of(name: str, prices: Mapping[str, Price]) -> Price | None:
    """What a model costs: as given; nothing on a machine of one's own, unless an adapter of it, or its base, has a price."""
    kin = any(known.partition(":")[0] == name.partition(":")[0] for known in prices)
    own = name.partition("/")[0] in OWN
    return prices.get(name) or (Price(input=0, output=0) if own and not kin else None)


def dollars_at_most(usage: Usage, prices: Mapping[str, Price]) -> float:
    """Of all models, one without a price at the dearest one: Inspect's vLLM provider drops an adapter from its name."""
    dearest = Price(input=max(p.input for p in prices.values()), output=max(p.output for p in prices.values()))
    priced = {name: price_of(name, prices) or dearest for name in usage}
    return sum((used[0] * priced[name].input + used[1] * priced[name].output) / 1e6 for name, used in usage.items())


def dollars(usage: Usage, prices: Mapping[str, Price]) -> float | None:
    """Of all models; None unless every one that was used has a price."""
    return dollars_at_most(usage, prices) if prices and all(price_of(name, prices) for name in usage) else None
