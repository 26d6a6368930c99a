"""One entry of an experiment that stands for many models: `each: {share: [0.1, 0.5]}` fills in `{share}` where it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from string import Formatter
from typing import Any

from spillover.errors import SpilloverError

_WIDE = re.compile(r"\d{4}")
"""In a format: a text of thousands of characters, or of as many gigabytes."""


def expanded(entry: dict[str, Any], path: Path) -> Iterator[dict[str, Any]]:
    """The entry, or one for every combination of values under `each`, which is replaced by `values`.

    A text that is nothing but a name in braces becomes the value itself; within a longer text Python's format applies
    (`{share:.0%}`).

    Raises:
        SpilloverError: if a name in braces is not under `each`, or `each` holds no lists.
    """
    axes = entry.get("each")
    if axes is None:
        yield entry
        return
    if not (
        isinstance(axes, dict) and axes and all(isinstance(k, str) and isinstance(v, list) and v for k, v in axes.items())
    ):
        raise SpilloverError(f"{path}: model '{entry.get('name')}': each holds a list of values under every name.")
    rest = {key: value for key, value in entry.items() if key != "each"}
    for chosen in product(*axes.values()):
        values = dict(zip(axes, chosen, strict=True))
        try:
            yield {**_filled(rest, values), "values": values}
        except (KeyError, ValueError, TypeError, IndexError, AttributeError) as error:  # whatever a format may raise
            raise SpilloverError(
                f"{path}: model '{entry.get('name')}': braces hold a name under each ({', '.join(axes)}), not {error}."
            ) from error


def _filled(node: Any, values: dict[str, Any]) -> Any:
    if isinstance(node, dict):
        return {key: _filled(value, values) for key, value in node.items()}
    if isinstance(node, list):
        return [_filled(value, values) for value in node]
    if not isinstance(node, str):
        return node
    for _, name, form, _ in Formatter().parse(node):
        if form and ("{" in form or _WIDE.search(form)):
            raise ValueError(f"the format {form[:40]}")
        if name is not None and name not in values:
            raise KeyError(name)
    whole = node.removeprefix("{").removesuffix("}")
    return values[whole] if node == f"{{{whole}}}" and whole in values else node.format(**values)
