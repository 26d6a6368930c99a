"""Exact mathematics of directions: projections, spectra from weights, the rotation null, files."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spillover.errors import SpilloverError
from spillover.mechanism.activations import pca_directions, response_activations
from spillover.mechanism.directions import Directions, load_directions, orthonormal, random_directions, save_directions, span
from spillover.mechanism.geometry import gradient_off, project_off, project_reader, project_writer
from spillover.mechanism.layers import LoraPair, pick_layers
from spillover.mechanism.weights import directions_from_weights, rotation_null, thin_factors
from tests.mechanism.tiny import tiny_model, tiny_tokenizer


def pair(layer=0, name="o_proj", out=24, inside=24, rank=4, seed=0, spike=None, size=0.0):
    generator = torch.Generator().manual_seed(seed)
    a = torch.randn(rank, inside, generator=generator)
    b = torch.randn(out, rank, generator=generator)
    if spike is not None:
        b = b + size * torch.outer(spike, torch.randn(rank, generator=generator))
    return LoraPair(layer, name, a, b, 2.0)


@given(st.integers(1, 5), st.integers(0, 10_000), st.floats(0, 1))
@settings(deadline=None, max_examples=30)
def test_projection_removes_exactly_its_share(count, seed, strength):
    torch.manual_seed(seed)
    q = orthonormal(torch.randn(count, 32)).T
    h, mean = torch.randn(7, 32), torch.randn(32)
    assert torch.allclose(project_off(h, q, strength) @ q, (1 - strength) * (h @ q), atol=1e-5)
    kept = project_off(h, q, 1.0, mean)
    assert torch.allclose(kept @ q, (mean @ q).expand(7, count), atol=1e-5)
    rest = torch.eye(32) - q @ q.T
    assert torch.allclose(kept @ rest, h @ rest, atol=1e-4)  # nothing else is touched


def test_the_gradient_loses_its_part_and_the_forward_pass_nothing():
    q = orthonormal(torch.randn(2, 16)).T
    h = torch.randn(5, 16, requires_grad=True)
    out = gradient_off(h, q)
    assert torch.equal(out, h)
    weights = torch.randn(5, 16)
    (out * weights).sum().backward()
    assert torch.allclose(h.grad @ q, torch.zeros(5, 2), atol=1e-6)
    assert torch.allclose(h.grad, project_off(weights, q), atol=1e-6)


def test_adapters_write_and_read_nothing_along_a_direction():
    u = orthonormal(torch.randn(2, 24)).T
    writer, reader, gain = pair(), pair(name="q_proj", seed=1), torch.rand(24) + 0.5
    project_writer(writer, u)
    assert torch.allclose(u.T @ writer.b @ writer.a, torch.zeros(2, 24), atol=1e-4)
    project_reader(reader, u, gain)
    assert torch.allclose(reader.b @ reader.a @ (gain[:, None] * u), torch.zeros(24, 2), atol=1e-4)


def test_thin_factors_are_the_svd_of_the_update():
    found = pair(out=40, inside=30)
    update = (found.b @ found.a).double()
    u, s, vh = torch.linalg.svd(update, full_matrices=False)
    for side, expected in (("write", u), ("read", vh.T)):
        factors = thin_factors(found, side)
        assert torch.allclose(factors @ factors.T, (expected * s**2) @ expected.T / (s**2).sum(), atol=1e-5)
    zero = LoraPair(0, "o_proj", found.a, torch.zeros_like(found.b), 1.0)
    assert thin_factors(zero).abs().sum() == 0


def test_a_shared_direction_is_found_and_nothing_where_there_is_none():
    spike = torch.nn.functional.normalize(torch.randn(24, generator=torch.Generator().manual_seed(5)), dim=0)
    model = tiny_model()
    with_spike = [pair(layer, seed=layer, spike=spike, size=12.0) for layer in range(6)]
    found = directions_from_weights(model, with_spike, scope="global")
    assert {len(rows) for rows in found.bases.values()} == {1}
    assert set(found.bases) == set(range(6))
    assert abs(float(found.bases[0][0] @ spike)) > 0.97
    nothing = directions_from_weights(model, [pair(layer, seed=layer) for layer in range(6)], scope="global")
    assert nothing.none
    assert nothing.summary()["null"]["all"] >= max(nothing.summary()["eigenvalues"]["all"])


def test_the_null_knows_how_large_chance_is():
    """The 95 % quantile of the largest eigenvalue, by drawing again: about one fresh draw in twenty lies above it."""
    factors = [thin_factors(pair(seed=s, out=64)) for s in range(4)]
    limit = rotation_null(factors, torch.Generator().manual_seed(0), draws=200)
    generator = torch.Generator().manual_seed(1)
    tops = []
    for _ in range(200):
        turned = [
            torch.linalg.qr(torch.randn(f.shape, generator=generator, dtype=f.dtype))[0] * f.norm(dim=0) for f in factors
        ]
        tops.append(float(torch.linalg.matrix_norm(torch.cat(turned, 1), 2) ** 2))
    assert 0.0 < sum(t > limit for t in tops) / 200 < 0.13


def test_files(tmp_path):
    kept = random_directions([0, 2], 16, 3, seed=1)
    save_directions(Directions(kept.bases, means={0: torch.ones(16)}, found={"method": "mine"}), tmp_path / "d.safetensors")
    back = load_directions(tmp_path / "d.safetensors", 16)
    assert back.found == {"method": "mine"}
    for layer in (0, 2):
        assert torch.allclose(back.bases[layer] @ back.bases[layer].T, torch.eye(3), atol=1e-6)
        assert torch.allclose(back.bases[layer], kept.bases[layer], atol=1e-6)
    with pytest.raises(SpilloverError, match="hidden size is 8"):
        load_directions(tmp_path / "d.safetensors", 8)
    with pytest.raises(SpilloverError, match="no file of directions"):
        load_directions(tmp_path / "no", 16)
    (tmp_path / "bad").write_text("{")
    with pytest.raises(SpilloverError, match="not a file of directions"):
        load_directions(tmp_path / "bad", 16)


def test_a_layer_that_is_not_there():
    with pytest.raises(SpilloverError, match="layers 0 to 1, not 7"):
        pick_layers(tiny_model(), (0, 7))
    with pytest.raises(SpilloverError, match="no stack of decoder layers"):
        pick_layers(torch.nn.Linear(2, 2), (0,))


def test_pca_finds_what_a_fine_tune_adds():
    """The second model adds a random multiple of one direction at every token of layer 0."""
    base, tuned, tokenizer = tiny_model(), tiny_model(), tiny_tokenizer()
    added = torch.nn.functional.normalize(torch.randn(32, generator=torch.Generator().manual_seed(2)), dim=0)
    generator = torch.Generator().manual_seed(3)

    def push(module, inputs, output):
        return output + 3 * torch.randn(*output.shape[:2], 1, generator=generator) * added

    hook = tuned.model.layers[0].register_forward_hook(push)
    chats = [[{"role": "user", "content": "ab cd"}, {"role": "assistant", "content": "ef gh ab cd ef"}] for _ in range(8)]
    found = pca_directions(tuned, base, tokenizer, chats, [0], 1)
    hook.remove()
    assert abs(float(found.bases[0][0] @ added)) > 0.999
    with pytest.raises(SpilloverError, match="too few"):
        pca_directions(tuned, base, tokenizer, chats[:1], [0], 500)


def test_padding_does_not_change_activations():
    model, tokenizer = tiny_model(), tiny_tokenizer()
    short = [{"role": "user", "content": "ab"}, {"role": "assistant", "content": "cd"}]
    long = [{"role": "user", "content": "ab cd ef gh ab cd"}, {"role": "assistant", "content": "ef gh ab"}]
    alone = response_activations(model, tokenizer, [short], [0, 1])
    together = response_activations(model, tokenizer, [short, long], [0, 1])
    for layer in (0, 1):
        assert torch.allclose(alone[layer][0], together[layer][0], atol=1e-5)


def test_projection_keeps_its_precision_under_the_trainers_autocast():
    """Matrix products would run in bfloat16 there, and Q would no longer be orthonormal."""
    q, h = orthonormal(torch.randn(4, 64)).T, torch.randn(16, 64)
    with torch.autocast("cpu", torch.bfloat16):
        left = project_off(h, q)
    assert (left @ q).abs().max() < 1e-5


def test_a_span_removes_every_one_of_its_directions_however_they_lie():
    torch.manual_seed(3)
    first, second = torch.randn(1, 8), torch.randn(1, 8)
    both = span([Directions({0: orthonormal(first)}), Directions({0: orthonormal(second), 2: orthonormal(second)})])
    assert {layer: len(rows) for layer, rows in both.bases.items()} == {0: 2, 2: 1}
    states = torch.randn(5, 8)
    left = states - states @ both.bases[0].T @ both.bases[0]
    assert (left @ torch.cat([first, second]).T).abs().max() < 1e-5
    one_by_one = states - states @ orthonormal(first).T @ orthonormal(first)
    one_by_one = one_by_one - one_by_one @ orthonormal(second).T @ orthonormal(second)
    assert (one_by_one @ first.T).abs().max() > 1e-2  # what a list is for
    assert both.found["method"] == "span"
