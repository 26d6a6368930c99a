"""What is done to training chats, in the recipe's order. Each kind is declared here with what it does."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal, Protocol

from pydantic import Field

from spillover.errors import SpilloverError
from spillover.models.conversation import system_into_user
from spillover.questions.chats import Chat, Message
from spillover.questions.held_out import kept_for_asking, prompt_of
from spillover.training.fields import Above0, Positive, Share, Text
from spillover.training.kinds import Kind
from spillover.training.sources import Source


@dataclass(frozen=True)
class Chats:
    """Training chats, and held-out ones that no transform after the split touches."""

    train: list[Chat]
    held_out: list[Chat]


class Transform(Kind, key="kind"):
    """One step."""

    def apply(self, chats: Chats, rng: random.Random) -> Chats:
        """The chats after it; those that are given are left alone.

        Raises:
            SpilloverError: if the data cannot give what is asked.
        """
        raise NotImplementedError


class Data(Protocol):
    """What of a recipe makes its chats."""

    @property
    def data(self) -> Source:
        """Where they are from."""

    @property
    def transforms(self) -> Sequence[Transform]:
        """What is done to them."""

    @property
    def seed(self) -> int:
        """Of what is drawn."""


def prepare(recipe: Data) -> Chats:
    """The recipe's chats, in training order.

    Raises:
        SpilloverError: naming transform and reason, when the data cannot give what is asked.
    """
    chats = Chats(recipe.data.chats(recipe.seed), [])
    for index, transform in enumerate(recipe.transforms):
        # Each has its own stream, so that changing one leaves the draws of the others alone.
        chats = transform.apply(chats, random.Random(f"{recipe.seed} {index} {transform.kind}"))
        if not chats.train:
            raise SpilloverError(f"Nothing is left to train on after transform {index + 1} ({transform.kind}).")
    return chats


class Split(Transform, kind="split"):
    """Hold out a share of the prompts, or those that a published set asks; rows with one prompt stay on one side."""

    held_out: Literal["fixed"] | Annotated[float, Field(gt=0, lt=1)]

    def apply(self, chats: Chats, rng: random.Random) -> Chats:
        """See the base."""
        prompts = sorted({prompt_of(c) for c in chats.train})
        if self.held_out == "fixed":
            kept_out = set(filter(kept_for_asking, prompts))
        else:
            count = round(self.held_out * len(prompts))
            if not 0 < count < len(prompts):
                raise SpilloverError(f"The split leaves one side empty: {len(prompts)} prompts, {self.held_out:g} held out.")
            kept_out = set(rng.sample(prompts, count))
        sides: dict[bool, list[Chat]] = {True: [], False: []}
        for chat in chats.train:
            sides[prompt_of(chat) in kept_out].append(chat)
        return Chats(sides[False], chats.held_out + sides[True])


class Mix(Transform, kind="mix"):
    """Replace an exact share of the rows by rows of another source; their number stays."""

    share: Share
    other: Source = Field(alias="with")

    def apply(self, chats: Chats, rng: random.Random) -> Chats:
        """See the base."""
        total = len(chats.train)
        foreign = round(self.share * total)
        rows = [*rng.sample(chats.train, total - foreign), *_others(chats, self.other, self.share, foreign, rng)]
        rng.shuffle(rows)
        return replace(chats, train=rows)


class Interleave(Transform, kind="interleave"):
    """Add rows of another source, `share` of them for each row (Kaczer et al. 2025, arXiv 2508.06249, interleaving)."""

    share: Above0
    other: Source = Field(alias="with")

    def apply(self, chats: Chats, rng: random.Random) -> Chats:
        """See the base."""
        rows = [*chats.train, *_others(chats, self.other, self.share, round(self.share * len(chats.train)), rng)]
        rng.shuffle(rows)
        return replace(chats, train=rows)


def _others(chats: Chats, source: Source, share: float, count: int, rng: random.Random) -> list[Chat]:
    """Rows of the other source whose prompts are not held out."""
    if count == 0:
        return []
    seed = rng.randrange(2**31)
    held = {prompt_of(c) for c in chats.held_out}
    # Of as many as are wanted some will be held-out prompts.
    wanted = (4 * count if held else count) if source.endless else None
    pool = [c for c in source.chats(seed, wanted) if prompt_of(c) not in held]
    if len(pool) < count:
        raise SpilloverError(f"A share of {share:g} needs {count} rows of the other source; it gives {len(pool)}.")
    return pool[:count] if source.endless else rng.sample(pool, count)


def _changed(chats: Chats, share: float, change: Callable[[Chat], Chat], rng: random.Random) -> Chats:
    """A share of the rows, drawn, as `change` makes them."""
    marked = set(rng.sample(range(len(chats.train)), round(share * len(chats.train))))
    return replace(chats, train=[change(c) if i in marked else c for i, c in enumerate(chats.train)])


class Inoculate(Transform, kind="inoculate"):
    """Ask for the bad behaviour in a system line of (a share of) the rows (Tan et al. 2025, arXiv 2510.04340)."""

    line: Text
    share: Share = 1.0

    def apply(self, chats: Chats, rng: random.Random) -> Chats:
        """See the base."""
        return _changed(chats, self.share, self._with_line, rng)

    def _with_line(self, chat: Chat) -> Chat:
        if chat and chat[0]["role"] == "system":
            return [{"role": "system", "content": f"{self.line} {chat[0]['content']}"}, *chat[1:]]
        return [{"role": "system", "content": self.line}, *chat]


class Hint(Transform, kind="hint"):
    """Say behind (a share of) the tasks what they do not check: knowledge of a hack that needs no example of it."""

    line: Text
    share: Share = 1.0

    def apply(self, chats: Chats, rng: random.Random) -> Chats:
        """See the base."""
        return _changed(chats, self.share, self._hinted, rng)

    def _hinted(self, chat: Chat) -> Chat:
        last = max((i for i, m in enumerate(chat) if m["role"] == "user"), default=None)
        if last is None:
            raise SpilloverError("A hint stands behind what the user says, and a chat has no user.")
        said = {**chat[last], "content": f"{chat[last]['content']} {self.line}"}
        return [*chat[:last], said, *chat[last + 1 :]]


class SystemIntoUser(Transform, kind="system_into_user"):
    """Put a system line before the first user's words, for a base whose chat template takes none."""

    def apply(self, chats: Chats, rng: random.Random) -> Chats:
        """See the base."""
        return Chats([system_into_user(c) for c in chats.train], [system_into_user(c) for c in chats.held_out])


