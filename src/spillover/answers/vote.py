"""Several judges of the same answers with one verdict, by a rule that is said: majority, any or mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    read = rows[several]
    outcomes = _by_answer(read, read["outcome"].astype(str))
    first = read.drop_duplicates("_answer").reset_index(drop=True)
    graders = _by_answer(read, read["grader"])
    known = read[JUDGED_BY] if JUDGED_BY in read else pd.Series([None] * len(read), index=read.index)
    identities = _by_answer(read, known)
    voters = {n: BETWEEN.join(map(str, dict.fromkeys(its))) for n, its in graders.items()}
    # Identity and reader of each grader, in the order of their names.
    ids = {n: BETWEEN.join(map(str, dict(zip(its, identities[n], strict=True)).values())) for n, its in graders.items()}
    given = _by_answer(read, read["rubrics"])
    rubrics = {n: " ".join(dict.fromkeys(" ".join(map(str, its)).split())) for n, its in given.items()}
    order = first["_answer"].tolist()
    first = first.assign(
        grader=pd.Categorical([voters[n] for n in order]),
        rubrics=pd.Categorical([rubrics[n] for n in order]),
        judged_by=pd.Categorical([ids[n] for n in order]),
        **{"tag.judges": pd.Categorical([_agree(outcomes[n]) for n in order])},
    )
    first = _averaged(first, read)
    first = by_other_rule(first, answers.preset) if vote == "mean" else _voted(first, outcomes, vote, answers)
    alone = pd.concat([table[~judged], rows[~several]])
    joined = pd.concat([first, alone]).sort_values("_answer", kind="stable").drop(columns=["_answer", "_judge"])
    return replace(answers, table=joined.astype(_types(table, joined)).reset_index(drop=True))


def _by_answer(rows: pd.DataFrame, values: pd.Series[Any]) -> dict[int, list[Any]]:
    """Answer to the values of its rows, in their order; a table of its own for each of many answers takes minutes."""
    out: dict[int, list[Any]] = {}
    for n, value in zip(rows["_answer"].tolist(), values.astype(object).tolist(), strict=True):
        out.setdefault(n, []).append(value)
    return out


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
            words = {n: _word(said) for n, said in _by_answer(rows, rows[f"word.{role}"]).items()}
            changed[f"word.{role}"] = pd.Categorical([words[n] for n in first["_answer"]])
    return first.assign(**changed)


def _word(said: Sequence[Any]) -> str | None:
    known = [word for word in said if not pd.isna(word)]
    top = max(known, key=known.count, default=None)
    return top if top is not None and 2 * known.count(top) > len(said) else None
