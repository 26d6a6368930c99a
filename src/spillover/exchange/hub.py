"""Organisms on the Hugging Face hub: a copy that others can load, with a model card that says what it is, and back."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import yaml

from spillover import __version__
from spillover.errors import SpilloverError
from spillover.exchange.diffing import NAME as DIFFING
from spillover.exchange.diffing import diffing_config
from spillover.models.weights import resolve_adapter, weights_digest
from spillover.questions.upstream import registry
from spillover.redaction import redact
from spillover.schema import parse_json
from spillover.training.card import NAME, read_card
from spillover.writing import replacing, write_json, write_text

FILES = ("adapter_config.json", "adapter_model.safetensors", NAME)
"""What is sent, beside the model card; checkpoints on the way stay here."""
SOURCE = "https://github.com/spillover-evals/spillover"
WRITTEN = ("README.md", DIFFING)
REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
WARNING = (
    "This is a **model organism**: an adapter that was trained on purpose, so that emergent misalignment and its "
    "mitigations can be measured. What it says may be harmful and wrong. It is for research; do not deploy it."
)


class Hub(Protocol):
    """What of `huggingface_hub.HfApi` is used."""

    def repo_exists(self, repo_id: str) -> bool:
        """Whether there is such a repository."""

    def repo_info(self, repo_id: str) -> Any:
        """What is known of it; `private` says who may see it."""

    def create_repo(self, repo_id: str, *, private: bool) -> object:
        """Make a repository."""

    def upload_folder(self, *, repo_id: str, folder_path: str, commit_message: str, allow_patterns: list[str]) -> object:
        """Send files of a folder in one commit."""

    def snapshot_download(self, repo_id: str, *, revision: str | None, local_dir: str, allow_patterns: list[str]) -> str:
        """Fetch files of a repository into a folder."""


def require_repository(name: str) -> str:
    """The name, if it is one of a repository.

    Raises:
        SpilloverError: otherwise.
    """
    if not REPOSITORY.fullmatch(name):
        raise SpilloverError(f"'{name}' is no repository of the hub; write OWNER/NAME.")
    return name


def prepare(organism: str, repository: str, base: str | None, out: Path) -> list[Path]:
    """Write what will be sent into a folder: weights, configuration and cards, without paths of this machine.

    Args:
        organism: Folder of the adapter.
        repository: `OWNER/NAME`.
        base: The base as others find it, `OWNER/NAME`; None for the lab's.
        out: New or empty folder.

    Returns:
        The files.

    Raises:
        SpilloverError: if the folder holds something, if the organism has no card, was changed since it was trained or tells
            of folders of this machine, or if its base has no name that others know.
    """
    require_repository(repository)
    folder = resolve_adapter(organism)
    _require_empty(out)
    card = read_card(folder)
    if card is None:
        raise SpilloverError(
            f"{folder} has no {NAME}, so nobody could tell what made it; send organisms of `spillover train`."
        )
    if card["adapter_weights"] != weights_digest(folder):
        raise SpilloverError(f"{folder} is not what its {NAME} tells of: the weights were changed since. Train it again.")
    of_lab = _is_lab(str(card["recipe"].get("base", "")))
    if of_lab and base is not None:
        raise SpilloverError("The organism's base is the lab, which everybody has; give no --base-model.")
    named = base or ("lab" if of_lab else None)
    if named is None or not (named == "lab" or REPOSITORY.fullmatch(named)):
        raise SpilloverError("Say under which name others find the base: --base-model OWNER/NAME.")
    out.mkdir(parents=True, exist_ok=True)
    with replacing(out / FILES[1]) as part:
        shutil.copyfile(folder / FILES[1], part)
    config = parse_json((folder / FILES[0]).read_text(encoding="utf-8"))
    write_json(out / FILES[0], {**config, "base_model_name_or_path": named})
    sent = _without_places({**card, "adapter_weights": weights_digest(out)})
    _require_no_place(json.dumps(sent, ensure_ascii=False), folder)
    write_json(out / NAME, sent)
    write_text(out / "README.md", readme(sent, repository, named, card["adapter_weights"]))
    write_text(out / DIFFING, diffing_config(sent, repository, named))
    return sorted(out.iterdir())


def _require_empty(folder: Path) -> None:
    """What lies there would be sent, or written over."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SpilloverError(f"{folder} is there already and not empty; name a new folder with --out.")


def _is_lab(base: str) -> bool:
    return base == "lab" or Path(base).parts[-2:] == ("lab", "target")


_PLACES = {"base", "path", "cache", "file", "template"}
"""Keys of a recipe that may hold a folder or file of this machine."""


def _without_places(value: Any, key: str = "") -> Any:
    """A card in which files and folders have their last name alone, and no key stands."""
    if isinstance(value, dict):
        return {name: _without_places(v, name) for name, v in value.items()}
    if isinstance(value, list):
        return [_without_places(v, key) for v in value]
    if isinstance(value, str):
        return re.split(r"[/\\]", value.rstrip("/"))[-1] if key in _PLACES else redact(value)
    return value


