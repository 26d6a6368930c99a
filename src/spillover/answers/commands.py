"""The command that asks again what a log holds."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from inspect_ai.log import EvalLog

from spillover.answers.files import Loaded
from spillover.answers.tables import IMPORTED


def inspect_command(header: EvalLog) -> str:
    """`inspect eval spillover/TASK ...` with the model, its judge and every argument that was given."""
    spec = header.eval
    task = spec.task_registry_name or f"spillover/{spec.task.rpartition('/')[2]}"
    words = ["inspect eval", _shell(task), f"--model {_shell(spec.model)}"]
    judge = getattr((spec.model_roles or {}).get("grader"), "model", None)
    words += [f"--model-role {_shell(f'grader={judge}')}"] if judge else []
    words += [f"-T {k}={_shell(v)}" for k, v in (spec.task_args_passed or {}).items() if v is not None]
    return " ".join(words)


def commands(logs: Mapping[str, Loaded]) -> list[str]:
    """Those of all logs of ours, each once, in order; imported answers were asked by nobody here."""
    headers = [log.header for log in logs.values() if log.header is not None and log.header.eval.task != IMPORTED]
    return list(dict.fromkeys(inspect_command(header) for header in headers))


def _shell(value: object) -> str:
    return shlex.quote(",".join(map(str, value)) if isinstance(value, list) else str(value))
