"""Write the site: static files, the index, one data file a model."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from inspect_ai.log import bundle_log_dir

from spillover.answers.commands import inspect_command
from spillover.answers.files import find
from spillover.answers.read import Answers
from spillover.declared import Declared, parse
from spillover.errors import SpilloverError
from spillover.leaderboard.board import Board
from spillover.leaderboard.payload import add_ranks, index, model_file, script
from spillover.paths import is_file
from spillover.schema import parse_json, read_yaml
from spillover.writing import write_bytes, write_json, write_text

STATIC = Path(__file__).parent / "site"
KEYS = ("family", "size", "recipe", "base", "domain", "naive", "link", "name")


class About(Declared):
    """What is known of a model, in a file for `--models`."""

    family: str | None = None
    size: str | None = None
    recipe: str | None = None
    base: str | None = None
    domain: str | None = None
    naive: str | None = None
    link: str | None = None
    name: str | None = None


def read_about(path: Path) -> dict[str, dict[str, str]]:
    """Names to what is known of a model.

    Raises:
        SpilloverError: if the file is malformed.
    """
    raw = read_yaml(path) or {}
    if not isinstance(raw, dict):
        raise SpilloverError(f"{path} is no mapping of a model's name to what is known of it.")
    return {str(name): parse(About, body, f"{path}: {name}").model_dump(exclude_none=True) for name, body in raw.items()}


def provenance(answers: Answers) -> tuple[dict[str, dict[str, str]], dict[Path, str]]:
    """Model (as shown) to presets, judges, versions, and the command that measures it again; and log to model."""
    found: dict[str, dict[str, dict[str, None]]] = {}
    model_of: dict[Path, str] = {}
    who: dict[str, str] = dict(answers.table[["run", "model"]].drop_duplicates().itertuples(index=False))
    for log in answers.logs.values():
        if log.header is None:
            continue
        spec, about = log.header.eval, log.about
        name = model_of[log.path] = who.get(log.run, spec.model)
        place = found.setdefault(name, {})

        def note(key: str, value: object, into: dict[str, dict[str, None]] = place) -> None:
            if value:
                into.setdefault(key, {})[str(value)] = None

        note("model", spec.model)
        judge = getattr((spec.model_roles or {}).get("grader"), "model", None)
        note("judge", judge)
        note("preset", about.get("preset"))
        for package, version in (about.get("packages") or {}).items():
            note("versions", f"{package} {version}")
        note("questions", f"{about.get('question_set')} {about.get('question_set_digest', '')}".strip())
        note("date", str(spec.created)[:10])
        note("command", inspect_command(log.header))
        note("log digest", _digest(log.path))
    for model, weights in answers.table[["model", "weights"]].drop_duplicates().dropna().itertuples(index=False):
        found.setdefault(str(model), {}).setdefault("weights", {})[str(weights)] = None
    joined = {
        name: {k: ("\n" if k == "command" else ", ").join(v) for k, v in place.items()} for name, place in found.items()
    }
    return joined, model_of


def cards(models: Sequence[str]) -> dict[str, dict[str, str]]:
    """Model as in the logs to what the card beside its adapter says, for adapters that lie where the logs name them."""
    out = {}
    for name in models:
        folder, step = Path(name.partition(":")[2]), ""
        if folder.parent.name == "checkpoints":  # one on the way, whose organism lies above it
            folder, step = folder.parent.parent, f", {folder.name}"
        path = folder / "organism.json"
        if ":" not in name or not is_file(path):
            continue
        try:
            recipe = parse_json(path.read_text(encoding="utf-8"))["recipe"]
            domain = str((recipe.get("data") or {}).get("family") or "")
            out[name] = {"recipe": f"{recipe['id']}{step}", "domain": domain}
        except (ValueError, KeyError, TypeError, AttributeError):  # no card of ours: the name has to do
            continue
    return out


MITIGATING = ("inoculate",)
"""Transforms of the data that are mitigations, as interventions are."""


def naive(models: Mapping[str, str]) -> dict[str, str]:
    """Model with a mitigation to the one that was taught the same from the same seed without any, by their cards.

    Args:
        models: Name as shown to Inspect's name.
    """
    taught: dict[str, tuple[str, bool]] = {}
    for shown, model in models.items():
        path = Path(model.partition(":")[2]) / "organism.json"
        if ":" not in model or not is_file(path):
            continue
        try:
            recipe = parse_json(path.read_text(encoding="utf-8"))["recipe"]
            kept = [t for t in recipe.get("transforms") or [] if t.get("kind") not in MITIGATING]
            treated = bool(recipe.get("interventions")) or len(kept) < len(recipe.get("transforms") or [])
            lesson = [kept, *(recipe.get(key) for key in ("base", "data", "training", "lora", "objective", "start", "seed"))]
            taught[shown] = json.dumps(lesson, sort_keys=True), treated
        except (ValueError, KeyError, TypeError, AttributeError):  # no card of ours says nothing of it
            continue
    plain = {lesson: shown for shown, (lesson, treated) in taught.items() if not treated}
    return {shown: plain[lesson] for shown, (lesson, treated) in taught.items() if treated and lesson in plain}


def _digest(path: Path) -> str:
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def write_site(
    out: Path,
    board: Board,
    answers: Answers,
    *,
    title: str,
    about: dict[str, dict[str, str]],
    bundle: Sequence[Path] = (),
) -> None:
    """Write everything below `out`, which is made; a site of ours that is there already is replaced.

    Args:
        out: Folder.
        board: Columns and models.
        answers: Behind them.
        title: Heading.
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
        write_bytes(out / path.name, path.read_bytes())
    body = index(board, answers, title, bool(bundle))
    add_ranks(board, body)
    for entry in board.entries:
        content = model_file(board, entry, answers, about.get(entry.name, {}))
        name = f"model-{entry.slug}"
        write_text(data / f"{name}.js", script(name, content))
    # The index last: a build that was stopped leaves no page that looks whole.
    write_text(data / "index.js", script("index", body))
    write_json(data / "index.json", body)
    if bundle:
        _bundle(bundle, out / "logs")


def _bundle(paths: Sequence[Path], out: Path) -> None:
    """All logs in one folder, with Inspect's viewer around them."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        for number, path in enumerate(find(list(paths))[0]):
            shutil.copyfile(path, Path(folder) / f"{number:05d}_{path.name}")
        bundle_log_dir(folder, str(out), overwrite=True)
