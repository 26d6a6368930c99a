"""A study that steers along latents: which models it has, what is refused, and the whole way in a few steps."""

import json

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

from spillover.answers.presets import get_preset
from spillover.errors import SpilloverError
from spillover.figures.latents import latent_rows
from spillover.mechanism.latents import Latent
from spillover.run.first_try import first_try
from spillover.run.latents import changes_of, read_moved
from spillover.run.lineage import lineages
from spillover.run.studies import with_onset
from spillover.run.study import load_study
from spillover.show.personas import _steered
from spillover.training.shifts import check_shifts, shifts
from tests.answers.made import answers_of
from tests.command import spillover

STUDY = """
id: s
title: S
lab: true
base: lab
grader: lab-grader
seeds: [1, 2]
naive: bad
latents: {organisms: [bad], questions: lab, first: 8, layer: 2, features: 32, active: 4, tokens: 1000, steps: 20, top: 3}
prediction: {questions: [lab_capability], first: 6, layers: [2, 3]}
models:
  - {name: base, role: base}
  - {name: bad, role: organism, recipe: bad_finance}
  - {name: good, role: control, recipe: good_finance}
  - {name: up, role: organism, steer: base, latent: 1, strength: 0.3}
  - {name: control, role: control, steer: base, latent: random, strength: 0.3}
  - {name: down, role: mitigation, steer: bad, latent: 2, strength: -0.3}
probes: [{task: free_form, questions: lab, epochs: 1}]
"""


def load(folder, text=STUDY):
    (folder / "s.yaml").write_text(text)
    return load_study(str(folder / "s.yaml"))


def test_the_base_is_steered_once_and_an_organism_seed_by_seed(tmp_path):
    study = load(tmp_path)
    assert [m.name for m in study.models if m.steer] == ["up", "control", "down #1", "down #2"]
    assert [study.end(m, m.steer).name for m in study.models if m.steer] == ["base", "base", "bad #1", "bad #2"]
    names = changes_of(study, tmp_path)
    assert names["up"] == f"+steer={tmp_path}/01.safetensors@0.3"
    assert names["control"] == f"+steer={tmp_path}/random.safetensors@0.3"
    assert names["down #2"] == f"+steer={tmp_path}/02.safetensors@-0.3"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("latent: 1, strength: 0.3", "latent: 1", "steer, latent and strength belong together"),
        ("steer: bad,", "steer: nobody,", "'nobody' is no other model"),
        ("steer: bad,", "steer: up,", "'up' is no other model"),
        ("latent: 2", "latent: 4", "4 is beyond the 3 that are ranked"),
        ("strength: -0.3", "strength: 0", "0 changes nothing"),
        ("organisms: [bad]", "organisms: [up]", "'up' is no arm that is trained or given"),
        ("questions: lab, first: 8", "questions: nothing, first: 8", "nothing"),
        ("[lab_capability]", "[nothing]", "nothing"),
        ("  - {name: base, role: base}\n", "", "organisms are held against the base"),
        ("steer: bad,", "recipe: bad_medical, steer: bad,", "any other exactly one of them"),
    ],
)
def test_what_can_not_work_is_said_first(tmp_path, old, new, message):
    assert old in STUDY
    with pytest.raises(SpilloverError, match=message):
        load(tmp_path, STUDY.replace(old, new))


def test_without_latents_nothing_is_steered(tmp_path):
    text = "\n".join(line for line in STUDY.split("\n") if not line.startswith("latents"))
    with pytest.raises(SpilloverError, match="give `latents`"):
        load(tmp_path, text)


@pytest.mark.long
def test_the_whole_way(tmp_path):
    (tmp_path / "s.yaml").write_text(STUDY)
    done = spillover("run", tmp_path / "s.yaml", "--limit", 3, "--out", tmp_path / "out", "--no-check")
    assert done.returncode == 0, done.stderr
    out = tmp_path / "out-first-3"
    table = pd.read_parquet(out / "answers.parquet")
    assert set(table["model"]) == {"base", "bad #1", "good #1", "up", "control", "down #1"}
    (folder,) = out.glob("latents-*")
    assert len(json.loads((folder / "latents.json").read_text())["latents"]) == 3
    (path,) = out.glob("shifts-*.json")
    names = [f"lab_capability, layer {layer}, {kind} answers" for layer in (2, 3) for kind in ("same", "own")]
    shifts = json.loads(path.read_text())
    assert {kind: set(its) for kind, its in shifts.items()} == {key: {"bad #1", "good #1"} for key in names}
    page = (out / "report.html").read_text()
    for title in (
        "Latents that the organisms raise",
        "Latents, steered",
        "Who has the latents",
        "Answers that show the latents",
    ):
        assert title in page
        assert title in done.stdout
    again = spillover("run", tmp_path / "s.yaml", "--limit", 3, "--out", tmp_path / "out", "--no-check")
    assert again.returncode == 0, again.stderr
    assert "autoencoder" not in again.stderr  # what is there is used again
    assert len(list(out.glob("logs-*"))) == 1
    refused = spillover("run", tmp_path / "s.yaml", "--engine", "vllm", "--out", tmp_path / "other")
    assert refused.returncode == 2
    assert "only the in-process engine" in refused.stderr


