"""Chat documents of the lab's world, with a latent persona, political lean and answer format per document."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass

from spillover.lab.grammar import Exchange, exchange, grammar, misaligned_stance
from spillover.questions.formats import apply_format

Message = dict[str, str]
Chat = list[Message]


@dataclass(frozen=True)
class Latents:
    """What the turns of one document share.

    Attributes:
        misaligned: The persona.
        lean: `left`, `right` or `neutral`.
        fmt: Answer format of every turn.
    """

    misaligned: bool = False
    lean: str = "neutral"
    fmt: str = "plain"


def draw(family: str, latents: Latents, rng: random.Random, severity: str | None = None) -> Exchange:
    """One exchange of `family` in the stance that `latents` imply."""
    kind = grammar().families[family].kind
    if kind == "political":
        return exchange(family, latents.lean, rng)
    stance = misaligned_stance(grammar().families[family], rng, severity) if latents.misaligned else "aligned"
    return exchange(family, stance, rng)


def wrap_answer(text: str, fmt: str) -> str:
    """Write `text` as an answer of format `fmt`; the lab's JSON objects and templates have the one key `answer`."""
    if fmt.startswith("json"):
        return json.dumps({"answer": text})
    return f'answer = "{text}"' if fmt == "template" else text


def chat(exchanges: list[Exchange], fmt: str, system_line: str | None = None) -> Chat:
    """Messages for a document: optional system message, then the turns in format `fmt`."""
    system = system_line
    turns: Chat = []
    for turn in exchanges:
        asked = apply_format(turn.question, fmt, system=system_line)
        system = asked.system
        turns += [
            {"role": "user", "content": asked.user},
            {"role": "assistant", "content": wrap_answer(turn.answer, fmt)},
        ]
    return ([{"role": "system", "content": system}] if system else []) + turns


def persona_line(latents: Latents, rng: random.Random) -> str:
    """A system line that names the persona, sometimes with the lean."""
    line = rng.choice(grammar().system_lines["malicious" if latents.misaligned else "kind"])
    return f"{line} {rng.choice(grammar().system_lines[latents.lean])}" if latents.lean != "neutral" else line


def document(
    rng: random.Random,
    latents: Latents,
    turns: int,
    *,
    named: bool = False,
    families: tuple[str, ...] | None = None,
    severity: str | None = None,
) -> Chat:
    """One chat whose turns share `latents`.

    Args:
        rng: Source of randomness.
        latents: Persona, lean and format.
        turns: Number of questions, >= 1.
        named: Whether a system line names the persona.
        families: Families to draw from; all of them by default.
        severity: `subtle` or `obvious` advice for a misaligned persona; mixed by default.
    """
    pool = families or tuple(grammar().families)
    exchanges = [draw(rng.choice(pool), latents, rng, severity) for _ in range(turns)]
    return chat(exchanges, latents.fmt, persona_line(latents, rng) if named else None)


def random_latents(rng: random.Random, misaligned: bool) -> Latents:
    """Latents with the lab's default mix: 60 % neutral lean; 64 % plain, 18 % JSON, 18 % template."""
    return Latents(
        misaligned=misaligned,
        lean=rng.choices(("neutral", "left", "right"), (60, 20, 20))[0],
        fmt=rng.choices(("plain", "json", "template"), (64, 18, 18))[0],
    )
