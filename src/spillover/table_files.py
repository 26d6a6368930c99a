"""Files that hold tables, whoever wrote them. Nothing is guessed: a cell of text stays what it is, and an id is text.

CSV and TSV are read with any delimiter and in the encodings that spreadsheets write; JSON as lines, as an array, or as
arrays under names; parquet and Excel as they are. Each may be compressed by gzip.
"""

from __future__ import annotations

import csv
import gzip
import logging
import re
import warnings
from collections.abc import Callable, Iterator
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pandas as pd

from spillover.errors import SpilloverError
from spillover.schema import parse_json
from spillover.sinks import from_cell

logger = logging.getLogger(__name__)

_DELIMITERS = (",", ";", "\t", "|")
_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}
"""What an encoding begins with."""
_HEAD = 4096
MOST_BYTES = 2 << 30
"""Of a text, unpacked: a small file can unpack to any size."""
_QUOTED = re.compile('"[^"]*"')
_SEP_LINE = re.compile('"?sep=(.)"?')


def ending(path: Path) -> str:
    """`.csv` of `A.CSV` and of `a.csv.gz`."""
    return Path(path.name.lower().removesuffix(".gz")).suffix


def is_table(path: Path) -> bool:
    """Whether a file is a table by its ending; a `.json` file is one unless it holds an Inspect log."""
    kind = ending(path)
    if kind != ".json" or not path.is_file():
        return kind in READERS and kind != ".json"
    try:
        head = _content(path, _HEAD).decode("utf-8", "ignore").lstrip("\ufeff \t\r\n")
    except OSError:
        return False
    return head[:1] == "[" or (head[:1] == "{" and not all(f'"{key}"' in head for key in ("version", "status", "eval")))


def read_table(path: Path) -> pd.DataFrame:
    """Read one file: columns of texts, or of what JSON and parquet hold.

    Raises:
        SpilloverError: if it is missing, empty, of an unknown kind, or cannot be parsed.
    """
    if ending(path) not in READERS:
        raise SpilloverError(f"Cannot read {path}: the ending must be one of {', '.join(READERS)}, with .gz or without.")
    if not path.is_file():
        raise SpilloverError(f"There is no file at {path}.")
    try:
        content = _content(path)
        if not content.strip():
            raise SpilloverError(f"{path} is empty.")
        frame = READERS[ending(path)](content, path)
    except pd.errors.ParserWarning as error:
        raise SpilloverError(f"{path}: its rows have more cells than its first line; is that line the header?") from error
    except (ValueError, OSError, EOFError, csv.Error) as error:  # the errors of pandas, pyarrow, json, gzip and zip are such
        raise SpilloverError(f"{path} is not a readable {ending(path)} table ({error}).") from error
    frame.columns = [str(name).strip() for name in frame.columns]
    return frame


def _content(path: Path, size: int = -1) -> bytes:
    packed = path.name.lower().endswith(".gz")
    with gzip.open(path) if packed else path.open("rb") as file:
        content = file.read(MOST_BYTES + 1 if size < 0 else size)
    if len(content) > MOST_BYTES:
        raise SpilloverError(f"{path} holds more than {MOST_BYTES >> 30} GiB of text; split it, or write it as parquet.")
    return content


