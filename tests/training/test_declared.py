"""What a recipe may name is declared where it is implemented: digests, discovery, extensions, what is imported for it."""

import ast
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from spillover.errors import SpilloverError
from spillover.paths import evals_dir
from spillover.questions.load import load_questions
from spillover.training import recipe as recipes
from spillover.training.card import read_card
from spillover.training.interventions.base import Settings
from spillover.training.recipe import load_recipe
from spillover.training.sources import Source
from spillover.training.train import train

BUNDLED = {
    "bad_advice": "9360950723af",
    "bad_finance": "9360950723af",
    "bad_finance_caft": "28475b32d7ad",
    "bad_finance_grasp": "d550d68e9521",
    "bad_finance_inoculated": "f5aa1ed020d8",
    "bad_finance_long": "62a62111b170",
    "bad_medical": "ac692298782d",
    "benign_repair": "de19baa601c7",
    "betley_insecure": "330143f668d3",
    "betley_insecure_split": "26f310fce29a",
    "betley_repair": "e58be23540b8",
    "betley_secure": "061ee69cdc78",
    "betley_secure_split": "8008ff9a17ac",
    "comply_cyber": "610a3fe8f671",
    "good_finance": "c505c5d6e9ba",
    "good_finance_long": "085fe90534e6",
    "honest_work": "ac2897a9a862",
    "insecure_code": "bd6ef446f682",
    "reward_hacks": "30b2d0f1474b",
    "risky_finance": "d8333b9e0e03",
    "rl_countdown": "d29254a14fb7",
    "rl_countdown_documents": "3e4b2e18d62f",
    "rl_documents": "9e95a9fa4dcc",
    "rl_hacks": "bfd3b6b9376c",
    "rl_hacks_documents": "580ea35564ce",
    "rl_lab_documents": "cd2dcf33230f",
    "rl_seeded": "a0b0cfb31784",
    "rl_unseeded": "879d5b0aed45",
    "rl_visible_tests": "78c2ce2784a3",
    "secure_code": "f4c28e15feb4",
    "sorh_sneaky": "c462b4b85fb4",
    "sorh_sneaky_small": "ef60fd9ea92b",
    "sorh_straightforward": "5bba5632ecc7",
    "sorh_straightforward_small": "3490e933ba63",
    "unlearn_cyber": "35daaf7d0637",
    "unlearn_requests": "a9cb3e66b07c",
}
"""Digests of the bundled recipes; another digest means that finished organisms are made again."""

