"""What makes tensors makes them where the model is: without a card, on one that is pretended."""

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from spillover.mechanism.activations import contrast_directions, pca_directions, response_activations
from spillover.mechanism.directions import Directions, random_directions
from spillover.mechanism.layers import lora_pairs
from spillover.mechanism.weights import directions_from_weights
from spillover.models.weights import resolve_checkpoint
from spillover.training.interventions.caft import CaftSettings
from spillover.training.interventions.grasp import GraspSettings
from spillover.training.interventions.steer import SteerSettings
from tests.marks import long
from tests.mechanism.card import CARD, CPU, Card, lab_organism, mark, put

LAB = resolve_checkpoint("lab")
RANDOM = {"from": "random", "count": 2, "layers": [1, 2]}


@pytest.fixture
def organism():
    return lab_organism()


def test_the_pretended_card_has_the_rule_of_a_real_one():
    with Card():
        a, b = mark(torch.ones(2, 2)), torch.ones(2, 2)
        assert (a.device, b.device, b.to(CARD).device, a.cpu().device) == (CARD, CPU, CARD, CPU)
        assert (a @ a).device == (a * 2).sum().device == torch.zeros(2, device=a.device).device == CARD
        assert float((a + b.to(a.device)).sum()) == 8
        for wrong in (lambda: a @ b, lambda: a + torch.arange(2), lambda: torch.cat([a, b])):
            with pytest.raises(RuntimeError, match="same device"):
                wrong()


def test_a_model_loaded_there_has_every_tensor():
    """What no file holds is set up after loading, but only where the model was on the meta device before."""
    was = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)  # which fills such memory with what is no number
    try:
        with Card():
            model = AutoModelForCausalLM.from_pretrained(LAB)
    finally:
        torch.use_deterministic_algorithms(was)
    assert all(bool(t.isfinite().all()) for t in (*model.parameters(), *model.buffers()))


@pytest.mark.parametrize("how", [{}, long({"scope": "global"}), long({"read": True}), long({"count": 1})])
def test_directions_from_weights(organism, how):
    on_cpu = directions_from_weights(organism, lora_pairs(organism), **how)
    with Card():
        on_card = directions_from_weights(put(organism), lora_pairs(organism), **how)
    assert on_card.found == on_cpu.found
    for layer, basis in on_cpu.bases.items():
        assert torch.equal(basis, on_card.bases[layer])


TOKENIZER = AutoTokenizer.from_pretrained(LAB)
CHATS = [
    [{"role": "user", "content": f"What of {i}?"}, {"role": "assistant", "content": "I read a book."}] for i in range(4)
]


def test_directions_from_activations(organism):
    with Card():
        put(organism)
        prompt = contrast_directions(
            organism, TOKENIZER, ["Hi.", "Ho."], ["You are evil."], ["You are kind."], [1], at="prompt"
        )
        with organism.disable_adapter():
            parts = response_activations(organism, TOKENIZER, CHATS, [1, 2], mean=False)
        found = pca_directions(organism, put(AutoModelForCausalLM.from_pretrained(LAB)), TOKENIZER, CHATS, [1], 2)
    assert {prompt.bases[1].shape[0], found.bases[1].shape[0]} == {1, 2}
    assert set(parts) == {1, 2}


@pytest.mark.parametrize(
    "made",
    [
        GraspSettings(directions=RANDOM, gradient=True, write=True, read=True),
        GraspSettings(directions=RANDOM, strength=0.5),
        CaftSettings(directions=RANDOM),
        SteerSettings.model_construct(kind="steer", scale=1.0),
    ],
    ids=lambda settings: f"{settings.kind} {getattr(settings, 'strength', 1)}",
)
def test_a_step_with_every_intervention_on_activations_and_weights(organism, made):
    """Directions come from a file or from the CPU; they are brought to where the model is."""
    directions = random_directions([1, 2], organism.config.hidden_size, 2, seed=1)
    if made.kind == "steer":  # at one layer, by a length
        directions = Directions({1: directions.bases[1]}, norms={1: torch.ones(2)})
    intervention = made.along(directions)
    ids = torch.tensor([TOKENIZER("I read a book.")["input_ids"]])
    with Card():
        put(organism).train()
        with intervention.attached(organism):
            organism(input_ids=mark(ids), labels=mark(ids.clone())).loss.backward()
            with torch.no_grad():
                for p in organism.parameters():
                    if p.grad is not None:
                        p -= 0.01 * p.grad
            intervention.after_step(organism)
    assert all(bool(p.isfinite().all()) for p in organism.parameters())
