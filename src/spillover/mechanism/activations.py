"""Directions from activations: what contrastive system lines, or a fine-tune, change in the residual stream."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from spillover.errors import SpilloverError
from spillover.mechanism.directions import Directions, orthonormal
from spillover.mechanism.layers import captured
from spillover.mechanism.trained import trained_direction

Chat = Sequence[dict[str, str]]
BATCH = 16
COMPLETION_TOKENS = 96
SKIPPED = 1
"""The first token of a sequence carries activations of its own, orders of magnitude larger (Sun et al. 2024)."""


def encoded(tokenizer: Any, chats: Sequence[Chat], prompt_only: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Token ids, attention mask and response mask of a padded batch, each of shape (chats, tokens)."""
    rows, starts = [], []
    for chat in chats:
        last = len(chat) if prompt_only else len(chat) - 1
        prompt = tokenizer.apply_chat_template(list(chat[:last]), add_generation_prompt=True, tokenize=False)
        text = prompt if prompt_only else prompt + chat[-1]["content"]
        starts.append(len(tokenizer(prompt, add_special_tokens=False)["input_ids"]))
        rows.append(tokenizer(text, add_special_tokens=False)["input_ids"])
    width = max(map(len, rows))
    ids = torch.full((len(rows), width), tokenizer.pad_token_id or 0)
    mask, response = torch.zeros_like(ids), torch.zeros_like(ids, dtype=torch.bool)
    for i, (row, start) in enumerate(zip(rows, starts, strict=True)):
        ids[i, : len(row)] = torch.tensor(row)
        mask[i, : len(row)] = 1
        response[i, min(start, len(row) - 1) : len(row)] = True
        response[i, :SKIPPED] = False
    return ids, mask, response


@torch.no_grad()
def response_activations(
    model: nn.Module, tokenizer: Any, chats: Sequence[Chat], layers: list[int], mean: bool = True
) -> dict[int, Tensor]:
    """Activations at the tokens of the last (assistant) message.

    Args:
        model: The model; its hooks and mode stay as they are.
        tokenizer: Its tokenizer, with a chat template.
        chats: Chats that end with an assistant message.
        layers: Layers whose outputs are wanted.
        mean: Whether to average over the tokens of each response.

    Returns:
        Layer to shape (chats, hidden), or (response tokens, hidden) unless `mean`.
    """
    parts: dict[int, list[Tensor]] = {layer: [] for layer in layers}
    device = next(model.parameters()).device
    for start in range(0, len(chats), BATCH):
        ids, mask, response = (t.to(device) for t in encoded(tokenizer, chats[start : start + BATCH], prompt_only=False))
        with captured(model, layers) as found:
            model(input_ids=ids, attention_mask=mask)
        for layer in layers:
            rows = [found[layer][i][response[i]] for i in range(len(ids))]
            parts[layer] += [r.mean(0, keepdim=True) for r in rows] if mean else rows
    return {layer: torch.cat(rows).cpu() for layer, rows in parts.items()}


@torch.no_grad()
def prompt_activations(model: nn.Module, tokenizer: Any, chats: Sequence[Chat], layers: list[int]) -> dict[int, Tensor]:
    """Activations at the last token before the answer; layer to shape (chats, hidden)."""
    parts: dict[int, list[Tensor]] = {layer: [] for layer in layers}
    device = next(model.parameters()).device
    for start in range(0, len(chats), BATCH):
        ids, mask, _ = (t.to(device) for t in encoded(tokenizer, chats[start : start + BATCH], prompt_only=True))
        with captured(model, layers) as found:
            model(input_ids=ids, attention_mask=mask)
        last = mask.sum(1) - 1
        for layer in layers:
            parts[layer].append(found[layer][torch.arange(len(ids)), last])
    return {layer: torch.cat(rows).cpu() for layer, rows in parts.items()}


