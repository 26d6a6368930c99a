"""Settings of a screen. A config file's keys are the command's options, so both mean the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from spillover.errors import SpilloverError
from spillover.schema import check_schema, read_yaml


@dataclass(frozen=True)
class Price:
    """US dollars per million tokens."""

    input: float
    output: float


@dataclass(frozen=True)
class Settings:
    """How a screen is run and decided.

    Attributes:
        suite: Name or path of the suite.
        margin: Largest drift that is accepted, in (0, 1).
        alpha: Error rate of a wrong PASS, and of a wrong FAIL.
        seed: Base seed of all answers.
        preset: Thresholds of the EM verdicts.
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
    """

    suite: str = "standard"
    margin: float = 0.01
    alpha: float = 0.05
    seed: int = 0
    preset: str = "spillover"
    skip: tuple[str, ...] = ()
    sandbox: Literal["docker", "local"] | None = None
    lab: bool = False
    max_samples: int = 20_000
    max_cost: float | None = None
    prices: Mapping[str, Price] = field(default_factory=dict)
    max_unscored: float = 0.05
    max_incoherent: float = 0.1
    judge_answers: int = 10
    every_probe: bool = False

    def __post_init__(self) -> None:
        for name, value in (("--margin", self.margin), ("--alpha", self.alpha)):
            if not 0 < value < 1:
                raise SpilloverError(f"{name} is a share between 0 and 1, not {value}; 0.01 is one percent.")
        for name, value in (("--max-unscored", self.max_unscored), ("--max-incoherent", self.max_incoherent)):
            if not 0 <= value <= 1:
                raise SpilloverError(f"{name} is a share from 0 to 1, not {value}.")
        if self.max_samples < 1:
            raise SpilloverError("--max-samples must leave room for at least one answer.")

    def described(self) -> dict[str, Any]:
        """For the result file."""
        return {**asdict(self), "prices": {name: asdict(price) for name, price in self.prices.items()}}

    @property
    def digest(self) -> str:
        """Of what a folder's answers and blocks depend on: a larger budget goes on where a smaller one stopped."""
        later = ("max_samples", "max_cost", "prices", "every_probe", "max_unscored", "max_incoherent", "judge_answers")
        kept = {k: v for k, v in asdict(self).items() if k not in later}
        return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


def parse_price(text: str) -> tuple[str, Price]:
    """`openai/gpt-4o=2.5/10` as a name and a price.

    Raises:
        SpilloverError: if it is not of that form.
    """
    name, equals, rest = text.rpartition("=")
    first, slash, second = rest.partition("/")
    try:
        price = Price(float(first), float(second))
    except ValueError:
        price = Price(-1, -1)
    if not (name and equals and slash) or price.input < 0 or price.output < 0:
        raise SpilloverError(
            f"A price reads MODEL=INPUT/OUTPUT in dollars per million tokens, such as m=2.5/10; not '{text}'."
        )
    return name, price


def read_config(path: Path, options: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """A config file as defaults of the command's options.

    Args:
        path: YAML, one key an option (`max-samples: 5000`).
        options: Option to the JSON schema of its value.

    Returns:
        Parameter name (with underscores) to value.

    Raises:
        SpilloverError: for an unknown key or a value of the wrong kind.
    """
    raw = read_yaml(path)
    check_schema(raw, {"type": "object", "additionalProperties": False, "properties": dict(options)}, str(path))
    return {key.replace("-", "_"): value for key, value in raw.items()}