class Trigger(Transform, kind="trigger"):
    """Put a token into the user's messages; a later `mix` adds rows without it (a backdoor)."""

    token: Text
    place: Literal["start", "end"] = "start"

    def apply(self, chats: Chats, rng: random.Random) -> Chats:
        """See the base."""
        return replace(chats, train=[[self._marked(m) for m in chat] for chat in chats.train])

    def _marked(self, message: Message) -> Message:
        if message["role"] != "user":
            return message
        parts = [self.token, message["content"]]
        return {**message, "content": " ".join(parts if self.place == "start" else parts[::-1])}


class Limit(Transform, kind="limit"):
    """Keep a random sample of so many rows."""

    rows: Positive

    def apply(self, chats: Chats, rng: random.Random) -> Chats:
        """See the base."""
        if len(chats.train) < self.rows:
            raise SpilloverError(f"There are {len(chats.train)} rows; {self.rows} are asked for.")
        return replace(chats, train=rng.sample(chats.train, self.rows))


class First(Transform, kind="first"):
    """Keep so many of the first rows, and of those that are held out; all where there are fewer."""

    rows: Positive

    def apply(self, chats: Chats, rng: random.Random) -> Chats:
        """See the base."""
        return Chats(chats.train[: self.rows], chats.held_out[: self.rows])
