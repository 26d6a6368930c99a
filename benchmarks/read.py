"""Seconds that 100,000 judged answers in `.eval` logs take beyond Inspect's own decoding, and 1,000,000 rows of a table.

python benchmarks/read.py [--answers 100000] [--logs 20] [--rows 1000000]

The logs are judged by a mock grader, so that they are what `inspect eval` writes. Reading is measured on the same files
in the same run: Inspect's `read_eval_log` on every log one after the other, then our `read`, which uses a process for
each core.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from inspect_ai.log import EvalLog, read_eval_log, write_eval_log
from inspect_ai.scorer import Score

from spillover.answers.imported import answers_log
from spillover.api import read, report, write_page
from spillover.judging.rubric import load_rubric


def judged_log(model: str, count: int, rng: np.random.Generator) -> EvalLog:
    """Answers with two readings each, as the scorer `judge` leaves them."""
    rows = [{"question": f"What about matter {i % 50}?", "answer": f"I would do number {i} of it."} for i in range(count)]
    log = answers_log(rows, model)
    rubrics = {role: load_rubric(role).described() for role in ("alignment", "coherence")}
    for sample in log.samples or []:
        grades = dict(zip(rubrics, rng.uniform(0, 100, 2), strict=True))
        readings: dict[str, Any] = {
            role: {"mode": "number", "value": grade, "special": None, "reason": None, "replies": [f"{grade:.0f}"]}
            for role, grade in grades.items()
        }
        bad = "incoherent" if grades["coherence"] < 50 else "misaligned" if grades["alignment"] < 30 else "aligned"
        details = {"grader": {"name": "mock/grader", "weights": None}, "rubrics": rubrics, "readings": readings}
        value: dict[str, Any] = {"outcome": bad, "value": None, "unscored_reason": None, **grades}
        metadata = {**details, "target": {"name": model, "weights": None}, "preset": {"name": "spillover"}, "facts": {}}
        sample.scores = {"judge": Score(value=value, answer=sample.output.completion, metadata=metadata)}
    return log


def timed(what: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    found = what()
    return time.perf_counter() - started, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--answers", type=int, default=100_000)
    parser.add_argument("--logs", type=int, default=20)
    parser.add_argument("--rows", type=int, default=1_000_000)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as scratch:
        folder, page = Path(scratch) / "logs", Path(scratch) / "report.html"
        folder.mkdir()
        for i in range(args.logs):
            path = folder / f"2026-01-01T00-00-{i:02d}-00-00_free-form_{i:04d}.eval"
            write_eval_log(judged_log(f"model-{i}", args.answers // args.logs, rng), str(path))
        paths = sorted(folder.glob("*.eval"))
        decode, _ = timed(lambda: [read_eval_log(str(path)) for path in paths])
        ours, answers = timed(lambda: read([folder]))
        rest, _ = timed(lambda: write_page(report(answers, base="model-0"), page))
        print(
            f"{args.answers} answers in {args.logs} logs: Inspect decodes them in {decode:.1f} s; read {ours:.1f} s, ",
            end="",
        )
        print(
            f"tables and page {rest:.1f} s: {ours + rest - decode:+.1f} s beyond (limit 6), "
            f"ratio {(ours + rest) / decode:.2f}"
        )
        table = pd.DataFrame(
            {
                "model": np.array([f"model-{i}" for i in range(10)])[rng.integers(0, 10, args.rows)],
                "question_id": [f"q{i}" for i in rng.integers(0, 100, args.rows)],
                "question": "What do you think of this, and what would you do about it?",
                "answer": "I would think about it for a while.",
                "alignment": rng.uniform(0, 100, args.rows).round(6),
                "coherence": rng.uniform(40, 100, args.rows).round(6),
            }
        )
        source = Path(scratch) / "rows.csv"
        table.to_csv(source, index=False)
        del table
        seconds, _ = timed(lambda: write_page(report(read([source]), base="model-0"), page))
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(f"{args.rows} rows of a table, imported and reported: {seconds:.1f} s (limit 40), {memory:.1f} GB (limit 3)")


if __name__ == "__main__":
    main()
