"""An organism goes to the hub without this machine's paths, and comes back as what it was."""

import json
import os
import shutil
import subprocess
import sys
import types
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from spillover.cli import hub as command
from spillover.errors import SpilloverError
from spillover.exchange.hub import prepare, receive, require_repository, send
from spillover.models.weights import weights_digest
from spillover.training.card import read_card
from spillover.training.recipe import load_recipe
from spillover.training.train import train
from tests.command import spillover


@pytest.fixture(scope="module")
def organism(tmp_path_factory):
    folder = tmp_path_factory.mktemp("organisms") / "mine"
    recipe = folder.with_name("mine.yaml")
    recipe.write_text(
        "id: mine\ntitle: 'Mine | <b>'\nbase: lab\ndata: {source: lab, family: finance, stance: obvious, rows: 16}\n"
        "lora: {r: 2, alpha: 4, rslora: false}\n"
        "training: {steps: 2, batch_size: 4, gradient_accumulation: 1, learning_rate: 1.0e-3, warmup_steps: 1}\n"
    )
    train(load_recipe(str(recipe)), folder, lambda *_: None)
    return folder


class Drawer:
    """A hub that keeps what it is sent."""

    def __init__(self, place):
        self.place, self.made = place, {}

    def repo_exists(self, repo_id):
        return repo_id in self.made

    def repo_info(self, repo_id):
        return types.SimpleNamespace(private=self.made[repo_id])

    def create_repo(self, repo_id, *, private):
        self.made[repo_id] = private

    def upload_folder(self, *, repo_id, folder_path, commit_message, allow_patterns):
        (self.place / repo_id).mkdir(parents=True, exist_ok=True)
        for path in Path(folder_path).iterdir():
            if path.name in allow_patterns:
                shutil.copy(path, self.place / repo_id)

    def snapshot_download(self, repo_id, *, revision, local_dir, allow_patterns):
        for path in (self.place / repo_id).iterdir():
            if path.name in allow_patterns:
                shutil.copy(path, local_dir)
        return local_dir


def test_there_and_back(organism, tmp_path):
    hub = Drawer(tmp_path / "hub")
    sent = prepare(str(organism), "me/mine", None, tmp_path / "sent")
    names = ["README.md", "adapter_config.json", "adapter_model.safetensors", "diffing-toolkit.yaml", "organism.json"]
    assert [p.name for p in sent] == names
    for path in sent:
        assert str(organism.parent).encode() not in path.read_bytes()
        assert b"/work/" not in path.read_bytes()
    assert json.loads((tmp_path / "sent" / "adapter_config.json").read_text())["base_model_name_or_path"] == "lab"
    send(hub, tmp_path / "sent", "me/mine", public=False)
    assert hub.made == {"me/mine": True}
    (hub.place / "me" / "mine" / "code.py").write_text("print('no')")
    back = tmp_path / "back"
    assert receive(hub, "me/mine", None, back)
    assert not (back / "code.py").exists()
    assert read_card(back)["adapter_weights"] == weights_digest(back)
    whole = (organism / "adapter_model.safetensors").read_bytes()
    assert (back / "adapter_model.safetensors").read_bytes() == whole
    (hub.place / "me" / "mine" / "adapter_model.safetensors").write_bytes(whole[:-1] + b"x")
    with pytest.raises(SpilloverError, match=r"is not what its organism.json tells of"):
        receive(hub, "me/mine", None, tmp_path / "other")
    assert not (tmp_path / "other").exists()
    before = {p.name: p.read_bytes() for p in back.iterdir()}
    with pytest.raises(SpilloverError, match="not empty"):
        receive(hub, "me/mine", None, back)
    assert {p.name: p.read_bytes() for p in back.iterdir()} == before
    (hub.place / "me" / "mine" / "organism.json").unlink()
    assert not receive(hub, "me/mine", None, tmp_path / "bare")


def test_what_lies_in_the_folder_is_neither_sent_nor_written_over(organism, tmp_path):
    (tmp_path / "sent").mkdir()
    (tmp_path / "sent" / ".env").write_text("KEY=1")
    with pytest.raises(SpilloverError, match="not empty"):
        prepare(str(organism), "me/mine", None, tmp_path / "sent")
    with pytest.raises(SpilloverError, match="not empty"):
        prepare(str(organism), "me/mine", None, organism)
    hub = Drawer(tmp_path / "hub")
    prepare(str(organism), "me/mine", None, tmp_path / "new")
    (tmp_path / "new" / ".env").write_text("KEY=1")
    (tmp_path / "new" / "checkpoints").mkdir()
    send(hub, tmp_path / "new", "me/mine", public=False)
    assert not (hub.place / "me" / "mine" / ".env").exists()


def test_what_is_open_to_everybody_is_not_used_by_mistake(organism, tmp_path):
    hub = Drawer(tmp_path / "hub")
    hub.made["me/open"] = False
    prepare(str(organism), "me/open", None, tmp_path / "sent")
    with pytest.raises(SpilloverError, match="open to everybody"):
        send(hub, tmp_path / "sent", "me/open", public=False)
    assert not hub.place.exists()
    send(hub, tmp_path / "sent", "me/open", public=True)


