"""The replies that a grader may give: whole numbers and a few words. Known to readers, and to an engine that prices them."""

from __future__ import annotations

from functools import cache

PRICE = "price_replies"
"""Key of a request's `extra_body` that asks an engine to price all allowed replies at once, and of the answer's metadata."""

WALK_MASS = 0.01
"""Branches less likely than this are not walked any further."""


@cache
def allowed_replies(low: int, high: int, special: tuple[str, ...]) -> tuple[frozenset[str], frozenset[str]]:
    """All replies that a grader may give, and everything that a longer one of them begins with.

    Args:
        low: Least whole number.
        high: Greatest whole number.
        special: Words such as REFUSAL.
    """
    replies = frozenset((*map(str, range(low, high + 1)), *special))
    return replies, frozenset(reply[:i] for reply in replies for i in range(1, len(reply)))
