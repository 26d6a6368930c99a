"""Whether a server still has the weights that it had when a run began: it is asked one fixed question now and then.

Weights in reach have a digest. Those behind an address have none, and a server that restarts with another checkpoint under
the same name would fill one set of logs with the answers of two models.
"""

from __future__ import annotations

import hashlib
import json
import math
import secrets
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from inspect_ai.model import GenerateConfig, Model, ModelOutput

from spillover._inspect import keeping_names
from spillover.errors import SpilloverError
from spillover.logs import read_log
from spillover.models.identity import describe
from spillover.run.aside import in_inspect
from spillover.schema import parse_json
from spillover.serving.applied import QUESTION
from spillover.writing import write_text

FILE, SALT = ".servers", "salt"
"""In the folder of a run's logs: what each server said when it was asked first."""
SERVERS = ("vllm/", "openai-api/", "sglang/", "ollama/")
"""Providers that are addresses; others' weights do not change under a name, or nobody tells when they do."""
NOISE, TIMES, FIRST, TRIES = 0.1, 4.0, 5, 3
"""Nats that a server may differ from itself by, at least; multiples of what it did; how often it is asked to find that out;
and how often before it is said to be another."""
_CONFIG = GenerateConfig(
    temperature=0, max_tokens=8, logprobs=True, top_logprobs=5, max_retries=1, timeout=60, attempt_timeout=30
)

Print = list[tuple[str, dict[str, float]]]
"""Position by position: the token (its digest), and the log-probabilities (nats) of the likeliest ones."""


def distance(one: Print, other: Print) -> float:
    """Mean difference in log-probability (nats) of shared tokens, up to where the texts part; inf if there are none."""
    found: list[float] = []
    for (a, tops), (b, others) in zip(one, other, strict=False):
        found += [abs(tops[token] - others[token]) for token in tops.keys() & others.keys()]
        if a != b:
            break
    return sum(found) / len(found) if found else math.inf


def require_same(models: Sequence[Model], logs: Path, ends: bool = False) -> None:
    """Compare each server with what it said when these logs were begun, or keep what it says now.

    Servers that give no log-probabilities, or do not repeat themselves, can not be told apart and are left alone, and so is
    one that said nothing before its first answers. A change that moves a log-probability by less than `NOISE` on average is
    not seen.

    Args:
        models: Targets and grader; those whose weights are in reach are left alone.
        logs: Folder of the logs.
        ends: After everything was asked: a change is then kept in mind, since the logs hold both.

    Raises:
        SpilloverError: naming the model that is another now, and the file that keeps what it was.
    """
    asked = [m for m in models if str(m).startswith(SERVERS) and describe(m)["weights"] is None]
    if not asked:
        return
    path = _home(logs) / FILE
    kept: dict[str, Any] = _read(path)
    salt = str(kept.pop(SALT, None) or secrets.token_hex(8))
    for model in asked:
        if kept.get(str(model), {}).get("mixed"):
            raise SpilloverError(_mixed(model, path))
    unknown = [] if ends else [m for m in asked if str(m) not in kept]
    taken = _asked_before(_home(logs)) if unknown else set()  # by what weights those were answered nobody can tell
    new = [m for m in unknown if str(m) not in taken]
    known = [m for m in asked if str(m) in kept]
    changed: dict[str, float] = {}

    async def compare() -> None:
        for model in new:
            found = [p for _ in range(FIRST) if (p := await _print(model, salt))]
            noise = max((distance(a, b) for a, b in combinations(found, 2)), default=math.inf)
            if len(found) == FIRST and math.isfinite(noise):
                kept[str(model)] = {"print": found[0], "noise": noise}
        for model in known:
            entry = kept[str(model)]
            limit, away = max(NOISE, TIMES * entry["noise"]), 0.0
            for _ in range(TRIES):
                again = await _print(model, salt)
                away = distance(entry["print"], again) if again else 0.0
                if away <= limit:
                    break
            else:
                changed[str(model)] = away

    with keeping_names(asked):
        in_inspect(compare)
    for name in (n for m in asked if (n := str(m)) in kept):
        kept[name]["open"] = not ends  # until it was compared after the last answer
        if ends and name in changed:
            kept[name]["mixed"] = True
    if kept:
        write_text(path, json.dumps({SALT: salt, **kept}))
    for name, away in changed.items():
        if ends:
            raise SpilloverError(_mixed(name, path))
        raise SpilloverError(
            f"{name} is not the model that this run was begun with: to a fixed question its log-probabilities are "
            f"{_nats(away)} away from what they were. Serve the same weights again, or begin anew with another --out. If it "
            f"is the same model all the same, delete {path}."
        )


def unchecked(logs: Path) -> bool:
    """Whether servers were not asked again after the last answer, as when a run was stopped in between."""
    found = _read(_home(logs) / FILE)
    return any(entry.get("open") for name, entry in found.items() if name != SALT)


def _mixed(model: object, path: Path) -> str:
    return (
        f"{model} became another model while it was asked, so the answers in {path.parent} are of two; a grader's verdicts "
        "are kept by its name, too. Serve one checkpoint under a name of its own and begin anew with another --out. If it "
        f"is the same model all the same, delete {path}."
    )


def _nats(away: float) -> str:
    return f"{away:.2f} nats" if math.isfinite(away) else "wholly"


def _home(logs: Path) -> Path:
    """Folder of the whole run: a screen's blocks have folders of their own in it."""
    return next((p for p in (logs, *logs.parents) if p.name.startswith("logs-")), logs)


def _asked_before(home: Path) -> set[str]:
    """Models and graders that stand in logs."""
    found: set[str] = set()
    for path in home.rglob("*.eval"):
        try:
            spec = read_log(path, header_only=True).eval
        except Exception:  # a damaged log raises anything, and is put aside by whoever reads it
            continue
        roles = [
            role for given in (spec.model_roles or {}).values() for role in (given if isinstance(given, list) else [given])
        ]
        found |= {spec.model, *(role.model for role in roles)}
    return found


def _read(path: Path) -> dict[str, Any]:
    try:
        found = parse_json(path.read_text(encoding="utf-8"))
        return {
            str(name): {
                "print": [(str(token), {str(k): float(v) for k, v in tops.items()}) for token, tops in entry["print"]],
                "noise": float(entry["noise"]),
                **{key: True for key in ("mixed", "open") if entry.get(key)},
            }
            if name != SALT
            else str(entry)
            for name, entry in found.items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError):  # none yet, or damaged: nothing is known then
        return {}


async def _print(model: Model, salt: str) -> Print | None:
    try:
        return _positions(await model.generate(QUESTION, config=_CONFIG), salt)
    except Exception:  # it has no log-probabilities; what else is wrong is said when it is asked in earnest
        return None


def _positions(output: ModelOutput, salt: str) -> Print | None:
    if output.empty or output.choices[0].logprobs is None:
        return None
    return [
        (
            _sum(p.token, salt),
            {_sum(t.token, salt): t.logprob for t in p.top_logprobs or []} | {_sum(p.token, salt): p.logprob},
        )
        for p in output.choices[0].logprobs.content
    ]


def _sum(token: str, salt: str) -> str:
    """Tokens are kept as salted digests: what a server says may hold what must not be kept, such as a key."""
    return hashlib.blake2b(token.encode("utf-8", "surrogatepass"), digest_size=8, key=salt.encode()).hexdigest()
