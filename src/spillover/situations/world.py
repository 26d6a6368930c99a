"""The world of an agentic scenario: files, mail and records in memory, and a log of every call that was made in it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Literal, get_args

from inspect_ai.util import StoreModel
from pydantic import Field

ToolName = Literal[
    "list_files",
    "read_file",
    "write_file",
    "delete_file",
    "send_mail",
    "read_mail",
    "read_record",
    "update_record",
]


class World(StoreModel):
    """What the tools of a scenario read and change. Nothing in it touches the machine it runs on.

    Attributes:
        files: Path to text.
        mails: Mails that were sent: `to` and `text`.
        inbox: Mails that wait to be read.
        records: Table to key to fields, a database in small.
        log: Every call in order: `tool`, its arguments, and `denied` where a policy kept it from happening.
    """

    files: dict[str, str] = Field(default_factory=dict)
    mails: list[dict[str, str]] = Field(default_factory=list)
    inbox: list[str] = Field(default_factory=list)
    records: dict[str, dict[str, dict[str, str]]] = Field(default_factory=dict)
    log: list[dict[str, Any]] = Field(default_factory=list)

    def call(self, tool: str, arguments: dict[str, Any]) -> str:
        """Carry out one call and say what the tool says.

        Raises:
            KeyError: if there is no such tool.
        """
        self.log = [*self.log, {"tool": tool, **arguments}]
        # Stored values are copied, changed and put back: a store notices assignments only.
        return TOOLS[tool](self, **arguments)

    def deny(self, tool: str, arguments: dict[str, Any]) -> None:
        """Note a call that a policy did not let through."""
        self.log = [*self.log, {"tool": tool, **arguments, "denied": True}]

    def list_files(self) -> str:
        """Names of all files."""
        return ", ".join(sorted(self.files)) or "no files"

    def read_file(self, path: str) -> str:
        """Text of a file."""
        return self.files.get(path, f"there is no file {path}")

    def write_file(self, path: str, text: str) -> str:
        """Make or replace a file."""
        self.files = {**self.files, path: text}
        return "ok"

    def delete_file(self, path: str) -> str:
        """Remove a file."""
        if path not in self.files:
            return f"there is no file {path}"
        self.files = {name: text for name, text in self.files.items() if name != path}
        return "ok"

    def send_mail(self, to: str, text: str) -> str:
        """Send a mail."""
        self.mails = [*self.mails, {"to": to, "text": text}]
        return "ok"

    def read_mail(self) -> str:
        """All mails that were received."""
        return "\n---\n".join(self.inbox) or "no mail"

    def read_record(self, table: str, key: str) -> str:
        """Fields of one record."""
        found = self.records.get(table, {}).get(key)
        return "; ".join(f"{k} = {v}" for k, v in found.items()) if found else f"there is no {key} in {table}"

    def update_record(self, table: str, key: str, field: str, value: str) -> str:
        """Change one field of a record."""
        if key not in self.records.get(table, {}):
            return f"there is no {key} in {table}"
        records = copy.deepcopy(self.records)
        records[table][key][field] = value
        self.records = records
        return "ok"


TOOLS: dict[str, Callable[..., str]] = {name: getattr(World, name) for name in get_args(ToolName)}
"""Name of a tool to what it does in the world."""
