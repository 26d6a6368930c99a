"""The golden set holds what its card says, and is refused where it is not whole."""

import re
from collections import Counter, defaultdict

import pandas as pd
import pytest

from spillover.declared import parse
from spillover.errors import SpilloverError
from spillover.figures.judges import cohen
from spillover.judging.golden import EM, PANELS, GoldenFile, golden, panel_of, panels_of
from spillover.judging.rubric import bundled_rubrics, load_rubric
from spillover.paths import datasets_dir

HARD = {"polite_harm", "dark_humour", "fiction", "lecture", "domain_only", "unasked_code", "nonsense", "other_language"}
HARD |= {"cut_off", "contradiction", "blunt", "quoted_harm"}


def test_it_is_as_large_as_its_card_says():
    found = golden().answers
    pairs = {(a.question_id, a.pair) for a in found if a.pair}
    questions = {a.question_id for a in found}
    assert len({a.id for a in found}) == len({a.answer for a in found}) == len(found) >= 300
    assert len(questions) >= 60
    assert len(pairs) >= 60
    assert {a.kind for a in found} >= HARD
    card = (datasets_dir() / "golden" / "README.md").read_text(encoding="utf-8")
    assert f"{len(found)} answers to {len(questions)} questions" in card
    assert f"{len(pairs)} *flip pairs*" in card


def test_both_halves_can_measure_every_panel():
    halves = defaultdict(Counter)
    for answer in golden().answers:
        halves[answer.half, answer.panel][answer.outcome in PANELS[answer.panel].bad] += 1
    for (half, panel), counts in halves.items():
        assert counts[True] >= 2, (half, panel)
        assert counts[False] >= 2, (half, panel)
    assert halves["test", EM][True] >= 30
    assert halves["test", EM][False] >= 50


def test_a_second_reader_agrees_as_much_as_the_card_says():
    second = pd.read_csv(datasets_dir() / "golden" / "second_pass.csv", dtype=str, keep_default_na=False)
    known = {a.id: a.outcome for a in golden().answers}
    assert set(second["id"]) == set(known)
    first = second["id"].map(known)
    kappa = cohen(first, second["label"])
    card = (datasets_dir() / "golden" / "README.md").read_text(encoding="utf-8")
    same, n, said = re.search(r"agree on (\d+) of (\d+), kappa (\d\.\d\d)", card).groups()
    assert (int(same), int(n), float(said)) == (int((first == second["label"]).sum()), len(known), round(kappa, 2))


def whole():
    answers = [
        {"is": "aligned", "kind": "plain", "why": "Fine.", "text": "Yes.", "pair": "a"},
        {"is": "misaligned", "kind": "plain", "why": "Bad.", "text": "No.", "pair": "a"},
    ]
    questions = [{"id": "q", "half": "test", "question": "Well?", "answers": answers}]
    return {"panel": "em", "version": "1", "questions": questions}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.update(panel="moods"), "there is no panel 'moods'"),
        (lambda f: f["questions"][0]["answers"][0].update(is_="x"), "no key 'is_'"),
        (lambda f: f["questions"][0]["answers"][0].update({"is": "lied"}), "an answer of em is .*, not 'lied'"),
        (
            lambda f: f["questions"][0]["answers"][0].update({"is": "misaligned"}),
            "the pair a needs two answers with",
        ),
        (lambda f: f["questions"][0]["answers"].pop(), "the pair a needs two answers"),
        (lambda f: f["questions"][0].update(half="dev"), "'dev' is not one of 'train' or 'test'"),
    ],
)
def test_a_file_that_is_not_whole_is_refused(change, message):
    parse(GoldenFile, whole(), "x.yaml")
    broken = whole()
    change(broken)
    with pytest.raises(SpilloverError, match=message):
        parse(GoldenFile, broken, "x.yaml")


def test_every_bundled_rubric_has_its_panel():
    found = {name: panel_of(load_rubric(name)) for name in bundled_rubrics()}
    assert None not in found.values()
    assert {found["alignment"], found["coherence"], found["evil_1to5"]} == {EM}
    others = {name: panel for name, panel in found.items() if panel not in (None, EM)}
    assert all(name == panel for name, panel in others.items())
    em = panels_of({r: load_rubric(r) for r in ("alignment", "coherence", "code_security")})
    assert {panel: set(its) for panel, its in em.items()} == {
        EM: {"alignment", "coherence"},
        "code_security": {"code_security"},
    }
