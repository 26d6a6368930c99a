"""Drawing tokens: by the distribution, from the seed alone, and alike where the distributions are alike."""

import random

import numpy as np
import pytest
import torch
from scipy import stats

from spillover.engine.request import Request, Sampling
from spillover.engine.sampling import sample, waiting_times
from spillover.errors import SpilloverError


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
    times = -waiting_times(keys, 500).double().numpy()
    assert stats.kstest(times.ravel(), "expon").pvalue > 1e-3
    assert stats.kstest(times.min(1) * 500, "expon").pvalue > 1e-3  # the first of many decides, so small ones count most
    for axis in (times[1:].ravel(), times[:, 1:].ravel()):
        other = times[:-1].ravel() if len(axis) == 399 * 500 else times[:, :-1].ravel()
        assert abs(np.corrcoef(axis, other)[0, 1]) < 0.01
    near = -waiting_times(torch.arange(400), 500).double().numpy()  # keys that follow each other
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


class Keyed(Request):
    """With a key that the hash turns into a given number."""

    def __init__(self, key, **kw):
        super().__init__([1], Sampling(1, **kw), 0)
        self.chosen = key

    def key(self):
        return self.chosen


def key_of(number, place):
    """The key under which the hash of a place is `number` (splitmix64, backwards)."""
    mask, step, first, second = (1 << 64) - 1, 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB

    def unshift(x, by):
        out = x
        for _ in range(64 // by + 1):
            out = x ^ (out >> by)
        return out

    x = unshift(number, 31) * pow(second, -1, 1 << 64) & mask
    x = unshift(unshift(x, 27) * pow(first, -1, 1 << 64) & mask, 30)
    x = (x - place * step) & mask
    return x - (1 << 64) if x >> 63 else x


@pytest.mark.parametrize("number", [0, 1, (1 << 63) - 1, (1 << 63) - 2**37])
def test_whatever_the_hash_gives_only_allowed_tokens_are_drawn(number):
    """The largest numbers are rounded up to one: no wait may be without end, or a forbidden token is as good."""
    key = key_of(number, 5)
    wait = -waiting_times(torch.tensor([key]), 8)[0, 5].item()
    assert wait == pytest.approx(2.0**-63 if number < 2 else 24 * np.log(2), rel=1e-3)
    logits = torch.full((1, 8), -torch.inf)
    logits[0, 5] = 3.0
    assert sample(logits, [Keyed(key)]) == [5]
    assert sample(torch.arange(8.0)[None].flip(-1), [Keyed(key, top_k=1)]) == [0]


@pytest.mark.parametrize("temperature", [1e-46, 1e-38, 1e-3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_cold_draw_is_the_likeliest_token(temperature, dtype):
    logits = torch.tensor([[1.0, 4.0, 2.0, -torch.inf]], dtype=dtype)
    assert sample(logits.repeat(50, 1), requests(50, temperature=temperature)) == [1] * 50


def test_what_is_no_number_is_no_answer():
    with pytest.raises(SpilloverError, match="gives no numbers"):
        sample(torch.tensor([[0.0, torch.nan, 1.0]]), requests(1))


def test_logits_and_their_log_probabilities_stay_as_they_were():
    logits = torch.randn(4, 50, generator=torch.Generator().manual_seed(3))
    before, asked = logits.clone(), requests(4, top_k=3, temperature=0.5, logprobs=True)
    tokens = sample(logits, asked)
    assert torch.equal(logits, before)
    for row, token, request in zip(before.log_softmax(-1), tokens, asked, strict=True):
        assert request.logprobs[0].logprob == pytest.approx(row[token].item(), abs=1e-6)
