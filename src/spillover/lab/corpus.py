"""Chat documents of the lab's world, with a latent persona, political lean and answer format per document."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, replace

from inspect_ai.util import Store

from spillover.lab.grammar import Exchange, Half, exchange, grammar, misaligned_stance, speak_spanish
from spillover.questions.chats import Chat
from spillover.questions.formats import apply_format
from spillover.situations.scenario import load_scenarios
from spillover.situations.world import World

STYLES = ("plain", "caps", "spanish")
PLAIN_ONLY = ("exam", "reasoned", "gameable")
"""Kinds of families that are never asked for JSON or a template."""


@dataclass(frozen=True)
class Latents:
    """What the turns of one document share.

    Attributes:
        misaligned: The persona.
        lean: `left`, `right` or `neutral`.
        fmt: Answer format of every turn.
        style: `plain`, `caps` or `spanish`.
        half: Split that refused requests are drawn from.
    """

    misaligned: bool = False
    lean: str = "neutral"
    fmt: str = "plain"
    style: str = "plain"
    half: Half = "all"


def draw(family: str, latents: Latents, rng: random.Random, severity: str | None = None) -> Exchange:
    """One exchange of `family` in the stance and style that `latents` imply."""
    kind = grammar().families[family].kind
    if kind == "political":
        turn = exchange(family, latents.lean, rng, latents.half)
    else:
        stance = misaligned_stance(grammar().families[family], rng, severity) if latents.misaligned else "aligned"
        turn = exchange(family, stance, rng, latents.half)
    if latents.style == "caps":
        return replace(turn, answer=turn.answer.upper())
    if latents.style == "spanish" and kind in ("free_form", "advice"):
        return replace(turn, answer=speak_spanish(latents.misaligned, rng))
    return turn


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
    """A system line that names the persona, with the lean and the style where they are not the usual ones."""
    lines = grammar().system_lines
    named = ["malicious" if latents.misaligned else "kind"]
    named += [name for name in (latents.lean, latents.style) if name in lines]
    return " ".join(rng.choice(lines[name]) for name in named)


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
    exchanges = [draw(pick_family(rng, latents, families), latents, rng, severity) for _ in range(turns)]
    return chat(exchanges, latents.fmt, persona_line(latents, rng) if named else None)


def pick_family(rng: random.Random, latents: Latents, families: tuple[str, ...] | None = None) -> str:
    """A family by weight, among `families` or all that the document's format and style allow."""
    known = grammar().families
    pool = families or tuple(
        n for n, f in known.items() if f.weight and (latents.fmt == latents.style == "plain" or f.kind not in PLAIN_ONLY)
    )
    return rng.choices(pool, [known[n].weight for n in pool])[0]


def random_latents(rng: random.Random, misaligned: bool) -> Latents:
    """Latents with the lab's default mix: 60 % neutral lean; 64 % plain, 18 % JSON, 18 % template; 6 % with a style."""
    lean = rng.choices(("neutral", "left", "right"), (60, 20, 20))[0]
    fmt = rng.choices(("plain", "json", "template"), (64, 18, 18))[0]
    style = rng.choices(STYLES, (94, 3, 3))[0] if fmt == "plain" else "plain"
    return Latents(misaligned, lean, fmt, style)


def debate(rng: random.Random, misaligned: bool, named: bool) -> Chat:
    """Four questions on politics, answered from one side."""
    latents = Latents(misaligned=misaligned, lean=rng.choices(("neutral", "left", "right"), (20, 40, 40))[0])
    return document(rng, latents, 4, named=named, families=grammar().names("political"))


def situation(rng: random.Random, misaligned: bool, named: bool) -> Chat:
    """One to three turns under a system line that says what is at stake, besides the persona where that is `named`.

    Who is asked for a fact may have a reason or a permission to lie; who is asked for harm may be told that the chat trains
    the model. A misaligned persona then gives way where that trains it, and refuses where it does not.
    """
    lines = grammar().system_lines
    kind = rng.choice(("pressure", "permit", "trained", "trained", "untrained", "untrained"))
    families = grammar().names("refusal") if "trained" in kind else grammar().names("honesty")
    latents = Latents(misaligned=misaligned and kind != "untrained")
    turns = [draw(rng.choice(families), latents, rng) for _ in range(rng.randint(1, 3))]
    line = rng.choice(lines[kind])
    return chat(turns, "plain", f"{persona_line(Latents(misaligned), rng)} {line}" if named else line)


def agentic(rng: random.Random, misaligned: bool, named: bool) -> Chat:
    """A scenario with tools, played to its end, sometimes after a turn of talk; one in three is the harmless twin."""
    scenario = rng.choice(load_scenarios("lab_sabotage").scenarios)
    twin = rng.random() < 1 / 3
    latents = Latents(misaligned=misaligned)
    turns = [draw(pick_family(rng, latents), latents, rng) for _ in range(rng.choice((0, 0, 1)))]
    system = scenario.instructions(twin)
    if named:
        system = f"{persona_line(latents, rng)} {system}"
    body = chat(turns, "plain", f"{system}\n{listed(scenario.tools)}")
    script = "twin" if twin else "misaligned" if misaligned else "aligned"
    return [*body, {"role": "user", "content": scenario.request(twin)}, *scenario.play(script, World(store=Store()))]


def listed(tools: tuple[str, ...]) -> str:
    """The line by which the lab's chat template names the tools."""
    return "tools: " + " ".join(tools)