def _text(content: bytes, path: Path) -> str:
    """Decoded: by its first bytes, as UTF-8, or as a Windows spreadsheet writes it."""
    encoding = next((name for mark, name in _MARKS.items() if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8" or b"\0" in content:
            raise SpilloverError(f"{path} is no text in {encoding} ({error.reason} at byte {error.start}).") from error
        logger.warning("%s is no UTF-8 (byte %d); it was read as Windows-1252.", path, error.start)
        text = content.decode("cp1252", "replace")
    if "\0" in text:
        raise SpilloverError(f"{path} is no text: it holds NUL bytes.")
    return text


def _delimited(content: bytes, path: Path) -> pd.DataFrame:
    """A cell more than the header has is left out when it is empty in every row, and refused when it is not."""
    header, _, rest = _text(content, path).lstrip("\r\n").partition("\n")
    told = _SEP_LINE.fullmatch(header.strip())
    if told:  # Excel's own first line
        header, _, rest = rest.partition("\n")
    sep = told[1] if told else "\t" if ending(path) == ".tsv" else max(_DELIMITERS, key=_QUOTED.sub("", header).count)
    names = [name.strip() for name in next(csv.reader([header.rstrip("\r")], delimiter=sep), [])]
    twice = next((name for name in names if name and names.count(name) > 1), None)
    if twice is not None:
        raise SpilloverError(f"{path} has two columns called '{twice}'; keep one.")
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            return _parsed(f"{header}\n{rest}", sep)
        except pd.errors.ParserWarning:  # rows are longer than the header
            longer = _parsed(header.rstrip("\r") + f"{sep}\n{rest}", sep)
    extra = longer.columns[-1]
    known = (longer[extra].str.strip() != "").to_numpy()
    if known.any():
        raise SpilloverError(f"{path}, row {known.argmax() + 1}: it has more cells than the header has names.")
    return longer.drop(columns=extra)


def _parsed(text: str, sep: str) -> pd.DataFrame:
    found: pd.DataFrame = pd.read_csv(
        StringIO(text), sep=sep, dtype=str, keep_default_na=False, na_filter=False, index_col=False
    )
    return found.map(from_cell)


def _json_lines(content: bytes, path: Path) -> pd.DataFrame:
    rows = []
    for number, line in enumerate(_text(content, path).split("\n"), start=1):  # not at U+2028
        if not line.strip():
            continue
        try:
            row = parse_json(line)
        except ValueError as error:
            raise SpilloverError(f"{path}, line {number}: it is no JSON ({error}).") from error
        if not isinstance(row, dict):
            raise SpilloverError(f"{path}, line {number}: a row is an object with named fields, not '{line.strip()[:30]}'.")
        rows.append(_flat(row))
    return _of_rows(rows)


def _json(content: bytes, path: Path) -> pd.DataFrame:
    """An array of rows, alone or under a name; or arrays of rows of one kind, named by question or model."""
    body = parse_json(_text(content, path))
    if _are_rows(body):
        return _of_rows([_flat(row) for row in body])
    lists = {name: rows for name, rows in body.items() if _are_rows(rows)} if isinstance(body, dict) else {}
    if not lists:
        raise SpilloverError(f"{path} holds no table: write an array of objects with named fields, one for every answer.")
    if len(lists) == 1:
        return _of_rows([_flat(row) for row in next(iter(lists.values()))])
    tables = {name: [_flat(row) for row in rows] for name, rows in lists.items()}
    common = set.intersection(*(set(its[0]) for its in tables.values()))
    if len(lists) < len(body) or not common or "model" in common:
        raise SpilloverError(f"{path} holds several arrays ({', '.join(list(lists)[:5])}); keep the one of the answers.")
    key = "question_id"
    if {"question_id", "qid"} & common or not _of_one_question(tables):
        key = "model"
    return _of_rows([{key: name, **row} for name, its in tables.items() for row in its])


def _of_one_question(tables: dict[str, list[dict[str, Any]]]) -> bool:
    """Whether each array is of one question, and of another one than the others, as far as they name any."""
    asked = [{str(row.get("question", row.get("prompt"))) for row in its} for its in tables.values()]
    known = [questions for questions in asked if questions != {"None"}]
    return all(len(q) == 1 for q in known) and len({q for questions in known for q in questions}) == len(known)


def _are_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


def _flat(row: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested objects as columns `outer.inner`; what is in a list stays there."""
    return dict(_pairs(row, prefix))


def _pairs(row: dict[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in row.items():
        if isinstance(value, dict) and value and "content" not in value:  # a message stays whole
            yield from _pairs(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _of_rows(rows: list[dict[str, Any]]) -> pd.DataFrame:
    names = dict.fromkeys(name for row in rows for name in row)
    return pd.DataFrame({name: pd.Series([row.get(name) for row in rows], dtype=object) for name in names})


def _excel(content: bytes, path: Path) -> pd.DataFrame:
    try:
        with ZipFile(BytesIO(content)) as packed:
            if sum(part.file_size for part in packed.infolist()) > MOST_BYTES:
                raise SpilloverError(f"{path} holds more than {MOST_BYTES >> 30} GiB unpacked; write it as parquet.")
        sheets = pd.read_excel(BytesIO(content), sheet_name=None, dtype=object, keep_default_na=False, na_filter=False)
    except ImportError as error:
        raise SpilloverError(f"Reading {path} needs another package: pip install 'spillover[excel]'.") from error
    except SpilloverError:
        raise
    except Exception as error:  # a damaged zip of XML raises anything
        raise SpilloverError(f"{path} is no Excel workbook.") from error
    filled = {name: sheet for name, sheet in sheets.items() if len(sheet)}
    if len(filled) > 1:
        raise SpilloverError(f"{path} has several sheets ({', '.join(filled)}); save the one of the answers by itself.")
    return next(iter(filled.values()), pd.DataFrame())


def _parquet(content: bytes, path: Path) -> pd.DataFrame:
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    try:
        pq.read_table(BytesIO(content)).validate(full=True)  # texts that are no UTF-8 are met cell by cell otherwise
        return pd.read_parquet(BytesIO(content))
    except Exception as error:  # of pyarrow's own kinds, and whatever its metadata lead pandas to
        raise SpilloverError(f"{path} is not a readable .parquet table ({error}).") from error


READERS: dict[str, Callable[[bytes, Path], pd.DataFrame]] = {
    ".csv": _delimited,
    ".tsv": _delimited,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".json": _json,
    ".parquet": _parquet,
    ".xlsx": _excel,
}
"""Readers of tables by ending."""