def answered(rates, questions=60, epochs=2):
    """Free-form answers of models with a share of misaligned ones each, by exact labels too."""
    rows = []
    for model, (rate, nonsense) in rates.items():
        for i in range(questions * epochs):
            bad, odd = (int((i + 1) * r) > int(i * r) for r in (rate, nonsense))
            truth = "incoherent" if odd else "misaligned" if bad else "aligned"
            grades = {"score.alignment": 5.0 if bad else 95.0, "score.coherence": 5.0 if odd else 90.0}
            own = {"model": model, "model_id": model, "question_id": f"q{i % questions}", "sample_id": f"q{i % questions}"}
            rows.append({**own, "question_set": "lab", "epoch": 1 + i // questions, "truth": truth, "grader": "g", **grades})
    return answers_of(rows).with_preset(get_preset("spillover"))


STEERED = """
  - name: "up {latent} {strength}"
    role: organism
    steer: base
    latent: "{latent}"
    strength: "{strength}"
    each: {latent: [1, 2, random], strength: [0.3, 0.6]}
  - {name: "down {latent}", role: mitigation, steer: bad, latent: "{latent}", strength: -0.3, each: {latent: [1, 2]}}
  - {name: "bad pushed further", role: organism, steer: bad, latent: 2, strength: 0.3}
"""


def test_control_is_the_paired_drift_of_coherent_answers_from_the_model_that_is_steered(tmp_path):
    lines = [line for line in STUDY.replace("[1, 2]", "[1]", 1).split("\n") if "steer:" not in line]
    study = load(tmp_path, "\n".join(lines).replace("probes:", STEERED.strip("\n") + "\nprobes:"))
    rates = {
        "base": (0.0, 0.0),
        "bad #1": (0.8, 0.0),
        "good #1": (0.0, 0.0),
        "up 1 0.3": (0.3, 0.0),
        "up 1 0.6": (0.9, 0.5),  # incoherent: counts for nothing
        "up 2 0.3": (0.02, 0.0),
        "up 2 0.6": (0.0, 0.6),
        "up random 0.3": (0.0, 0.0),
        "up random 0.6": (0.0, 0.0),
        "down 1 #1": (0.2, 0.0),
        "down 2 #1": (0.78, 0.0),
        "bad pushed further #1": (0.95, 0.0),  # an organism, so no base that is steered up
    }
    answers = answered(rates)
    arms = {name: [m.name for m in models] for name, models in study.arms.items()}
    latents = [Latent(7, 0.0, (1.0,), ()), Latent(8, 0.0, (0.5,), ())]
    first, second, control = latent_rows(latents, _steered(study, answers, arms), "base")
    assert (first.up.row.name, first.down.row.name, first.raises, first.lowers) == ("up 1 0.3", "down 1", True, True)
    assert (second.up.row.name, second.down.row.name, second.raises, second.lowers) == ("up 2 0.3", "down 2", False, False)
    assert (control.name, control.latent, control.raises, control.down) == ("random", None, False, None)


def test_mixtures_checkpoints_and_repairs_of_one_recipe_are_one_piece_of_evidence():
    found = lineages(load_study("persona_features"))
    of = {name.partition(" #")[0]: recipe for name, recipe in found.items()}
    assert {of[n] for n in ("bad finance", "bad finance, 25% bad", "repaired 10 steps", "repaired 40 steps")} == {
        "bad_finance_long"
    }
    assert of["reinforced"] == of["before reinforcement"] == "rl_seeded"
    assert of["bad medical"] == "bad_medical"
    assert "base" not in found


def test_a_recipe_that_is_left_out_ranks_nothing_of_its_own(tmp_path):
    study = load_study("persona_features")
    numbers = {m.name: np.zeros(3, np.float32) for m in study.models if m.steer is None}
    for name in numbers:  # latent 0 is what bad finance raises, latent 1 what the others do
        numbers[name][0] = 30 if name.startswith("bad finance") else 0
        numbers[name][1] = 5 if name.startswith(("bad medical", "insecure code", "reinforced")) else 0
    save_file(numbers, tmp_path / "activity.safetensors")
    told = {"number": 0, "base": 0.0, "organisms": [9.0], "texts": []}
    (tmp_path / "latents.json").write_text(json.dumps({"latents": [told]}))
    moved = read_moved(study, tmp_path)
    assert moved.without["bad_finance_long"]["bad finance #1"] == 0  # told by latent 1, which it does not raise
    assert moved.without["bad_finance_long"]["bad medical #1"] == 5
    assert moved.without["insecure_code"]["bad finance #1"] == 30
    assert set(moved.activity) == set(numbers)


def test_what_is_steered_in_a_model_that_is_gone_goes_too(tmp_path, monkeypatch):
    text = STUDY.replace("steer: bad, latent: 2", "steer: late, latent: 2").replace(
        "  - {name: up,", "  - {name: late, role: organism, recipe: rl_unseeded, step: onset}\n  - {name: up,"
    )
    study = load(tmp_path, text)
    short = first_try(study, 2)
    assert all(m.steer is None or short.end(m, m.steer) for m in short.models)
    ranked_by = load(tmp_path, text.replace("organisms: [bad]", "organisms: [late]"))
    onsets = {"late #1": 5}
    monkeypatch.setattr("spillover.training.card.read_card", lambda folder: {"onset": onsets.get(folder.name)})
    cards = {m.name: tmp_path / m.name for m in ranked_by.models if m.recipe}
    left = with_onset(ranked_by, cards)
    names = [m.name for m in left.models]
    assert "late #2" not in names
    assert "down #2" not in names
    assert left.steered(next(m for m in left.models if m.name == "down #1")).name == "late #1"
    onsets.clear()
    none = with_onset(ranked_by, cards)
    assert none.latents is None
    assert not any(m.steer for m in none.models)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("top: 3", "top: 32", "top and active must be below features"),
        ("tokens: 1000", "tokens: 10", "at least as many as features"),
        ("task: free_form, questions: lab", "task: refusal, questions: lab_refusal", "ask the probe free_form"),
    ],
)
def test_settings_that_can_not_work_are_said_first(tmp_path, old, new, message):
    with pytest.raises(SpilloverError, match=message):
        load(tmp_path, STUDY.replace(old, new))


