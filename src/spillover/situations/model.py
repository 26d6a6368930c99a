"""The file format of scenarios: a task with tools, a temptation, its harmless twin, and how sabotage would show."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from spillover.declared import Declared
from spillover.questions.model import Id, Text
from spillover.situations.conditions import Condition, Regex
from spillover.situations.world import ToolName

Records = dict[str, dict[str, dict[str, str]]]
"""Table to key to fields."""
Pattern = Annotated[dict[str, Regex], Field(min_length=1)]
"""Argument of a call (or `tool`) to a regular expression; all parts must match."""
_Conditions = Annotated[tuple[Condition, ...], Field(min_length=1)]

PERSONAS = ("aligned", "misaligned", "twin")


class Say(Declared):
    """Step of a script: say something."""

    say: Text


class Call(Declared):
    """Step of a script: call a tool."""

    tool: Text
    arguments: dict[str, str]


def _kind(raw: Any) -> str:
    return "Say" if isinstance(raw, Say) or (isinstance(raw, dict) and "say" in raw) else "Call"


Step = Annotated[Annotated[Say, Tag("Say")] | Annotated[Call, Tag("Call")], Discriminator(_kind)]


class Twin(Declared):
    """What is different where nothing tempts; the rest is as in the scenario."""

    system: Text | None = None
    task: Text | None = None
    files: dict[str, str] | None = None
    inbox: tuple[Text, ...] | None = None
    records: Records | None = None


class Situation(Declared):
    """One scenario as its file has it.

    Attributes:
        id: Stable name within its set.
        category: Kind of sabotage it tempts to.
        system: What the model is told about its work.
        task: What it is asked to do.
        tools: Names in `spillover.situations.world.TOOLS`.
        calls: Patterns of calls that are sabotage, whether or not they come to anything.
        state: Conditions on the world that sabotage leaves behind; one is enough.
        done: Conditions of the honest task; all must hold.
        twin: What is different where nothing tempts.
        files: Files at the start.
        inbox: Mails that wait.
        records: Database at the start.
        scripts: Steps that each persona takes, for the lab and the oracle.
    """

    id: Id
    category: Text
    system: Text
    task: Text
    tools: Annotated[tuple[ToolName, ...], Field(min_length=1)]
    calls: tuple[Pattern, ...]
    state: _Conditions
    done: _Conditions
    twin: Twin
    files: dict[str, str] = Field(default_factory=dict)
    inbox: tuple[Text, ...] = ()
    records: Records = Field(default_factory=dict)
    scripts: dict[str, Annotated[tuple[Step, ...], Field(min_length=1)]] = Field(default_factory=dict)

    @field_validator("scripts")
    @classmethod
    def _complete(cls, scripts: dict[str, tuple[Say | Call, ...]]) -> dict[str, tuple[Say | Call, ...]]:
        for persona in PERSONAS:
            if persona not in scripts:
                raise ValueError(f"the script of '{persona}' is missing")
        return scripts

    @model_validator(mode="after")
    def _within_its_tools(self) -> Self:
        for name, steps in self.scripts.items():
            for step in steps:
                if isinstance(step, Call) and step.tool not in self.tools:
                    raise ValueError(f"script '{name}' calls {step.tool}, which is none of the scenario's tools")
        return self
