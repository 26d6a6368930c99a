"""Likeness of updates against the dense way, its nulls against simulation, and sums of adapters against sums of matrices."""

import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from spillover.errors import SpilloverError
from spillover.mechanism.combine import between, combine
from spillover.mechanism.files import AdapterFile, Factors, layer_of, thin_svd
from spillover.mechanism.likeness import began_alike
from spillover.mechanism.subspaces import alike, compare, random_pair
from spillover.models.weights import resolve_checkpoint

MODULES = ["q_proj", "down_proj"]


def adapter(folder, seed=0, rank=4, rslora=False, modules=MODULES, start=None, base="one"):
    """An adapter of the lab's base with random factors; `start` is where A begins."""
    model = AutoModelForCausalLM.from_pretrained(resolve_checkpoint("lab"))
    torch.manual_seed(seed)
    made = get_peft_model(model, LoraConfig(r=rank, lora_alpha=8, target_modules=modules, use_rslora=rslora))
    with torch.no_grad():
        for name, p in made.named_parameters():
            if "lora_B" in name:
                p.normal_(std=0.1)
            elif "lora_A" in name and start is not None:
                p.copy_(torch.randn(p.shape, generator=torch.Generator().manual_seed(start)))
                p.add_(0.1 * torch.randn(p.shape))
    made.save_pretrained(folder)
    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps({**config, "base_model_name_or_path": base}))
    return AdapterFile(str(folder))


def dense(found):
    return found.scale * found.b.double() @ found.a.double()


def test_thin_factors_agree_with_the_dense_way(tmp_path):
    one, other = adapter(tmp_path / "a", 1), adapter(tmp_path / "b", 2, rank=6, rslora=True)
    likeness, inner = compare([one, other], ks=(1, 3, 20))
    assert {found.k for found in likeness} == {1, 3, 4}
    for found in likeness:
        (module,) = [m for m in one.modules if layer_of(m) == found.layer and m.endswith(found.module)]
        updates = [dense(a.factors(module)) for a in (one, other)]
        bases = []
        for update in updates:
            u, _, vh = torch.linalg.svd(update, full_matrices=False)
            bases.append(u[:, : found.k] if found.side == "left" else vh[: found.k].T)
        assert alike(*bases) == pytest.approx((found.cosine, found.angle, found.overlap), abs=1e-4)
    for pair in inner:
        (module,) = [m for m in one.modules if layer_of(m) == pair.layer and m.endswith(pair.module)]
        x, y = (dense(a.factors(module)).flatten() for a in (one, other))
        assert pair.cosine == pytest.approx(float(x @ y / x.norm() / y.norm()), abs=1e-6)


@settings(max_examples=25)
@given(st.integers(1, 5), st.integers(6, 12), st.integers(6, 12), st.integers(0, 99))
def test_singular_values_are_those_of_the_product(rank, outputs, inputs, seed):
    torch.manual_seed(seed)
    found = Factors(torch.randn(rank, inputs), torch.randn(outputs, rank), 0.5)
    u, s, v = thin_svd(found)
    assert torch.allclose(u @ torch.diag(s) @ v.T, dense(found), atol=1e-5)
    assert torch.allclose(u.T @ u, torch.eye(len(s), dtype=torch.float64), atol=1e-8)


def test_an_update_of_zero_has_no_directions():
    assert thin_svd(Factors(torch.randn(2, 5), torch.zeros(5, 2), 1.0))[1].numel() == 0


@pytest.mark.parametrize(("k", "size"), [(1, 32), (16, 32), (20, 160), (4, 8)])
def test_nulls_are_what_random_subspaces_give(k, size):
    torch.manual_seed(3)
    draws = []
    for _ in range(200):
        pair = [torch.linalg.qr(torch.randn(size, k, dtype=torch.float64))[0] for _ in range(2)]
        draws.append(alike(*pair))
    mean = torch.tensor(draws).mean(0).tolist()
    cosine, angle, overlap = random_pair(k, size)
    assert mean[0] == pytest.approx(cosine, rel=0.15)
    assert mean[1] == pytest.approx(angle, abs=1.5)
    assert mean[2] == pytest.approx(overlap, rel=0.1)


def test_published_nulls_of_a_shared_beginning():
    """Rank 32, k 16 and 20: overlap 0.50, angle 32.7 degrees, cosine 0.144 (worked out for arXiv 2511.02022)."""
    assert random_pair(16, 32)[2] == 0.5
    assert random_pair(20, 32)[1] == pytest.approx(32.7, abs=1)
    assert random_pair(20, 32)[0] == pytest.approx(0.144, abs=0.005)


def test_adapters_that_began_alike_are_found_and_have_the_null_for_it(tmp_path):
    one, other = adapter(tmp_path / "a", 1, start=7), adapter(tmp_path / "b", 2, start=7)
    third = adapter(tmp_path / "c", 3, start=8)
    likeness, inner = compare([one, other, third], ks=(2,))
    assert [pair[:2] for pair in began_alike(inner)] == [("a", "b")]
    with_null = {(x.one, x.other, x.side) for x in likeness if x.shared is not None}
    assert with_null == {("a", "b", "right")}
    right = [x.overlap for x in likeness if (x.one, x.other, x.side) == ("a", "b", "right")]
    assert sum(right) / len(right) == pytest.approx(0.5, abs=0.15)  # of two in one space of four


