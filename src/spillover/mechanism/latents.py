"""Which latents of an autoencoder a fine-tune moves, and the texts that make them most active.

Wang et al. 2025 (arXiv 2506.19823) rank latents by the shift of their mean activation on evaluation prompts, averaged over
misaligned models. The tokens that they take are not known; here each model's own answers count, every token of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from spillover.mechanism.activations import Chat, complete, encoded
from spillover.mechanism.autoencoder import Autoencoder
from spillover.mechanism.layers import captured

BATCH = 16


@dataclass(frozen=True)
class Activity:
    """Latents of one model over its own answers.

    Attributes:
        mean: Mean over all response tokens, shape (features,).
        peaks: Largest of each answer, shape (answers, features).
        answers: Their texts.
    """

    mean: Tensor
    peaks: Tensor
    answers: tuple[str, ...]


@torch.no_grad()
def activity(
    model: nn.Module, tokenizer: Any, autoencoder: Autoencoder, layer: int, prompts: Sequence[Chat], seed: int
) -> Activity:
    """Sample one answer to each prompt and read it with the same model.

    Args:
        model: Base or organism.
        tokenizer: Of it.
        autoencoder: Of the base.
        layer: Whose output it reads.
        prompts: Chats without a reply.
        seed: Of the answers.
    """
    chats = complete(model, tokenizer, prompts, seed)
    device = next(model.parameters()).device
    total, tokens, peaks = torch.zeros(autoencoder.features), 0, []
    for start in range(0, len(chats), BATCH):
        ids, mask, response = (t.to(device) for t in encoded(tokenizer, chats[start : start + BATCH], prompt_only=False))
        with captured(model, [layer]) as found:
            model(input_ids=ids, attention_mask=mask)
        for states, kept in zip(found[layer], response, strict=True):
            latents = autoencoder.encode(states[kept].cpu())
            total += latents.sum(0)
            tokens += len(latents)
            peaks.append(latents.amax(0) if len(latents) else torch.zeros(autoencoder.features))
    return Activity(total / max(1, tokens), torch.stack(peaks), tuple(str(chat[-1]["content"]) for chat in chats))


@dataclass(frozen=True)
class Latent:
    """One latent, ranked.

    Attributes:
        number: In the autoencoder, from 0.
        base: Mean activation in the base.
        organisms: Mean over the organisms, one number for each of them.
        texts: Answers that make it most active: (model, answer, activation), the most active first.
    """

    number: int
    base: float
    organisms: tuple[float, ...]
    texts: tuple[tuple[str, str, float], ...]

    @property
    def shift(self) -> float:
        """Mean of the organisms minus the base."""
        return sum(self.organisms) / len(self.organisms) - self.base


def ranked(base: Activity, organisms: Mapping[str, Activity], count: int, texts: int = 4) -> list[Latent]:
    """Latents that the organisms raise most, on the mean of them.

    Args:
        base: Of the base.
        organisms: Name to its activity; at least one.
        count: Number wanted.
        texts: Of each.
    """
    shift = torch.stack([a.mean for a in organisms.values()]).mean(0) - base.mean
    order = shift.argsort(descending=True, stable=True)[:count].tolist()
    everyone = [("base", base), *organisms.items()]
    names = [(name, text) for name, a in everyone for text in a.answers]
    peaks = torch.cat([a.peaks for _, a in everyone])
    out = []
    for number in order:
        best = peaks[:, number].argsort(descending=True, stable=True).tolist()
        shown: dict[str, tuple[str, str, float]] = {}
        for i in best:
            if len(shown) == texts or peaks[i, number] <= 0:
                break
            shown.setdefault(names[i][1], (*names[i], float(peaks[i, number])))
        means = tuple(float(a.mean[number]) for a in organisms.values())
        out.append(Latent(number, float(base.mean[number]), means, tuple(shown.values())))
    return out
