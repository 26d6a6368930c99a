"""Write the site: static files, the index, one data file a model."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from inspect_ai.log import bundle_log_dir, read_eval_log

from spillover.answers.logs import find_logs, short_names
from spillover.answers.outcomes import ProbeRun
from spillover.errors import SpilloverError
from spillover.leaderboard.board import Board
from spillover.leaderboard.payload import add_ranks, index, model_file, script
from spillover.schema import check_schema, read_yaml

STATIC = Path(__file__).parent / "site"
KEYS = ("family", "size", "recipe", "base", "domain", "link", "name")
ABOUT: dict[str, Any] = {
    "type": "object",
    "additionalProperties": {
        "type": "object",
        "additionalProperties": False,
        "properties": {k: {"type": "string"} for k in KEYS},
    },
}
"""What a file for `--models` holds: a model's name as in the logs, and what is known of it."""


def read_about(path: Path) -> dict[str, dict[str, str]]:
    """Names to what is known of a model.

    Raises:
        SpilloverError: if the file is malformed.
    """
    raw = read_yaml(path) or {}
    check_schema(raw, ABOUT, str(path))
    return {str(name): dict(body) for name, body in raw.items()}


def display_names(paths: Sequence[Path]) -> dict[str, str]:
    """Model as in the logs to the name to show."""
    found = set()
    for path in find_logs(paths):
        try:
            found.add(read_eval_log(str(path), header_only=True).eval.model)
        except Exception:  # reading the answers names it
            continue
    return short_names(found)


def provenance(paths: Sequence[Path], names: dict[str, str]) -> tuple[dict[str, dict[str, str]], dict[Path, str]]:
    """Model (as shown) to presets, judges, versions, and the command that measures it again; and log to model.

    Logs that cannot be read are passed over here: reading the answers has named them already.
    """
    found: dict[str, dict[str, dict[str, None]]] = {}
    model_of: dict[Path, str] = {}
    for path in find_logs(paths):
        try:
            header = read_eval_log(str(path), header_only=True)
        except Exception:
            continue
        about = header.eval.metadata or {}
        name = model_of[path] = names.get(header.eval.model, header.eval.model)
        place = found.setdefault(name, {})

        def note(key: str, value: object, into: dict[str, dict[str, None]] = place) -> None:
            if value:
                into.setdefault(key, {})[str(value)] = None

        note("model", header.eval.model)
        roles = header.eval.model_roles or {}
        grader = roles.get("grader")
        judge = getattr(grader, "model", None)
        note("judge", judge)
        note("preset", about.get("preset"))
        for package, version in (about.get("packages") or {}).items():
            note("versions", f"{package} {version}")
        note("questions", f"{about.get('question_set')} {about.get('question_set_digest', '')}".strip())
        note("date", str(header.eval.created)[:10])
        task = header.eval.task.rpartition("/")[2]
        arguments = " ".join(f"-T {k}={_shell(v)}" for k, v in (header.eval.task_args_passed or {}).items() if v is not None)
        role = f" --model-role {_shell(f'grader={judge}')}" if judge else ""
        note(
            "command",
            f"inspect eval {_shell(f'spillover/{task}')} --model {_shell(header.eval.model)}{role} {arguments}".strip(),
        )
        note("log digest", _digest(path))
    joined = {
        name: {k: ("\n" if k == "command" else ", ").join(v) for k, v in place.items()} for name, place in found.items()
    }
    return joined, model_of


def cards(models: Sequence[str]) -> dict[str, dict[str, str]]:
    """Model as in the logs to what the card beside its adapter says, for adapters that lie where the logs name them."""
    out = {}
    for name in models:
        path = Path(name.partition(":")[2]) / "organism.json"
        if ":" not in name or not path.is_file():
            continue
        try:
            recipe = json.loads(path.read_text(encoding="utf-8"))["recipe"]
            out[name] = {"recipe": str(recipe["id"]), "domain": str((recipe.get("data") or {}).get("family") or "")}
        except (ValueError, KeyError, TypeError, AttributeError):  # no card of ours: the name has to do
            continue
    return out


def _shell(value: object) -> str:
    import shlex

    return shlex.quote(",".join(map(str, value)) if isinstance(value, list) else str(value))


def _digest(path: Path) -> str:
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def write_site(
    out: Path,
    board: Board,
    frame: pd.DataFrame,
    runs: Sequence[ProbeRun],
    *,
    title: str,
    lab: bool,
    about: dict[str, dict[str, str]],
    bundle: Sequence[Path] = (),
) -> None:
    """Write everything below `out`, which is made; a site of ours that is there already is replaced.

    Args:
        out: Folder.
        board: Columns and models.
        frame: Answers with EM verdicts.
        runs: Probes with outcomes.
        title: Heading.
        lab: Whether to mark everything as measured on the lab.
        about: Model to provenance.
        bundle: Log folders that are copied with Inspect's viewer.

    Raises:
        SpilloverError: if `out` holds anything that is no site of ours.
    """
    ours = {"data", "logs", *(path.name for path in STATIC.iterdir())}
    if out.exists() and not {path.name for path in out.iterdir()} <= ours:
        raise SpilloverError(f"{out} holds other things than a leaderboard; choose another folder with -o.")
    data = out / "data"
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(parents=True)
    for path in STATIC.iterdir():
        shutil.copyfile(path, out / path.name)
    body = index(board, frame, runs, title, lab, bool(bundle))
    add_ranks(board, body)
    for entry in board.entries:
        content = model_file(board, entry, frame, runs, about.get(entry.name, {}))
        name = f"model-{entry.slug}"
        (data / f"{name}.js").write_text(script(name, content), encoding="utf-8")
    # The index last: a build that was stopped leaves no page that looks whole.
    (data / "index.js").write_text(script("index", body), encoding="utf-8")
    (data / "index.json").write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
    if bundle:
        _bundle(bundle, out / "logs")


def _bundle(paths: Sequence[Path], out: Path) -> None:
    """All logs in one folder, with Inspect's viewer around them."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        for number, path in enumerate(find_logs(paths)):
            shutil.copyfile(path, Path(folder) / f"{number:05d}_{path.name}")
        bundle_log_dir(folder, str(out), overwrite=True)
