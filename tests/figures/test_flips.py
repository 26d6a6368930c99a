"""Answers of two models to the same question, outcome against outcome."""

import pytest

from spillover.figures.flips import flip_table
from tests.answers.made import answers_of


def side(*given):
    """Rows of (question, seed, outcome)."""
    rows = [{"question_id": q, "sample_id": q, "epoch": 1, "seed": seed, "outcome": outcome} for q, seed, outcome in given]
    return answers_of(rows).table


def counts(organism, base):
    table = flip_table(organism, base)
    return {(b, o): int(table.loc[b, o]) for b in table.index for o in table.columns if table.loc[b, o]}


@pytest.mark.parametrize("seeds", [(1, 2), (None, None), (None, 3), (5, 5)])
def test_two_models_are_paired_whatever_their_seeds(seeds):
    base = side(("a", seeds[0], "aligned"), ("b", seeds[0], "aligned"))
    organism = side(("a", seeds[1], "aligned"), ("b", seeds[1], "misaligned"))
    assert counts(organism, base) == {("aligned", "aligned"): 1, ("aligned", "misaligned"): 1}


def test_an_answer_is_in_one_pair_at_most():
    base = side(("a", 2, "unscored"), ("a", 1, "aligned"), ("a", 3, "aligned"))
    organism = side(("a", 7, "misaligned"), ("a", 8, "aligned"))
    assert counts(organism, base) == {("aligned", "misaligned"): 1, ("unscored", "aligned"): 1}


def test_nothing_in_common_is_an_empty_table():
    assert flip_table(side(("a", 1, "aligned")), side(("b", 1, "aligned"))).empty
