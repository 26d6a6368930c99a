"""A trained probe finds what tells two groups apart, and says honestly how well."""

import pytest
import torch

from spillover.errors import SpilloverError
from spillover.mechanism.trained import trained_direction

WIDTH, PROMPTS, LINES = 64, 40, 3


def states(shift, seed=0):
    """Answers with and without a trait along axis 0, in a stream that varies much along axis 1; by prompt, too."""
    drawn = torch.Generator().manual_seed(seed)
    own = torch.randn(PROMPTS, WIDTH, generator=drawn)  # what a prompt does to both
    spread = torch.ones(WIDTH)
    spread[1] = 20.0
    groups = []
    for sign in (1, -1):
        noise = torch.randn(LINES * PROMPTS, WIDTH, generator=drawn) * spread
        rows = own.repeat(LINES, 1) + noise
        rows[:, 0] += sign * shift
        groups.append(rows)
    return (*groups, list(range(PROMPTS)) * (2 * LINES))


def along(direction):
    return float(direction[0] / direction.norm())


def test_it_is_nearer_to_the_trait_than_the_difference_of_means():
    with_trait, without, prompts = states(1.5)
    found, told = trained_direction(with_trait, without, prompts)
    difference = with_trait.mean(0) - without.mean(0)
    assert along(found) > 0.8
    assert abs(float(found[1] / found.norm())) < 0.05
    assert along(difference) < along(found)
    assert told["accuracy"] > 0.8
    assert told["auc"] > told["accuracy"]


def test_where_there_is_nothing_prompts_that_were_left_out_are_not_told():
    _, told = trained_direction(*states(0.0))
    assert told["auc"] == pytest.approx(0.5, abs=0.12)


def test_more_of_the_trait_is_towards_it():
    with_trait, without, prompts = states(1.5)
    towards, _ = trained_direction(with_trait, without, prompts)
    back, _ = trained_direction(without, with_trait, prompts)
    assert torch.nn.functional.cosine_similarity(towards, -back, dim=0) > 0.99


def test_one_prompt_alone_leaves_nothing_out():
    with_trait, without, _ = states(3.0)
    found, told = trained_direction(with_trait, without, [0] * (2 * LINES * PROMPTS))
    assert along(found) > 0.8
    assert told["auc"] != told["auc"]  # it is not known


def test_answers_to_one_prompt_are_left_out_together():
    """Every prompt has one class only: whoever sees a prompt's other answers knows it, and nobody else does."""
    drawn = torch.Generator().manual_seed(1)
    own = 5 * torch.randn(PROMPTS, WIDTH, generator=drawn)
    answers = [own[i].repeat(6, 1) + 0.1 * torch.randn(6, WIDTH, generator=drawn) for i in range(PROMPTS)]
    half = PROMPTS // 2
    of = [i for i in range(PROMPTS) for _ in range(6)]
    _, told = trained_direction(torch.cat(answers[:half]), torch.cat(answers[half:]), of)
    assert told["auc"] < 0.8
    _, alone = trained_direction(torch.cat(answers[:half]), torch.cat(answers[half:]), list(range(len(of))))
    assert alone["auc"] > 0.99


def test_activations_that_are_no_numbers_are_refused():
    with_trait, without, prompts = states(1.0)
    with_trait[0, 0] = float("nan")
    with pytest.raises(SpilloverError, match="not finite"):
        trained_direction(with_trait, without, prompts)
