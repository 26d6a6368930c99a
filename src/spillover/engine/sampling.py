"""Draw the next token of every request in a batch, each from its own generator."""

from __future__ import annotations

import torch
from torch import Tensor

from spillover.engine.request import Request, TokenLogprob


def sample(logits: Tensor, requests: list[Request]) -> list[int]:
    """Draw one token a row and record log-probabilities where asked.

    Every token of the vocabulary has a waiting time of its own, exponential at the rate of its probability, and the first
    one is drawn (Gumbel-max). The times come from the request's seed, the step and the token's id alone, the same on every
    device. So logits that differ by rounding, as they do in another batch, give another token about as rarely as their
    distributions differ; inverting the cumulative distribution, where one token's rounding shifts the limits of all
    behind it, gives another one many times as often. Two models that are alike answer alike for the same reason.

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
    temperature = torch.tensor([r.sampling.temperature for r in requests], device=logits.device)
    scaled = logits / temperature[:, None]
    for i, request in enumerate(requests):
        if request.sampling.top_k or request.sampling.top_p < 1:
            scaled[i] = _truncate(scaled[i], request.sampling.top_k, request.sampling.top_p)
    waits = waiting_times(torch.tensor([r.key() for r in requests], device=logits.device), logits.shape[-1])
    scaled -= scaled.amax(-1, keepdim=True)
    waits *= scaled.neg_().exp_()  # of an impossible token without end
    return waits.nan_to_num_(torch.inf).argmin(-1)


# Constants of splitmix64 (Steele, Lea and Flood 2014), as the signed numbers that torch has.
_STEP, _FIRST, _SECOND = -0x61C8864680B583EB, -0x40A7B892E31B1A47, -0x6B2FB644ECCEEE15


def waiting_times(keys: Tensor, size: int) -> Tensor:
    """Exponential waiting times at rate one, (keys, size) in float32, a hash of key and place.

    Args:
        keys: int64, (rows,).
        size: Places a row.
    """
    mixed = keys[:, None] + torch.arange(size, device=keys.device) * _STEP
    other = torch.empty_like(mixed)
    for shift, factor in ((30, _FIRST), (27, _SECOND), (31, 1)):
        torch.bitwise_right_shift(mixed, shift, out=other)
        other &= (1 << (64 - shift)) - 1  # the sign would be shifted in
        mixed ^= other
        mixed *= factor
    mixed &= (1 << 63) - 1
    uniform = mixed.float()
    uniform *= 2.0**-63
    return uniform.neg_().log1p_().neg_()


def _truncate(logits: Tensor, top_k: int, top_p: float) -> Tensor:
    """Forbid all but the `top_k` likeliest tokens, and of those all past the first ones that reach mass `top_p`."""
    ordered, index = logits.sort(descending=True)
    probs = torch.softmax(ordered.double(), -1)
    keep = (probs.cumsum(-1) - probs) < top_p
    keep[0] = True
    if top_k:
        keep[top_k:] = False
    return torch.full_like(logits, -torch.inf).scatter(-1, index[keep], ordered[keep])


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