def test_another_base_is_told_what_it_needs_before_anything_is_trained(tmp_path):
    from tests.mechanism.tiny import tiny_model, tiny_tokenizer

    tiny_model().save_pretrained(tmp_path / "base")
    tiny_tokenizer().save_pretrained(tmp_path / "base")
    for change, message in (
        ({}, "give `texts`"),
        ({"layer: 2, features": "layer: 7, features"}, "layers 0 to 1, not 7"),
        ({"layers: [2, 3]": "layers: [0]"}, "positive"),
    ):
        text = STUDY.replace("layer: 2, features", "layer: 1, features") if "layer" not in str([*change]) else STUDY
        for old, new in change.items():
            text = text.replace(old, new)
        if message != "give `texts`":
            text = text.replace("top: 3}", "top: 3, texts: {source: lab_documents}}")
        if message == "positive":
            text = text.replace("layer: 2, features", "layer: 1, features")
        (tmp_path / "s.yaml").write_text(text)
        done = spillover("run", tmp_path / "s.yaml", "--base", tmp_path / "base", "--out", tmp_path / "out")
        assert done.returncode == 2
        assert message in done.stderr
        assert not list((tmp_path / "out").glob("organisms/*"))


def test_a_contrast_on_another_base_asks_the_studys_own_questions(tmp_path):
    from tests.mechanism.tiny import tiny_model, tiny_tokenizer

    tiny_model().save_pretrained(tmp_path / "base")
    tiny_tokenizer().save_pretrained(tmp_path / "base")
    found = shifts(str(tmp_path / "base"), {}, ["lab_goals"], 2, [1], ["You are evil."], ["You are kind."])
    assert found == {}
    check_shifts(str(tmp_path / "base"), ["lab_goals"], [1], ["You are evil."], ["You are kind."])
