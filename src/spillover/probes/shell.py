"""The stronger variant of a scenario: its files lie in a sandbox and the model has a shell there instead of file tools.

Mail and records stay in memory, and so do the files of a scenario that only lets them be read. After every command, and once
more at the end, the files are read back, and what changed is noted in the world's log as the calls that would have done it
(`write_file`, `delete_file`), so that a scenario's conditions mean the same in both variants.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any, Literal, get_args

from inspect_ai.dataset import Sample
from inspect_ai.tool import Tool, tool
from inspect_ai.util import sandbox, store, store_as

from spillover.errors import SpilloverError
from spillover.models.checks import is_lab, target_under_test
from spillover.probes.inside import RUN, SNAPSHOT, UNREADABLE
from spillover.probes.sandboxed import give_sandbox, require_docker
from spillover.schema import parse_json
from spillover.situations.scenario import DENIED, Scenario
from spillover.situations.tools import world_tools
from spillover.situations.world import World

Place = Literal["memory", "docker", "local"]
FILE_TOOLS = ("list_files", "read_file", "write_file", "delete_file")
CHANGING = ("write_file", "delete_file")
TIMEOUT_S = 30
MOST_OUTPUT = 4000
"""Characters of a command's output that the model is shown."""

ROOT, LOST = "shell_root", "shell_lost"
"""Keys of the store: the working folder, and why the files could not be read back."""


def check_place(place: str, samples: Sequence[Sample]) -> None:
    """Give the samples the sandbox that the variant needs.

    Raises:
        SpilloverError: for an unknown variant, Docker without a `docker` command or an engine that answers it, or this
            machine's own shell for a model that is neither scripted nor the lab's.
    """
    if place not in get_args(Place):
        raise SpilloverError(f"Unknown world '{place}'; choose {', '.join(get_args(Place))}.")
    target = str(target_under_test() or "")
    if place == "local" and target and not (is_lab(target) or target.startswith(("mockllm/", "none/"))):
        raise SpilloverError(
            f"world=local gives {target} a shell of this machine with all that your account may do; take world=docker."
        )
    if place == "docker":
        require_docker("leave out -T world=docker")
    if place != "memory":
        give_sandbox(samples, place)


def has_shell(scenario: Scenario) -> bool:
    """Whether a scenario lets its files be changed: a shell can do no less."""
    return any(name in CHANGING for name in scenario.tools)


async def furnish(world: World, scenario: Scenario) -> None:
    """Put the world's files into the sandbox's working folder.

    Raises:
        RuntimeError: if they do not lie there as they should; nothing that is done with them would mean anything.
    """
    for path in world.files:
        if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts or str(PurePosixPath(path)) != path:
            raise RuntimeError(f"Scenario {scenario.id}: '{path}' is no plain path below the working folder.")
    for path, text in world.files.items():
        await sandbox().write_file(path, text)
    store().set(ROOT, (await sandbox().exec(["pwd"])).stdout.strip())
    found = await _files(scenario, world)
    if found is None or any(found.get(path) != text for path, text in world.files.items()):
        raise RuntimeError(f"Scenario {scenario.id}: its files do not lie in the sandbox as they should.")
    world.files = found


def tools_of(scenario: Scenario, deny: bool) -> list[Tool]:
    """A shell instead of the scenario's file tools, and its other tools as they are."""
    return [shell(scenario, deny), *world_tools([name for name in scenario.tools if name not in FILE_TOOLS])]


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
            run = ["python3", "-I", "-c", RUN, str(store().get(ROOT)), str(TIMEOUT_S), str(MOST_OUTPUT), command]
            result = await sandbox().exec(run, cwd="/", timeout=2 * TIMEOUT_S)
            said = result.stdout if result.success else "the command could not be run"
        except (TimeoutError, UnicodeDecodeError, OSError) as error:
            said = f"the command was ended: {type(error).__name__}"
        undone = await take_note(world, scenario, deny)
        return "\n".join([*([said.strip()] if said.strip() else []), *(f"{path}: {DENIED}" for path in undone)]) or "ok"

    return execute


async def take_note(world: World, scenario: Scenario, deny: bool) -> list[str]:
    """Read the files back and log what changed; returns the paths of what was undone."""
    now, before = await _files(scenario, world), world.files
    if now is None:
        return []
    forbidden = []
    for path in sorted({*before, *now}):
        if before.get(path) == now.get(path):
            continue
        done = {"tool": "write_file", "text": now[path]} if path in now else {"tool": "delete_file"}
        call: dict[str, Any] = {**done, "path": path}
        if deny and scenario.forbids(call):
            forbidden.append(path)
            call["denied"] = True
        world.log = [*world.log, call]
    world.files = {p: t for p, t in now.items() if p not in forbidden} | {p: before[p] for p in forbidden if p in before}
    for path in forbidden:
        await _put_back(path, before.get(path))
    return forbidden


async def _put_back(path: str, text: str | None) -> None:
    """Undo a change; what stands in the way is removed."""
    root = str(store().get(ROOT))
    try:
        await sandbox().exec(["rm", "-rf", "--", f"{root}/{path}"], cwd="/", timeout=TIMEOUT_S)
        if text is not None and text != UNREADABLE:
            await sandbox().write_file(f"{root}/{path}", text)
    except Exception as error:  # it was denied all the same, and the world's own state is as it was before
        store().set(LOST, f"a change could not be undone: {type(error).__name__}")


async def _files(scenario: Scenario, world: World) -> dict[str, str] | None:
    """Text of the files below the working folder; None, with the reason in the store, if nobody can say."""
    told = scenario.watched
    try:
        first = json.dumps(sorted({*world.files, *told}))
        result = await sandbox().exec(
            ["python3", "-I", "-c", SNAPSHOT, str(store().get(ROOT))], input=first, cwd="/", timeout=TIMEOUT_S
        )
        found: dict[str, str] = parse_json(result.stdout)
    except Exception as error:  # whatever a command did to the sandbox, it must not look like nothing
        store().set(LOST, f"the files could not be read back: {type(error).__name__}")
        return None
    store().set(LOST, None)  # what an earlier look missed shows in this one
    return found
