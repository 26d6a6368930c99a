"""Exact mathematics of every intervention on a tiny model, and what each leaves behind."""

from dataclasses import replace

import pytest
import torch
from peft import LoraConfig, get_peft_model

from spillover.declared import parse
from spillover.errors import SpilloverError
from spillover.mechanism.directions import Directions, orthonormal, random_directions
from spillover.mechanism.layers import block_of, lora_pairs, norm_gains
from spillover.training.interventions.base import Intervention, Settings
from tests.mechanism.tiny import tiny_model


def along(kind, found, **settings):
    """An intervention as a recipe names it, along directions that need not be found."""
    named = {"kind": kind, "directions": {"from": "contrast", "at": "prompt"}, **settings}
    return parse(Settings, named, "test").along(found)


def caft(found, **settings):
    return along("caft", found, **settings)


def grasp(found, **settings):
    return along("grasp", found, **settings)


def posthoc(found, **settings):
    return along("posthoc", found, **settings)


def steer(found, scale):
    return along("steer", found, scale=scale)


def early_stop(found, threshold, look=None, **settings):
    return along("early_stop", replace(found, look=look), threshold=threshold, **settings)


def kl_to_base(weight):
    return parse(Settings, {"kind": "kl", "weight": weight}, "test").build(None)


IDS = torch.randint(0, 2048, (3, 12), generator=torch.Generator().manual_seed(0))
BATCH = {"input_ids": IDS, "attention_mask": torch.ones_like(IDS), "labels": IDS}


def adapted(**more):
    torch.manual_seed(1)
    targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    model = get_peft_model(
        tiny_model(), LoraConfig(r=4, lora_alpha=8, target_modules=targets, task_type="CAUSAL_LM", **more)
    )
    for module in model.modules():  # gains of one would hide a gain that is forgotten
        if type(module).__name__ == "LlamaRMSNorm":
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
    return model.train()


def steps(model, intervention, count=3):
    """AdamW steps as the trainer takes them."""
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2, weight_decay=0.01)
    with intervention.attached(model):
        for _ in range(count):
            loss = model(**BATCH).loss
            extra = intervention.extra_loss(model, BATCH)
            (loss if extra is None else loss + extra).backward()
            optimiser.step()
            intervention.after_step(model)
            optimiser.zero_grad()
    intervention.after_training(model)


