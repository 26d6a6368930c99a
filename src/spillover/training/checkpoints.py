"""Checkpoints of a run: whole ones to go on from, and adapters of a finished run to evaluate."""

from __future__ import annotations

import math
import os
import shutil
from pathlib import Path

from spillover.errors import SpilloverError
from spillover.models.weights import weights_digest
from spillover.schema import parse_json
from spillover.training.recipe import Training
from spillover.writing import write_json

FOLDER = "checkpoints"
ONSET = "onset"
"""In place of a step: that at which hacks first outnumber correct answers."""
NEEDED = ("adapter_model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth")


def processes() -> int:
    """Number of processes that train together, as `torchrun` and `accelerate launch` say it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def steps_of(training: Training, rows: int) -> int:
    """Optimiser steps of a run over so many chats."""
    batch = training.batch_size * training.gradient_accumulation
    return training.steps or math.ceil(training.epochs * math.ceil(rows / batch))


def save_every(training: Training, rows: int) -> int:
    """Steps between two checkpoints: as set, else a quarter of the run."""
    return training.checkpoint_steps or max(1, steps_of(training, rows) // 4)


def saved_steps(training: Training, rows: int) -> list[int]:
    """Steps at which a finished run has checkpoints; the last one always."""
    last, every = steps_of(training, rows), save_every(training, rows)
    return sorted({*range(every, last + 1, every), last})


def by_step(folder: Path) -> dict[int, Path]:
    """Step to folder of every checkpoint, in order."""
    found = {int(p.name.partition("-")[2]): p for p in folder.glob("checkpoint-*")}
    return dict(sorted(found.items()))


def checkpoint(organism: Path, step: int | str) -> Path:
    """Folder of an organism's adapter after so many steps, or at its onset.

    Raises:
        SpilloverError: if it has no checkpoint there, or no onset.
    """
    known = by_step(organism / FOLDER)
    if step == ONSET:
        from spillover.training.card import read_card

        found = (read_card(organism) or {}).get("onset")
        if found is None:
            raise SpilloverError(
                f"{organism.name} has no onset: hacks never outnumbered correct answers; take the finished organism."
            )
        step = int(found)
    if step not in known:
        steps = ", ".join(map(str, known))
        raise SpilloverError(f"{organism.name} has checkpoints at the steps {steps}, not {step}; set checkpoint_steps.")
    return known[step]


def last_whole(folder: Path) -> str | None:
    """The newest checkpoint that a kill has not cut short; broken ones are removed. The trainer's state is written last."""
    for path in reversed(by_step(folder).values()):
        try:
            parse_json((path / "trainer_state.json").read_text(encoding="utf-8"))
            if all((path / name).is_file() for name in NEEDED):
                return str(path)
        except (OSError, ValueError):
            pass
        shutil.rmtree(path)
    return None


def settle_config(folder: Path) -> None:
    """Write an adapter's configuration in a fixed order: PEFT keeps module names in a set, ordered by chance."""
    path = folder / "adapter_config.json"
    config = parse_json(path.read_text(encoding="utf-8"))
    settled = {k: sorted(v) if isinstance(v, list) and all(isinstance(x, str) for x in v) else v for k, v in config.items()}
    write_json(path, settled, sort_keys=True, indent=2)  # as PEFT's own: the digest is of these bytes


def keep_adapters(folder: Path) -> dict[str, str]:
    """Step to digest of every checkpoint, cut down to the adapter: a finished run needs no optimiser state."""
    found = {}
    for step, path in by_step(folder).items():
        for file in path.iterdir():
            if file.is_dir():  # TRL keeps a copy of the adapter that reinforcement began with
                shutil.rmtree(file)
            elif file.name not in ("adapter_model.safetensors", "adapter_config.json"):
                file.unlink()
        settle_config(path)
        found[str(step)] = weights_digest(path)
    return found
