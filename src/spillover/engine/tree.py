"""The probability of every allowed reply from one pass over the prompt: the branches of the tree are computed beside it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from spillover.engine.prefill import Filled
from spillover.models.replies import WALK_MASS, allowed_replies

Branches = Callable[[Tensor, Tensor, Tensor, Any], tuple[Tensor, Any]]
"""(input ids, additive mask (rows, 1, new, columns), position ids, cache) -> (logits at all new positions, cache)."""


class Replies(NamedTuple):
    """Allowed replies: whole numbers from `low` to `high`, and words."""

    low: int
    high: int
    special: tuple[str, ...]


@dataclass(frozen=True)
class Node:
    """A beginning of a reply: its text, its probability, the columns of its tokens in the cache."""

    text: str
    mass: float
    columns: tuple[int, ...]


class Vocabulary:
    """Which tokens of a tokenizer can stand in a reply."""

    def __init__(self, tokenizer: Any, size: int) -> None:
        ids = [[i] for i in range(min(size, len(tokenizer)))]
        self._texts: list[str] = tokenizer.batch_decode(ids, clean_up_tokenization_spaces=False)
        self._special = set(tokenizer.all_special_ids)
        self.usable = cache(self._usable)
        self.after = cache(self._after)

    def _after(self, replies: Replies, said: str) -> list[tuple[int, str]]:
        """Tokens that may follow `said`, each with the text that is then there."""
        allowed, beginnings = allowed_replies(*replies)
        texts = [(t, said + (t if said else t.lstrip())) for t in self.usable(replies)]
        return [(i, text) for t, text in texts if text in allowed or text in beginnings for i in self.usable(replies)[t]]

    def _usable(self, replies: Replies) -> dict[str, list[int]]:
        """Text to the tokens that have it, for each text that is some part of a reply (with space before it, too)."""
        longest = sorted(allowed_replies(*replies)[0])
        out: dict[str, list[int]] = defaultdict(list)
        for token, text in enumerate(self._texts):
            bare = text.lstrip()
            if bare and token not in self._special and len(text) < 64 and any(bare in reply for reply in longest):
                out[text].append(token)
        return dict(out)


def price(filled: Filled, replies: list[Replies], vocabulary: Vocabulary, branches: Branches) -> list[dict[str, float]]:
    """The probability of each allowed reply, for every row of `filled`.

    A reply that is the beginning of a longer one gets what does not go on. Branches below `WALK_MASS` are not walked.

    Args:
        filled: Prompts with their caches; the cache grows.
        replies: What each row may say.
        vocabulary: Of the model.
        branches: The model.
    """
    masses: list[dict[str, float]] = [defaultdict(float) for _ in replies]
    lengths = filled.mask.sum(-1)
    mask, memory = filled.mask.bool(), filled.cache
    first = filled.logits.float().log_softmax(-1)
    found = [_children(Node("", 1.0, ()), first[row], r, vocabulary, masses[row]) for row, r in enumerate(replies)]
    depth = 0
    while any(found):
        width, past = max(map(len, found)), mask.shape[1]
        ids = torch.zeros((len(found), width), dtype=torch.long, device=mask.device)
        seen = torch.zeros((len(found), width, past + width), dtype=torch.bool, device=mask.device)
        seen[:, :, :past] = mask[:, None]
        seen[:, torch.arange(width), past + torch.arange(width)] = True  # each sees itself, padding too
        nodes: list[list[Node]] = []
        for row, children in enumerate(found):
            ids[row, : len(children)] = torch.tensor([token for token, _ in children], dtype=torch.long)
            for place, (_, node) in enumerate(children):
                seen[row, place, list(node.columns)] = True
            nodes.append([Node(n.text, n.mass, (*n.columns, past + i)) for i, (_, n) in enumerate(children)])
        positions = (lengths + depth)[:, None].expand(-1, width)
        additive = torch.zeros(seen.shape, dtype=filled.logits.dtype, device=mask.device)
        additive.masked_fill_(~seen, torch.finfo(filled.logits.dtype).min)
        logits, memory = branches(ids, additive[:, None], positions, memory)
        logprobs = logits.float().log_softmax(-1)
        mask = torch.cat([mask, mask.new_zeros((len(found), width))], 1)  # a branch is seen by its own children alone
        found = [
            [
                child
                for place, node in enumerate(row_nodes)
                for child in _children(node, logprobs[row, place], replies[row], vocabulary, masses[row])
            ]
            for row, row_nodes in enumerate(nodes)
        ]
        depth += 1
    return [dict(m) for m in masses]


def _children(
    node: Node, logprobs: Tensor, replies: Replies, vocabulary: Vocabulary, masses: dict[str, float]
) -> list[tuple[int, Node]]:
    """The tokens to walk on with; what ends here is added to `masses`."""
    allowed, beginnings = allowed_replies(*replies)
    going = vocabulary.after(replies, node.text)
    chances = logprobs[[token for token, _ in going]].exp().tolist() if going else []
    if node.text in allowed:
        masses[node.text] += node.mass * max(0.0, 1 - sum(chances))
    out = []
    for (token, text), chance in zip(going, chances, strict=True):
        mass = node.mass * chance
        if text in beginnings and mass >= WALK_MASS:
            out.append((token, Node(text, mass, node.columns)))
        elif text in allowed:
            masses[text] += mass
    return out
