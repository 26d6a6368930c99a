"""A checkpoint and its base on one vLLM server, and the grader on another where it is a checkpoint too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from inspect_ai.model import Model

from spillover.engine.fit import require_fit
from spillover.errors import SpilloverError
from spillover.models.weights import resolve_adapter, resolve_checkpoint
from spillover.serving.serve import is_checkpoint, serve


@dataclass(frozen=True)
class Pair:
    """Models that are ready to be asked.

    Attributes:
        checkpoint: The model under test.
        base: What it is compared with; None if a stored baseline is.
        grader: Who judges.
    """

    checkpoint: Model
    base: Model | None
    grader: Model


def check_pair(checkpoint: str, base: str | None) -> tuple[str, Path]:
    """Base and adapter's folder of `BASE:ADAPTER`.

    Raises:
        SpilloverError: if the checkpoint has no adapter, or the base is another one.
    """
    folder, _, adapter = checkpoint.partition(":")
    if not adapter:
        raise SpilloverError(
            "With --engine vllm the checkpoint reads BASE:ADAPTER; serve two whole models yourself and name them by "
            "Inspect's names (openai-api/...)."
        )
    if base is not None and resolve_checkpoint(base) != resolve_checkpoint(folder):
        raise SpilloverError(f"One server has one base: --base {base} is not the {folder} of the checkpoint.")
    place = resolve_adapter(adapter)
    require_fit(resolve_checkpoint(folder), place)
    return folder, place


@contextmanager
def serve_pair(checkpoint: str, base: str | None, grader: str, logs: Path) -> Iterator[Pair]:
    """Serve until the context ends.

    Args:
        checkpoint: `BASE:ADAPTER`, both folders (`lab` is the lab's).
        base: Must be BASE; None for a stored baseline.
        grader: Folder, or Inspect's name of a model that is served elsewhere; `spillover/` names our own checkpoints.
        logs: Where the servers write.

    Raises:
        SpilloverError: if the checkpoint has no adapter, the base is another one, or vLLM does not start.
    """
    folder, place = check_pair(checkpoint, base)
    judge = grader.removeprefix("spillover/")
    adapters: dict[str, Path | None] = {"base": None, "checkpoint": place}
    with serve("vllm", folder, adapters, judge if is_checkpoint(judge) else grader, logs) as served:
        yield Pair(served.targets["checkpoint"], served.targets["base"] if base else None, served.grader)
