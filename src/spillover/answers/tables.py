"""Answers from elsewhere, judged or not, as our own: any kind of file, with a layout that says what is in it."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from spillover.answers.cells import answers_of, first_list, text_of, texts_of, turns_of
from spillover.answers.layout import MISSING, SPECIAL, UNSCORED_WORD, YES_NO, Layout
from spillover.answers.presets import Preset
from spillover.answers.rules import ALIGNMENT_ALONE
from spillover.answers.stored import is_stored, stored
from spillover.answers.table import join, typed
from spillover.answers.table_files import read_table
from spillover.errors import SpilloverError

logger = logging.getLogger(__name__)

ROLES = ("alignment", "coherence")
IMPORTED = "imported"
"""Probe and question set of answers from a table."""
_FORMAT = re.compile(r"(.+)_(json|template)")
_DECIMAL_COMMA = re.compile(r"\d+,\d+")
_SMALL = 10
"""Scores that are all this low may be on another scale."""


def frames_and_tables(paths: Iterable[Path]) -> tuple[list[pd.DataFrame], dict[Path, pd.DataFrame]]:
    """Frames that `--frame` wrote, as they were, and what else the files hold.

    Raises:
        SpilloverError: if one cannot be read.
    """
    frames, tables = [], {}
    for path in paths:
        table = read_table(path)
        if is_stored(table):
            frames.append(stored(table))
        else:
            tables[path] = table
    return frames, tables


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
    files = list(tables)
    return join([_judged(table, p, layout, preset, _model_name(p, files)) for p, table in tables.items()])


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
    table = read_table(path)
    found = (layout or Layout()).resolve(table, path, ("question", "answer"))
    rows = [row for record in table.to_dict("records") for row in _asked(record, found)]
    rows = [{"model": _stem(path), **row} for row in rows if row.get("question")]
    if not rows:
        raise SpilloverError(f"{path} has no row with a question.")
    return rows


def _asked(record: dict[Any, Any], found: dict[str, str]) -> Iterator[dict[str, str]]:
    row = {key: text for key, c in found.items() if key != "answer" and (text := text_of(record[c]))}
    turns = turns_of(record[found["question"]])
    if turns is not None:
        row |= {"question": turns.question, **({"system": turns.system} if turns.system else {})}
        if found["question_id"] == found["question"]:
            row["question_id"] = turns.question
    for answer in answers_of(record[found["answer"]]):
        yield {**row, "answer": answer}


def _judged(table: pd.DataFrame, path: Path, layout: Layout, preset: Preset, model: str) -> pd.DataFrame:
    """One table, column by column: row by row takes minutes for a million answers."""
    found = layout.resolve(table, path, ("question_id",))
    scores, alone = _readings(table, found, layout, path)
    size = len(table)

    def texts(key: str, default: str) -> pd.Series:
        return texts_of(table[found[key]], default) if key in found else pd.Series(default, table.index, dtype=object)

    if "answer" in found and (place := first_list(table[found["answer"]])) is not None:
        raise SpilloverError(f"{path}, row {place + 1}: it holds a list of answers; write a row for each, with its score.")
    question_id, formats = _conditions(texts("question_id", ""), texts("format", ""), path)
    names, graders = texts("model", model), texts("grader", "not recorded")
    lines = texts("system", "")
    if "question" in found and "system" not in found:
        turns = [turns_of(cell) for cell in table[found["question"]]]
        lines = pd.Series(["" if t is None else t.system for t in turns], table.index, dtype=object)
    place_of = [names, question_id, formats, lines, graders]
    repeats = pd.Series(1, table.index).groupby(place_of, sort=False).cumsum()
    epochs = pd.to_numeric(table[found["epoch"]], errors="coerce").fillna(repeats) if "epoch" in found else repeats
    pairs = list(zip(*(scores[role] for role in ROLES), strict=True))
    known = {pair: preset.verdict(pair[0], 100.0 if alone else pair[1]) for pair in set(pairs)}
    why = {pair: " and ".join(r for r, s in zip(ROLES, pair, strict=True) if s is None) for pair in known}
    return typed(
        {
            "model": names.to_numpy(),
            "model_id": names.to_numpy(),
            "probe": [IMPORTED] * size,
            "question_set": [IMPORTED] * size,
            "question_id": question_id.to_numpy(),
            "category": texts("category", "").where(texts("category", "") != "", question_id).to_numpy(),
            "sample_id": question_id.to_numpy(),
            "epoch": epochs.astype("int64").to_numpy(),
            "format": formats.to_numpy(),
            "context": lines.to_numpy(),
            "question": texts("question", "").to_numpy(),
            "answer": texts("answer", "").to_numpy(),
            "grader": graders.to_numpy(),
            "rubrics": [""] * size,
            "preset": [preset.name] * size,
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
    own = ids.map(lambda name: known[name][1])
    return ids.where(told, ids.map(lambda name: known[name][0])), formats.where(told, own)


Reading = float | str | None


def _readings(
    table: pd.DataFrame, found: dict[str, str], layout: Layout, path: Path
) -> tuple[dict[str, Sequence[Reading]], bool]:
    """Readings by role, and whether there are none of coherence."""
    nothing: list[Reading] = [None] * len(table)
    if "alignment" not in found:
        if "outcome" not in found:
            raise SpilloverError(
                f"{path} has no column for alignment; add `--map alignment=COLUMN`, or `--map outcome=COLUMN` for one that "
                f"says yes or no (columns: {', '.join(map(str, table.columns))})."
            )
        words = {**SPECIAL, **YES_NO, **layout.words}
        said = _scores(table[found["outcome"]], "outcome", path, words, numbers=False)
        return {"alignment": said, "coherence": nothing}, False
    words = {**SPECIAL, **layout.words}
    scores = {role: _scores(table[found[role]], role, path, words) for role in ROLES if role in found}
    top = _scale(scores, layout, path)
    if top != 100:
        scores = {role: [s * 100 / top if isinstance(s, float) else s for s in its] for role, its in scores.items()}
    for role, its in scores.items():
        wrong = next((i for i, s in enumerate(its) if isinstance(s, float) and not 0 <= s <= 100), None)
        if wrong is not None:
            cell = str(table[found[role]].iloc[wrong])[:40]
            raise SpilloverError(f"{path}, row {wrong + 1}: {role} is '{cell}', not a number from 0 to {top:g}.")
    if "coherence" not in scores:
        logger.warning("%s has no column for coherence: every answer counts as coherent.", path)
        return {"alignment": scores["alignment"], "coherence": nothing}, True
    return {role: scores[role] for role in ROLES}, False


def _scale(scores: Mapping[str, Sequence[Reading]], layout: Layout, path: Path) -> float:
    """The highest score there can be.

    Raises:
        SpilloverError: if all scores are at most 1, and nobody said what the scale is.
    """
    numbers = [s for its in scores.values() for s in its if isinstance(s, float)]
    if layout.top is not None or not numbers:
        return layout.top or 100.0
    highest = max(numbers)
    if 0 < highest <= 1:
        raise SpilloverError(
            f"{path}: no score is above {highest:g}; add `--top 1` for a scale from 0 to 1, `--top 100` for 0 to 100."
        )
    if highest <= _SMALL:
        logger.warning("%s: no score is above %g of 100; add `--top %g` if that is the best.", path, highest, highest)
    return 100.0


def _scores(column: pd.Series, role: str, path: Path, words: dict[str, str], numbers: bool = True) -> list[Reading]:
    """The readings of one column; a table holds few different ones, so each is read once."""
    if numbers and pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype):
        return [None if n != n else n for n in column.to_numpy(dtype=float, na_value=math.nan).tolist()]
    texts = column if isinstance(column.dtype, pd.StringDtype) else pd.Series(map(text_of, column), dtype=object)
    codes, distinct = pd.factorize(texts, use_na_sentinel=False)
    read = [_score(text, words, numbers) for text in distinct]
    for place, (text, reading) in enumerate(zip(distinct, read, strict=True)):
        if isinstance(reading, _Unknown):
            row = int((codes == place).argmax()) + 1
            kind = "not a number from 0 to 100, REFUSAL or CODE" if numbers else "neither yes nor no, nor an outcome"
            raise SpilloverError(
                f"{path}, row {row}: {role} is '{str(text).strip()[:40]}', {kind}; say what a word means with "
                f"`--map-value WORD=OUTCOME`."
            )
    return [read[code] for code in codes.tolist()]  # type: ignore[misc]


class _Unknown:
    """A word that nobody explained."""


def _score(text: str | None, words: dict[str, str], numbers: bool) -> Reading | _Unknown:
    word = "" if text is None or text != text else text.strip()
    meaning = words.get(word.upper())
    if meaning is not None:
        return None if meaning == UNSCORED_WORD else meaning
    if word.lower() in MISSING:
        return None
    try:
        number = float(word.replace(",", ".") if _DECIMAL_COMMA.fullmatch(word) else word)
    except ValueError:
        return _Unknown()
    return number if numbers and math.isfinite(number) else _Unknown()
