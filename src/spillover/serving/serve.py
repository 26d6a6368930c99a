"""Which engine serves an experiment's models: the in-process one, or vLLM servers on loopback."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from inspect_ai.model import Model, get_model

from spillover.models.identity import tell
from spillover.models.weights import ALIASES, adapter_rank, resolve_checkpoint
from spillover.paths import is_file

ALONE, SHARED_GPU = 0.9, 0.43
"""Parts of a GPU's memory for a server of its own, and for each of two."""

EngineName = Literal["spillover", "vllm"]


@dataclass(frozen=True)
class Served:
    """Inspect models of an experiment.

    Attributes:
        targets: Display name to model.
        grader: The grader.
        names: Inspect's model name, as it stands in logs, to display name. Taken before the first request: Inspect's
            vLLM provider drops the adapter from a model's name once it has loaded it.
    """

    targets: dict[str, Model]
    grader: Model
    names: dict[str, str]


def _served(targets: dict[str, Model], grader: Model) -> Served:
    return Served(targets, grader, {str(model): name for name, model in targets.items()})


@contextmanager
def serve(
    engine: EngineName,
    base: str,
    adapters: Mapping[str, Path | None],
    grader: str,
    log_dir: Path,
    changes: Mapping[str, str] | None = None,
) -> Iterator[Served]:
    """Models ready to be asked; servers are shut down on the way out.

    Args:
        engine: `spillover` (in this process) or `vllm` (one server for base and adapters, one for the grader).
        base: Checkpoint of the targets.
        adapters: Display name to adapter folder, None for the base itself.
        grader: Checkpoint or Inspect model name of the grader.
        log_dir: Where servers write their logs.
        changes: Display name to what follows in a model's name (`+steer=FILE@0.2`); for the engine in this process.
    """
    if engine == "spillover":
        targets = {
            name: get_model(f"spillover/{base}" + (f":{folder}" if folder else "") + (changes or {}).get(name, ""))
            for name, folder in adapters.items()
        }
        yield _served(targets, get_model(_grader_name(grader)))
        return
    from spillover.serving.vllm import Server, served_name, start

    root = resolve_checkpoint(base)
    with ExitStack() as stack:
        folders = [f for f in adapters.values() if f is not None]
        rank = max(map(adapter_rank, folders), default=None)
        share = SHARED_GPU if is_checkpoint(grader) else ALONE
        server: Server = stack.enter_context(start(root, log_dir / "target.log", rank, share=share))
        targets = {}
        for name, place in adapters.items():
            own = f":{place.resolve()}" if place else ""
            model = get_model(server.model + own, base_url=server.url, api_key=server.key)
            targets[name] = tell(model, f"vllm/{base}{own}", root, place)
        if is_checkpoint(grader):
            folder = resolve_checkpoint(grader)
            # Two folders of one name would be one server to Inspect, and the target its own judge.
            other = f"{folder.name}-grader" if served_name(folder) == served_name(root) else None
            judge = stack.enter_context(start(folder, log_dir / "grader.log", share=share, name=other))
            served = get_model(judge.model, base_url=judge.url, api_key=judge.key)
            yield _served(targets, tell(served, f"vllm/{grader}", folder))
        else:
            yield _served(targets, get_model(grader))


def is_checkpoint(name: str) -> bool:
    """Whether a grader is a checkpoint that we load or serve ourselves; otherwise it is an Inspect model name."""
    return name in ALIASES or is_file(Path(name) / "config.json")


def _grader_name(name: str) -> str:
    return f"spillover/{name}" if is_checkpoint(name) else name