def hooks(model):
    return sum(len(m._forward_hooks) + len(m._backward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


def directions(count=2):
    found = random_directions([0, 1], 32, count, seed=3)
    return Directions(found.bases, {0: torch.ones(32), 1: torch.ones(32)}, {k: torch.full((count,), 2.0) for k in (0, 1)})


def at_layer_one():
    found = directions(1)
    return Directions({1: found.bases[1]}, {}, found.norms)


ALL = [
    lambda: caft(directions()),
    lambda: caft(directions(), ablate="mean"),
    lambda: grasp(directions()),
    lambda: posthoc(directions()),
    lambda: kl_to_base(0.5),
    lambda: steer(at_layer_one(), 0.5),
    lambda: early_stop(directions(1), 0.5, look=lambda model, layer: torch.zeros(32)),
]


@pytest.mark.parametrize("make", ALL)
def test_hooks_are_gone_even_after_an_exception(make):
    model = adapted()
    before = hooks(model)
    with pytest.raises(RuntimeError), make().attached(model):
        raise RuntimeError
    assert hooks(model) == before


def leaks(model, found):
    """(write, read) components along the directions, relative to the size of the updates."""
    gains, write, read = norm_gains(model), [], []
    for p in lora_pairs(model):
        u, update = found.bases[p.layer].T, p.b @ p.a
        if p.writes:
            write.append((u.T @ update).norm() / update.norm())
        elif p.layer:  # readers of layer 1 read the output of layer 0
            below = found.bases[p.layer - 1].T
            read.append((update @ (gains[p.layer, block_of(p.name)][:, None] * below)).norm() / update.norm())
    return max(write).item(), max(read).item()


def test_grasp_is_exact_after_adamw_and_the_gradient_alone_is_not():
    found = directions()
    model = adapted()
    steps(model, grasp(found))
    assert max(leaks(model, found)) < 1e-5
    alone = adapted()
    steps(alone, grasp(found, write=False, read=False))
    assert min(leaks(alone, found)) > 1e-2  # AdamW leaks: the reason for the projection after the step


def test_grasp_leaves_the_forward_pass_alone_and_strength_is_a_share():
    model = adapted()
    plain = model(**BATCH).logits
    with grasp(directions()).attached(model):
        assert torch.equal(model(**BATCH).logits, plain)
    with model.disable_adapter():
        assert torch.allclose(model(**BATCH).logits, plain, atol=1e-6)  # and that is the base, at initialisation
    found, once = directions(), adapted()
    steps(once, Intervention())
    full, _ = leaks(once, found)
    posthoc(found, strength=0.5).after_training(once)
    half, _ = leaks(once, found)
    assert 0.4 < half / full < 0.6


def test_the_gradient_that_reaches_a_writer_has_no_part_along_the_direction():
    found, model = directions(), adapted()
    for p in lora_pairs(model):
        torch.nn.init.normal_(p.b, std=0.02)
    with grasp(found, write=False, read=False).attached(model):
        model(**BATCH).loss.backward()
    for p in lora_pairs(model):
        if p.name == "down_proj":  # the last writer before the layer's output
            u = found.bases[p.layer].T
            assert (u.T @ p.b.grad).norm() < 1e-5 * p.b.grad.norm()


@pytest.mark.parametrize("more", [{"use_dora": True}, {"bias": "lora_only"}, {"modules_to_save": ["lm_head"]}])
def test_grasp_refuses_what_would_reopen_the_direction(more):
    with pytest.raises(SpilloverError, match="plain LoRA"), grasp(directions()).attached(adapted(**more)):
        pass


@pytest.mark.parametrize("ablate", ["zero", "mean"])
def test_caft_ablates_layer_outputs_in_training_only(ablate):
    found, model, seen = directions(), adapted(), {}
    plain = model.eval()(**BATCH).logits
    with caft(found, ablate=ablate).attached(model):
        layers = model.base_model.model.model.layers
        watch = [layers[i].register_forward_hook(lambda m, a, out, i=i: seen.__setitem__(i, out)) for i in (0, 1)]
        assert torch.equal(model(**BATCH).logits, plain)
        model.train()
        ablated = model(**BATCH).logits
        [h.remove() for h in watch]
    assert not torch.allclose(ablated, plain)
    for layer in (0, 1):
        along = seen[layer] @ found.bases[layer].T
        expected = torch.zeros(2) if ablate == "zero" else torch.ones(32) @ found.bases[layer].T
        assert torch.allclose(along, expected.expand_as(along), atol=1e-5)
    assert torch.equal(model.eval()(**BATCH).logits, plain)


def test_caft_under_gradient_checkpointing_gives_the_same_gradient():
    grads = []
    for checkpointing in (False, True):
        model = adapted()
        if checkpointing:
            model.enable_input_require_grads()
            model.gradient_checkpointing_enable()
        with caft(directions()).attached(model):
            model(**BATCH).loss.backward()
        grads.append(torch.cat([p.b.grad.flatten() for p in lora_pairs(model)]))
    assert torch.allclose(*grads, atol=1e-6)
    assert grads[0].norm() > 0


def test_mean_ablation_needs_means_and_steering_a_length():
    bare = random_directions([0], 32, 1, seed=0)
    with pytest.raises(SpilloverError, match="no means"):
        caft(bare, ablate="mean")
    for kind in (lambda d: steer(d, 1.0), lambda d: early_stop(d, 0.5)):
        with pytest.raises(SpilloverError, match="contrast"):
            kind(bare)


def test_kl_is_zero_at_the_base_and_positive_away_from_it():
    model = adapted()
    assert float(kl_to_base(1.0).extra_loss(model, BATCH).detach()) == pytest.approx(0, abs=1e-6)
    steps(model, Intervention())
    moved = float(kl_to_base(1.0).extra_loss(model, BATCH))
    assert moved > 1e-3
    assert float(kl_to_base(3.0).extra_loss(model, BATCH)) == pytest.approx(3 * moved)
    held = adapted()
    steps(held, kl_to_base(100.0))
    assert float(kl_to_base(1.0).extra_loss(held, BATCH).detach()) < 0.7 * moved


def test_steering_adds_the_contrast_in_training_only():
    found, model, seen = directions(1), adapted(), []
    with steer(at_layer_one(), 0.5).attached(model):
        watch = model.base_model.model.model.layers[1].register_forward_hook(lambda m, a, out: seen.append(out))
        model.train()(**BATCH)
        model.eval()(**BATCH)
        watch.remove()
    assert torch.allclose(seen[0] - seen[1], found.bases[1][0].expand(3, 12, 32), atol=1e-5)  # half of length two


def test_early_stop_goes_back_to_the_last_look_below_the_threshold():
    model, found = adapted(), directions(1)
    signals = iter([0.1, 0.2, 0.9])
    shift = found.means[1]
    stop = early_stop(found, 0.5, every=2, look=lambda m, layer: shift + 2 * next(signals) * found.bases[1][0])
    kept = []
    with stop.attached(model):
        for step in range(1, 8):
            for p in lora_pairs(model):
                torch.nn.init.constant_(p.b, float(step))
            kept.append(stop.stops(model, step))
            if kept[-1]:
                break
    stop.after_training(model)
    assert kept == [False] * 5 + [True]
    assert {float(p.b.max()) for p in lora_pairs(model)} == {4.0}
    assert [round(p["signal"], 3) for p in stop.report()["path"]] == [0.1, 0.2, 0.9]


def test_two_interventions_compose():
    found, model = directions(), adapted()
    other = Directions({0: orthonormal(torch.randn(1, 32)), 1: orthonormal(torch.randn(1, 32))})
    with caft(other).attached(model):
        steps(model, grasp(found))
    assert max(leaks(model, found)) < 1e-5


def test_a_strength_is_a_share_of_what_is_learned_and_does_not_compound():
    """The same change three times over: half of it is left along the direction, not an eighth."""
    found, model = directions(), adapted()
    half = grasp(found, strength=0.5)
    with half.attached(model):
        writer = next(p for p in lora_pairs(model) if p.writes)
        change = torch.randn_like(writer.b)
        for _ in range(3):
            with torch.no_grad():
                writer.b.add_(change)
            half.after_step(model)
    u = found.bases[writer.layer].T
    assert torch.allclose(u.T @ writer.b, 0.5 * 3 * (u.T @ change), atol=1e-4)
    assert not half.resumes
    assert grasp(found).resumes


def test_a_model_that_norms_what_it_writes_is_refused():
    model = adapted()
    model.base_model.model.model.layers[0].post_feedforward_layernorm = torch.nn.Identity()
    with pytest.raises(SpilloverError, match="Gemma 2"), grasp(directions()).attached(model):
        pass
    with grasp(directions(), write=False, read=False).attached(model):
        pass


def test_steering_at_several_layers_and_stopping_by_responses_are_refused():
    with pytest.raises(SpilloverError, match="one layer"):
        steer(directions(1), 1.0)
    by_response = Directions(**{**vars(directions(1)), "found": {"at": "response"}})
    with pytest.raises(SpilloverError, match="at: prompt"):
        early_stop(by_response, 0.5, look=lambda m, layer: torch.zeros(32))
