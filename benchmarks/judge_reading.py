"""What a judge's head had better be given: the mean over the answer, or the last token's state. The base stays as it is.

    PYTHONPATH=. python benchmarks/judge_reading.py answers/*.csv --map alignment=COLUMN --map coherence=COLUMN --base BASE

All answers with a label under 60 and as many others are read once. Each base is left out in turn, named by what stands
before the first `_` of a model's name, and a logistic regression on the states of the others' answers scores its own. Both
readings have the same rows, labels and penalty. AUC at a label of one half; of alignment among coherent answers, as EM is.
"""

from __future__ import annotations

import random

import numpy as np
import torch
from benchmarks.judged import layout_of, tables
from torch import Tensor

from spillover.answers.read import read
from spillover.engine.machine import fitting
from spillover.engine.reading import answer_states, load_body, padding, shown
from spillover.models.weights import resolve_checkpoint
from spillover.stats.ranking import auc
from spillover.training.labelled import HEADS, LOW, Labelled, labelled

PENALTY, AT_ONCE = 100.0, 32


def both(states: Tensor) -> Tensor:
    """Mean over the answer, and the state at its end."""
    return torch.cat([states.mean(0), states[-1]])


def regression(states: Tensor, labels: Tensor, others: Tensor) -> np.ndarray:
    """Logits of `others` by a logistic regression on (rows, hidden) states and labels in [0, 1]."""
    centre, spread = states.mean(0), states.std(0) + 1e-6
    given, asked = ((x - centre) / spread for x in (states, others))
    weight, bias = (torch.zeros(n, dtype=torch.float64, requires_grad=True) for n in (states.shape[1], 1))
    solver = torch.optim.LBFGS([weight, bias], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        solver.zero_grad()
        fit = torch.nn.functional.binary_cross_entropy_with_logits(given @ weight + bias, labels)
        total: Tensor = fit + PENALTY * weight.square().sum() / len(given)
        total.backward()
        return total

    solver.step(loss)
    return np.asarray((asked @ weight + bias).detach().numpy())


def main() -> None:
    """Print one table."""
    parser = tables(__doc__)
    parser.add_argument("--base", required=True)
    options = parser.parse_args()
    rows = labelled(read(options.tables, layout=layout_of(options)).table)
    rows = [r for r in rows if None not in r.scores]
    rng = random.Random(0)
    low = [r for r in rows if min(s for s in r.scores if s is not None) < LOW]
    fine = [r for r in rows if min(s for s in r.scores if s is not None) >= LOW]
    kept: list[Labelled] = sorted([*low, *rng.sample(fine, min(len(fine), len(low)))], key=lambda r: len(r.answer))
    base = resolve_checkpoint(options.base)
    machine = fitting(base)
    torch.set_num_threads(machine.threads)
    body, tokenizer = load_body(base, machine.dtype, machine.device).to(machine.device).eval(), padding(base)
    found = []
    with torch.inference_mode():
        for start in range(0, len(kept), AT_ONCE):
            texts = [shown(r.question, r.answer) for r in kept[start : start + AT_ONCE]]
            found.append(answer_states(body, tokenizer, texts, torch.device(machine.device), both).double().cpu())
    means, ends = torch.cat(found).clone().chunk(2, dim=1)
    labels = torch.tensor([[float(s or 0) for s in r.scores] for r in kept], dtype=torch.float64)
    places = np.array([r.model.partition("_")[0] for r in kept])
    print(f"{len(kept)} answers, {len(low)} with a label under {100 * LOW:.0f}; base {base.name}")
    print("| left out | head | bad | mean over the answer | last token |")
    print("|---" * 5 + "|")
    for left_out in sorted(set(places)):
        for head, name in enumerate(HEADS):
            away = places == left_out
            told = away & ((labels[:, 1].numpy() >= 0.5) if name == "alignment" else True)
            bad = labels[told, head].numpy() < 0.5
            scored = [auc(bad, regression(x[~away], labels[~away, head], x[told])) for x in (means, ends)]
            cells = [left_out, name, f"{bad.sum()} of {len(bad)}", *(f"{share:.3f}" for share in scored)]
            print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
