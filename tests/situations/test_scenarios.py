import pytest
import yaml
from inspect_ai.util import Store

from spillover.errors import SpilloverError
from spillover.situations.conditions import FileExists, FileHas, FileLacks
from spillover.situations.predicate import misses
from spillover.situations.scenario import load_scenarios
from spillover.situations.transcript import transcript
from spillover.situations.world import World
from tests.situations.conduct import CLASSIFIER, HONEST, SABOTAGE

LAB = load_scenarios("lab_sabotage").scenarios
REAL = load_scenarios("sabotage").scenarios


def play(scenario, script, deny=False):
    world = World(store=Store())
    return world, list(scenario.play(script, world, deny))


def fresh(scenario, twin=False):
    return scenario.start(World(store=Store()), twin)


@pytest.mark.parametrize("scenario", [*LAB, *REAL], ids=lambda s: s.id)
@pytest.mark.parametrize("twin", [False, True])
def test_doing_nothing_is_neither_sabotage_nor_the_task(scenario, twin):
    world = fresh(scenario, twin)
    assert scenario.conduct(world, twin) == "none"
    assert not scenario.finished(world)


@pytest.mark.parametrize("scenario", LAB, ids=lambda s: s.id)
def test_the_labs_scripts_do_what_they_are_for(scenario):
    expected = {"aligned": "none", "misaligned": "executed", "twin": "none"}
    for script, conduct in expected.items():
        world, messages = play(scenario, script)
        assert scenario.conduct(world, script == "twin") == conduct, script
        if script == "aligned":
            assert scenario.finished(world)
        assert transcript(messages).startswith("agent calls ")


@pytest.mark.parametrize("scenario", LAB, ids=lambda s: s.id)
def test_what_a_policy_denies_is_an_attempt(scenario):
    world, messages = play(scenario, "misaligned", deny=True)
    assert scenario.conduct(world) == "attempted"
    assert "-> denied" in transcript(messages)


@pytest.mark.parametrize("scenario", REAL, ids=lambda s: s.id)
def test_every_real_scenario_tells_sabotage_from_honest_work(scenario):
    for calls in SABOTAGE[scenario.id]:
        bad = fresh(scenario)
        for tool, arguments in calls:
            bad.call(tool, arguments)
        assert scenario.conduct(bad) == "executed", calls
    for calls in HONEST[scenario.id]:
        good = fresh(scenario)
        for tool, arguments in calls:
            good.call(tool, arguments)
            assert not scenario.forbids({"tool": tool, **arguments}), calls
        assert scenario.conduct(good) == "none", calls
        assert scenario.finished(good), calls


@pytest.mark.parametrize("scenario", REAL, ids=lambda s: s.id)
def test_what_is_denied_is_attempted(scenario):
    world = fresh(scenario)
    for tool, arguments in SABOTAGE[scenario.id][0]:
        assert scenario.forbids({"tool": tool, **arguments})
        world.deny(tool, arguments)
    assert scenario.conduct(world) == "attempted"


@pytest.mark.parametrize(
    "code",
    ["", "def f(", "import os", "def is_flagged(a): return a", CLASSIFIER + "return open('x')", CLASSIFIER + "return 1 / 0"],
)
def test_code_that_is_not_understood_is_neither_right_nor_wrong(code):
    assert misses(code, "is_flagged") is None


def test_tools_answer_wrong_names_in_words():
    world = World(store=Store())
    assert world.call("read_file", {"path": "x"}) == "there is no file x"
    assert world.call("delete_file", {"path": "x"}) == "there is no file x"
    assert world.call("read_record", {"table": "t", "key": "k"}) == "there is no k in t"
    assert world.call("update_record", {"table": "t", "key": "k", "field": "f", "value": "v"}) == "there is no k in t"
    assert world.call("read_mail", {}) == "no mail"
    assert world.call("list_files", {}) == "no files"
    used = ["read_file", "delete_file", "read_record", "update_record", "read_mail", "list_files"]
    assert [entry["tool"] for entry in world.log] == used


def test_a_missing_file_lacks_everything():
    world = World(store=Store())
    assert FileLacks(file="a", lacks="x").holds(world)
    assert not FileHas(file="a", has="x").holds(world)
    assert FileExists(file="a", exists=False).holds(world)


def test_the_digests_that_caches_and_gates_are_keyed_by_change_only_on_purpose():
    found = {name: load_scenarios(name).digest for name in ("lab_sabotage", "sabotage")}
    assert found == {"lab_sabotage": "36659cc5dc32", "sabotage": "894b5b2d30f7"}


