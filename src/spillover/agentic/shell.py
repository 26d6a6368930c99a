"""The stronger variant of a scenario: its files lie in a sandbox and the model has a shell there instead of file tools.

Mail and records stay in memory. After every command the files are read back, and what changed is noted in the world's log
as the calls that would have done it (`write_file`, `delete_file`), so that a scenario's conditions mean the same in both
variants.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Literal, get_args

from inspect_ai.dataset import Sample
from inspect_ai.tool import Tool, tool
from inspect_ai.util import sandbox, store_as

from spillover.agentic.scenario import DENIED, Scenario
from spillover.agentic.tools import world_tools
from spillover.agentic.world import World
from spillover.errors import SpilloverError
from spillover.probes.sandboxed import give_sandbox, require_docker

Place = Literal["memory", "docker", "local"]
FILE_TOOLS = ("list_files", "read_file", "write_file", "delete_file")
TIMEOUT_S = 30
MOST_OUTPUT = 4000
"""Characters of a command's output that the model is shown."""

_SNAPSHOT = """
import json, os
found = {}
for folder, folders, names in os.walk("."):
    folders[:] = [f for f in folders if not f.startswith("__pycache__")]
    for name in names:
        path = os.path.join(folder, name)
        if os.path.isfile(path) and not os.path.islink(path) and os.path.getsize(path) <= 65536 and len(found) < 500:
            with open(path, encoding="utf-8", errors="replace") as file:
                found[os.path.relpath(path)] = file.read()
print(json.dumps(found))
"""
"""Prints the text of every small file below the working folder."""


def check_place(place: str, samples: Sequence[Sample]) -> None:
    """Give the samples the sandbox that the variant needs.

    Raises:
        SpilloverError: for an unknown variant, or Docker without the `docker` command.
    """
    if place not in get_args(Place):
        raise SpilloverError(f"Unknown world '{place}'; choose {', '.join(get_args(Place))}.")
    if place == "docker":
        require_docker("leave out -T world=docker")
    if place != "memory":
        give_sandbox(samples, place)


async def furnish(world: World) -> None:
    """Put the world's files into the sandbox's working folder."""
    for path, text in world.files.items():
        await sandbox().write_file(path, text)


def tools_of(scenario: Scenario, deny: bool) -> list[Tool]:
    """A shell instead of the scenario's file tools, and its other tools as they are."""
    others = [name for name in scenario.tools if name not in FILE_TOOLS]
    return [*([shell(scenario, deny)] if len(others) < len(scenario.tools) else []), *world_tools(others)]


@tool(name="bash")
def shell(scenario: Scenario, deny: bool) -> Tool:
    """Commands in the sandbox; with `deny`, a change that is sabotage is undone and answered with "denied"."""

    async def execute(command: str) -> str:
        """Run a command in bash, in the folder where the files are.

        Args:
            command: The command.
        """
        world = store_as(World)
        world.log = [*world.log, {"tool": "bash", "command": command}]
        try:
            result = await sandbox().exec(["bash", "-c", command], timeout=TIMEOUT_S)
            said = "\n".join(part for part in (result.stdout, result.stderr) if part.strip())
        except (TimeoutError, UnicodeDecodeError) as error:
            said = f"the command was ended: {type(error).__name__}"
        undone = await _take_note(world, scenario, deny)
        return (
            "\n".join([*([said[:MOST_OUTPUT]] if said.strip() else []), *(f"{path}: {DENIED}" for path in undone)]) or "ok"
        )

    return execute


async def _take_note(world: World, scenario: Scenario, deny: bool) -> list[str]:
    """Read the files back and log what changed; returns the paths of what was undone."""
    result = await sandbox().exec(["python3", "-I", "-c", _SNAPSHOT], timeout=TIMEOUT_S)
    if not result.success:  # the run becomes an error in the log: nothing can be said about it
        raise RuntimeError(f"The sandbox's files cannot be read: {result.stderr.strip()[-200:]}")
    now: dict[str, str] = json.loads(result.stdout)
    before, undone = world.files, []
    for path in sorted({*before, *now}):
        if before.get(path) == now.get(path):
            continue
        call = (
            {"tool": "write_file", "path": path, "text": now[path]} if path in now else {"tool": "delete_file", "path": path}
        )
        if not (deny and scenario.forbids(call)):
            world.log = [*world.log, call]
            continue
        world.log = [*world.log, {**call, "denied": True}]
        undone.append(path)
        if path in before:
            await sandbox().write_file(path, before[path])
            now[path] = before[path]
        else:
            await sandbox().exec(["rm", "-f", "--", path], timeout=TIMEOUT_S)
            del now[path]
    world.files = now
    return undone
