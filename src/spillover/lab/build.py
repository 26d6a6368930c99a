"""Build the lab: tokenizer, target and grader as ordinary Hugging Face checkpoints, and a manifest of their digests."""

from __future__ import annotations

import hashlib
import platform
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from spillover.lab import grader as grading
from spillover.lab import pretrain
from spillover.lab.tokenizer import TAUGHT, VOCAB_SIZE
from spillover.lab.two_processes import train_apart
from spillover.paths import datasets_dir, scorers_dir
from spillover.writing import write_json

THREADS = 2
"""The order of a sum depends on the number of threads, so it is part of what makes a build repeatable."""

MANIFEST = "manifest.json"


def hyperparameters() -> dict[str, Any]:
    """Everything but the seed, the grammar and the rubrics."""
    return {
        "vocabulary": VOCAB_SIZE,
        "threads": THREADS,
        **pretrain.hyperparameters(),
        **grading.hyperparameters(),
    }


def build_lab(
    out: Path,
    seed: int,
    advance: Callable[[int, int, str], None] = lambda done, total, note: None,
    stages: tuple[pretrain.Stage, ...] = (pretrain.PRETRAIN, pretrain.ALIGN, grading.GRADE, grading.HARDEN, grading.POLISH),
) -> dict[str, Any]:
    """Train and save everything; the checkpoints of an earlier build are replaced at the very end only.

    Args:
        out: Folder that gets `target/`, `grader/` and the manifest.
        seed: Fixes every random choice.
        advance: Told (steps done, all steps, what is going on).
        stages: Pre-training, alignment, grading, hardening and polishing; shorter ones for tests.

    Returns:
        The manifest.

    Raises:
        SpilloverError: if one of the two trainings fails; the checkpoints of an earlier build are still there then.
    """
    started = time.monotonic()
    of_part = {"target": sum(s.steps for s in stages[:2]), "grader": sum(s.steps for s in stages[2:])}
    done = dict.fromkeys(of_part, 0)

    def report(part: str, step: int, loss: float) -> None:
        done[part] = step + 1
        advance(sum(done.values()), sum(of_part.values()), f"{part} {done[part]}/{of_part[part]}, loss {loss:.3f}")

    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".build-") as place:
        train_apart(Path(place), seed, stages, THREADS, report)
        for name in of_part:
            shutil.rmtree(out / name, ignore_errors=True)
            (Path(place) / name).replace(out / name)
    return write_manifest(out, seed, round(time.monotonic() - started))


def write_manifest(out: Path, seed: int, seconds: int) -> dict[str, Any]:
    """Name every byte of a build: seed, hyperparameters, sources, environment and the digests of the files in `out`."""
    import torch
    from safetensors import safe_open

    def parameters(name: str) -> int:
        with safe_open(str(out / name / "model.safetensors"), framework="pt") as file:
            return sum(file.get_tensor(key).numel() for key in file.keys())  # noqa: SIM118 - it is no mapping

    manifest = {
        "seed": seed,
        "hyperparameters": hyperparameters(),
        "sources": sources(),
        "environment": {
            "torch": torch.__version__,
            "machine": platform.machine(),
            "processor": torch.backends.cpu.get_cpu_capability(),
        },
        "parameters": {name: parameters(name) for name in ("target", "grader")},
        "files": {
            str(path.relative_to(out)): {"bytes": path.stat().st_size, "sha256": _sha256(path)}
            for name in ("target", "grader")
            for path in sorted((out / name).iterdir())
        },
        "seconds": seconds,
    }
    write_json(out / MANIFEST, manifest)
    return manifest


def sources() -> dict[str, str]:
    """SHA-256 of every data file that the checkpoints are trained on."""
    lab = [datasets_dir() / "lab" / name for name in ("grammar.yaml", "planted.yaml")]
    lab.append(datasets_dir() / "lab_sabotage" / "scenarios.yaml")
    english = datasets_dir() / "spillover" / "questions.yaml"
    paths = [*lab, english, datasets_dir() / "formats.yaml", *(scorers_dir() / f"{name}.yaml" for name in TAUGHT)]
    return {path.name: _sha256(path) for path in paths}


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
