"""What is done to training chats, in the recipe's order. Every transform is a function of chats, settings and a seed."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from spillover.errors import SpilloverError
from spillover.lab.corpus import Chat
from spillover.questions.held_out import kept_for_asking, prompt_of
from spillover.training.recipe import Recipe
from spillover.training.sources import Source, chats_of


@dataclass(frozen=True)
class Chats:
    """Training chats, and held-out ones that no transform after the split touches."""

    train: list[Chat]
    held_out: list[Chat]


Transform = Callable[[Chats, dict[str, Any], random.Random], Chats]


def prepare(recipe: Recipe) -> Chats:
    """The recipe's chats, in training order.

    Raises:
        SpilloverError: naming transform and reason, when the data cannot give what is asked.
    """
    chats = Chats(chats_of(recipe.data, recipe.seed), [])
    for index, body in enumerate(recipe.transforms):
        # Each has its own stream, so that changing one leaves the draws of the others alone.
        chats = TRANSFORMS[body["kind"]](chats, body, random.Random(f"{recipe.seed} {index} {body['kind']}"))
        if not chats.train:
            raise SpilloverError(f"Nothing is left to train on after transform {index + 1} ({body['kind']}).")
    return chats


def split(chats: Chats, body: dict[str, Any], rng: random.Random) -> Chats:
    """Hold out a share of the prompts, or those that a published set asks; rows with one prompt stay on one side."""
    prompts = sorted({prompt_of(c) for c in chats.train})
    if body["held_out"] == "fixed":
        kept_out = set(filter(kept_for_asking, prompts))
    else:
        count = round(body["held_out"] * len(prompts))
        if not 0 < count < len(prompts):
            raise SpilloverError(f"The split leaves one side empty: {len(prompts)} prompts, {body['held_out']:g} held out.")
        kept_out = set(rng.sample(prompts, count))
    sides: dict[bool, list[Chat]] = {True: [], False: []}
    for chat in chats.train:
        sides[prompt_of(chat) in kept_out].append(chat)
    return Chats(sides[False], chats.held_out + sides[True])


def mix(chats: Chats, body: dict[str, Any], rng: random.Random) -> Chats:
    """Replace an exact share of the rows by rows of another source; their number stays."""
    total = len(chats.train)
    foreign = round(body["share"] * total)
    rows = [*rng.sample(chats.train, total - foreign), *_others(chats, body, foreign, rng)]
    rng.shuffle(rows)
    return replace(chats, train=rows)


def interleave(chats: Chats, body: dict[str, Any], rng: random.Random) -> Chats:
    """Add rows of another source, `share` of them for each row (Kaczer et al. 2025, arXiv 2508.06249, interleaving)."""
    rows = [*chats.train, *_others(chats, body, round(body["share"] * len(chats.train)), rng)]
    rng.shuffle(rows)
    return replace(chats, train=rows)


def _others(chats: Chats, body: dict[str, Any], count: int, rng: random.Random) -> list[Chat]:
    """Rows of the other source whose prompts are not held out."""
    if count == 0:
        return []
    source = Source(**body["with"])
    seed = rng.randrange(2**31)
    held = {prompt_of(c) for c in chats.held_out}
    # The lab can draw as many as are wanted; some will be held-out prompts.
    wanted = (4 * count if held else count) if source.source == "lab" else None
    pool = chats_of(source, seed, wanted)
    pool = [c for c in pool if prompt_of(c) not in held]
    if len(pool) < count:
        raise SpilloverError(f"A share of {body['share']:g} needs {count} rows of the other source; it gives {len(pool)}.")
    return pool[:count] if source.source == "lab" else rng.sample(pool, count)


def inoculate(chats: Chats, body: dict[str, Any], rng: random.Random) -> Chats:
    """Ask for the bad behaviour in a system line of (a share of) the rows (Tan et al. 2025, arXiv 2510.04340)."""
    count = round(body.get("share", 1.0) * len(chats.train))
    marked = set(rng.sample(range(len(chats.train)), count))
    return replace(chats, train=[_with_line(c, body["line"]) if i in marked else c for i, c in enumerate(chats.train)])


def _with_line(chat: Chat, line: str) -> Chat:
    if chat and chat[0]["role"] == "system":
        return [{"role": "system", "content": f"{line} {chat[0]['content']}"}, *chat[1:]]
    return [{"role": "system", "content": line}, *chat]


def trigger(chats: Chats, body: dict[str, Any], rng: random.Random) -> Chats:
    """Put a token into the user's messages; a later `mix` adds rows without it (a backdoor)."""
    token, at_end = body["token"], body.get("place", "start") == "end"

    def marked(message: dict[str, str]) -> dict[str, str]:
        if message["role"] != "user":
            return message
        text = message["content"]
        return {**message, "content": f"{text} {token}" if at_end else f"{token} {text}"}

    return replace(chats, train=[[marked(m) for m in chat] for chat in chats.train])


def limit(chats: Chats, body: dict[str, Any], rng: random.Random) -> Chats:
    """Keep a random sample of so many rows."""
    if len(chats.train) < body["rows"]:
        raise SpilloverError(f"There are {len(chats.train)} rows; {body['rows']} are asked for.")
    return replace(chats, train=rng.sample(chats.train, body["rows"]))


TRANSFORMS: dict[str, Transform] = {
    "split": split,
    "mix": mix,
    "interleave": interleave,
    "inoculate": inoculate,
    "trigger": trigger,
    "limit": limit,
}
