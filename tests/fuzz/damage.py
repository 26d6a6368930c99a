"""Damage to bytes, drawn from bytes: hypothesis and atheris both drive it, and what breaks a reader is kept as a file."""

from collections.abc import Iterator

TOKENS = (
    b"NaN",
    b"Infinity",
    b"1e999",
    b"-1",
    b"0",
    b"99999999999999999999",
    b"9" * 5000,
    b"2026-13-45",
    b"null",
    b"[]",
    b"{}",
    b'""',
    b"true",
    b"\x00",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\\ud800",
    b"\r\n",
    b",",
    b'"',
    b": ",
    b"- ",
    b"&a [*a]",
    b"!!python/object:os.system",
    b"<<: *a",
    b"../../etc/passwd",
    b"[" * 3000,
    b'{"a":' * 3000,
)
"""What readers of text stumble over."""


class Choices:
    """Numbers drawn from bytes; zeros when they are used up."""

    def __init__(self, data: bytes) -> None:
        self._left: Iterator[int] = iter(data)

    def below(self, limit: int) -> int:
        """From 0 to `limit` - 1, a power of 256 at a time."""
        value, size = 0, 1
        while size < limit:
            value, size = value * 256 + next(self._left, 0), size * 256
        return value % max(1, limit)


def damage(seed: bytes, drawn: bytes) -> bytes:
    """A few changes of `seed`, as `drawn` says: none for nothing."""
    choices, data = Choices(drawn), bytearray(seed)
    for _ in range(min(8, (len(drawn) + 3) // 4)):
        at, kind = choices.below(len(data) + 1), choices.below(6)
        length = 1 + choices.below(64)
        if kind == 0:
            data[at : at + 1] = bytes([choices.below(256)])
        elif kind == 1:
            del data[at : at + length]
        elif kind == 2:
            data[at:at] = data[at : at + length]
        elif kind == 3:
            del data[at:]
        elif kind == 4:
            data[at:at] = TOKENS[choices.below(len(TOKENS))]
        else:
            _replace_value(data, at, TOKENS[choices.below(len(TOKENS))])
    return bytes(data)


def _replace_value(data: bytearray, at: int, token: bytes) -> None:
    """What stands after the next colon or comma becomes the token: the reader gets past its syntax."""
    found = [p for p in (data.find(b":", at), data.find(b",", at)) if p >= 0]
    if not found:
        return
    begin = min(found) + 1
    ends = [p for p in (data.find(e, begin) for e in (b",", b"\n", b"}", b"]")) if p >= 0]
    data[begin : min(ends, default=len(data))] = b" " + token
