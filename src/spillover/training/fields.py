"""What a key of a recipe may hold: numbers, texts, and paths as meant from the recipe's folder."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo

from spillover.paths import is_dir, is_file

# A number keeps the type that it has in the file: 1 and 1.0 have different digests.
Number = int | float
Above0 = Annotated[Number, Field(gt=0, le=1e9)]
NotNegative = Annotated[Number, Field(ge=0, le=1e9)]
Share = Annotated[Number, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0, le=2**32 - 1)]
"""A seed, a layer, a step: nothing that memory or time grows with."""
Positive = Annotated[int, Field(ge=1, le=10_000_000)]
Together = Annotated[int, Field(ge=1, le=4096)]
"""What is held in memory at once, or done before anything is learned."""
Text = Annotated[str, Field(min_length=1)]
Texts = Annotated[tuple[Text, ...], Field(min_length=1)]


def beside(info: ValidationInfo, name: str) -> Path:
    """A path as meant from the recipe's folder."""
    folder: Path = (info.context or {}).get("folder", Path())
    return (folder / name).resolve()


def _file(name: str, info: ValidationInfo) -> str:
    if not is_file(path := beside(info, name)):
        raise ValueError(f"there is no file at {path}")
    return str(path)


def _folder(name: str, info: ValidationInfo) -> str:
    if not is_dir(path := beside(info, name)):
        raise ValueError(f"there is no folder at {path}")
    return str(path)


ExistingFile = Annotated[Text, AfterValidator(_file)]
ExistingFolder = Annotated[Text, AfterValidator(_folder)]


def sha256(*paths: Path) -> str:
    """Digest of files' bytes, one after the other."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()
