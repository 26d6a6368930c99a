"""Draw the next token of every request in a batch, each from its own generator."""

from __future__ import annotations

import torch
from torch import Tensor

from spillover.engine.request import Request, TokenLogprob


def sample(logits: Tensor, requests: list[Request]) -> list[int]:
    """Draw one token a row and record log-probabilities where asked.

    Sampling inverts the cumulative distribution in float64 at one uniform number per request, so the result of a
    request depends on nothing but its own logits and its own seed.

    Args:
        logits: (batch, vocabulary), float32.
        requests: One per row.

    Returns:
        One token id a row.
    """
    raw = logits.float()
    allowed = _constrain(raw, requests)
    tokens = allowed.argmax(-1)
    drawn = [i for i, r in enumerate(requests) if r.sampling.temperature > 0]
    if drawn:
        index = torch.tensor(drawn, device=logits.device)
        tokens[index] = _draw(allowed[index], [requests[i] for i in drawn])
    _record(raw, tokens, requests)
    return [int(t) for t in tokens.tolist()]


def _constrain(logits: Tensor, requests: list[Request]) -> Tensor:
    """Forbid what a request's grammar does not allow next."""
    rows = [(i, r.constraint) for i, r in enumerate(requests) if r.constraint is not None]
    if not rows:
        return logits
    out = logits.clone()
    for i, constraint in rows:
        out[i].masked_fill_(~constraint.allowed(out.shape[-1]).to(out.device), -torch.inf)
    return out


def _draw(logits: Tensor, requests: list[Request]) -> Tensor:
    """Sample each row at its temperature within its top-k and top-p."""
    temperature = torch.tensor([r.sampling.temperature for r in requests], device=logits.device, dtype=torch.float64)
    probs = torch.softmax(logits.double() / temperature[:, None], -1)
    for i, request in enumerate(requests):
        if request.sampling.top_k or request.sampling.top_p < 1:
            probs[i] = _truncate(probs[i], request.sampling.top_k, request.sampling.top_p)
    cumulative = probs.cumsum(-1)
    target = torch.tensor([r.uniform() for r in requests], device=logits.device, dtype=torch.float64)
    # Scaled by the total, which rounding leaves a hair off 1; `right` so that a zero-probability token is never hit.
    drawn = torch.searchsorted(cumulative, (target * cumulative[:, -1])[:, None], right=True).squeeze(-1)
    return drawn.clamp(max=logits.shape[-1] - 1)


def _truncate(probs: Tensor, top_k: int, top_p: float) -> Tensor:
    """Zero all but the `top_k` likeliest tokens, and of those all past the first ones that reach mass `top_p`."""
    ordered, index = probs.sort(descending=True)
    keep = (ordered.cumsum(-1) - ordered) < top_p
    keep[0] = True
    if top_k:
        keep[top_k:] = False
    return torch.zeros_like(probs).scatter(-1, index[keep], ordered[keep])


def _record(logits: Tensor, tokens: Tensor, requests: list[Request]) -> None:
    rows = [i for i, r in enumerate(requests) if r.sampling.logprobs]
    if not rows:
        return
    index = torch.tensor(rows, device=logits.device)
    logprobs = torch.log_softmax(logits[index], -1)
    chosen = logprobs.gather(-1, tokens[index, None]).squeeze(-1).tolist()
    widest = max(requests[i].sampling.top_logprobs for i in rows)
    values, ids = logprobs.topk(min(widest, logprobs.shape[-1]), dim=-1)
    value_rows, id_rows = values.tolist(), ids.tolist()
    for row, i in enumerate(rows):
        count = requests[i].sampling.top_logprobs
        top = list(zip(id_rows[row][:count], value_rows[row][:count], strict=True))
        requests[i].logprobs.append(TokenLogprob(int(tokens[i]), chosen[row], top))