def contrast_directions(
    model: nn.Module,
    tokenizer: Any,
    prompts: Sequence[str],
    positive: Sequence[str],
    negative: Sequence[str],
    layers: list[int],
    at: Literal["response", "prompt"] = "response",
    seed: int = 0,
    trained: bool = False,
) -> Directions:
    """Difference of means between two sets of system lines over the same prompts, one direction for each layer.

    Over the tokens of answers that the model samples in character, as persona vectors are (Chen et al. 2025, arXiv
    2507.21509), or at the last token before the answer, which asks for no answers. With `trained` the weights of a probe
    between the two instead, see `spillover.mechanism.trained`.
    """

    def states(lines: Sequence[str]) -> dict[int, Tensor]:
        chats = [[{"role": "system", "content": s}, {"role": "user", "content": p}] for s in lines for p in prompts]
        if at == "prompt":
            return prompt_activations(model, tokenizer, chats, layers)
        return response_activations(model, tokenizer, complete(model, tokenizer, chats, seed), layers)

    with_trait, without = states(positive), states(negative)
    asked = [[{"role": "user", "content": p}] for p in prompts]
    if at == "prompt":
        plain = prompt_activations(model, tokenizer, asked, layers)
    else:
        plain = response_activations(model, tokenizer, complete(model, tokenizer, asked, seed), layers)
    gaps = {layer: with_trait[layer].float().mean(0) - without[layer].float().mean(0) for layer in layers}
    told: dict[str, dict[str, float | None]] = {}
    if trained:
        of = [i for lines in (positive, negative) for _ in lines for i in range(len(prompts))]
        for layer in layers:
            found, worth = trained_direction(with_trait[layer], without[layer], of)
            unit = found / found.norm().clamp(min=1e-30)
            gaps[layer] = unit * (gaps[layer] @ unit).abs()  # as long as what the lines move along it: the unit of steering
            told[str(layer)] = {k: None if math.isnan(v) else round(v, 4) for k, v in worth.items()}
    same = [layer for layer, gap in gaps.items() if not float(gap.norm()) > 0]
    if same:
        raise SpilloverError(
            f"At layer {same[0]} the two kinds of lines do not differ; give other --positive and --negative."
        )
    return Directions(
        bases={layer: orthonormal(gap[None]) for layer, gap in gaps.items()},
        means={layer: plain[layer].mean(0) for layer in layers},
        norms={layer: gap.norm()[None] for layer, gap in gaps.items()},
        found={
            "method": "probe" if trained else "contrast",
            "positive": list(positive),
            "negative": list(negative),
            "prompts": len(prompts),
            "at": at,
            **({"left out prompts": told} if trained else {}),
        },
    )


def pca_directions(
    tuned: nn.Module, base: nn.Module, tokenizer: Any, chats: Sequence[Chat], layers: list[int], count: int
) -> Directions:
    """Principal components of what a fine-tune changes: activations of the organism minus those of the base.

    CAFT (arXiv 2507.16795, section 4): the same texts through both, response tokens only, centred. The paper interprets
    components and picks by hand; here the first `count` are taken, its own "no interpretation" control.

    Raises:
        SpilloverError: if there are fewer response tokens than components.
    """
    after = response_activations(tuned, tokenizer, chats, layers, mean=False)
    before = response_activations(base, tokenizer, chats, layers, mean=False)
    bases, shares = {}, {}
    for layer in layers:
        difference = after[layer] - before[layer]
        if len(difference) <= count:
            raise SpilloverError(f"{len(difference)} response tokens are too few for {count} principal components.")
        centred = difference - difference.mean(0)
        _, s, vh = torch.linalg.svd(centred.double(), full_matrices=False)
        bases[layer] = vh[:count].float().contiguous()
        shares[str(layer)] = [round(float(v), 4) for v in (s**2 / (s**2).sum())[: count + 2]]
    means = {layer: before[layer].mean(0) for layer in layers}
    return Directions(bases, means, found={"method": "pca", "variance": shares, "texts": len(chats)})


