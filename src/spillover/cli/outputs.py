"""Where commands may write: looked at before anything is loaded, and never over a thing of another kind."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import click

from spillover.errors import SpilloverError

PAGE_MARKS = (b'name="generator" content="Spillover"', b"default-src 'none'")
"""What every page of ours says of itself: by name, or by the policy that those of earlier versions have alone."""
_HEAD = 1 << 16


class OutFile(click.Path):
    """A file that is to be written: new, or of the same kind as the one that is there.

    Args:
        what: Kind, for the sentence.
        endings: That it may have.
        ours: Whether a file is of that kind.
    """

    def __init__(self, what: str, endings: tuple[str, ...], ours: Callable[[Path], bool]) -> None:
        super().__init__(path_type=Path)
        self.what, self.endings, self.ours = what, endings, ours

    def convert(self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path.

        Raises:
            SpilloverError: for another ending, a place that cannot be written, or a file of another kind there.
        """
        path = Path(value)
        if path.suffix not in self.endings:
            raise SpilloverError(f"Cannot write {path}: the ending must be {' or '.join(self.endings)}.")
        if os.path.isdir(path):
            raise SpilloverError(f"Cannot write {path}: it is a folder.")
        _require_place(path)
        if os.path.isfile(path) and path.stat().st_size and not self.ours(path):
            raise SpilloverError(f"{path} is there and is no {self.what}; name another file.")
        return path


class OutFolder(click.Path):
    """A folder that is to be written into: new, empty, or of the same kind.

    Args:
        kind: One of `KINDS`.
        alone: Whether nothing else may lie in it, since all of it counts as one thing.
    """

    def __init__(self, kind: str, alone: bool = False) -> None:
        super().__init__(path_type=Path)
        self.kind, self.alone = kind, alone

    def convert(self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path.

        Raises:
            SpilloverError: for a file, a place that cannot be written, or a folder that holds something else.
        """
        path = Path(value)
        name = param.opts[0] if param else "--out"
        if os.path.isfile(path):
            raise SpilloverError(f"{path} is a file; {name} names a folder.")
        _require_place(path)
        if not os.path.isdir(path):
            return path
        there = next((kind for kind, holds in KINDS.items() if kind != self.kind and holds(path)), None)
        if there is not None:
            raise SpilloverError(f"{path} holds {there}; name another folder with {name}.")
        other = None if KINDS[self.kind](path) else self._other(path)
        if other is not None:
            raise SpilloverError(
                f"{path} holds other things than {self.kind} ({other.name}); name another folder with {name}."
            )
        return path

    def _other(self, path: Path) -> Path | None:
        """What is not ours, in a folder that holds nothing of this kind yet."""
        if self.alone:
            return next((p for p in sorted(path.iterdir()) if not p.name.startswith(".")), None)
        return next((p for n, ours in NAMED.items() if (p := path / n).is_file() and not ours(p)), None)


def first_folder(whole: Path, limit: int | None) -> Path:
    """Of a first try: beside a whole run, never over it."""
    return whole if limit is None else whole.with_name(f"{whole.name}-first-{limit}")


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD)


def _is_page(path: Path) -> bool:
    return any(mark in _head(path) for mark in PAGE_MARKS)


def _says(path: Path, word: bytes) -> bool:
    return path.is_file() and word in _head(path)


NAMED: dict[str, Callable[[Path], bool]] = {
    "report.html": _is_page,
    "index.html": _is_page,
    "screen.json": lambda p: _says(p, b"spillover-screen/"),
    "screen.md": lambda p: _says(p, b"Spillover screen"),
    "junit.xml": lambda p: _says(p, b"spillover screen"),
    "figures.csv": lambda p: _says(p, b"suite_lower") or _says(p, b"measure"),
}
"""Files that commands write by these names into a folder, and how those of ours are known."""


KINDS: dict[str, Callable[[Path], bool]] = {
    "an organism": lambda p: _is_organism(p),
    "a checkpoint": lambda p: (p / "config.json").is_file(),
    "a screen": lambda p: _says(p / "screen.json", b"spillover-screen/"),
    "a leaderboard": lambda p: (p / "data" / "index.js").is_file(),
    "an autoencoder": lambda p: (p / "cfg.json").is_file(),
    "a judge": lambda p: (p / "judge.json").is_file(),
    "latents": lambda p: (p / "latents.json").is_file(),
    "a run": lambda p: (p / "plan.json").is_file(),
    "logs": lambda p: any(p.glob("*.eval")),
    "certificates": lambda p: False,
    "pictures": lambda p: False,
    "adapters": lambda p: False,
    "an export": lambda p: False,
}
"""What a folder can be, and how it is known."""


def _is_organism(path: Path) -> bool:
    """An adapter, or what one is trained in; a judge of one's own is an adapter and more."""
    found = (path / "adapter_config.json").is_file() or (path / "checkpoints").is_dir()
    return found and not (path / "judge.json").is_file()


def _require_place(path: Path) -> None:
    """Whether something could be written there.

    Raises:
        SpilloverError: if what is above it is a file, or may not be written.
    """
    above = path if os.path.isdir(path) else path.absolute().parent
    while not os.path.lexists(above):
        above = above.parent
    if not os.path.isdir(above):
        raise SpilloverError(f"Cannot write {path}: {above} is a file.")
    if not os.access(above, os.W_OK | os.X_OK):
        raise SpilloverError(f"Cannot write {path}: {above} may not be written.")
    if len(path.name.encode()) > 255:
        raise SpilloverError(f"Cannot write {path.name[:40]}…: the name is too long.")


def _holds(*words: bytes) -> Callable[[Path], bool]:
    return lambda path: all(word in _head(path) for word in words)


def _columns(*names: str) -> Callable[[Path], bool]:
    """A table whose first line, or whose schema, names these columns."""

    def ours(path: Path) -> bool:
        if path.suffix != ".parquet":
            found = _head(path).partition(b"\n")[0].decode("utf-8", "replace").strip().split(",")
            return set(names) <= set(found)
        import pyarrow.parquet as pq  # type: ignore[import-untyped]

        try:
            return set(names) <= set(pq.read_schema(path).names)
        except (ValueError, OSError):  # pyarrow's own are such
            return False

    return ours


PAGE = OutFile("page of ours", (".html",), _is_page)
PICTURE = OutFile("picture of ours", (".svg",), _holds(b"<svg", b"matplotlib"))
CALIBRATION = OutFile("calibration", (".json",), _holds(b'"spillover-calibration/'))
BASELINE = OutFile("baseline", (".json",), _holds(b'"spillover-baseline/'))
DIRECTIONS = OutFile("file of directions", (".safetensors",), _holds(b'"bases.'))
FIGURES = OutFile("table of figures", (".csv", ".parquet"), _columns("model", "probe", "measure", "suite_lower"))
ANSWERS = OutFile("table of answers of ours", (".csv", ".parquet"), _columns("model_id", "question_id", "outcome"))
UNIVERSES = OutFile("table of universes", (".csv",), _columns("cell", "measure", "choice"))
DIFFERING = OutFile("table of answers that differ", (".csv",), _columns("question_id", "answer", "probe"))
MODULES = OutFile("table of modules", (".csv", ".parquet"), _columns("one", "other", "module", "side"))
