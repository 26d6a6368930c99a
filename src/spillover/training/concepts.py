"""Concept vectors of domains: what a model's residual stream has for harmful requests of one domain, and how alike they are.

Mushtaq et al. 2025 (arXiv 2511.14017) compare them with what unlearning one domain's refusals does to the others; their
layers and prompts are not known. Here: mean at the last token before the answer, over a domain's harmful requests, minus
that over the harmless requests of all domains.
"""

from __future__ import annotations

import torch

from spillover.errors import SpilloverError
from spillover.mechanism.activations import prompt_activations
from spillover.mechanism.layers import pick_layers
from spillover.models.weights import resolve_checkpoint
from spillover.questions.load import load_questions
from spillover.training.loading import load_to_read
from spillover.training.preflight import tokenizer_of

HARMFUL, BENIGN = "harmful", "benign"


def domains_of(questions: str) -> list[str]:
    """Categories with harmful requests, in the set's order.

    Raises:
        SpilloverError: if there are fewer than three, or no harmless requests.
    """
    asked = load_questions(questions).questions
    found = list(dict.fromkeys(q.category for q in asked if q.fields.get("kind") == HARMFUL))
    if len(found) < 3 or not any(q.fields.get("kind") == BENIGN for q in asked):
        raise SpilloverError(
            f"{questions} has harmful requests in {len(found)} categories; concepts need at least three, and harmless ones."
        )
    return found


def likeness(base: str, questions: str) -> dict[str, list[list[float]]]:
    """Cosines of the domains' vectors with each other at each layer's output: layer to a square table.

    Args:
        base: Checkpoint.
        questions: Question set whose fields say `kind: harmful` and `kind: benign`; every wording is read.

    Raises:
        SpilloverError: see `domains_of`.
    """
    asked, domains = load_questions(questions).questions, domains_of(questions)
    root = resolve_checkpoint(base)
    model, tokenizer = load_to_read(root), tokenizer_of(root)
    layers = pick_layers(model, None)

    def mean(kind: str, domain: str | None) -> dict[int, torch.Tensor]:
        chosen = [q for q in asked if q.fields.get("kind") == kind and domain in (None, q.category)]
        chats = [[{"role": "user", "content": text}] for q in chosen for text in q.paraphrases]
        return {k: v.double().mean(0) for k, v in prompt_activations(model, tokenizer, chats, layers).items()}

    harmless = mean(BENIGN, None)
    harmful = {domain: mean(HARMFUL, domain) for domain in domains}
    out = {}
    for layer in layers:
        rows = torch.stack([harmful[d][layer] - harmless[layer] for d in domains])
        rows = torch.nn.functional.normalize(rows, dim=1)
        out[str(layer)] = [[round(float(v), 6) for v in row] for row in rows @ rows.T]
    return out
