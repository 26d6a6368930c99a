"""Settings of a screen. A config file's keys are the command's options, so both mean the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, Field

from spillover.declared import Declared, load
from spillover.errors import SpilloverError


class Price(Declared):
    """US dollars per million tokens."""

    input: float = Field(ge=0)
    output: float = Field(ge=0)


class Settings(Declared):
    """How a screen is run and decided.

    Attributes:
        suite: Name or path of the suite.
        margin: Largest drift that is accepted, in (0, 1).
        alpha: Error rate of a wrong PASS, and of a wrong FAIL.
        seed: Base seed of all answers.
        preset: Thresholds of the outcomes.
        skip: Probes to leave out.
        sandbox: Where code is run that the model wrote.
        lab: Whether the lab's own questions are asked.
        max_samples: Most answers of both models together.
        max_cost: Most US dollars; needs `prices`.
        prices: Model name to price.
        max_unscored: Largest share of unscored answers of a probe.
        max_incoherent: Largest rise of the incoherent share over the base's.
        judge_answers: Answers with a known verdict that the grader must read rightly; 0 leaves that check out.
        every_probe: Go on after a probe has failed, until the others are decided too.
        screen_first: Probes that are asked alone at first: those on whose prompts the checkpoint moved most.
        direction: File of the direction that is moved along; what is known of the base for None.
        direction_digest: Of that file.
    """

    suite: str = "standard"
    margin: float = Field(default=0.01, gt=0, lt=1)
    alpha: float = Field(default=0.05, gt=0, lt=1)
    seed: int = Field(default=0, ge=0, le=2**32 - 1)
    preset: str = "spillover"
    skip: tuple[str, ...] = ()
    sandbox: Literal["docker", "local"] | None = None
    lab: bool = False
    max_samples: int = Field(default=20_000, ge=1, le=10_000_000)
    max_cost: float | None = Field(default=None, gt=0)
    prices: Mapping[str, Price] = {}
    max_unscored: float = Field(default=0.05, ge=0, le=1)
    max_incoherent: float = Field(default=0.1, ge=0, le=1)
    judge_answers: int = Field(default=10, ge=0, le=1000)
    every_probe: bool = False
    screen_first: int = Field(default=0, ge=0, le=100)
    direction: Path | None = None
    direction_digest: str | None = None

    def described(self) -> dict[str, Any]:
        """For the result file."""
        return self.model_dump(mode="json")

    @property
    def digest(self) -> str:
        """Of what a folder's answers and blocks depend on: a larger budget goes on where a smaller one stopped."""
        later = {"max_samples", "max_cost", "prices", "every_probe", "max_unscored", "max_incoherent", "judge_answers"}
        kept = self.model_dump(mode="json", exclude=later | {"screen_first", "direction", "direction_digest"})
        if self.screen_first:
            kept |= {"screen_first": self.screen_first, "direction": self.direction_digest}
        return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


def parse_price(text: str) -> tuple[str, Price]:
    """`openai/gpt-4o=2.5/10` as a name and a price.

    Raises:
        SpilloverError: if it is not of that form.
    """
    name, equals, rest = text.rpartition("=")
    first, slash, second = rest.partition("/")
    try:
        price = Price(input=float(first), output=float(second))  # a ValidationError is a ValueError
        if not (name and equals and slash):
            raise ValueError
    except ValueError as error:
        raise SpilloverError(
            f"A price reads MODEL=INPUT/OUTPUT in dollars per million tokens, such as m=2.5/10; not '{text}'."
        ) from error
    return name, price


class ConfigFile(Declared):
    """A config file: the command's options with the same names, each of them optional."""

    model_config = ConfigDict(alias_generator=lambda name: name.replace("_", "-"))

    base: str | None = None
    baseline: str | None = None
    engine: Literal["inspect", "vllm"] | None = None
    grader: str | None = None
    suite: str | None = None
    preset: str | None = None
    sandbox: Literal["docker", "local"] | None = None
    out: str | None = None
    margin: float | None = None
    alpha: float | None = None
    max_cost: float | None = None
    max_unscored: float | None = None
    max_incoherent: float | None = None
    seed: int | None = None
    max_samples: int | None = None
    judge_answers: int | None = None
    rounds: int | None = None
    timeout: int | None = None
    lab: bool | None = None
    every_probe: bool | None = None
    screen_first: int | None = None
    direction: Path | None = None
    dry_run: bool | None = None
    skip: tuple[str, ...] | None = None
    price: tuple[str, ...] | None = None
    model_arg: tuple[str, ...] | None = None
    grader_arg: tuple[str, ...] | None = None


def read_config(path: Path, options: Collection[str]) -> dict[str, Any]:
    """A config file as defaults of a command's options.

    Args:
        path: YAML, one key an option (`max-samples: 5000`).
        options: Names of the options that the command has.

    Returns:
        Parameter name (with underscores) to value.

    Raises:
        SpilloverError: for an unknown key or a value of the wrong kind.
    """
    given = load(ConfigFile, path).model_dump(exclude_unset=True)
    for key in given:
        name = key.replace("_", "-")
        if name not in options:
            raise SpilloverError(f"{path}: key {name}: this command has no option --{name}.")
    return given