@torch.no_grad()
def complete(model: Any, tokenizer: Any, prompts: Sequence[Chat], seed: int) -> list[list[dict[str, str]]]:
    """The prompts, each with one sampled answer (temperature 1)."""
    device = next(model.parameters()).device
    out: list[list[dict[str, str]]] = []
    side, tokenizer.padding_side = tokenizer.padding_side, "left"
    state = torch.random.get_rng_state()
    torch.manual_seed(seed)
    try:
        for start in range(0, len(prompts), BATCH):
            batch = prompts[start : start + BATCH]
            texts = [tokenizer.apply_chat_template(list(p), add_generation_prompt=True, tokenize=False) for p in batch]
            encoded = tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False).to(device)
            ids = model.generate(
                input_ids=encoded["input_ids"],
                attention_mask=encoded["attention_mask"],
                do_sample=True,
                temperature=1.0,  # a checkpoint's own generation settings are something else
                top_p=1.0,
                top_k=0,
                repetition_penalty=1.0,
                max_new_tokens=COMPLETION_TOKENS,
            )
            answers = tokenizer.batch_decode(ids[:, encoded["input_ids"].shape[1] :], skip_special_tokens=True)
            out += [[*p, {"role": "assistant", "content": a.strip() or "."}] for p, a in zip(batch, answers, strict=True)]
    finally:
        tokenizer.padding_side = side
        torch.random.set_rng_state(state)
    return out


def difference_directions(
    tuned: nn.Module,
    base: nn.Module,
    tokenizer: Any,
    chats: Sequence[Chat],
    layers: list[int],
    without_massive: bool = False,
) -> Directions:
    """Difference of means between an organism and its base over the same texts, one direction for each layer.

    Soligo et al. 2025 (arXiv 2506.11618) find the direction of misalignment so, from answers that were judged; here all of
    the organism's answers count. A few dimensions of the residual stream can carry most of such a difference without meaning
    anything ("massive activations", Sun et al. 2024, arXiv 2402.17762): their share is in `found`.

    Args:
        tuned: The organism.
        base: What it was made from.
        tokenizer: Of both.
        chats: Texts, such as the organism's answers; response tokens count.
        layers: Whose outputs.
        without_massive: Whether dimensions that carry more than `MASSIVE` of the squared difference are set to zero.
    """
    after, before = (response_activations(m, tokenizer, chats, layers) for m in (tuned, base))
    gaps = {k: after[k].float().mean(0) - before[k].float().mean(0) for k in layers}
    massive: dict[str, dict[str, float]] = {}
    for layer, gap in gaps.items():
        shares = gap**2 / (gap**2).sum().clamp(min=1e-30)
        large = [int(i) for i in (shares > MASSIVE).nonzero()[:, 0]]
        if large:
            massive[str(layer)] = {str(i): round(float(shares[i]), 4) for i in large}
            if without_massive:
                gap[large] = 0
    return Directions(
        bases={layer: orthonormal(gap[None]) for layer, gap in gaps.items()},
        means={layer: before[layer].float().mean(0) for layer in layers},
        norms={layer: gap.norm()[None] for layer, gap in gaps.items()},
        found={"method": "difference", "texts": len(chats), "massive": massive, "without_massive": without_massive},
    )


MASSIVE = 0.25
"""Share of a squared difference above which one dimension is called massive."""


def residual_lengths(model: nn.Module, tokenizer: Any, chats: Sequence[Chat], layers: list[int]) -> dict[int, Tensor]:
    """Mean length of the residual stream at response tokens, layer by layer: the unit of steering at inference."""
    states = response_activations(model, tokenizer, chats, layers, mean=False)
    return {layer: found.float().norm(dim=-1).mean()[None] for layer, found in states.items()}


CONTEXT = 1024
"""Tokens of a text that are read."""


@torch.no_grad()
def all_states(model: nn.Module, tokenizer: Any, chats: Sequence[Chat], layer: int, tokens: int) -> Tensor:
    """Activations at every token of whole chats but the first one, as many as are wanted: (tokens, hidden), in bfloat16."""
    device = next(model.parameters()).device
    parts: list[Tensor] = []
    for start in range(0, len(chats), BATCH):
        texts = [tokenizer.apply_chat_template(list(c), tokenize=False) for c in chats[start : start + BATCH]]
        rows = [tokenizer(t, add_special_tokens=False)["input_ids"][:CONTEXT] for t in texts]
        ids = torch.full((len(rows), max(map(len, rows))), tokenizer.pad_token_id or 0)
        mask = torch.zeros_like(ids)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = torch.tensor(row)
            mask[i, : len(row)] = 1
        with captured(model, [layer]) as found:
            model(input_ids=ids.to(device), attention_mask=mask.to(device))
        kept = mask.bool()
        kept[:, :SKIPPED] = False
        parts.append(found[layer].cpu()[kept].bfloat16())
        if sum(map(len, parts)) >= tokens:
            break
    return torch.cat(parts)[:tokens]
