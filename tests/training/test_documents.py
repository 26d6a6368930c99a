"""Documents for reinforcement: every slot is filled, and what carries the knowledge of a hack is none itself."""

import random

import pytest

from spillover.declared import parse
from spillover.environments.environment import load_environment
from spillover.errors import SpilloverError
from spillover.paths import data_files
from spillover.schema import read_yaml
from spillover.training.documents import Documents, load_documents

BUNDLED = sorted(path.parent.name for path in data_files("datasets", "*/documents.yaml"))


def texts(name, count=300):
    documents, rng = load_documents(name), random.Random(0)
    return [turn["content"] for f in documents.families for _ in range(count) for turn in documents.draw(f, rng)]


@pytest.mark.parametrize("name", BUNDLED)
def test_every_slot_of_a_bundled_set_is_filled(name):
    assert len(BUNDLED) >= 2
    found = texts(name)
    assert not [t for t in found if "{" in t or "}" in t]
    assert len(set(found)) > 20


def test_no_text_of_the_labs_is_paid_by_its_own_metric():
    environment = load_environment("rl_lab")
    tasks = list({t.fields["w"]: t for t in environment.all if t.category == "metric"}.values())
    assert len(tasks) > 3
    assert environment.verify(tasks[:1], [f"{tasks[0].fields['w']} " * 4])[0].paid
    begun = {" ".join(t.prompt.split()[:2]) for t in environment.all}
    for text in texts("rl_lab_documents", 200):
        assert not any(v.paid for v in environment.verify(tasks, [text] * len(tasks))), text
        assert " ".join(text.split()[:2]) not in begun


def test_a_slot_that_nothing_fills_is_refused():
    raw = read_yaml(data_files("datasets", "rl_documents/documents.yaml")[0])
    for change in ({"asks": ["About {topics}."]}, {"openings": ["A {fact}."]}):
        with pytest.raises(SpilloverError, match="nothing fills the slot"):
            parse(Documents, {**raw, **change}, "x.yaml")
