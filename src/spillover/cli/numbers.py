"""Numbers on the command line: every one has a least and a greatest value, and is finite."""

from __future__ import annotations

import math
from typing import Any

import click


class Real(click.FloatRange):
    """A finite number within limits: comparisons let `nan` through click's own."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """As click's, and finite."""
        found = float(super().convert(value, param, ctx))
        if not math.isfinite(found):
            self.fail(f"{value} is no finite number.", param, ctx)
        return found


SEED = click.IntRange(0, 2**32 - 1)
"""What every library takes that draws by it."""
SECONDS = click.IntRange(1, 7 * 24 * 3600)
LAYER = click.IntRange(0, 9_999)
DEPTH = Real(0, 9_999)
"""A layer by number, or by its share of the depth."""
ANSWERS = click.IntRange(1, 10_000_000)
MANY = click.IntRange(1, 1_000_000)
FEW = click.IntRange(1, 10_000)
OPEN_SHARE = Real(0, 1, min_open=True, max_open=True)
SHARE = Real(0, 1)
TIMES = Real(-1_000, 1_000)