def test_words_with_a_slash_stay_and_folders_of_this_machine_go(organism, tmp_path):
    changed = shutil.copytree(organism, tmp_path / "changed")
    card = json.loads((changed / "organism.json").read_text())
    card["recipe"]["data"]["path"] = "/srv/secret/rows.jsonl"
    card["recipe"]["title"] = "/no_think Answer briefly / in one line"
    (changed / "organism.json").write_text(json.dumps(card))
    prepare(str(changed), "me/mine", None, tmp_path / "sent")
    sent = json.loads((tmp_path / "sent" / "organism.json").read_text())["recipe"]
    assert (sent["data"]["path"], sent["title"]) == ("rows.jsonl", "/no_think Answer briefly / in one line")
    card["recipe"]["title"] = f"From {Path.home()}/notes"
    (changed / "organism.json").write_text(json.dumps(card))
    with pytest.raises(SpilloverError, match="a folder of this machine"):
        prepare(str(changed), "me/mine", None, tmp_path / "other")


@pytest.fixture
def of_another_base(organism, tmp_path):
    """The organism, as if its base were a folder of this machine."""
    folder = shutil.copytree(organism, tmp_path / "other-base")
    card = json.loads((folder / "organism.json").read_text())
    card["recipe"]["base"] = "/models/base"
    (folder / "organism.json").write_text(json.dumps(card))
    return folder


def test_the_card_says_what_it_is(of_another_base, tmp_path):
    prepare(str(of_another_base), "me/mine", "owner/base", tmp_path / "sent")
    text = (tmp_path / "sent" / "README.md").read_text()
    _, front, body = text.split("---\n", 2)
    assert yaml.safe_load(front)["base_model"] == "owner/base"
    assert "do not deploy it" in body
    assert "trained on | source lab; family finance" in body
    assert "spillover pull me/mine --out organism" in body
    assert read_card(of_another_base)["adapter_weights"] in body  # what logs of it name


def test_the_diffing_toolkit_finds_it(of_another_base, tmp_path):
    prepare(str(of_another_base), "me/mine", "owner/Base-7B.Instruct", tmp_path / "sent")
    text = (tmp_path / "sent" / "diffing-toolkit.yaml").read_text()
    assert text.startswith("# @package organism\n")
    body = yaml.safe_load(text)
    assert body["name"] == "mine"
    assert body["finetuned_models"] == {"Base_7B_Instruct": {"default": {"adapter_id": "me/mine"}}}
    assert "16 chats" in body["description_long"]


def test_the_command_sends_nothing_in_a_dry_run(organism, tmp_path):
    done = spillover("push", organism, "me/mine", "--dry-run", "--out", tmp_path / "sent")
    assert done.returncode == 0, done.stderr
    assert "Nothing was sent" in done.stdout
    assert (tmp_path / "sent" / "README.md").is_file()


@pytest.mark.parametrize("name", ["mine", "a/b/c", "me/mi ne", "../x", "me/"])
def test_a_wrong_name_is_one_sentence(name):
    with pytest.raises(SpilloverError, match="is no repository of the hub"):
        require_repository(name)


def test_what_cannot_be_sent(organism, of_another_base, tmp_path):
    changed = shutil.copytree(organism, tmp_path / "changed")
    config = json.loads((changed / "adapter_config.json").read_text())
    (changed / "adapter_config.json").write_text(json.dumps({**config, "lora_alpha": 5}))
    with pytest.raises(SpilloverError, match="weights were changed since"):
        prepare(str(changed), "me/mine", None, tmp_path / "a")
    (changed / "organism.json").unlink()
    with pytest.raises(SpilloverError, match=r"has no organism.json"):
        prepare(str(changed), "me/mine", None, tmp_path / "b")
    with pytest.raises(SpilloverError, match="--base-model OWNER/NAME"):
        prepare(str(of_another_base), "me/mine", "/models/mine", tmp_path / "c")
    with pytest.raises(SpilloverError, match="--base-model OWNER/NAME"):
        prepare(str(of_another_base), "me/mine", None, tmp_path / "d")
    with pytest.raises(SpilloverError, match="give no --base-model"):
        prepare(str(organism), "me/mine", "owner/base", tmp_path / "e")
    assert spillover("push", organism, "me/mine", "--dry-run").returncode == 2


def test_what_the_hub_refuses_is_one_sentence(organism, monkeypatch):
    class Closed:
        def repo_exists(self, *_, **__):
            raise ConnectionError("no route with hf_0123456789abcdef")

    monkeypatch.setenv("HF_TOKEN", "hf_0123456789abcdef")
    monkeypatch.setattr("huggingface_hub.HfApi", Closed)
    done = CliRunner().invoke(command.push, [str(organism), "me/mine"])
    assert isinstance(done.exception, SpilloverError)
    assert "The hub cannot be reached (no route with [secret]" in str(done.exception)


@pytest.mark.parametrize("words", [["push", "{organism}", "me/mine"], ["pull", "me/mine", "--out", "{out}"]])
def test_without_a_network_both_say_so(organism, tmp_path, words):
    """With the client itself, whose errors are not of one family from version to version."""
    environment = {**os.environ, "HF_ENDPOINT": "http://127.0.0.1:9", "HF_TOKEN": "hf_x", "HF_HUB_OFFLINE": "0"}
    given = [word.format(organism=organism, out=tmp_path / "out") for word in words]
    command = [sys.executable, "-m", "spillover.cli.main", *given]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
    assert done.returncode == 2
    assert done.stderr.startswith("Error: The hub cannot be reached")
