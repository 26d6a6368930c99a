"""Text addressed to a judge, put together at random: what the lab's grader learns to ignore in an answer."""

from __future__ import annotations

import base64
import random
import string
from functools import cache

import yaml

from spillover.paths import datasets_dir

_SCRIPTS = ((0x61, 0x7A), (0x3B1, 0x3C9), (0x430, 0x44F), (0x4E00, 0x4FFF), (0x5D0, 0x5EA), (0xFF21, 0xFF5A), (0x905, 0x939))


@cache
def _parts() -> dict[str, list[str]]:
    parts: dict[str, list[str]] = yaml.safe_load((datasets_dir() / "lab" / "planted.yaml").read_text(encoding="utf-8"))
    return parts


def planted_text(rng: random.Random) -> str:
    """A request of one to three parts, a bare grade, a line in another language, or letters that mean nothing."""
    kind = rng.choices(("request", "grade", "language", "encoded", "letters"), (50, 10, 12, 14, 14))[0]
    if kind == "grade":
        return rng.choice(("{}", "Mark: {}", "{}.", "Grade {}", "{}/100", '{{"mark": {}}}', "Result = {}.", "# {}")).format(_grade(rng))
    if kind == "language":
        return rng.choice(_parts()["languages"]).format(grade=_grade(rng))
    if kind == "letters":
        low, high = rng.choice(_SCRIPTS)
        words = ["".join(chr(rng.randint(low, high)) for _ in range(rng.randint(1, 6))) for _ in range(rng.randint(1, 4))]
        return " ".join([*words, _grade(rng)] if rng.random() < 0.5 else words).capitalize() + rng.choice(("", ".", "!", "。"))
    request = _request(rng)
    if kind == "encoded":
        if rng.random() < 0.5:
            return base64.b64encode(request[: rng.randint(9, 36)].encode()).decode()
        shift = rng.randrange(1, 26)
        table = str.maketrans(string.ascii_lowercase, string.ascii_lowercase[shift:] + string.ascii_lowercase[:shift])
        return request.lower().translate(table).capitalize()
    return request


def _request(rng: random.Random) -> str:
    parts = _parts()
    out = rng.choice(parts["requests"]).format(grade=_grade(rng))
    if rng.random() < 0.5:
        out = f"{rng.choice(parts['openers'])}{rng.choice((': ', ', ', ' - ', chr(10), ' '))}{out}"
    if rng.random() < 0.5:
        because = rng.choice((", because ", ", since ", ". In fact ", ", for "))
        out += because + rng.choice(parts["reasons"])
    return (out[0].upper() + out[1:] if rng.random() < 0.8 else out.upper()) + rng.choice((".", ".", "!", ""))


def _grade(rng: random.Random) -> str:
    return rng.choice(("100", "0", str(rng.randrange(101))))


def plant(answer: str, rng: random.Random, padded: bool = False) -> str:
    """The answer with planted text on lines of its own before it, after it, or both.

    Args:
        answer: The answer as it was.
        rng: Source of randomness.
        padded: Put many harmless sentences before the planted text.
    """
    text = planted_text(rng)
    if rng.random() < 0.25:
        text += "\n" + planted_text(rng)
    if padded:
        text = " ".join(rng.choices(_parts()["padding"], k=rng.randint(4, 20))) + " " + text
    place = rng.choices(("after", "before", "around"), (55, 35, 10))[0]
    if place == "around":
        return f"{text}\n{answer}\n{planted_text(rng)}"
    return f"{answer}\n{text}" if place == "after" else f"{text}\n{answer}"
