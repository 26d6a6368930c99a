"""A base's outcomes in a file that can be committed, so that a screen need not ask the base again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inspect_ai.model import Model

from spillover.errors import SpilloverError
from spillover.models.identity import describe
from spillover.schema import check_schema, read_yaml
from spillover.screening.answers import STORED, Answers, Given, Place
from spillover.screening.block import Ask, ask_block, block_steps
from spillover.screening.config import Settings
from spillover.screening.gate import Gated
from spillover.screening.race import block_rounds
from spillover.writing import write_json

LETTERS = {"hit": "h", "miss": "m", "incoherent": "i", "undecided": "u", "unscored": "x"}
_STATES = {letter: state for state, letter in LETTERS.items()}

SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["format", "about", "grader", "seed", "probes"],
    "properties": {
        "format": {"const": "spillover-baseline/1"},
        "about": {"type": "object", "required": ["name", "weights"]},
        "grader": {"type": "object", "required": ["name", "weights"]},
        "seed": {"type": "integer"},
        "probes": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "required": ["identity", "samples", "blocks"],
                "properties": {
                    "identity": {"type": "string"},
                    "samples": {"type": "array", "items": {"type": "string"}},
                    "blocks": {
                        "type": "array",
                        "items": {"type": "array", "items": {"type": "string", "pattern": "^[hmiux]*$"}},
                    },
                },
            },
        },
    },
}


@dataclass(frozen=True)
class Baseline:
    """Stored outcomes.

    Attributes:
        about: Name and weights of the base.
        grader: Who judged.
        seed: Base seed; a screen with the same one gets the same random numbers.
        probes: Probe to identity, samples, and one string a round in which every letter is a sample's state.
    """

    about: Mapping[str, Any]
    grader: Mapping[str, Any]
    seed: int
    probes: Mapping[str, Mapping[str, Any]]

    @property
    def digest(self) -> str:
        """Of everything in it."""
        text = json.dumps([self.about, self.grader, self.seed, self.probes], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def rounds_of(self, block: int) -> dict[str, int]:
        """Rounds of a block, by probe."""
        return {n: len(p["blocks"][block]) if block < len(p["blocks"]) else 0 for n, p in self.probes.items()}

    def answers(self, probe: str, block: int, rounds: int) -> Answers:
        """The first rounds of a block as answers without a text."""
        stored = self.probes[probe]
        return {
            Place(block, epoch, sample): Given(_STATES[letter], answer=STORED)
            for epoch, line in enumerate(stored["blocks"][block][:rounds], start=1)
            for sample, letter in zip(stored["samples"], line, strict=True)
        }

    def save(self, path: Path) -> None:
        """Write it as JSON, a line a round."""
        body = {
            "format": "spillover-baseline/1",
            "about": self.about,
            "grader": self.grader,
            "seed": self.seed,
            "probes": self.probes,
        }
        write_json(path, body)


def load_baseline(path: Path, gated: Sequence[Gated], grader: Model, settings: Settings) -> Baseline:
    """Read a baseline that fits a screen.

    Raises:
        SpilloverError: if it is malformed, or was made with other questions, rubrics, seed or grader.
    """
    raw = read_yaml(path)
    if not is_baseline(raw):
        raise SpilloverError(f"{path} is no baseline; `spillover baseline` makes one.")
    check_schema(raw, SCHEMA, str(path))
    again = "make it again with `spillover baseline`"
    for probe in gated:
        stored = raw["probes"].get(probe.name)
        if stored is None or not stored["blocks"]:
            raise SpilloverError(f"{path} holds no answers to {probe.name}; {again}, or leave that out with --skip.")
        if stored["identity"] != identity(probe):
            raise SpilloverError(f"{path} was made with other questions, rubrics or measures of {probe.name}; {again}.")
        if any(len(line) != len(stored["samples"]) for block in stored["blocks"] for line in block):
            raise SpilloverError(f"{path} is damaged: a round of {probe.name} has not one letter for every sample; {again}.")
    judge = describe(grader)
    known = judge["weights"] is not None and raw["grader"]["weights"] is not None
    if (judge["weights"] != raw["grader"]["weights"]) if known else (judge["name"] != raw["grader"]["name"]):
        raise SpilloverError(f"{path} was judged by {raw['grader']['name']}, not by {judge['name']}; {again}.")
    if raw["seed"] != settings.seed:
        raise SpilloverError(f"{path} was made with --seed {raw['seed']}; give that, or {again}.")
    return Baseline(raw["about"], raw["grader"], raw["seed"], {g.name: raw["probes"][g.name] for g in gated})


def is_baseline(raw: Any) -> bool:
    """Whether parsed data are one, sound or not."""
    return isinstance(raw, dict) and str(raw.get("format", "")).startswith("spillover-baseline/")


def identity(probe: Gated) -> str:
    """Digest of what a probe asks and how it is scored."""
    return hashlib.sha256(json.dumps(probe.identity, sort_keys=True, default=str).encode()).hexdigest()[:16]


def make_baseline(
    base: Model, grader: Model, gated: Sequence[Gated], rounds: int, settings: Settings, logs: Path, ask: Ask
) -> Baseline:
    """Ask a base the first `rounds` rounds of every probe, in the blocks that screens use."""
    blocks: dict[str, list[list[str]]] = {g.name: [] for g in gated}
    block = 0
    while True:
        # Whole blocks are asked, whatever is kept of the last one: a longer baseline goes on in the same folder.
        left = {g.name: rounds - sum(map(len, blocks[g.name])) for g in gated}
        planned = {g.name: block_rounds(g.questions, block) for g in gated if left[g.name] > 0}
        if not planned:
            break
        asked = [g for g in gated if g.name in planned]
        (step,) = block_steps("baseline", block, planned, asked, ["base"], settings.seed)
        found = ask_block(ask, base, grader, logs, step, asked, settings)
        for g in asked:
            given = found.get(g.name, {})
            blocks[g.name].append(
                [
                    "".join(LETTERS[_state(given, Place(block, epoch, s))] for s in g.identity["samples"])
                    for epoch in range(1, min(planned[g.name], left[g.name]) + 1)
                ]
            )
        block += 1
    probes = {g.name: {"identity": identity(g), "samples": g.identity["samples"], "blocks": blocks[g.name]} for g in gated}
    return Baseline(describe(base), describe(grader), settings.seed, probes)


def _state(given: Answers, place: Place) -> str:
    return given[place].state if place in given else "unscored"
