"""Which grader read an answer, and how: what a certificate must be of to say anything of that."""

from __future__ import annotations

from spillover.judging.certificate import identity_digest

JUDGED_BY = "judged_by"
"""Column: digest of the grader's identity, and the reader; empty where they are not known."""


def judged_by(identity: object, reader: object) -> str | None:
    """`1a2b3c4d5e6f7a8b auto` from a score's metadata."""
    return f"{identity_digest(identity)} {reader or 'auto'}" if isinstance(identity, str) else None
