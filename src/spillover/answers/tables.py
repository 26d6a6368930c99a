"""Answers from elsewhere, judged or not, as our own: any kind of file, with a layout that says what is in it."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from spillover.answers.cells import Turns, answers_of, first_list, text_of, texts_of, turns_of
from spillover.answers.condition import CELL
from spillover.answers.grades import readings
from spillover.answers.layout import SCORES, Layout
from spillover.answers.presets import Preset
from spillover.answers.repeats import refuse_repeats, tell_repeats
from spillover.answers.rules import ALIGNMENT_ALONE
from spillover.answers.stored import is_stored, stored
from spillover.answers.table import join, typed
from spillover.errors import SpilloverError
from spillover.table_files import read_table

logger = logging.getLogger(__name__)

Seen = dict[tuple[Any, ...], tuple[Path, tuple[Any, ...]]]
"""Answer and judge to the file that holds them, and what was read."""
IMPORTED = "imported"
"""Probe and question set of answers from a table."""
_FORMAT = re.compile(r"(.+)_(json|template)")


def frames_and_tables(paths: Iterable[Path]) -> tuple[list[pd.DataFrame], dict[Path, pd.DataFrame]]:
    """Frames that `--frame` wrote, as they were, and what else the files hold.

    Raises:
        SpilloverError: if one cannot be read.
    """
    frames, tables = [], {}
    seen: Seen = {}
    for path in paths:
        table = read_table(path)
        if is_stored(table):
            frames.append(stored(table))
            _refuse_other_reading(frames[-1], path, seen)
        else:
            tables[path] = table
    return frames, tables


def _refuse_other_reading(frame: pd.DataFrame, path: Path, seen: Seen) -> None:
    """Two frames with the same answers and other outcomes, by judges of one name: the file that is named last would win.

    Raises:
        SpilloverError: naming both files.
    """
    scores = [c for c in ("score.alignment", "score.coherence") if c in frame]
    places = _rows(frame[["model_id", *CELL, "question_id", "sample_id", "epoch", "run", "grader", "rubrics"]])
    for place, found in zip(places, _rows(frame[["outcome", *scores]]), strict=True):
        before, other = seen.setdefault(place, (path, found))
        if before != path and other != found:
            raise SpilloverError(
                f"{before} and {path} hold the same answers with different scores, and nothing says that two judges gave "
                "them; give each file a column `grader` with the judge's name, and choose one with --judge."
            )


def _rows(table: pd.DataFrame) -> Iterator[tuple[Any, ...]]:
    return table.astype(object).where(table.notna(), None).itertuples(index=False, name=None)


MISSING = {
    "model": "%s: no column of models; all answers of a file count as those of one, named by the file; --map model=COLUMN "
    "names one.",
    "coherence": "%s: no column for coherence; every answer counts as coherent.",
}


def judged_tables(tables: dict[Path, pd.DataFrame], layout: Layout, preset: Preset) -> pd.DataFrame:
    """Judged answers of several files; a file without a model column is one model, named by its stem.

    Args:
        tables: What was read, by file.
        layout: What their columns, words and scores mean.
        preset: Thresholds for the outcome.

    Raises:
        SpilloverError: naming file and column when one is missing or holds what is no score, and for scores that are on
            another scale.
    """
    files, missing = list(tables), dict[str, list[Path]]()
    read = {p: _judged(table, p, layout, preset, _model_name(p, files), missing) for p, table in tables.items()}
    for what, its in missing.items():
        logger.warning(MISSING[what], f"{its[0]} and {len(its) - 1} more" if len(its) > 1 else its[0])
    if len(read) > 1:
        refuse_repeats(read)
    return join(list(read.values()))


def _model_name(path: Path, files: list[Path]) -> str:
    """The stem, with as much of the folder as tells two files of one name apart."""
    for name in (_stem, lambda p: f"{p.resolve().parent.name}/{_stem(p)}", lambda p: str(p.resolve())):
        if [name(p) for p in files].count(name(path)) == 1:
            return name(path)
    raise SpilloverError(f"{path} is given twice; name it once.")


def _stem(path: Path) -> str:
    return Path(path.name.removesuffix(".gz")).stem


def read_answers(path: Path, layout: Layout | None = None) -> list[dict[str, str]]:
    """Answers without scores: `question`, `answer`, `model`, `question_id` and the other texts of each row, in order.

    A question may be a list of messages; a list of answers is several answers.

    Raises:
        SpilloverError: if the table has no column for question or answer, or no row.
    """
    table, found = _unfolded(read_table(path), layout or Layout(), path, ("question", "answer"))
    rows = []
    for number, record in enumerate(table.to_dict("records"), start=1):
        try:
            rows += list(_asked(record, found))
        except ValueError as error:
            raise SpilloverError(f"{path}, row {number}: the answer is {error}.") from error
    asked = [{"model": _stem(path), **row} for row in rows if row.get("question")]
    if not asked:
        raise SpilloverError(f"{path} has no row with a question.")
    if len(asked) < len(rows):
        first = next(i for i, row in enumerate(rows, start=1) if not row.get("question"))
        logger.warning(
            "%s: %d rows have no question, or no reply to it, and are left out, row %d first.",
            path,
            len(rows) - len(asked),
            first,
        )
    return asked


def _asked(record: dict[Any, Any], found: dict[str, str]) -> Iterator[dict[str, str]]:
    row = {key: text for key, c in found.items() if key != "answer" and (text := text_of(record[c]))}
    for answer in answers_of(record[found["answer"]]):
        yield {**row, "answer": answer}


def _unfolded(
    table: pd.DataFrame, layout: Layout, path: Path, required: tuple[str, ...]
) -> tuple[pd.DataFrame, dict[str, str]]:
    """The table and its fields; conversations among the questions have columns of their own for line, question and reply."""
    found = layout.resolve(table, path, ())
    if "question" in found:
        try:
            turns = _turns(table[found["question"]])
        except ValueError as error:
            raise SpilloverError(f"{path}: a question is {error}.") from error
        if any(turns):
            asked, same = table[found["question"]], found.get("question_id") == found["question"]
            replied = "answer" in found  # then a reply at the end of a conversation is what the answer goes on from
            parts = {
                "question": [
                    c if t is None else t.whole if replied else t.question for c, t in zip(asked, turns, strict=True)
                ]
            }
            lines = [text_of(c) for c in table[found["system"]]] if "system" in found else [None] * len(table)
            parts["system"] = [line or ("" if t is None else t.system) for line, t in zip(lines, turns, strict=True)]
            if not replied and any(t is not None and t.answer is not None for t in turns):
                parts["answer"] = ["" if t is None else t.answer or "" for t in turns]
                open_ended = [t is not None and t.answer is None for t in turns]
                parts["question"] = ["" if o else q for o, q in zip(open_ended, parts["question"], strict=True)]
            table = table.assign(**{f"unfolded {key}": pd.Series(v, table.index, dtype=object) for key, v in parts.items()})
            found |= {key: f"unfolded {key}" for key in parts}
            found |= {"question_id": found["question"]} if same else {}
    if not set(required) <= set(found):
        layout.resolve(table.drop(columns=[c for c in table if str(c).startswith("unfolded ")]), path, required)
    return table, found


def _turns(column: pd.Series) -> list[Turns | None]:
    """The conversation in each cell; of texts each different one is looked at once."""
    if not isinstance(column.dtype, pd.StringDtype):
        return [turns_of(cell) for cell in column]
    known = {text: turns_of(text) for text in column.unique()}
    return [known[text] for text in column] if any(known.values()) else []


def _judged(
    table: pd.DataFrame, path: Path, layout: Layout, preset: Preset, model: str, missing: dict[str, list[Path]]
) -> pd.DataFrame:
    """One table, column by column: row by row takes minutes for a million answers. What it lacks is added to `missing`."""
    if table.empty:
        raise SpilloverError(f"{path} has no rows below its header.")
    table, found = _unfolded(table, layout, path, ("question_id",))
    scores, alone = readings(table, found, layout, path)
    size = len(table)

    def texts(key: str, default: str) -> pd.Series:
        return texts_of(table[found[key]], default) if key in found else pd.Series(default, table.index, dtype=object)

    if "answer" in found and (first_list(table[found["answer"]]) is not None):
        table = table.assign(**{found["answer"]: _single(table[found["answer"]], path)})
    question_id, formats = _conditions(texts("question_id", ""), texts("format", ""), path)
    names, graders = texts("model", model).astype(str).str.strip(), texts("grader", "not recorded")
    for what in [*(["model"] if "model" not in found else []), *(["coherence"] if alone else [])]:
        missing.setdefault(what, []).append(path)
    lines, categories = texts("system", ""), texts("category", "")
    place_of = [question_id, *(part for part in (names, formats, lines, graders) if part.nunique() > 1)]
    repeats = pd.Series(1, table.index).groupby(place_of, sort=False).cumsum()
    epochs = pd.to_numeric(table[found["epoch"]], errors="coerce").fillna(repeats) if "epoch" in found else repeats
    pairs = list(zip(*(scores[role] for role in SCORES), strict=True))
    known = {pair: preset.verdict(pair[0], 100.0 if alone else pair[1]) for pair in set(pairs)}
    why = {pair: " and ".join(r for r, s in zip(SCORES, pair, strict=True) if s is None) for pair in known}
    made = typed(
        {
            "model": names.to_numpy(),
            "model_id": names.to_numpy(),
            "probe": [IMPORTED] * size,
            "question_set": [IMPORTED] * size,
            "question_id": question_id.to_numpy(),
            "category": (categories.where(categories != "", question_id) if "category" in found else question_id).to_numpy(),
            "sample_id": question_id.to_numpy(),
            "epoch": epochs.astype("int64").to_numpy(),
            "format": formats.to_numpy(),
            "context": lines.to_numpy(),
            "question": texts("question", "").to_numpy(),
            "answer": texts("answer", "").to_numpy(),
            "grader": graders.to_numpy(),
            "rubrics": None,
            "preset": [preset.name] * size,
            "truncated": _cut(table),
            "outcome": [known[pair] or "unscored" for pair in pairs],
            "unscored_reason": [f"missing {why[pair]}" if known[pair] is None else None for pair in pairs],
            "facts": [{ALIGNMENT_ALONE: True}] * size if alone else None,
            "run": [str(path)] * size,
            "source": [str(path)] * size,
            **{f"score.{role}": [s if isinstance(s, float) else None for s in its] for role, its in scores.items()},
            **{f"word.{role}": [s if isinstance(s, str) else None for s in its] for role, its in scores.items()},
        },
        size,
    )
    tell_repeats(made, table, found, path)
    return made


_ENDED = ("truncated", "finish_reason", "stop_reason")


def _cut(table: pd.DataFrame) -> list[bool]:
    """Which answers the token limit cut, where a column of the usual name says so."""
    found = next((c for c in table if str(c).strip().lower() in _ENDED), None)
    if found is None:
        return [False] * len(table)
    return [str(v).strip().lower() in ("true", "1", "1.0", "length", "max_tokens") for v in table[found]]


def _single(column: pd.Series, path: Path) -> pd.Series:
    """The one answer of each cell, which one score is of."""
    out = []
    for row, cell in enumerate(column, start=1):
        try:
            found = answers_of(cell)
        except ValueError as error:
            raise SpilloverError(f"{path}, row {row}: the answer is {error}.") from error
        if len(found) != 1:
            raise SpilloverError(f"{path}, row {row}: it holds a list of answers; write a row for each, with its score.")
        out += found
    return pd.Series(out, column.index, dtype=object)


def _conditions(ids: pd.Series, formats: pd.Series, path: Path) -> tuple[pd.Series, pd.Series]:
    """Ids and formats; published tables tell a format by the id's ending: `q` and `q_json` are one question."""
    nameless = (ids == "").to_numpy()
    if nameless.any():
        first = int(nameless.argmax()) + 1
        logger.warning(
            "%s: %d rows have no question_id, row %d first; each is a question of its own.", path, nameless.sum(), first
        )
        ids = ids.where(~nameless, [f"row {i + 1}" for i in range(len(ids))])
    names, known = set(ids), {}
    for name in names:
        match = _FORMAT.fullmatch(name)
        known[name] = (match[1], match[2]) if match and match[1] in names else (name, "plain")
    told = formats != ""
    if all(own == "plain" for _, own in known.values()):
        return ids, formats.where(told, "plain")
    question, own = (ids.map({name: both[place] for name, both in known.items()}) for place in (0, 1))
    return ids.where(told, question), formats.where(told, own)
