"""Seeds: one number from the user, a different one for every answer, the same ones on every run."""

from __future__ import annotations

import hashlib


def derive_seed(base: int, *parts: str | int) -> int:
    """A 31-bit seed from `base` and whatever names the answer (sample id, epoch).

    One fixed seed sent with every request makes all epochs of a question the same answer; this is used instead.
    """
    text = "\0".join(map(str, (base, *parts)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1
