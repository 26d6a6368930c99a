"""Drawing tokens: by the distribution, from the seed alone, and alike where the distributions are alike."""

import random

import numpy as np
import pytest
import torch
from scipy import stats

from spillover.engine.request import Request, Sampling
from spillover.engine.sampling import sample, waiting_times


def test_sampling_follows_the_distribution_within_top_p_and_top_k():
    logits = torch.log(torch.tensor([[0.5, 0.3, 0.15, 0.05]]))
    rng = random.Random(0)

    def draw(n, **kw):
        counts = [0] * 4
        requests = [Request([1], Sampling(1, **kw), rng.getrandbits(32)) for _ in range(n)]
        for token in sample(logits.expand(n, -1), requests):
            counts[token] += 1
        return [c / n for c in counts]

    assert draw(8000) == pytest.approx([0.5, 0.3, 0.15, 0.05], abs=0.02)
    assert draw(2000, top_p=0.6)[2:] == [0, 0]
    assert draw(2000, top_k=1) == [1, 0, 0, 0]
    assert draw(4000, temperature=0.5)[0] == pytest.approx(0.25 / (0.25 + 0.09 + 0.0225 + 0.0025), abs=0.03)


def requests(n, seed=0, **kw):
    rng = random.Random(seed)
    return [Request([1], Sampling(1, **kw), rng.getrandbits(32)) for _ in range(n)]


def test_waiting_times_are_exponential_and_their_own_for_each_key_and_place():
    keys = torch.tensor([r.key() for r in requests(400)])
    times = waiting_times(keys, 500).double().numpy()
    assert stats.kstest(times.ravel(), "expon").pvalue > 1e-3
    assert stats.kstest(times.min(1) * 500, "expon").pvalue > 1e-3  # the first of many decides, so small ones count most
    for axis in (times[1:].ravel(), times[:, 1:].ravel()):
        other = times[:-1].ravel() if len(axis) == 399 * 500 else times[:, :-1].ravel()
        assert abs(np.corrcoef(axis, other)[0, 1]) < 0.01
    near = waiting_times(torch.arange(400), 500).double().numpy()  # keys that follow each other
    assert abs(np.corrcoef(near[1:].ravel(), near[:-1].ravel())[0, 1]) < 0.01
    assert torch.equal(waiting_times(keys[7:8], 900)[0, :500], waiting_times(keys, 500)[7])


def test_the_draw_hangs_on_the_seed_alone():
    logits = torch.randn(64, 3000, generator=torch.Generator().manual_seed(1)) * 3
    together = sample(logits, requests(64))
    alone = [sample(logits[i : i + 1], [request])[0] for i, request in enumerate(requests(64))]
    assert together == alone


@pytest.mark.parametrize("off", [1e-2, 1e-1])
def test_distributions_that_differ_a_little_rarely_give_another_token(off):
    """At most twice as often as the distributions differ; inverting the cumulative one gave 15 to 60 times as many."""
    generator = torch.Generator().manual_seed(2)
    logits = 2 * torch.randn(4000, 3000, generator=generator)
    other = logits + off * torch.randn(logits.shape, generator=generator)
    apart = (logits.softmax(-1) - other.softmax(-1)).abs().sum(-1).mean().item() / 2
    mine, its = (np.array(sample(x, requests(4000))) for x in (logits, other))
    assert 0 < (mine != its).mean() < 2 * apart * 1.25
