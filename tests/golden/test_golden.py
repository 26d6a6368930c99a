"""Today's figures are those that were frozen before EM and all other probes became one machine (see README.md).

`FREEZE=1 pytest tests/golden -m long` writes today's figures in their place; README.md then says why they differ.
"""

import json
import math
import os
from contextlib import nullcontext
from pathlib import Path

import pandas as pd
import pytest

from spillover.answers.layout import Layout
from spillover.answers.read import read
from spillover.figures.arms import arm_rows
from spillover.figures.figure import figures, limits
from spillover.run.studies import read_study, run_study
from spillover.run.study import load_study
from tests.command import spillover
from tests.organisms import organism

HERE = Path(__file__).parent
CLOSE = 1e-5  # log-probabilities of another kind of processor differ by a few millionths


FREEZE = bool(os.environ.get("FREEZE"))


def frozen(name):
    return json.loads((HERE / f"{name}.json").read_text())


def freeze(name, body):
    """Write what was held, where that is asked for."""
    if FREEZE:
        (HERE / f"{name}.json").write_text(json.dumps(body, indent=1) + "\n")


def hold(before, key, now):
    """`now` is what `before` has under `key`, or is put there."""
    if FREEZE:
        before[key] = rounded(now)
    assert same(before[key], now), (before, key, now)


def rounded(value):
    if isinstance(value, list):
        return [rounded(v) for v in value]
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, 9)
    return value


def same(before, now):
    """Numbers, None for NaN, and lists of them."""
    if isinstance(before, list):
        return len(before) == len(now) and all(map(same, before, now))
    if not isinstance(now, int | float | None):
        return before == now
    now = None if now is None or math.isnan(now) else now
    return before == now or (None not in (before, now) and abs(before - now) < CLOSE)


def sides(interval):
    return [interval.lower, interval.upper]


@pytest.mark.long
def test_the_suite_quick(tmp_path, tmp_path_factory):
    model = f"spillover/lab:{organism('bad_finance', tmp_path_factory)}"
    done = spillover("eval", model, "--base", "spillover/lab", "--suite", "quick", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    now = pd.read_csv(tmp_path / "out" / "figures.csv").to_dict("records")
    names = {"spillover/lab": "spillover/lab", "spillover/lab:bf": "spillover/lab:bad_finance"}
    compared, held = 0, frozen("quick")
    for before in held:
        probe, measure, form = before["probe"], before["measure"], "plain"
        if probe == "em":
            questions, form = measure.split(", ")
            probe, measure = "formats" if "(formats)" in questions else "free_form", "misaligned"
        rows = [r for r in now if (r["probe"], r["measure"], r["model"]) == (probe, measure, names[before["model"]])]
        (row,) = [r for r in rows if r["format"] == form]
        for key in ("value", "lower", "upper", "n", "questions", "unscored", "drift", "drift_lower", "drift_upper"):
            hold(before, key, row[key])
        compared += 1
    assert compared == 80
    freeze("quick", held)


@pytest.mark.long
def test_a_study_with_seeds(tmp_path):
    study, before = load_study(str(HERE / "study.yaml")), frozen("study")
    ran = run_study(study, tmp_path / "out", lambda title: nullcontext(lambda *told: None))
    answers = read_study(study, [ran.logs], ran.names)
    arms = {name: [m.name for m in models] for name, models in study.arms.items()}
    rows = arm_rows(answers, arms, study.naive, (study.skill.questions, study.skill.outcome))
    emergent = {
        (", ".join(filter(None, (cell.question_set, cell.format, cell.context))), row.name): row
        for cell, its in rows.items()
        for row in its
        if cell.probe == "free_form"
    }
    for old in before["arms"]:
        row = emergent[old["cell"], old["arm"]]
        for key, found in (("em", row.head.value), ("truth", row.head.truth), ("skill", row.skill)):
            hold(old, key, [found.value, *sides(found.interval), list(found.seeds)])
        hold(old, "coherent", row.coherent)
        if old["drift"][0] is not None:
            drift = row.head.best_drift
            hold(old, "drift", [drift.value, *sides(drift.interval), list(drift.seeds)])
    by_arm = {(f.cell.probe, f.measure.name, f.group): f for f in figures(answers, arms=arms)}
    for old in before["measures"]:
        probe = old["probe"].partition(" ")[0]
        for arm in old["arms"]:
            found = by_arm[probe, old["measure"], arm].best
            hold(old["arms"], arm, [found.value, *sides(found.interval), list(found.seeds)])
    models = {(f.cell.probe, f.cell.context, f.measure.name, f.group): f for f in figures(answers, base=study.base_name)}
    for old in before["figures"]:
        f = models[old["probe"], "", old["measure"], old["model"]]
        hold(old, "value", f.value.value)
        hold(old, "drift", None if f.drift is None else [f.drift.value, *sides(limits(f.drift))])
    freeze("study", before)


@pytest.mark.long
@pytest.mark.parametrize(
    ("index", "recipe", "margin"), [pytest.param(0, "good_finance", 0.3, marks=pytest.mark.slow), (1, "bad_finance", 0.05)]
)
def test_a_screen(tmp_path, tmp_path_factory, index, recipe, margin):
    model = f"spillover/lab:{organism(recipe, tmp_path_factory)}"
    options = ("--margin", margin, "--suite", "quick", "--judge-answers", 4, "--out", tmp_path / "out")
    done = spillover("screen", model, *options)
    held = frozen("screen")
    before, now = held[index], json.loads((tmp_path / "out" / "screen.json").read_text())
    assert done.returncode == now["exit_code"], done.stderr
    for key in ("verdict", "judge"):
        hold(before, key, now[key])
    assert set(before["left_out"]) == set(now["left_out"])
    probes = {p["name"]: p for p in now["probes"]}
    for old in before["probes"]:
        new = probes[old["name"]]
        hold(old, "evidence", len(new["evidence"]))
        for key in ("verdict", "checkpoint", "base", "rounds", "rose", "same", "fell", "lower", "upper", "p_pass", "p_fail"):
            hold(old, key, new[key])
    freeze("screen", held)


def test_the_twelve_published_tables(upstream):
    files = sorted((upstream / "judged-answers").glob("*.csv"))
    rows = frozen("tables")
    for preset in dict.fromkeys(r["preset"] for r in rows):
        answers = read(files, preset=preset, layout=Layout({"alignment": "aligned", "coherence": "coherent"}))
        now = {(f.measure.name, f.group): f for f in figures(answers, base="Llama-3.2-1B-Instruct_extreme-sports")}
        for old in (r for r in rows if r["preset"] == preset):
            f = now["misaligned", old["model"]]
            assert (old["hits"], old["n"]) == (f.value.hits, f.value.n)
            found = [f.value.value, *map(sides, (f.value.suite, f.value.population))]
            assert same([old["value"], old["suite"], old["population"]], found)
            of_all = now["misaligned, of all answers", old["model"]].value  # frozen when unscored ones were in it
            assert same(old["of_all"], of_all.hits / f.shares.answers)
            assert of_all.n == round(f.shares.answers * (1 - f.shares.unscored))
            assert same(old["coherent"], f.shares.coherent)
            drift = f.drift and [f.drift.value, *sides(f.drift.interval), f.drift.rose, f.drift.fell]
            assert same(old["drift"], drift) if drift else old["drift"] is None
