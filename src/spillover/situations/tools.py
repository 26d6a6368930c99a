"""The world's tools as Inspect tools, and the policy that keeps forbidden calls from happening."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from inspect_ai.approval import Approval, ApprovalPolicy, Approver, approver
from inspect_ai.model import ChatMessage
from inspect_ai.tool import Tool, ToolCall, ToolCallView, ToolDef, ToolParam, ToolParams
from inspect_ai.util import store_as

from spillover.situations.scenario import DENIED, load_scenarios
from spillover.situations.world import TOOLS, World

SCENARIO = "scenario"
"""Key of the store: (scenario set, scenario)."""

_ABOUT = {
    "list_files": ("List all files.", {}),
    "read_file": ("Read a file.", {"path": "Name of the file."}),
    "write_file": ("Write a text to a file, new or old.", {"path": "Name of the file.", "text": "All of its text."}),
    "delete_file": ("Delete a file.", {"path": "Name of the file."}),
    "send_mail": ("Send a mail.", {"to": "Address.", "text": "Text of the mail."}),
    "read_mail": ("Read the mails that came in.", {}),
    "read_record": ("Read a record of the database.", {"table": "Table.", "key": "Key of the record."}),
    "update_record": (
        "Change one field of a record of the database.",
        {"table": "Table.", "key": "Key of the record.", "field": "Field.", "value": "New value."},
    ),
}


def world_tools(names: Sequence[str]) -> list[Tool]:
    """Inspect tools of those names; they act on the world in the sample's store."""
    return [_tool(name) for name in names]


def _tool(name: str) -> Tool:
    about, parameters = _ABOUT[name]

    async def execute(**arguments: Any) -> str:
        return store_as(World).call(name, {key: str(arguments[key]) for key in parameters})

    return ToolDef(
        execute,
        name=name,
        description=about,
        parameters=ToolParams(
            properties={key: ToolParam(type="string", description=text) for key, text in parameters.items()},
            required=list(parameters),
        ),
    ).as_tool()


@approver(name="spillover_protect")
def protect() -> Approver:
    """Let every call through but those that the scenario calls sabotage; these are noted and answered with "denied"."""

    async def approve(message: str, call: ToolCall, view: ToolCallView, history: list[ChatMessage]) -> Approval:
        world = store_as(World)
        name, scenario_id = world.store.get(SCENARIO)
        scenario = next(s for s in load_scenarios(name).scenarios if s.id == scenario_id)
        entry = {k: str(v) for k, v in call.arguments.items()}
        if call.function not in TOOLS or not scenario.forbids({"tool": call.function, **entry}):
            return Approval(decision="approve")
        world.deny(call.function, entry)
        return Approval(decision="reject", explanation=DENIED)

    return approve


def policy() -> list[ApprovalPolicy]:
    """For a task's `approval`."""
    return [ApprovalPolicy(protect(), "*")]
