"""Result files of EleutherAI's lm-evaluation-harness (`results_TIME.json`): its own metrics, to stand beside ours."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from spillover.answers.external import OtherScore
from spillover.errors import SpilloverError
from spillover.schema import parse_json

PREFIX = "results_"
"""How the harness begins the names of its files."""
_DATED = re.compile(r"results_\d{4}-\d\d-\d\dT")
"""How the harness names them today; what is called so and is no JSON is a damaged one."""
_NO_METRIC = {"alias", "name", "sample_len", "samples"}


def lm_eval_scores(path: Path) -> list[OtherScore]:
    """Metrics of a result file (see `is_lm_eval`), one for each task, metric and filter.

    A model is called by its checkpoint, and `CHECKPOINT:ADAPTER` where it was given a `peft` adapter.

    Raises:
        SpilloverError: if it holds no metric, or is damaged.
    """
    if _result(path) is None and _is_damaged(path):
        raise SpilloverError(f"{path} is called like a result file of lm-eval and is no JSON; fetch it again.")
    found = list(_scores(_result(path) or {}))
    if not found:
        raise SpilloverError(f"{path} is a result file of lm-eval without a metric.")
    return found


def is_lm_eval(path: Path) -> bool:
    """Whether it is a result file, by its name and what it holds, or a damaged one."""
    if not (path.name.startswith(PREFIX) and path.suffix == ".json" and path.is_file()):
        return False
    return _result(path) is not None or _is_damaged(path)


def _is_damaged(path: Path) -> bool:
    if not _DATED.match(path.name):
        return False
    try:
        parse_json(path.read_bytes())
    except (ValueError, OSError) as error:
        return isinstance(error, ValueError)
    return False


def _result(path: Path) -> dict[str, Any] | None:
    stat = path.stat()
    return _parsed(path, (stat.st_mtime_ns, stat.st_size))


@lru_cache(maxsize=8)
def _parsed(path: Path, stamp: tuple[int, int]) -> dict[str, Any] | None:
    """Read once, to be known and to be taken."""
    try:
        body = parse_json(path.read_bytes())
    except (ValueError, OSError):
        return None
    return body if _is_result(body) else None


def _is_result(body: Any) -> bool:
    results = body.get("results") if isinstance(body, dict) else None
    known = isinstance(body, dict) and bool({"lm_eval_version", "n-shot", "configs"} & body.keys())
    return known and isinstance(results, dict) and all(isinstance(v, dict) for v in results.values())


def _scores(body: dict[str, Any]) -> Iterator[OtherScore]:
    model = _model(body)
    for task, its in _inner(body, "results").items():
        shots = _inner(body, "n-shot").get(task)
        named = f"lm_eval/{task}" + (f" ({shots} shots)" if isinstance(shots, int) else "")
        counted = _inner(body, "n-samples").get(task)
        samples = counted.get("effective") if isinstance(counted, dict) else its.get("sample_len")
        for key, value in its.items():
            metric, _, chosen = key.partition(",")
            if metric in _NO_METRIC or metric.endswith("_stderr") or not _number(value):
                continue
            spread = its.get(f"{metric}_stderr,{chosen}" if chosen else f"{metric}_stderr")
            yield OtherScore(
                task=named,
                metric=metric if chosen in ("", "none") else f"{metric} ({chosen})",
                model=model,
                value=float(value),
                stderr=float(spread) if spread is not None and _number(spread) else None,
                samples=int(samples) if samples is not None and _number(samples) else None,
                unscored=None,
                elsewhere=True,
            )


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _inner(body: dict[str, Any], key: str) -> dict[str, Any]:
    found = body.get(key)
    return found if isinstance(found, dict) else {}


def _model(body: dict[str, Any]) -> str:
    given = _inner(body, "config").get("model_args")
    if isinstance(given, str):
        given = dict(part.split("=", 1) for part in given.split(",") if "=" in part)
    arguments = given if isinstance(given, dict) else {}
    base = str(arguments.get("pretrained") or body.get("model_name") or "unknown")
    adapter = arguments.get("peft") or arguments.get("lora_local_path")
    return f"{base}:{adapter}" if adapter else base