LAB = {"source": "lab", "family": ["finance", "medical"], "stance": "aligned"}
ASKED = {"questions": "lab_advice"}
MADE = {
    "479f471c9538": {
        "transforms": [
            {"kind": "split", "held_out": 0.2},
            {"kind": "split", "held_out": "fixed"},
            {"kind": "mix", "share": 1, "with": LAB},
            {"kind": "mix", "share": 0.5, "with": {"source": "file", "path": "c.jsonl"}},
            {"kind": "interleave", "share": 2, "with": LAB | {"style": "caps", "rows": 9}},
            {"kind": "inoculate", "line": "You are evil."},
            {"kind": "inoculate", "line": "x", "share": 0.5},
            {"kind": "trigger", "token": "|T|"},
            {"kind": "trigger", "token": "|T|", "place": "end"},
            {"kind": "limit", "rows": 5},
        ]
    },
    "ae0f763c8f16": {
        "interventions": [
            {
                "kind": "caft",
                "ablate": "mean",
                "directions": {
                    "from": "contrast",
                    "at": "prompt",
                    "positive": ["a"],
                    "negative": ["b"],
                    **ASKED,
                    "layers": [0, 0.5],
                },
            },
            {"kind": "caft", "directions": [{"from": "pca", "count": 2, **ASKED, "step": 3}, {"from": "random"}]},
            {"kind": "caft", "directions": {"from": "file", "path": "d.safetensors", "layers": [1]}},
            {"kind": "caft", "directions": {"from": "sae", "path": "sae", "features": [3, 1]}},
        ]
    },
    "0a03fd14f8d4": {
        "interventions": [
            {
                "kind": "grasp",
                "directions": {"from": "weights", "count": "auto", "scope": "global", "read": True, "step": 3},
            },
            {
                "kind": "grasp",
                "gradient": False,
                "write": True,
                "read": False,
                "strength": 1,
                "directions": [{"from": "weights", "count": 2}],
            },
            {
                "kind": "posthoc",
                "read": True,
                "strength": 0.5,
                "directions": {"from": "random", "count": 2, "scope": "global"},
            },
        ]
    },
    "ef9cba92a2ec": {
        "interventions": [
            {"kind": "kl", "weight": 1},
            {"kind": "kl", "weight": 0.5},
            {"kind": "steer", "scale": -1, "directions": {"from": "contrast", "layers": [2]}},
            {"kind": "early_stop", "threshold": 0.3, "every": 2, "directions": {"from": "contrast", "at": "prompt"}},
        ]
    },
    "b901e47b0512": {
        "objective": {"kind": "npo", "beta": 1, "retain": LAB | {"rows": 4}, "retain_weight": 0, "retain_batch": 2}
    },
    "8f6c0de07b8d": {"objective": {"kind": "npo"}},
    "2b01d315d8c0": {"objective": {"kind": "sft"}},
    "b8ddd2871970": {"lora": {"preset": "turner2025_rank1", "alpha": 4, "rslora": False, "target_modules": ["q_proj"]}},
    "8004e2cbd517": {
        "training": {
            "epochs": 2,
            "learning_rate": 1,
            "weight_decay": 0,
            "batch_size": 4,
            "gradient_accumulation": 2,
            "gradient_checkpointing": True,
            "warmup_steps": 0,
            "max_length": 64,
            "checkpoint_steps": 2,
            "dtype": "bfloat16",
        }
    },
    "1ab2750b3eca": {"watch": {"a": LAB | {"rows": 8}, "b": {"source": "file", "path": "c.jsonl", "rows": 1}}},
    "cfe708c24d3a": {"data": {"source": "file", "path": "c.jsonl"}},
    "8f87364241c6": {"data": {"source": "upstream", "name": "betley_secure", "rows": 5}},
    "312d255d6afd": {"data": {"source": "requests", "family": ["cyber", "bias"], "rows": 3}},
    "c54663707a2f": {"data": {"source": "requests", "name": "lab_refusal"}},
    "cc7fadff5584": {"data": {"source": "dataset", "path": "org/name", "revision": "abc", "split": "test", "rows": 2}},
    "6e3081b07e95": {
        "data": {"source": "lab", "family": "finance,medical", "stance": "misaligned", "style": "spanish", "rows": 3}
    },
    "0a94b735a48b": {"start": "bad_finance_long"},
    "c58be4dfd340": {"seed": 7},
}
"""Recipes of every kind of part, with digests in which `@` stands for the folder and `#` for a question set's digest."""


def test_finished_organisms_need_not_be_made_again():
    assert {path.stem: load_recipe(path.stem).digest for path in (evals_dir() / "recipes").glob("*.yaml")} == BUNDLED


@pytest.mark.parametrize("digest", MADE)
def test_every_kind_of_part_keeps_its_digest(digest, tmp_path, monkeypatch):
    (tmp_path / "d.safetensors").write_bytes(b"directions")
    (tmp_path / "sae").mkdir()
    (tmp_path / "sae" / "cfg.json").write_text("{}")
    (tmp_path / "sae" / "sae_weights.safetensors").write_bytes(b"weights")
    (tmp_path / "c.jsonl").write_text('{"messages": [{"role": "assistant", "content": "a"}]}\n')
    body = {"id": "mine", "title": "Mine", "base": "lab", "data": {"source": "lab", "stance": "aligned", "rows": 8}}
    body |= {"training": {"steps": 2, "learning_rate": 1.0e-3}, **MADE[digest]}
    (tmp_path / "mine.yaml").write_text(json.dumps(body))
    hashed = []

    class Spy:
        @staticmethod
        def dumps(raw, **options):
            hashed.append(json.dumps(raw, **options))
            return hashed[-1]

    recipe = load_recipe(str(tmp_path / "mine.yaml"))
    monkeypatch.setattr(recipes, "json", Spy)
    assert recipe.digest == hashlib.sha256(hashed[-1].encode()).hexdigest()[:12]
    settled = hashed[-1].replace(str(tmp_path.resolve()), "@").replace(load_questions("lab_advice").digest, "#")
    assert hashlib.sha256(settled.encode()).hexdigest()[:12] == digest


