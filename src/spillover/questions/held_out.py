"""Prompts of published training sets that are kept for asking: the same ones for every seed and every source."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from spillover.errors import SpilloverError
from spillover.questions.chats import read_chats
from spillover.questions.model import Question, QuestionSet
from spillover.questions.upstream import get_upstream, registry, verified_path

EVERY = 20
"""One prompt in so many is kept for asking."""


def training_sets() -> list[str]:
    """Names of the published files that hold chats."""
    return [name for name, entry in registry().items() if entry.path.endswith(".jsonl")]


def prompt_of(chat: Sequence[dict[str, str]]) -> str:
    """Everything up to the first answer, system message left out: what two rows may share."""
    asked = []
    for message in chat:
        if message["role"] == "assistant":
            break
        if message["role"] == "user":
            asked.append(message["content"])
    return "\n".join(asked)


def kept_for_asking(prompt: str) -> bool:
    """Whether a prompt is one of those that `{kind: split, held_out: fixed}` keeps out of training, by its digest."""
    return int.from_bytes(hashlib.sha256(prompt.encode()).digest()[:8]) % EVERY == 0


def held_out_questions(name: str) -> QuestionSet:
    """The kept prompts of a published training set, in its order; chats of several turns or with a system line are left out.

    Raises:
        SpilloverError: if the file is missing or altered, or holds no prompts to keep.
    """
    entry = get_upstream(name)
    prompts: dict[str, None] = {}
    for chat in read_chats(verified_path(name)):
        if [m["role"] for m in chat] == ["user", "assistant"] and kept_for_asking(chat[0]["content"]):
            prompts[chat[0]["content"]] = None
    if not prompts:
        raise SpilloverError(f"{name} has no prompts that are kept for asking.")
    digests = {p: hashlib.sha256(p.encode()).hexdigest()[:12] for p in prompts}
    return QuestionSet(
        id=name,
        version=f"{entry.sha256[:12]}-{EVERY}",
        title=f"{entry.source}: prompts kept for asking",
        licence=entry.licence,
        source=entry.url,
        questions=tuple(Question(id=digests[p], category=name, paraphrases=(p,)) for p in prompts),
    )
