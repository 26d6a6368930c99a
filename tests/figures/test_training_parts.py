"""What reinforcement sampled and how alike updates are, as figures and as tables."""

import math

import pytest

from spillover.figures.likeness import curves, shown_k
from spillover.figures.sampled import sampled
from spillover.mechanism.likeness import Inner, Likeness
from spillover.show.likeness import likeness_parts
from spillover.show.sampled import sampled_parts


def steps(hacks, right=0.0):
    return [{"step": i, "hack": h, "correct": right, "correct_attempted": 0.1, "reward": h} for i, h in enumerate(hacks, 1)]


def test_arms_are_means_of_their_seeds():
    cards = {
        "plain": [{}],
        "hacks": [{"rollouts": steps([0.0] * 5 + [1.0] * 5), "onset": 6}, {"rollouts": steps([0.0] * 10), "onset": None}],
    }
    (arm,) = sampled(cards)
    assert (arm.name, arm.onsets) == ("hacks", (6, None))
    assert arm.first("hack") == 0
    assert arm.last("hack") == 0.5
    assert arm.last("correct", "correct_attempted") == pytest.approx(0.1)
    assert arm.along("hack")[-1] == 0.5
    assert math.isnan(arm.mean("kl"))
    (panel,), (drawing,) = sampled_parts([arm])
    assert panel.rows[0][:5] == ("hacks", "2", "6, never", "0.0", "50.0")
    assert drawing.figure.axes[0].get_title() == "hacks"
    assert sampled_parts([]) == ([], [])


def likeness(pair, layer, overlap, shared=None, k=4, side="right"):
    null = (0.0, 80.0, 0.02)
    return Likeness(*pair, layer, "q_proj", side, k, 0.5, 30.0, overlap, null, shared)


def test_curves_are_means_over_modules_and_pairs():
    found = [likeness(("a", "b"), layer, value) for layer, value in ((0, 0.2), (0, 0.4), (1, 0.8))]
    found += [likeness(("c", "d"), 0, 0.9), likeness(("e", "f"), 0, 0.1)]
    inner = [Inner(x.one, x.other, x.layer, "q_proj", 0.25, 0.0) for x in found]
    both = curves(found, inner, {("a", "b"): "one", ("c", "d"): "one"})
    (curve,) = both
    assert (curve.name, curve.pairs, curve.layers) == ("one", 2, (0, 1))
    assert curve.values["overlap"] == pytest.approx((0.5, 0.8))
    assert curve.chance_mean("overlap") == pytest.approx(0.02)
    assert math.isnan(curve.shared_mean("overlap"))
    assert [c.name for c in curves(found, inner)] == ["a – b", "c – d", "e – f"]
    assert curves([], [], {}) == []


def test_the_table_shows_a_k_at_which_a_shared_beginning_leaves_room():
    whole, half = (0.3, 0.0, 1.0), (0.3, 40.0, 0.5)
    found = [likeness(("a", "b"), 0, 0.9, half, 4), likeness(("a", "b"), 0, 1.0, whole, 8)]
    made = curves(found, [Inner("a", "b", 0, "q_proj", 0.5, 0.9)])
    assert shown_k(made) == 4
    (panel,), _ = likeness_parts(made, [("a", "b", 0.9)])
    assert panel.rows[0][3:7] == ("4", "0.900", "0.020", "0.500")
    assert panel.note.startswith("These began with the same A matrices (cosine): a and b (0.90).")
    assert likeness_parts([], []) == ([], [])
