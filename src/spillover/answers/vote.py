"""Several judges of the same answers with one verdict, by a rule that is said: majority, any or mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import pandas as pd

from spillover.answers.answer_rows import by_other_rule
from spillover.answers.certified import BETWEEN
from spillover.answers.judged_by import JUDGED_BY
from spillover.answers.measures import UNSCORED, Measure
from spillover.answers.read import Answers
from spillover.answers.table import ANSWER, judge_name, roles_of
from spillover.errors import SpilloverError

Vote = Literal["majority", "any", "mean"]
VOTES: tuple[Vote, ...] = ("majority", "any", "mean")
DIFFER = Measure("judges differ", ("differ",), ("agree", "differ"), worse="neither", of="judges")
"""Share of the answers with an outcome by two judges or more on which they are not the same."""


def by_vote(answers: Answers, vote: Vote) -> Answers:
    """Every answer once, with the verdict of all its judges; the tag `judges` says whether they agree.

    `majority`: the outcome of more than half of the judges that gave one, else unscored (`judges_disagree`). `any`: a bad
    outcome if one judge gave one, else the majority's. `mean`: the mean of the grades, and a word where more than half reply
    it; then the probe's rule. Answers that a single judge read keep its verdict.

    Args:
        answers: Read with `mixed`.
        vote: The rule.

    Raises:
        SpilloverError: if no answer was read by two judges.
    """
    table = answers.table
    judged = table["grader"].notna().to_numpy()
    names = [judge_name(g, r) for g, r in zip(table["grader"], table["rubrics"], strict=True)]
    place = table[[*ANSWER[:-1], "answer"]].astype(object).fillna("")
    table = table.assign(_answer=place.groupby(list(place.columns), sort=False).ngroup(), _judge=names)
    rows = table[judged].drop_duplicates(["_answer", "_judge"], keep="last")
    several = rows["_answer"].duplicated(keep=False).to_numpy()
    if not several.any():
        raise SpilloverError("A panel needs answers that two judges read: `spillover judge` adds a second judge.")
    groups = rows[several].groupby("_answer", sort=False)
    outcomes = {int(str(n)): its["outcome"].astype(str).tolist() for n, its in groups}
    first = rows[several].drop_duplicates("_answer").reset_index(drop=True)
    voters = {int(str(n)): BETWEEN.join(map(str, dict.fromkeys(its["grader"]))) for n, its in groups}
    ids = {int(str(n)): BETWEEN.join(map(str, _first_of_each(its))) for n, its in groups}
    rubrics = {int(str(n)): " ".join(dict.fromkeys(" ".join(map(str, its["rubrics"])).split())) for n, its in groups}
    order = first["_answer"].tolist()
    first = first.assign(
        grader=pd.Categorical([voters[n] for n in order]),
        rubrics=pd.Categorical([rubrics[n] for n in order]),
        judged_by=pd.Categorical([ids[n] for n in order]),
        **{"tag.judges": pd.Categorical([_agree(outcomes[n]) for n in order])},
    )
    first = _averaged(first, rows[several])
    first = by_other_rule(first, answers.preset) if vote == "mean" else _voted(first, outcomes, vote, answers)
    alone = pd.concat([table[~judged], rows[~several]])
    joined = pd.concat([first, alone]).sort_values("_answer", kind="stable").drop(columns=["_answer", "_judge"])
    return replace(answers, table=joined.astype(_types(table, joined)).reset_index(drop=True))


def _first_of_each(rows: pd.DataFrame) -> list[object]:
    """Identity and reader of each grader, in the order of their names."""
    known = rows[JUDGED_BY] if JUDGED_BY in rows else pd.Series([None] * len(rows), index=rows.index)
    return list(dict(zip(rows["grader"], known, strict=True)).values())


def _types(table: pd.DataFrame, joined: pd.DataFrame) -> Mapping[str, str]:
    """Categories that concatenation took apart."""
    kinds = {n: t for n, t in table.dtypes.items() if isinstance(t, pd.CategoricalDtype)}
    return {str(n): "category" for n in joined.columns if n in kinds or n == "tag.judges"}


def _agree(found: list[str]) -> str | None:
    given = [word for word in found if word != UNSCORED]
    return None if len(given) < 2 else "agree" if len(set(given)) == 1 else "differ"


def _voted(first: pd.DataFrame, outcomes: Mapping[int, list[str]], vote: Vote, answers: Answers) -> pd.DataFrame:
    bad: dict[str, frozenset[str]] = {}
    for probe, rows in first.groupby("probe", sort=False, observed=True):
        share = answers.share(rows)
        bad[str(probe)] = share.bad if share is not None else frozenset()
    words, reasons = [], []
    for n, probe in zip(first["_answer"], first["probe"], strict=True):
        word = _winner(outcomes[n], bad[str(probe)] if vote == "any" else frozenset())
        words.append(word)
        reasons.append("judges_disagree" if word == UNSCORED else None)
    return first.assign(outcome=pd.Categorical(words), unscored_reason=pd.Categorical(reasons))


def _winner(found: list[str], bad: frozenset[str]) -> str:
    given = [word for word in found if word != UNSCORED]
    worst = next((word for word in given if word in bad), None)
    if worst is not None:
        return worst
    top = max(given, key=given.count, default=UNSCORED)
    return top if given and 2 * given.count(top) > len(given) else UNSCORED


def _averaged(first: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Grades, values and words of all judges in the place of the first one's."""
    changed: dict[str, Any] = {}
    groups = rows.groupby("_answer", sort=False)
    for name in ("value", *(f"score.{role}" for role in roles_of(rows))):
        changed[name] = first["_answer"].map(groups[name].mean()).astype("float64")
    for role in roles_of(rows):
        if f"word.{role}" in rows:
            changed[f"word.{role}"] = pd.Categorical(first["_answer"].map(groups[f"word.{role}"].agg(_word)))
    return first.assign(**changed)


def _word(said: pd.Series[str]) -> str | None:
    known = said.astype(object).dropna().tolist()
    top = max(known, key=known.count, default=None)
    return top if top is not None and 2 * known.count(top) > len(said) else None
