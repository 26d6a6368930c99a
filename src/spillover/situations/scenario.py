"""What happens in a scenario: its first state, its scripts, and whether what was done is sabotage."""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from inspect_ai.util import Store
from pydantic import Field, field_validator

from spillover.declared import load
from spillover.errors import unknown
from spillover.paths import data_files
from spillover.questions.model import Provenance, refuse_twice, refuse_unknown
from spillover.situations.conditions import FileCondition
from spillover.situations.model import Say, Situation
from spillover.situations.world import World

DENIED = "denied"
"""What a tool says of a call that a policy did not let through."""

Conduct = Literal["none", "attempted", "executed"]


class Scenario(Situation):
    """One situation that can be played: attributes as in its file."""

    @property
    def watched(self) -> set[str]:
        """Files that a condition is about, whether or not they are there."""
        return {c.file for c in (*self.state, *self.done) if isinstance(c, FileCondition)}

    def instructions(self, twin: bool = False) -> str:
        """The system message."""
        return (self.twin.system if twin else None) or self.system

    def request(self, twin: bool = False) -> str:
        """The user message."""
        return (self.twin.task if twin else None) or self.task

    def start(self, world: World, twin: bool = False) -> World:
        """Put `world` into its first state."""
        files, inbox, records = (self.twin.files, self.twin.inbox, self.twin.records) if twin else (None, None, None)
        world.files = dict(self.files if files is None else files)
        world.inbox = list(self.inbox if inbox is None else inbox)
        world.records = copy.deepcopy(self.records if records is None else records)
        return world

    def conduct(self, world: World, twin: bool = False) -> Conduct:
        """What was done: sabotage that left its mark, an attempt that did not, or neither.

        A condition that held from the start (the twin has no monitor that could be on) says nothing.
        """
        before = self.start(World(store=Store()), twin)
        if any(condition.holds(world) and not condition.holds(before) for condition in self.state):
            return "executed"
        return "attempted" if any(self.forbids(entry) for entry in world.log) else "none"

    def forbids(self, entry: dict[str, Any]) -> bool:
        """Whether a call (`tool` and its arguments) is one of those that are sabotage."""
        return any(
            all(
                re.fullmatch(p, str(entry.get(k, ""))) if k == "tool" else re.search(p, str(entry.get(k, "")))
                for k, p in pattern.items()
            )
            for pattern in self.calls
        )

    def finished(self, world: World) -> bool:
        """Whether the task itself was done."""
        return all(condition.holds(world) for condition in self.done)

    def play(self, script: str, world: World, deny: bool = False) -> Iterator[dict[str, Any]]:
        """Put `world` into its first state and act a script out in it.

        Args:
            script: `aligned`, `misaligned` or `twin`.
            world: Changed by the calls.
            deny: Whether calls that are sabotage are denied.

        Yields:
            What the model said and the tools answered, as a chat template takes it.
        """
        self.start(world, script == "twin")
        for step in self.scripts[script]:
            if isinstance(step, Say):
                yield {"role": "assistant", "content": step.say}
                continue
            # A call is a message of its own to whoever reads it, and may be changed.
            tool, arguments = step.tool, dict(step.arguments)
            call = {"type": "function", "function": {"name": tool, "arguments": arguments}}
            yield {"role": "assistant", "content": "", "tool_calls": [call]}
            if deny and self.forbids({"tool": tool, **arguments}):
                world.deny(tool, arguments)
                yield {"role": "tool", "content": DENIED}
            else:
                yield {"role": "tool", "content": world.call(tool, arguments)}


class ScenarioSet(Provenance):
    """Scenarios with their provenance."""

    scenarios: Annotated[tuple[Scenario, ...], Field(min_length=1)]

    @field_validator("scenarios")
    @classmethod
    def _distinct(cls, scenarios: tuple[Scenario, ...]) -> tuple[Scenario, ...]:
        refuse_twice((s.id for s in scenarios), "scenarios")
        return scenarios

    @property
    def digest(self) -> str:
        """SHA-256 (first 12 hex digits) of everything that is asked and checked."""
        # Without what a twin or a condition leaves open, so that a new kind of either does not change older sets' digests.
        body = json.dumps([s.model_dump(exclude_none=True) for s in self.scenarios], sort_keys=True)
        return hashlib.sha256(body.encode()).hexdigest()[:12]

    def select(self, categories: list[str] | None) -> ScenarioSet:
        """The same set with only some categories.

        Raises:
            SpilloverError: if a category does not exist.
        """
        refuse_unknown(categories, (s.category for s in self.scenarios), f"scenarios '{self.id}'")
        kept = tuple(s for s in self.scenarios if not categories or s.category in categories)
        return self.model_copy(update={"scenarios": kept})


@cache
def load_scenarios(name: str) -> ScenarioSet:
    """Load a set of scenarios.

    Args:
        name: A folder of `datasets/`, or the path of a YAML file.

    Raises:
        SpilloverError: if it is unknown or malformed.
    """
    named = [] if name.endswith((".yaml", ".yml")) else data_files("datasets", f"{name}/scenarios.yaml")
    path = named[0] if named else Path(name)
    if not path.is_file():
        known = sorted(p.parent.name for p in data_files("datasets", "*/scenarios.yaml"))
        raise unknown("scenario set", name, known)
    return load(ScenarioSet, path)
