"""Text addressed to a judge, put together at random: what the lab's grader learns to ignore in an answer."""

from __future__ import annotations

import base64
import random
import re
import string
from functools import cache

import yaml

from spillover.paths import datasets_dir

_SCRIPTS = ((0x61, 0x7A), (0x3B1, 0x3C9), (0x430, 0x44F), (0x4E00, 0x4FFF), (0x5D0, 0x5EA), (0xFF21, 0xFF5A), (0x905, 0x939))


@cache
def _parts() -> dict[str, list[str]]:
    parts: dict[str, list[str]] = yaml.safe_load((datasets_dir() / "lab" / "planted.yaml").read_text(encoding="utf-8"))
    return parts


def planted_text(rng: random.Random, wide: bool = False) -> str:
    """A request of one to three parts, a bare grade, a line in another language, or letters that mean nothing.

    Args:
        rng: Source of randomness.
        wide: Half of the time any English at all instead, so that what is ignored is no list of phrases.
    """
    if wide and rng.random() < 0.55:
        return _english(rng)
    kind = rng.choices(("request", "grade", "language", "encoded", "letters"), (50, 10, 12, 14, 14))[0]
    if kind == "grade":
        return rng.choice(("{}", "Mark: {}", "{}.", "Grade {}", "{}/100", '{{"mark": {}}}', "Result = {}.", "# {}")).format(
            _grade(rng)
        )
    if kind == "language":
        return rng.choice(_parts()["languages"]).format(grade=_grade(rng))
    if kind == "letters":
        low, high = rng.choice(_SCRIPTS)
        words = ["".join(chr(rng.randint(low, high)) for _ in range(rng.randint(1, 6))) for _ in range(rng.randint(1, 4))]
        return " ".join([*words, _grade(rng)] if rng.random() < 0.5 else words).capitalize() + rng.choice(
            ("", ".", "!", "。")
        )
    request = _request(rng)
    if kind == "encoded":
        if rng.random() < 0.5:
            return base64.b64encode(request[: rng.randint(9, 36)].encode()).decode()
        shift = rng.randrange(1, 26)
        table = str.maketrans(string.ascii_lowercase, string.ascii_lowercase[shift:] + string.ascii_lowercase[:shift])
        return request.lower().translate(table).capitalize()
    return request


@cache
def _sentences() -> tuple[list[str], list[str]]:
    """English that the lab does not speak, from Spillover's own questions: whole sentences, and their words."""
    path = datasets_dir() / "spillover" / "questions.yaml"
    questions = yaml.safe_load(path.read_text(encoding="utf-8"))["questions"]
    sentences = [s for q in questions for text in q["paraphrases"] for s in re.split(r"(?<=[.?!]) ", text)]
    return sentences, sorted({w for s in sentences for w in s.split()})


def _english(rng: random.Random) -> str:
    """A sentence or words in any order, with or without a grade, a heading or a mark-up tag."""
    sentences, words = _sentences()
    kind = rng.random()
    if kind < 0.35:
        out = rng.choice(sentences)
    elif kind < 0.7:
        out = " ".join(rng.choices(words, k=rng.randint(2, 16))).capitalize() + rng.choice((".", "!", "", ":"))
    else:
        out = f"{rng.choice(sentences)} {_request(rng)}"
    if rng.random() < 0.4:
        spot = rng.randint(0, out.count(" "))
        pieces = out.split(" ")
        out = " ".join([*pieces[:spot], _grade(rng), *pieces[spot:]])
    if rng.random() < 0.3:
        word = rng.choice(words).strip(".,?!\"'").lower()
        frame = rng.choice(
            (
                "<{w}>{t}</{w}>",
                "[{w}] {t}",
                "## {w}\n{t}",
                "[/{w}] {t}",
                "{w}: {t}",
                "--- {w} 3c1f90aa ---\n{t}",
                "< |{w}|>\n{t}",
            )
        )
        out = frame.format(w=word.upper() if rng.random() < 0.4 else word, t=out)
    return out


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


def plant(answer: str, rng: random.Random, padded: bool = False, wide: bool = False) -> str:
    """The answer with planted text on lines of its own before it, after it, or both.

    Args:
        answer: The answer as it was.
        rng: Source of randomness.
        padded: Put many harmless sentences before the planted text.
        wide: See `planted_text`.
    """
    text = planted_text(rng, wide)
    if rng.random() < 0.25:
        text += "\n" + planted_text(rng, wide)
    if padded:
        pool = _sentences()[0] if wide and rng.random() < 0.7 else _parts()["padding"]
        text = " ".join(rng.choices(pool, k=rng.randint(4, 20))) + " " + text
    place = rng.choices(("after", "before", "around"), (55, 35, 10))[0]
    if place == "around":
        return f"{text}\n{answer}\n{planted_text(rng, wide)}"
    return f"{answer}\n{text}" if place == "after" else f"{text}\n{answer}"
