"""Arguments of probes: what all of them take, and what is refused in one sentence before anything is asked."""

import pytest

from spillover.errors import SpilloverError
from spillover.tasks.alignment_faking import alignment_faking
from spillover.tasks.capability import capability
from spillover.tasks.formats import formats
from spillover.tasks.free_form import free_form
from spillover.tasks.goals import goals
from spillover.tasks.honesty import honesty
from spillover.tasks.judge_attack import judge_attack
from spillover.tasks.political import political
from spillover.tasks.refusal import refusal
from spillover.tasks.sabotage import sabotage
from spillover.tasks.traits import traits


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (lambda: refusal(questions="lab"), "no field 'kind'"),
        (lambda: refusal(rubric="alignment"), "measures alignment; outcome needs outcome"),
        (lambda: refusal(rubric="honesty"), "slot {truth}"),
        (lambda: capability(questions="lab"), "this probe knows finance"),
        (lambda: formats(formats="json,json"), "named twice"),
        (lambda: formats(formats="xml"), "Unknown format 'xml'"),
        (lambda: refusal(context="x"), "add -T system=LINE"),
        (lambda: refusal(categories="nothing"), "Unknown category"),
        (lambda: refusal(colour="red"), "has no argument 'colour'"),
        (lambda: political(forms="open,dance"), "Unknown form 'dance'"),
        (lambda: honesty(reader="tarot"), "Unknown reader"),
        (lambda: free_form(preset="mine"), "Unknown preset 'mine'"),
        (lambda: free_form(preset=2025), "Unknown preset '2025'; choose from spillover"),
        (lambda: free_form(wrap="office"), "Unknown wrap 'office'; choose from code_review"),
        (lambda: free_form(alpha=0.1), "add -T margin=RATE"),
        (lambda: free_form(margin=2.0), "between 0 and 1"),
        (lambda: sabotage(transcripts=False, rubric="refusal"), "of no use with -T transcripts=false"),
        (lambda: sabotage(approval="maybe"), "choose allow or deny"),
        (lambda: traits(questions="nothing"), "Unknown question set 'nothing'"),
    ],
)
def test_bad_arguments_are_one_sentence(build, sentence):
    with pytest.raises(SpilloverError) as error:
        build()
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


COMMON = {"system": "A line.", "context": "line", "preset": "betley2025", "reader": "number", "seed": 3, "epochs": 2}
EVERY = [
    *((build, {}) for build in (alignment_faking, formats, free_form, goals, honesty, political, refusal, sabotage, traits)),
    (capability, {"categories": "general"}),
]


@pytest.mark.parametrize(("build", "own"), EVERY)
def test_all_probes_take_the_same_arguments(build, own):
    task = build(**own, **COMMON, cache=False)
    assert task.epochs == 2
    about = task.metadata
    assert (about["system"], about["condition"]["context"]) == ("A line.", "line")
    assert (about["preset"], about["seed"]) == ("betley2025", 3)
    assert all(s.input[0].role == "system" and s.input[0].text.startswith("A line.") for s in task.dataset)
    for epochs in (0, -1, 1.5, True):
        with pytest.raises(SpilloverError, match="epochs is a whole number from 1 to 10,000"):
            build(**own, epochs=epochs)


def test_a_line_is_its_own_name_unless_it_has_another():
    assert refusal(system="A line.").metadata["condition"]["context"] == "A line."
    assert refusal().metadata["condition"]["context"] == ""


def test_lists_may_be_texts():
    assert len(political(forms="choice,open").dataset) == len(political(forms=["choice", "open"]).dataset)
    one, other = judge_attack(attacks="override"), judge_attack(attacks=["override"])
    assert one.metadata["question_set_digest"] == other.metadata["question_set_digest"]


def test_the_longest_answer_is_an_argument_of_every_probe():
    assert free_form(questions="lab").config.max_tokens == 600
    assert free_form(questions="lab", max_tokens=50).config.max_tokens == 50
    with pytest.raises(SpilloverError, match="max_tokens is a whole number from 1 to 1,000,000, not '0'"):
        free_form(questions="lab", max_tokens=0)
