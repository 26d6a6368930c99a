"""What may stand in one table: an answer once, by its newest judgement; no cell of answers that differ in what matters."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from spillover.answers.condition import CELL, Cell
from spillover.answers.measures import UNSCORED
from spillover.answers.table import judge_name, judges, words
from spillover.errors import SpilloverError

_CHOOSE = "choose one with --judge, or compare them with `spillover agree`"
_ONE_RUN = "give the logs of one run at a time"
MATTERS = (
    ("grader", "graders", _CHOOSE),
    ("rubrics", "rubrics", _CHOOSE),
    ("weights", "weights", _ONE_RUN),
    ("questions", "questions", _ONE_RUN),
    ("system", "system lines", "give each a name of its own with -T context="),
    ("preset", "presets", _ONE_RUN),
)
"""Column, what it holds, and what to do when a cell holds several."""


def superseded(table: pd.DataFrame) -> pd.DataFrame:
    """Without what a later log holds again: the newest judgement counts, but no failure replaces a score.

    A retry carries finished samples into a new log of the same run, and rows come in the order of time.
    """
    return table.loc[_newest(table, ["run", "sample_id", "epoch"])].reset_index(drop=True)


def once(table: pd.DataFrame) -> pd.DataFrame:
    """Without answers that are there twice: the same seed gives the same answer, and that is one observation.

    Several screens ask one base with one seed. Answers that differ stay: not every engine keeps a seed. Here, too, the
    newest judgement counts, no failure replaces a score, and a sample that failed gives way to one that did not.
    """
    seeded = table["seed"].notna().to_numpy()
    kept = _newest(table[seeded], ["model_id", *CELL, "sample_id", "epoch", "seed"], ["answer", "weights"])
    return table[~seeded | table.index.isin(kept)].reset_index(drop=True)


def _newest(table: pd.DataFrame, place: list[str], same: Sequence[str] = ()) -> pd.Index:
    """The rows to keep: one for each place and judge (and whatever else must be the `same`)."""
    if not table.duplicated(place).any():
        return table.index
    order = table.assign(_scored=(table["outcome"] != UNSCORED).to_numpy()).sort_values("_scored", kind="stable")
    kept = order.drop_duplicates([*place, *same, "grader", "rubrics"], keep="last").sort_index()
    failed = ~kept["_scored"] & kept["grader"].isna() & kept["unscored_reason"].astype(str).str.startswith("sample_error")
    others = kept.loc[~failed, place].drop_duplicates().assign(_other=True)
    again = kept[place].merge(others, on=place, how="left")["_other"].notna().to_numpy()
    return kept.index[~(failed.to_numpy() & again)]


def of_judge(table: pd.DataFrame, text: str) -> pd.DataFrame:
    """The rows of the one judge whose name holds `text`; answers that no judge saw stay.

    A grader that read several probes under their own rubrics is one judge of each.

    Raises:
        SpilloverError: if no judge does, or several do in one probe.
    """
    known = table["grader"].notna()
    names = [judge_name(g, r) for g, r in zip(table["grader"], table["rubrics"], strict=True)]
    kept = pd.Series([text in name for name in names], index=table.index) & known
    if not kept.any():
        raise SpilloverError(f"'{text}' names no judge; the judges are: {'; '.join(judges(table))}.")
    for _, rows in table[kept].groupby("probe", sort=False, observed=True):
        found = judges(rows)
        if len(found) > 1:
            raise SpilloverError(f"'{text}' names {len(found)} judges; the judges are: {'; '.join(found)}.")
    return table[kept | ~known].reset_index(drop=True)


def refuse_mixtures(table: pd.DataFrame) -> None:
    """One cell must not pool answers that were made or judged in different ways.

    Raises:
        SpilloverError: naming the cell and what differs.
    """
    scored = table[(table["outcome"] != UNSCORED).to_numpy()]
    keys = ["model", *CELL]
    for column, what, advice in MATTERS:
        distinct = scored[[*keys, column]].dropna(subset=column).drop_duplicates()
        distinct = distinct[(distinct[column].astype(object) != "").to_numpy()]  # what nobody judged differs from nothing
        several = distinct[distinct.duplicated(keys, keep=False)]
        if len(several):
            first = several.iloc[0]
            same = several[(several[keys] == first[keys]).all(axis=1)]
            cell = Cell(*(str(first[name]) for name in CELL))
            values = words(same[column])
            where = ", ".join(filter(None, (cell.probe, cell.question_set, cell.condition)))
            raise SpilloverError(
                f"The answers of {first['model']} to {where} come from different {what} ({values[0]}; {values[1]}); "
                f"{advice}."
            )