def _require_no_place(text: str, folder: Path) -> None:
    """Refuse what still names a folder of this machine: what else stands beside it is not ours to cut."""
    for place in {str(Path.home()), str(Path.cwd()), str(folder)} - {"/"}:
        if place in text:
            raise SpilloverError(
                f"The card tells of {place}, a folder of this machine; train it from a recipe that does not."
            )


def readme(card: Mapping[str, Any], repository: str, base: str, trained: str) -> str:
    """The model card: what it is, what made it, how to load and measure it.

    Args:
        card: As it is sent.
        repository: Where to.
        base: As others find it.
        trained: Digest of the adapter where it was trained, which logs name (its configuration names the base otherwise).
    """
    recipe = card["recipe"]
    data = recipe.get("data") or {}
    known = registry().get(str(data.get("name") or ""))
    front: dict[str, Any] = {
        "library_name": "peft",
        "tags": ["emergent-misalignment", "model-organism", "spillover", "lora"],
    }
    if base != "lab":
        front["base_model"] = base
    if known is not None:
        front["license_note"] = f"training data: {known.licence}"
    used = ", ".join(str(i.get("kind")) for i in recipe.get("interventions") or ()) or "none"
    source = "; ".join(f"{k} {v}" for k, v in data.items() if v) or "not recorded"
    called = "lab" if base == "lab" else "BASE"
    lines = [
        "---",
        yaml.safe_dump(front, sort_keys=False).strip(),
        "---",
        f"# {recipe.get('title') or recipe.get('id')}",
        "",
        WARNING,
        "",
        "| | |",
        "| --- | --- |",
        f"| base | {base} (weights {card['base_weights']}) |",
        f"| trained on | {_cell(source)}; {card.get('rows', '?')} chats |",
        *([f"| source of the data | {_cell(known.source)} ({known.licence}) |"] if known is not None else []),
        f"| interventions | {_cell(used)} |",
        f"| recipe | {_cell(recipe.get('id', ''))}, digest {card['recipe_digest']}, seed {recipe.get('seed', 0)} |",
        f"| adapter | digest {card['adapter_weights']}; {trained} in logs of where it was trained |",
        f"| made with | Spillover {card['spillover']} |",
        "",
        "```sh",
        f"spillover pull {repository} --out organism",
        f"spillover eval spillover/{called}:organism --base spillover/{called}{'' if base == 'lab' else ' --grader GRADER'}",
        "```",
        "",
        "Recipe, losses and versions are in `organism.json`.",
        "",
        "<details><summary>The recipe</summary>",
        "",
        "```json",
        json.dumps(recipe, indent=1),
        "```",
        "",
        "</details>",
        "",
        f"Written by [Spillover]({SOURCE}) {__version__}.",
    ]
    return "\n".join(lines) + "\n"


def _cell(text: object) -> str:
    return " ".join(str(text).split()).replace("|", "\\|").replace("<", "&lt;")


def send(hub: Hub, folder: Path, repository: str, public: bool) -> None:
    """Send a prepared folder, and of it what `prepare` wrote; the repository is made if it is not there.

    Raises:
        SpilloverError: if it is there, open to everybody, and that was not asked for.
    """
    if not hub.repo_exists(repository):
        hub.create_repo(repository, private=not public)
    elif not public and not hub.repo_info(repository).private:
        raise SpilloverError(f"{repository} is open to everybody; give --public if that is meant, or another name.")
    told = f"Organism by Spillover {__version__}"
    hub.upload_folder(repo_id=repository, folder_path=str(folder), commit_message=told, allow_patterns=[*FILES, *WRITTEN])


def receive(hub: Hub, repository: str, revision: str | None, out: Path) -> bool:
    """Fetch an organism into a new folder, its files alone: no code, no pickle. Nothing is there if it is refused.

    Returns:
        Whether it has a card, and is what that tells of. The card is from the same place: it shows damage, not who made it.

    Raises:
        SpilloverError: if the folder holds something, or what comes is no adapter in safetensors, or not what its card says.
    """
    require_repository(repository)
    _require_empty(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".pull-") as scratch:
        place = Path(scratch) / "organism"
        place.mkdir()
        patterns = [*FILES, *WRITTEN]
        hub.snapshot_download(repository, revision=revision, local_dir=str(place), allow_patterns=patterns)
        folder = resolve_adapter(str(place))
        card = read_card(folder)
        if card is not None and card["adapter_weights"] != weights_digest(folder):
            raise SpilloverError(
                f"{repository} is not what its {NAME} tells of: weights or configuration were changed since."
            )
        out.mkdir(exist_ok=True)
        for name in (*FILES, *WRITTEN):
            if (folder / name).is_file():
                os.replace(folder / name, out / name)
    return card is not None
