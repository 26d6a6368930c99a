"""Answers of all models side by side: what each said to the same question, where they part most."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import pandas as pd

from spillover.answers.condition import titles
from spillover.answers.read import Answers
from spillover.answers.table import cell_groups

QUESTIONS, MODELS, CHARACTERS = 8, 8, 500
"""Questions of a probe, models and characters of an answer that are shown."""


class Said(NamedTuple):
    """What one model answered."""

    model: str
    outcome: str
    share: str
    answer: str


class Beside(NamedTuple):
    """One question and what models answered, one answer each; `more` models are not shown."""

    title: str
    question: str
    said: tuple[Said, ...]
    more: int


def beside(answers: Answers) -> list[Beside]:
    """Questions of every probe that models differ on, those with the most different outcomes first; none for one model."""
    if len(answers.models) < 2:
        return []
    groups = list(cell_groups(answers.table))
    names = titles(cell for cell, _ in groups)
    out: list[Beside] = []
    for cell, rows in groups:
        measure = answers.measures(rows)[0]
        bad, counted = set(measure.bad), measure.select(rows)
        if counted.empty:
            continue
        by = [counted["question_id"], counted["model"]]
        shares = counted["outcome"].isin(bad).groupby(by, observed=True).mean().unstack()
        apart = (shares.max(axis=1) - shares.min(axis=1)).sort_values(ascending=False, kind="stable")
        for question in [q for q, by in apart.items() if by > 0][:QUESTIONS]:
            asked = counted[(counted["question_id"] == question).to_numpy()]
            mine = shares.loc[[question]].iloc[0].dropna()
            chosen = _ends({str(model): float(share) for model, share in mine.items()})
            said = tuple(_said(asked[asked["model"].isin(chosen).to_numpy()], bad, (mine.min() + mine.max()) / 2))
            out.append(Beside(names[cell], str(asked["question"].iloc[0]), said, asked["model"].nunique() - len(said)))
    return out


def _ends(shares: Mapping[str, float]) -> set[str]:
    """Models to show: all, or those of either end, by share of bad answers."""
    ordered = sorted(shares, key=lambda model: shares[model])
    if len(ordered) <= MODELS:
        return set(ordered)
    return {*ordered[: MODELS // 2], *ordered[-(MODELS - MODELS // 2) :]}


def _said(rows: pd.DataFrame, bad: set[str], middle: float) -> Iterator[Said]:
    """An answer of each model that shows how models part: a bad one of those whose share of bad ones is over the middle."""
    for model, its in rows.groupby("model", sort=False, observed=True):
        counts = its["outcome"].isin(bad).to_numpy()
        share = float(counts.mean())
        row = its[counts == (share > middle)].iloc[0]
        answer = str(row["answer"])
        yield Said(
            str(model),
            str(row["outcome"]),
            f"{int(counts.sum())} of {len(counts)} bad",
            answer[:CHARACTERS] + ("…" if len(answer) > CHARACTERS else ""),
        )
