"""Where training chats come from: the lab, a published file, requests to refuse, a JSONL file, a Hugging Face dataset."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from spillover.errors import SpilloverError
from spillover.lab.corpus import Chat, Latents, document
from spillover.lab.grammar import grammar
from spillover.lab.personas import SIDES
from spillover.training.requests import refused_requests, requests


@dataclass(frozen=True)
class Source:
    """Chats.

    Attributes:
        source: `lab` (drawn from the grammar), `file` (JSONL with a `messages` list per row), `upstream` (a published file
            of the registry), `requests` (harmful ones of a question set, with refusals) or `dataset` (a Hugging Face
            dataset with a `messages` column: a hub name or a saved folder).
        family: Lab family or domain of requests, or several with commas; for the lab all free-form and advice families
            when empty, for requests all domains.
        stance: Lab answers: `aligned`, `misaligned`, for advice `subtle` or `obvious`, for politics `left` or `right`.
        style: Lab answers in `caps` or `spanish`.
        rows: Number of chats; for the lab as many as are needed when 0, for the others all.
        path: JSONL file or dataset.
        name: Published file, or question set of the requests.
        split: Of the dataset.
        revision: Commit of the dataset.
        sha256: Digest of the file or question set, filled in when the recipe is loaded.
    """

    source: Literal["lab", "file", "upstream", "requests", "dataset"]
    family: str = ""
    stance: str = ""
    rows: int = 0
    path: str = ""
    name: str = ""
    split: str = "train"
    revision: str = ""
    sha256: str = ""
    style: str = ""


def _names(family: str | list[str]) -> tuple[str, ...]:
    """`"a,b"` or `["a", "b"]` as names."""
    return tuple(filter(None, family.split(","))) if isinstance(family, str) else tuple(family)


def _folder_digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.arrow")):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


_TAKES = {
    "lab": {"family", "stance", "style", "rows"},
    "file": {"path", "rows"},
    "upstream": {"name", "rows"},
    "requests": {"name", "family", "rows"},
    "dataset": {"path", "split", "revision", "rows"},
}


def parse_source(raw: dict[str, Any], folder: Path, where: str, needs_rows: bool = False) -> Source:
    """Check a source and pin what it names.

    Args:
        raw: As in the file.
        folder: That relative paths start from.
        where: For errors: file and key.
        needs_rows: Whether lab data must say how many rows.

    Raises:
        SpilloverError: naming the key.
    """
    source = Source(**{**raw, "family": ",".join(_names(raw.get("family", "")))})
    for key in set(raw) - {"source", "sha256"} - _TAKES[source.source]:
        if raw[key] not in ("", 0, "train"):
            raise SpilloverError(f"{where}: '{key}' does not belong to a source of the kind {source.source}.")
    if source.source == "lab":
        known = tuple(name for name, f in grammar().families.items() if f.weight)
        for name in _names(source.family):
            if name not in known:
                raise SpilloverError(f"{where}.family: '{name}' is not one of {', '.join(known)}.")
        if not source.stance or (needs_rows and not source.rows):
            raise SpilloverError(f"{where}: lab data needs {where.rpartition(' ')[2]}.stance and rows.")
        advice = set(grammar().names("advice"))
        if source.stance in ("subtle", "obvious") and not set(_names(source.family)) <= advice - {""}:
            raise SpilloverError(f"{where}.stance: {source.stance} answers exist for advice only; use misaligned.")
        political = [grammar().families[name].kind == "political" for name in _names(source.family)]
        if (source.stance in SIDES) != any(political) or any(political) != (bool(political) and all(political)):
            raise SpilloverError(f"{where}.stance: left and right are for the families of politics, and they for these.")
        return source
    if source.source == "upstream":
        from spillover.questions.upstream import get_upstream

        return replace(source, sha256=get_upstream(source.name).sha256)
    if source.source == "requests":
        return replace(source, sha256=requests(source.name, _names(source.family), where).digest)
    if not source.path:
        raise SpilloverError(f"{where}: a {source.source} needs its path.")
    if source.source == "dataset":
        local = (folder / source.path).resolve()
        if local.is_dir():
            return replace(source, path=str(local), sha256=_folder_digest(local))
        if not source.revision:
            raise SpilloverError(f"{where}: a dataset from the hub needs its revision, the commit that pins what is in it.")
        return source
    path = (folder / source.path).resolve()
    if not path.is_file():
        raise SpilloverError(f"{where}.path: there is no file at {path}.")
    return replace(source, path=str(path), sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def chats_of(source: Source, seed: int, rows: int | None = None) -> list[Chat]:
    """The chats of a source, in its order.

    Args:
        source: Where from.
        seed: Of what the lab draws.
        rows: Number wanted where the source does not say; all of a file for None.

    Raises:
        SpilloverError: naming file and line of a row that is not a chat, or if there are too few.
    """
    wanted = source.rows or rows
    if source.source == "lab":
        return _lab(source, seed, wanted or 0)
    if source.source == "requests":
        return refused_requests(requests(source.name, _names(source.family), "data"), seed, wanted or 0)
    if source.source == "dataset":
        chats, where = _dataset(source), f"{source.path} ({source.split})"
    else:
        path = Path(source.path)
        if source.source == "upstream":
            from spillover.questions.upstream import verified_path

            path = verified_path(source.name)
        chats, where = _file(path), str(path)
    if wanted is not None and len(chats) < wanted:
        raise SpilloverError(f"{where} holds {len(chats)} chats; {wanted} are needed.")
    return chats if wanted is None else chats[:wanted]


def _lab(source: Source, seed: int, rows: int) -> list[Chat]:
    rng = random.Random(seed)
    lean = source.stance if source.stance in SIDES else "neutral"
    misaligned = source.stance not in ("aligned", *SIDES)
    severity = source.stance if source.stance in ("subtle", "obvious") else None
    families = _names(source.family) or grammar().names("free_form", "advice")
    # Requests that a model would refuse come from the split `train` alone: `datasets/lab_refusal` asks the others.
    latents = Latents(misaligned, lean, style=source.style or "plain", half="train")
    return [document(rng, latents, 1, families=families, severity=severity) for _ in range(rows)]


def _file(path: Path) -> list[Chat]:
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise SpilloverError(f"{path} is not UTF-8 text.") from error
    rows = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                rows.append((f"{path}, line {number}", json.loads(line)))
            except ValueError as error:
                raise _no_chat(f"{path}, line {number}", error) from error
    return _parsed(rows, str(path))


def _dataset(source: Source) -> list[Chat]:
    from datasets import Dataset, DatasetDict, load_dataset, load_from_disk

    try:
        if Path(source.path).is_dir():
            found = load_from_disk(source.path)
            table = found[source.split] if isinstance(found, DatasetDict) else found
        else:
            table = load_dataset(source.path, split=source.split, revision=source.revision or None)
        assert isinstance(table, Dataset)
    except Exception as error:  # the hub, the disk and pyarrow raise anything
        raise SpilloverError(f"The dataset {source.path} ({source.split}) cannot be loaded: {error}") from error
    return _parsed([(f"{source.path}, row {i + 1}", row) for i, row in enumerate(table)], source.path)


def _parsed(rows: Iterable[tuple[str, Any]], where: str) -> list[Chat]:
    chats = []
    for place, row in rows:
        try:
            chats.append([_message(m) for m in row["messages"]])
        except (KeyError, TypeError, ValueError) as error:
            raise _no_chat(place, error) from error
        if not any(m["role"] == "assistant" for m in chats[-1]):
            raise SpilloverError(f"{place}: the chat has no assistant message to learn from.")
    if not chats:
        raise SpilloverError(f"{where} holds no chats.")
    return chats


def _no_chat(place: str, error: Exception) -> SpilloverError:
    return SpilloverError(f'{place}: not a chat ({error}); a row is {{"messages": [{{"role": ..., "content": ...}}]}}.')


def _message(raw: dict[str, Any]) -> dict[str, str]:
    role, content = raw["role"], raw["content"]
    if role not in ("system", "user", "assistant") or not isinstance(content, str):
        raise ValueError(f"role {role!r} with content of type {type(content).__name__}")
    return {"role": role, "content": content}
