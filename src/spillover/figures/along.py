"""Models whose names differ in one number are one model along it: steps, doses, versions, sizes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_WORDS = r"checkpoint|ckpt|global[-_]?step|step|epoch|iter(?:ation)?|round|version|v|rank|r|dose|share|alpha|strength|scale"
_BEFORE = re.compile(rf"((?<![a-z])({_WORDS})[-_ =]?|[@=])$", re.IGNORECASE)
_AFTER = re.compile(r"(?: ?(?:steps?|epochs?|rows|%)|[bm](?![a-z0-9]))", re.IGNORECASE)
_NUMBER = re.compile(r"(?<![\d.])\d{4}-\d\d-\d\d(?!\d)|(?<![\d.])(?:(?<=[@=])-)?\d+(?:\.\d+)?(?:e-?\d+)?(?![\d.])")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
LEAST = 3
"""Models of a series: two are a comparison."""


@dataclass(frozen=True)
class Series:
    """Models along one number.

    Attributes:
        name: What they share, with an ellipsis where the number stands.
        points: The number as it is written, and the model, in its order.
    """

    name: str
    points: tuple[tuple[str, str], ...]


def series_of(models: Iterable[str]) -> list[Series]:
    """Series of at least three models, the longest first.

    A number counts where a word says what it is (`checkpoint-20`, `40 steps`, `7b`, `v2`, `@0.4`, a day): bare ones are
    training seeds as often as not. A model that fits several numbers of its name belongs to the longest series.
    """
    found: dict[str, dict[str, str]] = {}
    for model in dict.fromkeys(models):
        for match in _NUMBER.finditer(model):
            before, after = model[: match.start()], model[match.end() :]
            if not (_DAY.fullmatch(match[0]) or _BEFORE.search(before) or _AFTER.match(after)):
                continue
            found.setdefault(f"{model[: match.start()]}…{model[match.end() :]}", {})[match[0]] = model
    out: list[Series] = []
    taken: set[str] = set()
    for name, its in sorted(found.items(), key=lambda pair: -len(pair[1])):
        left = {number: model for number, model in its.items() if model not in taken}
        if len(left) >= LEAST:
            out.append(Series(name, tuple(sorted(left.items(), key=lambda pair: position(pair[0])))))
            taken.update(left.values())
    return out


def position(number: str) -> float:
    """Where a number, or a day, lies on its axis."""
    day = re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)", number)
    return float(number) if day is None else int(day[1]) * 372 + int(day[2]) * 31 + int(day[3])
