"""One experiment on several bases: their names, and their answers side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from spillover.answers.outcomes import ProbeRun
from spillover.errors import SpilloverError


@dataclass(frozen=True)
class Answered:
    """Answers of an experiment's models, by EM verdict and by outcome."""

    frame: pd.DataFrame
    runs: list[ProbeRun]


def base_names(bases: Sequence[str]) -> dict[str, str]:
    """Name to checkpoint: the last part of its path, which its folder of results is called by.

    Raises:
        SpilloverError: if two have the same name.
    """
    names: dict[str, str] = {}
    for base in bases:
        name = Path(base).name or base
        if name in names:
            raise SpilloverError(
                f"Two bases are called '{name}' ({names[name]}, {base}); run one of them into another --out."
            )
        names[name] = base
    return names


def together(answered: Mapping[str, Answered]) -> Answered:
    """All answers, every model called after its base: `Qwen3-4B: insecure code #1`."""
    frames = [found.frame.assign(model=[f"{name}: {m}" for m in found.frame["model"]]) for name, found in answered.items()]
    runs = [replace(run, model=f"{name}: {run.model}") for name, found in answered.items() for run in found.runs]
    return Answered(pd.concat(frames, ignore_index=True), runs)