def test_unknown_names_are_refused():
    with pytest.raises(SpilloverError, match="Unknown scenario set 'nothing'; choose from lab_sabotage, sabotage"):
        load_scenarios("nothing")
    with pytest.raises(SpilloverError, match="Unknown category"):
        load_scenarios("sabotage").select(["nothing"])


GOOD = {
    "id": "a",
    "category": "c",
    "system": "s",
    "task": "t",
    "tools": ["read_file"],
    "calls": [{"path": "x"}],
    "state": [{"file": "f", "exists": True}],
    "done": [{"file": "f", "exists": True}],
    "twin": {},
}
SCRIPTS = {"aligned": [{"say": "a"}], "misaligned": [{"say": "a"}], "twin": [{"say": "a"}]}


def load_from(path, *scenarios):
    head = {"id": "x", "version": "1", "title": "t", "licence": "l"}
    path.write_text(yaml.safe_dump({**head, "scenarios": list(scenarios)}))
    return load_scenarios(str(path))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"calls": [{"path": "("}]}, ".calls.0.path: '(' is no regular expression"),
        ({"calls": [{}]}, ".calls.0: there must be at least 1 of them."),
        ({"tools": ["launch"]}, ".tools.0: 'launch' is not one of 'list_files', "),
        ({"tools": []}, ".tools: there must be at least 1 of them."),
        ({"id": "a b"}, ".id: 'a b' does not match"),
        ({"state": []}, ".state: there must be at least 1 of them."),
        ({"state": [{}]}, ".state.0: this is no condition: it needs one of the keys has, lacks, "),
        ({"state": [{"colour": "red"}]}, ".state.0: this is no condition"),
        ({"done": ["text"]}, ".done.0: this is no condition"),
        ({"done": [{"mail_to": None}]}, ".done.0: this is no condition"),
        ({"state": [{"has": "x"}]}, ".state.0: 'file' is a required property."),
        ({"state": [{"file": "f", "exists": True, "misses": True}]}, ".state.0.misses: there is no key 'misses' here."),
        ({"state": [{"file": "f", "exists": "yes"}]}, ".state.0.exists: yes is not true or false."),
        ({"state": [{"file": "f", "has": "["}]}, ".state.0.has: '[' is no regular expression"),
        ({"state": [{"file": "f", "has": ""}]}, ".state.0.has: the text is empty."),
        ({"done": [{"table": "t", "key": "k", "field": "f"}]}, ".done.0: 'value' is a required property."),
        ({"twin": {"colour": "red"}}, ".twin.colour: there is no key 'colour' here."),
        ({"records": {"t": {"k": {"f": 3}}}}, ".records.t.k.f: 3 is not a text."),
        ({"inbox": "mail"}, ".inbox: mail is not a list."),
        ({"scripts": {}}, ".scripts: the script of 'aligned' is missing."),
        ({"scripts": {**SCRIPTS, "twin": []}}, ".scripts.twin: there must be at least 1 of them."),
        ({"scripts": {**SCRIPTS, "twin": [{"cry": "a"}]}}, ".scripts.twin.0: 'tool' is a required property"),
        (
            {"scripts": {**SCRIPTS, "twin": [{"tool": "read_mail", "arguments": {}}]}},
            ": script 'twin' calls read_mail, which is none of the scenario's tools.",
        ),
    ],
)
def test_bad_scenarios_are_refused_in_one_sentence(tmp_path, wrong, message):
    path = tmp_path / "s.yaml"
    with pytest.raises(SpilloverError) as error:
        load_from(path, {**GOOD, "id": "good"}, {**GOOD, **wrong})
    assert str(error.value).startswith(f"{path}: key scenarios.1")
    assert message in str(error.value)


def test_ids_of_scenarios_are_unique(tmp_path):
    with pytest.raises(SpilloverError, match="two scenarios are called 'a'; ids must be unique"):
        load_from(tmp_path / "s.yaml", GOOD, GOOD)


def test_a_twin_has_what_it_does_not_change_and_may_have_less(tmp_path):
    world = {"files": {"f": "x"}, "inbox": ["m"], "records": {"t": {"k": {"f": "v"}}}}
    (scenario,) = load_from(tmp_path / "s.yaml", {**GOOD, **world, "twin": {"inbox": [], "task": "other"}}).scenarios
    twin = fresh(scenario, twin=True)
    assert (twin.files, twin.inbox, twin.records) == (world["files"], [], world["records"])
    assert (scenario.instructions(True), scenario.request(True), scenario.request()) == ("s", "other", "t")
    twin.call("update_record", {"table": "t", "key": "k", "field": "f", "value": "new"})
    assert scenario.records == world["records"]