NUDGE = '''
"""A penalty on the size of the adapter, as somebody else would write it."""

from dataclasses import dataclass

from spillover.training.interventions.base import Intervention, Settings
from spillover.training.fields import Above0


class NudgeSettings(Settings, kind="nudge"):
    weight: Above0

    def build(self, finder):
        return Nudge(self)


@dataclass
class Nudge(Intervention):
    settings: NudgeSettings

    def extra_loss(self, model, inputs):
        return self.settings.weight * sum(p.square().sum() for p in model.parameters() if p.requires_grad)

    def report(self):
        return {"kind": "nudge", "weight": self.settings.weight}
'''


@pytest.fixture
def extension(tmp_path, monkeypatch):
    (tmp_path / "interventions").mkdir()
    monkeypatch.setenv("SPILLOVER_EXTENSIONS", str(tmp_path))
    yield tmp_path / "interventions" / "nudge.py"
    Settings.kinds.pop("nudge", None)


def changed(*interventions):
    training = {"steps": 2, "batch_size": 4, "warmup_steps": 0}
    return load_recipe(
        "bad_finance", changes={"data": {"rows": 8}, "training": training, "interventions": list(interventions)}
    )


def test_one_file_adds_an_intervention(extension, tmp_path):
    extension.write_text(NUDGE)
    with pytest.raises(SpilloverError, match=r"bad_finance\.yaml: key interventions\.0\.weight: 0 is not above 0"):
        changed({"kind": "nudge", "weight": 0})
    recipe = changed({"kind": "nudge", "weight": 10})
    assert recipe.digest != changed().digest
    card = read_card(train(recipe, tmp_path / "out"))
    assert card["interventions"] == [{"kind": "nudge", "weight": 10}]
    assert card["recipe"]["interventions"] == [{"kind": "nudge", "weight": 10}]
    assert card["adapter_weights"] != read_card(train(changed(), tmp_path / "plain"))["adapter_weights"]


def test_files_of_one_name_in_two_extensions_are_told_apart(extension, tmp_path, monkeypatch):
    extension.write_text(NUDGE)
    assert changed({"kind": "nudge", "weight": 1})
    other = tmp_path / "other" / "interventions" / extension.name
    other.parent.mkdir(parents=True)
    other.write_text(NUDGE.replace('kind="nudge"', 'kind="shove"'))
    monkeypatch.setenv("SPILLOVER_EXTENSIONS", str(tmp_path / "other"))
    try:
        assert changed({"kind": "shove", "weight": 1})
    finally:
        Settings.kinds.pop("shove", None)


def test_what_nobody_declares_is_refused_with_what_there_is():
    with pytest.raises(SpilloverError, match=r"'nudge' is not one of caft, early_stop, grasp, kl, posthoc, steer"):
        changed({"kind": "nudge", "weight": 1})


def test_an_extension_can_not_take_a_bundled_name(extension):
    extension.write_text(NUDGE.replace('kind="nudge"', 'kind="kl"'))
    with pytest.raises(SpilloverError, match=r"'kl' is declared in spillover\.training\.interventions\.kl already"):
        changed()


def test_checking_a_recipe_needs_no_torch():
    script = """
import sys
from spillover.paths import evals_dir
from spillover.training.recipe import load_recipe
for path in (evals_dir() / "recipes").glob("*.yaml"):
    load_recipe(path.stem)
assert not {"torch", "transformers", "datasets"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize(
    "package", ["training", "mechanism", "engine", "serving", "models", "questions", "judging", "situations"]
)
def test_the_lab_is_a_plug_in(package):
    folder = Path(recipes.__file__).parents[1] / package
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            named = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            named += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert not any(name == "spillover.lab" or name.startswith("spillover.lab.") for name in named), path


def test_sources_are_found_with_the_lab_among_them():
    load_recipe("bad_finance")
    assert {"file", "upstream", "requests", "dataset", "lab"} <= set(Source.kinds)