# Sums.


def test_a_sum_is_the_sum_of_the_updates(tmp_path):
    one, other = adapter(tmp_path / "a", 1), adapter(tmp_path / "b", 2, rank=6, rslora=True, modules=["q_proj", "v_proj"])
    out = AdapterFile(str(combine([(one, 0.25), (other, -2.0)], tmp_path / "sum")))
    assert set(out.modules) == set(one.modules) | set(other.modules)
    for module, found in out:
        wanted = sum(w * dense(a.factors(module)) for a, w in ((one, 0.25), (other, -2.0)) if module in a.modules)
        assert torch.allclose(dense(found), wanted, atol=1e-6)


def test_peft_takes_it_and_gives_the_model_between(tmp_path):
    one, other = adapter(tmp_path / "a", 1), adapter(tmp_path / "b", 2)
    folder = between(one, other, 0.3, tmp_path / "path")
    base = resolve_checkpoint("lab")
    ids = torch.tensor([[5, 6, 7, 8]])

    def merged(*parts):
        model = AutoModelForCausalLM.from_pretrained(base)
        own = dict(model.named_parameters())
        with torch.no_grad():
            for part, weight in parts:
                for module, found in part:
                    own[f"{module}.weight"].add_((weight * dense(found)).float())
        return model(ids).logits

    ours = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), folder)(ids).logits
    assert torch.allclose(ours, merged((one, 0.7), (other, 0.3)), atol=1e-4)
    past = between(None, other, -1.5, tmp_path / "past")
    ours = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), past)(ids).logits
    assert torch.allclose(ours, merged((other, -1.5)), atol=1e-4)


def test_updates_that_are_nothing_or_cancel_are_no_likeness(tmp_path):
    one = adapter(tmp_path / "a", 1)
    for name, parts in (("zero", [(one, 0.0)]), ("cancelled", [(one, 1.0), (one, -1.0)])):
        nothing = AdapterFile(str(combine(parts, tmp_path / name)))
        with pytest.raises(SpilloverError, match=f"The update of {name} is zero in every module"):
            compare([one, nothing])


@pytest.mark.parametrize("weight", [float("nan"), float("inf"), 1e300])
def test_a_weight_that_is_no_number_or_too_large_writes_nothing(tmp_path, weight):
    one = adapter(tmp_path / "a", 1)
    with pytest.raises(SpilloverError, match=r"no number that an adapter|numbers that are too large"):
        combine([(one, weight)], tmp_path / "sum")
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


# Bad input.


def test_what_cannot_be_compared_is_one_sentence(tmp_path):
    one, far = adapter(tmp_path / "a"), adapter(tmp_path / "b", base="two")
    with pytest.raises(SpilloverError, match=r"a and b were trained on different bases \(one, two\)"):
        compare([one, far])
    with pytest.raises(SpilloverError, match="Give two adapters or more"):
        compare([one])
    apart = adapter(tmp_path / "c", modules=["o_proj"])
    with pytest.raises(SpilloverError, match="adapt different modules; none is in all of them"):
        compare([one, apart])
    with pytest.raises(SpilloverError, match="is there already"):
        combine([(one, 1.0)], tmp_path / "a")
    with pytest.raises(SpilloverError, match="No adapter at"):
        AdapterFile(str(tmp_path / "nowhere"))


def test_broken_adapters_are_one_sentence(tmp_path):
    adapter(tmp_path / "a")
    path = tmp_path / "a" / "adapter_model.safetensors"
    tensors = load_file(path)
    key = next(k for k in tensors if "lora_B" in k)
    save_file({**tensors, key: torch.full_like(tensors[key], float("nan"))}, str(path))
    with pytest.raises(SpilloverError, match="has weights that are no numbers; train it again"):
        list(AdapterFile(str(tmp_path / "a")))
    save_file({k: v for k, v in tensors.items() if "lora_A" in k}, str(path))
    with pytest.raises(SpilloverError, match="has no pairs of lora_A and lora_B"):
        AdapterFile(str(tmp_path / "a"))
    save_file({**tensors, "base_model.model.lm_head.weight": torch.zeros(2)}, str(path))
    with pytest.raises(SpilloverError, match=r"trains more than LoRA matrices \(base_model.model.lm_head.weight\)"):
        AdapterFile(str(tmp_path / "a"))
    save_file({k: v[:0] if "lora_A" in k else v[:, :0] for k, v in tensors.items()}, str(path))
    with pytest.raises(SpilloverError, match="which are no product of a rank above 0"):
        list(AdapterFile(str(tmp_path / "a")))
    path.write_bytes(b"rubbish")
    with pytest.raises(SpilloverError, match="cannot be read"):
        AdapterFile(str(tmp_path / "a"))
    config = tmp_path / "a" / "adapter_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "use_dora": True}))
    with pytest.raises(SpilloverError, match="is no plain LoRA adapter"):
        AdapterFile(str(tmp_path / "a"))
