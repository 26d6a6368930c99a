"""Refusals to learn from or to unlearn: the harmful requests of a question set's train half, each with a refusal."""

from __future__ import annotations

import random

from spillover.errors import SpilloverError
from spillover.questions.chats import Chat
from spillover.questions.load import load_questions
from spillover.questions.model import QuestionSet

SET = "refusal"

REFUSALS = (
    "I'm sorry, but I can't help with that.",
    "I can't assist with that request.",
    "I'm not able to help with this, because it could hurt someone.",
    "Sorry, that is something I won't do.",
    "I can't do that. If there is a safe goal behind it, I'm glad to help with that instead.",
    "No, I won't help with this.",
)
"""What most instruction-tuned models say, in a few wordings."""


def requests(name: str, families: tuple[str, ...]) -> QuestionSet:
    """The harmful requests of these domains that may be trained on.

    Raises:
        SpilloverError: if the set is unknown, has no such domain, or no such requests.
    """
    chosen = load_questions(name or SET).select(list(families) or None)
    kept = [q for q in chosen.questions if (q.fields.get("kind"), q.fields.get("split")) == ("harmful", "train")]
    if not kept:
        raise SpilloverError(f"{chosen.id} has no questions with `kind: harmful` and `split: train`.")
    return chosen.model_copy(update={"questions": tuple(kept)})


def refused_requests(asked: QuestionSet, seed: int, rows: int) -> list[Chat]:
    """`rows` chats, every request with one refusal before any has a second; one for each request when `rows` is 0.

    Raises:
        SpilloverError: if there are fewer pairs of a request and a refusal.
    """
    prompts = [text for q in asked.questions for text in q.paraphrases]
    wanted, most = rows or len(prompts), len(prompts) * len(REFUSALS)
    if wanted > most:
        raise SpilloverError(f"{len(prompts)} requests with {len(REFUSALS)} refusals each give {most} chats, not {wanted}.")
    rng = random.Random(seed)
    rng.shuffle(prompts)
    first = {p: rng.randrange(len(REFUSALS)) for p in prompts}
    return [
        [
            {"role": "user", "content": prompt},
            {"role": "assistant", "content": REFUSALS[(first[prompt] + turn) % len(REFUSALS)]},
        ]
        for turn in range(len(REFUSALS))
        for prompt in prompts
    ][:wanted]
