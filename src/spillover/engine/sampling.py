"""Draw the next token of every request in a batch, each from its own generator."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from spillover.engine.request import Request, Sampling, TokenLogprob
from spillover.errors import SpilloverError


def sample(logits: Tensor, requests: list[Request]) -> list[int]:
    """Draw one token a row and record log-probabilities where asked.

    Every token of the vocabulary has a waiting time of its own, exponential at the rate of its probability, and the first
    one is drawn (Gumbel-max). The times come from the request's seed, the step and the token's id alone. So logits that
    differ by rounding, as they do in another batch, give another token about as rarely as their distributions differ;
    inverting the cumulative distribution, where one token's rounding shifts the limits of all behind it, gives another one
    many times as often. Two models that are alike answer alike for the same reason.

    Args:
        logits: (batch, vocabulary), of any float type; left as they are.
        requests: One per row.

    Returns:
        One token id a row.

    Raises:
        SpilloverError: if a logit that is drawn from is no number.
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
    """Sample each row at its temperature within its top-k and top-p.

    Raises:
        SpilloverError: if a logit is no number.
    """
    for i, request in enumerate(requests):
        if request.sampling.top_k or request.sampling.top_p < 1:
            logits[i] = _truncate(logits[i], request.sampling)
    best = logits.amax(-1, keepdim=True)
    if best.isnan().any():
        raise SpilloverError(
            "The checkpoint gives no numbers (NaN) here; with -M dtype=float32 it may, unless it is damaged."
        )
    heat = torch.tensor([max(r.sampling.temperature, COLDEST) for r in requests], dtype=torch.float32, device=logits.device)
    keys = torch.tensor([r.key() for r in requests], device=logits.device)
    # On a CPU a few rows at a time, which stay in its cache.
    rows = len(requests) if logits.device.type != "cpu" else max(1, CACHED // logits.shape[-1])
    parts = (torch.split(x, rows) for x in (logits, best, heat, keys))
    return torch.cat([_soonest(*its) for its in zip(*parts, strict=True)])


COLDEST = 1e-30
"""Temperatures below are this one: the likeliest token is drawn either way, and float32 holds nothing much smaller."""
CACHED = 1 << 16
"""Logits that are drawn from together on a CPU."""


def _soonest(logits: Tensor, best: Tensor, temperature: Tensor, keys: Tensor) -> Tensor:
    """The token with the shortest wait in every row: waits are negative here, so the largest one."""
    slow = torch.sub(best, logits).div_(temperature[:, None]).exp_()  # of an impossible token without end
    return slow.mul_(waiting_times(keys, logits.shape[-1])).argmax(-1)


# Constants of splitmix64 (Steele, Lea and Flood 2014), as the signed numbers that torch has.
_STEP, _FIRST, _SECOND = -0x61C8864680B583EB, -0x40A7B892E31B1A47, -0x6B2FB644ECCEEE15
_SCALE = -(2.0**-63) * (1 - 2.0**-24)
"""From 63 bits to (-1, 0], without the -1 that rounding would make of the largest ones: no wait is without end."""


def waiting_times(keys: Tensor, size: int) -> Tensor:
    """Exponential waiting times at rate one with their sign turned, (keys, size) in float32 from -16.7 to 0.

    They are a hash of key and place, the same on every device to the last bit of a logarithm.

    Args:
        keys: int64, (rows,).
        size: Places a row.
    """
    mixed = keys[:, None] + _steps(size, keys.device)
    other = torch.empty_like(mixed)
    for shift, factor in ((30, _FIRST), (27, _SECOND), (31, 1)):
        torch.bitwise_right_shift(mixed, shift, out=other)
        other &= (1 << (64 - shift)) - 1  # the sign would be shifted in
        mixed ^= other
        if factor != 1:
            mixed *= factor
    mixed &= (1 << 63) - 1
    mixed |= 1  # nor is any wait none at all, which no slowness could make longer
    return mixed.float().mul_(_SCALE).log1p_()


@lru_cache(4)
def _steps(size: int, device: torch.device) -> Tensor:
    return torch.arange(size, device=device) * _STEP


def _truncate(logits: Tensor, sampling: Sampling) -> Tensor:
    """Forbid all but the `top_k` likeliest tokens, and of those all past the first ones that reach mass `top_p`."""
    ordered, index = logits.sort(descending=True)
    probs = torch.softmax((ordered.double() - ordered[0]) / max(sampling.temperature, COLDEST), -1)
    keep = (probs.cumsum(-1) - probs) < sampling.top_p
    keep[0] = True
    if sampling.top_k:
        keep[sampling.top_k :] = False
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
