"""The first call: do targets and grader answer at all, with what the tasks need? Once, before anything else is asked."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple
from weakref import WeakKeyDictionary

from inspect_ai import Task
from inspect_ai.model import ChatMessageUser, GenerateConfig, Model, ModelAPI
from inspect_ai.tool import Tool

from spillover._inspect import PrerequisiteError, keeping_names
from spillover.engine.calls import require_tools
from spillover.errors import SpilloverError, plain
from spillover.judging.ways import cause, status
from spillover.models.weights import resolve_checkpoint
from spillover.probes.continuation import ending_logprob
from spillover.probes.probe import TAGS, probes
from spillover.redaction import redact
from spillover.run.aside import in_inspect
from spillover.situations.tools import world_tools

logger = logging.getLogger(__name__)
HELLO = "Answer with the one word: yes"
PLAIN, TOOLS, SCORING = "an answer", "tools", "log-probabilities of a given text"
SECONDS, RETRIES, STARTING = 60, 1, 900
"""Until the first call is given up, how often it is made again, and the seconds of a server that is being started."""
_known: WeakKeyDictionary[ModelAPI, set[str]] = WeakKeyDictionary()
"""What each model has been seen to give."""


class _Failure(NamedTuple):
    model: Model
    need: str
    error: Exception


def needs(tasks: Sequence[Task]) -> dict[str, list[str]]:
    """What a target must give, with the names of the tasks that need it."""
    found: dict[str, list[str]] = {PLAIN: []}
    for task in tasks:
        probe = probes().get(task.name.rpartition("/")[2])
        if probe is not None and "tools" in probe.tags:
            found.setdefault(TOOLS, []).append(task.name)
        if any(((s.metadata or {}).get(TAGS) or {}).get("form") == "pair" for s in task.dataset):
            found.setdefault(SCORING, []).append(task.name)
    return found


def require_reach(targets: Sequence[Model], grader: Model, tasks: Sequence[Task]) -> None:
    """Ask each model one word, unless it has answered in this process already.

    Left alone are scripted models of Inspect's, which would be short of the answer, judges of one's own, which are no models
    to talk to, and models that are asked in batches, which take hours. What a rate limit holds up is left to the retries of
    the run itself.

    Args:
        targets: Models under test.
        grader: Who judges.
        tasks: What they are to be asked.

    Raises:
        SpilloverError: naming the model, what it did not give and why.
    """
    wanted = needs(tasks)
    if TOOLS in wanted:
        for base in {_base_of(m) for m in targets if _in_process(m)}:
            require_tools(resolve_checkpoint(base))
    pairs = [*((m, need) for m in targets for need in wanted), (grader, PLAIN)]
    open_ones = list({(id(m.api), need): (m, need) for m, need in pairs if _asked(m, need)}.values())
    if not open_ones:
        return
    failures: list[_Failure] = []
    log = in_inspect(lambda: _knock(open_ones, failures))
    if log.status != "success" and not failures:
        raise SpilloverError(f"The first call failed: {log.error.message if log.error else 'no reason given'}")
    for failure in failures:
        if status(failure.error) == 429 and "quota" not in str(cause(failure.error)).lower():
            logger.warning("%s limits how often it is asked (429); the run will wait for it.", failure.model)
        else:
            raise SpilloverError(_sentence(failure, wanted.get(failure.need, []))) from failure.error


async def greet(model: Model) -> None:
    """The same of one grader, when it is first asked for something that no cache knows.

    Raises:
        SpilloverError: as `require_reach`.
    """
    if not _asked(model, PLAIN):
        return
    key = (id(model.api), id(asyncio.get_running_loop()))
    if key not in _greetings:
        _greetings[key] = asyncio.ensure_future(_plain(model))
    try:
        await asyncio.shield(_greetings[key])  # whoever is cancelled takes nobody else's with it
    except Exception as error:
        if status(error) != 429:  # which is left to the retries of what follows
            raise SpilloverError(_sentence(_Failure(model, PLAIN, error), [])) from error
    finally:
        if key in _greetings and _greetings[key].done():  # an id may be another model's later
            del _greetings[key]
    _known.setdefault(model.api, set()).add(PLAIN)


_greetings: dict[tuple[int, int], asyncio.Future[None]] = {}


def _asked(model: Model, need: str) -> bool:
    if str(model).startswith(("mockllm/", "none/")) or hasattr(model.api, "judged") or model.config.batch:
        return False
    if _in_process(model) and need != PLAIN:  # whose chat template was looked at, and which can score any text
        return False
    return need not in _known.get(model.api, set())


def _in_process(model: Model) -> bool:
    return str(model).startswith("spillover/")


def _base_of(model: Model) -> str:
    return str(model).partition("/")[2].partition(":")[0].partition("+")[0]


async def _knock(open_ones: Sequence[tuple[Model, str]], failures: list[_Failure]) -> None:
    silent: set[int] = set()
    for model, need in open_ones:
        if id(model) in silent:
            continue
        try:
            await _CALLS[need](model)
            _known.setdefault(model.api, set()).add(need)
        except Exception as error:  # whatever a provider raises
            failures.append(_Failure(model, need, error))
            silent.add(id(model))


_LIMITS = GenerateConfig(timeout=SECONDS, attempt_timeout=SECONDS // 2, max_retries=RETRIES)


async def _plain(model: Model) -> None:
    await _briefly(model, [])


async def _briefly(model: Model, tools: list[Tool]) -> None:
    """One call with a small limit, and without it where a reasoning model takes none."""
    limits = _LIMITS
    if str(model).startswith("vllm/"):  # whose server Inspect may be starting just now
        limits = limits.merge(GenerateConfig(timeout=STARTING, attempt_timeout=STARTING))
    with keeping_names([model]):
        try:
            await model.generate(HELLO, tools=tools, config=limits.merge(GenerateConfig(max_tokens=16)))
        except Exception as error:
            if status(error) not in (400, 422):
                raise
            await model.generate(HELLO, tools=tools, config=limits)


async def _tools(model: Model) -> None:
    await _briefly(model, world_tools(["read_file"]))


async def _scoring(model: Model) -> None:
    await ending_logprob(model, [ChatMessageUser(content=HELLO)], "", "yes")


_CALLS: dict[str, Callable[[Model], Awaitable[None]]] = {PLAIN: _plain, TOOLS: _tools, SCORING: _scoring}


def _sentence(failure: _Failure, tasks: Sequence[str]) -> str:
    """What the first call met with, and what helps."""
    model, need, error = failure
    root, code = cause(error), status(error)
    said = redact(" ".join(str(root if str(root) else error).split()))[:300]
    if isinstance(root, PrerequisiteError):  # ours, or one of Inspect's own
        return plain(root)
    if need != PLAIN:
        skip = " ".join(f"--skip {name}" for name in tasks)
        return f"{model} gives no {need} ({said}), which {', '.join(tasks)} needs; leave it out ({skip})."
    if code in (401, 403):
        return f"{model} does not take the key ({code}: {said}); set the right one."
    if code == 404:
        return f"There is no {model} at its address ({code}: {said}); are name and address right?"
    if code is not None and code >= 500:
        return f"{model} fails at its server ({code}: {said}); give the same command again when that is mended."
    if code is not None:
        return f"{model} does not take a plain question ({code}: {said}); are its name and arguments right?"
    if isinstance(root, OSError) or any(word in type(root).__name__ for word in ("Connect", "Timeout")):
        return f"{model} cannot be reached ({said or type(root).__name__}); does its server run, and is the address right?"
    return f"{model} answers what cannot be read ({type(root).__name__}: {said}); is it a server of this kind?"
