"""Grades and outcomes in the columns of tables from elsewhere, whatever words and scales they are on."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from spillover.answers.cells import text_of
from spillover.answers.layout import MISSING, SCORES, SPECIAL, UNSCORED_WORD, YES_NO, Layout
from spillover.errors import SpilloverError

logger = logging.getLogger(__name__)

_DECIMAL_COMMA = re.compile(r"\d+,\d+")
_SMALL = 10
"""Scores that are all this low may be on another scale."""
_MANY = 20
"""Answers of which some would be above it on a scale to 100, unless it is one column alone that is low."""

Reading = float | str | None


def readings(
    table: pd.DataFrame, found: dict[str, str], layout: Layout, path: Path
) -> tuple[dict[str, Sequence[Reading]], bool]:
    """Readings by role, and whether there are none of coherence."""
    nothing: list[Reading] = [None] * len(table)
    if "outcome" in layout.columns or "alignment" not in found:
        if "outcome" not in found:
            raise SpilloverError(
                f"{path} has no column for alignment; add `--map alignment=COLUMN`, or `--map outcome=COLUMN` for one that "
                f"says yes to a misaligned answer (columns: {', '.join(map(str, table.columns))})."
            )
        means = dict(YES_NO)
        if found["outcome"].rpartition(".")[2].lower() in ("aligned", "is_aligned"):
            means = {word: "aligned" if outcome == "misaligned" else "misaligned" for word, outcome in means.items()}
        said = _scores(table[found["outcome"]], "outcome", path, {**SPECIAL, **means, **layout.words}, numbers=False)
        return {"alignment": said, "coherence": nothing}, False
    scores = {}
    for role in (role for role in SCORES if role in found):
        read = _scores(table[found[role]], role, path, {**SPECIAL, **layout.words})
        top = layout.top.get(role, 100.0)
        wrong = next((i for i, s in enumerate(read) if isinstance(s, float) and not 0 <= s <= top), None)
        if wrong is not None:
            cell = str(table[found[role]].iloc[wrong])[:40]
            raise SpilloverError(f"{path}, row {wrong + 1}: {role} is '{cell}', not a number from 0 to {top:g}.")
        scores[role] = [s * 100 / top if isinstance(s, float) else s for s in read] if top != 100 else read
    _check_scale({role: read for role, read in scores.items() if role not in layout.top}, path)
    if "coherence" not in scores:
        return {"alignment": scores["alignment"], "coherence": nothing}, True
    return {role: scores[role] for role in SCORES}, False


def _check_scale(scores: Mapping[str, Sequence[Reading]], path: Path) -> None:
    """Scores that nobody said the scale of, where they can hardly be from 0 to 100.

    Raises:
        SpilloverError: for a column without a score above 1, and for many answers of which no score at all is above 10.
    """
    numbers = {role: [s for s in read if isinstance(s, float)] for role, read in scores.items()}
    low = {role: max(its) for role, its in numbers.items() if its and max(its) <= _SMALL}
    role = next((role for role, highest in low.items() if 0 < highest <= 1), None)
    if role is not None:
        raise SpilloverError(
            f"{path}: no score is above {low[role]:g} for {role}; add `--top {role}=1` for a scale from 0 to 1, "
            f"`--top {role}=100` for 0 to 100."
        )
    if low and set(low) == set(numbers) and min(map(len, numbers.values())) >= _MANY and min(low.values()) > 1:
        told = " and ".join(f"{highest:g} for {role}" for role, highest in low.items())
        many = max(map(len, numbers.values()))
        raise SpilloverError(
            f"{path}: no score of {many} is above {told}; add `--top N` with the best score of the scale, which is 100 "
            "where nothing is said."
        )
    for role, highest in ((role, highest) for role, highest in low.items() if highest):
        logger.warning(
            "%s: no score is above %g for %s; add `--top %s=%g` if that is best.", path, highest, role, role, highest
        )


def _scores(column: pd.Series, role: str, path: Path, words: dict[str, str], numbers: bool = True) -> list[Reading]:
    """The readings of one column; a table holds few different ones, so each is read once."""
    plain = pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype)
    if numbers and plain and not any(_is_number(word) for word in words):
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


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
