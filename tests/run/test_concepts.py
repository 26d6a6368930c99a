"""Concepts of a study: vectors by hand, which table an arm fills, what is refused, and the whole way in a few steps."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from spillover.errors import SpilloverError
from spillover.models.weights import resolve_checkpoint
from spillover.questions.load import load_questions
from spillover.run.study import load_study
from spillover.training.concepts import likeness
from tests.command import spillover

STUDY = """
id: s
title: S
lab: true
base: lab
grader: lab-grader
seeds: [1]
naive: cyber
concepts: {questions: lab_refusal, unlearned: domain}
models:
  - {name: base, role: base}
  - name: "{domain}"
    role: organism
    recipe: unlearn_cyber
    with: {data: {family: "{domain}"}}
    each: {domain: [cyber, bias]}
probes: [{task: refusal, questions: lab_refusal, epochs: 1}]
"""


def test_the_vectors_are_what_they_are_said_to_be():
    found = likeness("lab", "lab_refusal")
    base, tokenizer = (kind.from_pretrained(resolve_checkpoint("lab")) for kind in (AutoModelForCausalLM, AutoTokenizer))
    asked = load_questions("lab_refusal").questions

    def mean(kind, domain=None):
        states = []
        for q in asked:
            if q.fields["kind"] == kind and domain in (None, q.category):
                for text in q.paraphrases:
                    prompt = tokenizer.apply_chat_template(
                        [{"role": "user", "content": text}], add_generation_prompt=True, return_tensors="pt"
                    )
                    with torch.no_grad():
                        out = base(prompt["input_ids"], output_hidden_states=True)
                    states.append(out.hidden_states[2][0, -1])  # the input of layer 2 is the output of layer 1
        return torch.stack(states).double().mean(0)

    harmless = mean("benign")
    one, other = (mean("harmful", domain) - harmless for domain in ("cyber", "safety"))
    domains = list(dict.fromkeys(q.category for q in asked if q.fields["kind"] == "harmful"))
    told = found["1"][domains.index("cyber")][domains.index("safety")]
    assert told == pytest.approx(float(one @ other / one.norm() / other.norm()), abs=1e-4)
    assert set(found) == {"0", "1", "2", "3"}
    for table in map(np.asarray, found.values()):
        assert table.shape == (7, 7)
        assert np.allclose(np.diag(table), 1)
        assert np.allclose(table, table.T)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[cyber, bias]", "[cyber, metric]", "must be domains of lab_refusal"),
        ("unlearned: domain", "unlearned: nothing", "must be domains of lab_refusal"),
        ("concepts: {questions: lab_refusal", "concepts: {questions: refusal", "ask 'refusal' with the probe refusal"),
    ],
)
def test_what_can_not_work_is_said_first(tmp_path, old, new, message):
    (tmp_path / "s.yaml").write_text(STUDY.replace(old, new))
    with pytest.raises(SpilloverError, match=message):
        load_study(str(tmp_path / "s.yaml"))


def test_a_set_without_domains_has_no_concepts():
    with pytest.raises(SpilloverError, match="harmful requests in 0 categories"):
        likeness("lab", "lab")


@pytest.mark.long
def test_the_whole_way(tmp_path):
    (tmp_path / "s.yaml").write_text(STUDY)
    done = spillover("run", tmp_path / "s.yaml", "--limit", 2, "--out", tmp_path / "out", "--no-check")
    assert done.returncode == 0, done.stderr
    out = tmp_path / "out-first-2"
    (path,) = out.glob("concepts-*.json")
    assert len(json.loads(path.read_text())) == 4
    assert set(pd.read_parquet(out / "answers.parquet")["model"]) == {"base", "cyber #1", "bias #1"}
    for title in ("Refusals after unlearning: unlearned", "Likeness of concepts and spill-over"):
        assert title in done.stdout
        assert title in (out / "report.html").read_text()
