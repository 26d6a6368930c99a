"""The command that asks again what a log holds; keys and whatever else stood in the environment are not in it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping

from inspect_ai.log import EvalLog

from spillover.answers.files import Loaded
from spillover.answers.tables import IMPORTED
from spillover.redaction import redact
from spillover.sinks import visible

SAMPLING = ("temperature", "top_p", "max_tokens", "seed")
"""Settings of the answers that a command line may have given."""


def inspect_command(header: EvalLog) -> str:
    """`inspect eval spillover/TASK ...` with the model, its judge and every argument that was given."""
    spec = header.eval
    task = spec.task_registry_name or f"spillover/{spec.task.rpartition('/')[2]}"
    words = ["inspect eval", _shell(task), f"--model {_shell(spec.model)}"]
    judge = getattr((spec.model_roles or {}).get("grader"), "model", None)
    words += [f"--model-role {_shell(f'grader={judge}')}"] if judge else []
    words += [f"-T {_given(k, v)}" for k, v in (spec.task_args_passed or {}).items() if v is not None]
    words += [f"-M {_given(k, v)}" for k, v in (spec.model_args or {}).items() if v is not None]
    words += [f"--model-base-url {_shell(spec.model_base_url)}"] if spec.model_base_url else []
    words += [f"--limit {_shell(spec.config.limit)}"] if isinstance(spec.config.limit, int) else []
    set_ = {name: getattr(spec.model_generate_config, name) for name in SAMPLING}
    words += [f"--{name.replace('_', '-')} {_shell(v)}" for name, v in set_.items() if v is not None]
    return redact(" ".join(words))


def commands(logs: Mapping[str, Loaded]) -> list[str]:
    """Those of all logs of ours, each once, in order; imported answers were asked by nobody here."""
    headers = [log.header for log in logs.values() if log.header is not None and log.header.eval.task != IMPORTED]
    return list(dict.fromkeys(inspect_command(header) for header in headers))


def _given(name: str, value: object) -> str:
    """`name=value` as one word of a shell, whatever a log holds."""
    return _shell(f"{name}={_text(value)}")


def _shell(value: object) -> str:
    return shlex.quote(visible(_text(value)).replace("\n", "\\n"))


def _text(value: object) -> str:
    if isinstance(value, dict) or (isinstance(value, list) and any("," in str(v) for v in value)):
        return json.dumps(value)
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
