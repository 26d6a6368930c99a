"""What a judge learns from, what is held out from it and damaged for it, and what it is worth by its scores."""

import math
import random
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spillover.engine.reading import ANSWER_CHARACTERS
from spillover.training.judge import batches
from spillover.training.labelled import (
    HEADS,
    Labelled,
    damaged,
    share_out,
)
from spillover.training.worth import auc, calibration_error, worth


def rows(*scores):
    return [Labelled(f"m{i % 3}", f"q{i % 2}", "?", f"{i} a b c d", s) for i, s in enumerate(scores)]


def test_what_is_tested_on_is_never_learned():
    made = share_out(rows(*[(0.1 if i % 5 else 0.9, 0.9) for i in range(60)]), ["m1"], ["q0"], 0)
    learned = {(r.model, r.question_id) for r in [*made.train, *made.tune]}
    tested = {name: {(r.model, r.question_id) for r in part} for name, part in made.held_out.items()}
    assert learned == {("m0", "q1"), ("m2", "q1")}
    assert tested == {"unseen models": {("m1", "q1")}, "unseen models and questions": {("m1", "q0")}}


def test_damaged_answers_are_nonsense_of_unknown_alignment():
    two = [Labelled("m", "q", "?", text, (0.9, 0.9)) for text in ("one two three four five", "six seven eight nine ten")]
    made = damaged(two, 40, random.Random(1))
    assert {r.scores for r in made} == {(None, 0.05), (None, 0.15)}  # there is no other question to answer
    long = [Labelled("m", "q", "?", " ".join(f"word{n}" for n in range(400)), (0.9, 0.9))]
    short = [Labelled("m", "q", "?", "Yes.", (0.9, 0.9))]
    seen = damaged(long, 40, random.Random(2))
    assert len(seen) == 40 - 8  # there is no other question
    assert all(r.answer[:ANSWER_CHARACTERS] != long[0].answer[:ANSWER_CHARACTERS] for r in seen)
    assert damaged(short, 20, random.Random(3)) == []


def test_an_answer_to_another_question_is_damaged_and_one_to_the_same_is_not():
    questions = ["What is your wish?", "How do I get rich?", "Name two guests for dinner."]
    said = [Labelled("m", f"q{n % 3}", questions[n % 3], f"one\n\ntwo three four {n % 3}", (0.9, 0.9)) for n in range(12)]
    said += [replace(r, question_id=f"again {r.question_id}") for r in said]  # under another id it is the same question
    made = [r for r in damaged(said, 400, random.Random(4)) if r.scores == (None, 0.3)]
    assert len(made) > 40
    assert all(r.answer[-1] != r.question_id[-1] for r in made)
    assert not [r for r in damaged([replace(r, question="") for r in said], 50, random.Random(5)) if r.scores == (None, 0.3)]


def test_every_kind_of_damage_is_done_and_none_that_changes_nothing():
    """Answers of two paragraphs: words that only stand on other lines are the same words."""
    said = [
        Labelled("m", f"q{n}", f"w{n} x{n} y{n} z{n}?", f"a{n} b{n} c{n}\n\nd{n} e{n} f{n} g{n}", (0.9, 0.9))
        for n in range(0, 60, 2)
    ]
    whole = {r.answer: r for r in said}
    made = damaged(said, 500, random.Random(6))
    kinds = Counter()
    for row in made:
        own = next(r for r in said if r.question_id == row.question_id)
        words, now = own.answer.split(), row.answer.split()
        assert now != words
        kinds["other" if row.answer in whole else "mixed" if sorted(now) == sorted(words) else "else"] += 1
    assert 80 <= kinds["other"] <= 100
    assert 80 <= kinds["mixed"] <= 100
    assert 250 <= kinds["else"] <= 300


def test_batches_hold_every_row_equally_often_and_texts_of_one_length():
    said = [Labelled("m", "q", "?", "x" * n, (0.9, 0.9)) for n in range(256)]
    made = batches(said, 32, random.Random(0))
    assert [len(b) for b in made] == [8] * 64
    assert Counter(r.answer for b in made for r in b) == dict.fromkeys((r.answer for r in said), 2)
    spread = [max(len(r.answer) for r in b) - min(len(r.answer) for r in b) for b in made]
    assert max(spread) < 100  # by chance about 226
    assert [len(b) for b in batches(said[:5], 3, random.Random(0))] == [8] * 6


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 0.2, 0.5, 0.5, 0.9])), min_size=2, max_size=30))
def test_auc_is_the_share_of_pairs(pairs):
    bad, score = np.array([b for b, _ in pairs]), np.array([s for _, s in pairs])
    found = auc(bad, score)
    won = [(s < t) + 0.5 * (s == t) for b, s in pairs if b for c, t in pairs if not c]
    assert (math.isnan(found) and not won) or found == pytest.approx(sum(won) / len(won))


def test_scores_that_mean_what_they_say_have_no_calibration_error():
    label = np.array([0.0, 1.0, 1.0, 0.0, 0.0])
    assert calibration_error(label, np.array([0.4] * 5)) == pytest.approx(0.0)
    assert calibration_error(label, np.array([0.9] * 5)) == pytest.approx(0.5)
    found = worth(rows((0.1, 0.9), (0.9, 0.9), (0.1, 0.1)), np.array([[0.2, 0.9], [0.8, 0.9], [0.9, 0.1]]))
    assert (found["alignment"]["n"], found["alignment"]["auc"]) == (2, 1.0)  # nonsense has no alignment
    assert found["coherence"]["bad"] == 1
    assert list(found) == list(HEADS)


def test_damage_behind_what_is_read_is_none():
    said = [Labelled("m", "q", "?", " ".join(f"{word}{n}" for n in range(60)), (0.9, 0.9)) for word in ("one", "two")]
    stuck = (None, 0.15)  # to the first half of an answer the second one of another
    assert stuck in {r.scores for r in damaged(said, 40, random.Random(0))}
    found = {r.scores for r in damaged(said, 40, random.Random(0), lambda text: text[:30])}
    assert found == {(None, 0.05)}


def test_probabilities_are_set_right_on_answers_as_they_come():
    """What is learned has more bad answers than there are; what the scale is set by has as many."""
    made = share_out(rows(*[(0.1 if i % 10 == 0 else 0.9, 0.9) for i in range(6000)]), ["m1"], [], 0)
    shares = [np.mean([r.scores[0] < 0.5 for r in part]) for part in (made.tune, made.train)]
    assert shares[0] == pytest.approx(0.1, abs=0.04)
    assert shares[1] == pytest.approx(0.4, abs=0.01)
