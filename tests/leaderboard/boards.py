"""Boards of made-up answers."""

import random

from spillover.answers.frame import tidy, with_preset
from spillover.answers.measures import Answered, Measure
from spillover.answers.outcomes import ProbeRun
from spillover.answers.presets import get_preset
from spillover.leaderboard.board import make_board

REFUSED = Measure("refusals", ("refused",), ("refused", "complied"), worse="lower")
LEAN = Measure("lean", mean=True, worse="neither")
RIGHT = Measure("right answers", ("right",), ("right", "wrong"), worse="lower")


def made_up(models, questions=8, epochs=6, probes=3, seed=0, text="An answer."):
    """(frame, runs) of models with a rate of their own each; `text` is every answer."""
    rng = random.Random(seed)
    rows, runs = [], []
    for place, model in enumerate(models):
        rate = place / max(1, len(models) - 1)
        for q in range(questions):
            for e in range(epochs):
                bad = rng.random() < rate
                rows.append(
                    {
                        "model": model,
                        "question_set": "set",
                        "format": "plain",
                        "question_id": f"q{q}",
                        "category": f"c{q % 2}",
                        "sample_id": f"q{q}",
                        "epoch": e + 1,
                        "question": f"What of {q}?",
                        "answer": text,
                        "alignment": 5.0 if bad else 95.0,
                        "coherence": 90.0,
                        "grader": "judge/one abc",
                        "made_with": "f00 q00",
                        "source": "x.eval",
                    }
                )
        for name, measure, outcomes in (
            ("refusal", REFUSED, ("complied", "refused")),
            ("political", LEAN, ("left", "right")),
            ("capability", RIGHT, ("wrong", "right")),
        )[:probes]:
            answers = tuple(
                Answered(f"r{q}", outcomes[rng.random() < rate], rng.choice((-1.0, 1.0)), {"category": f"d{q % 3}"})
                for q in range(questions)
                for _ in range(2)
            )
            runs.append(
                ProbeRun(name, "s", None, model, (measure,), answers, (), (("Q?", text),) * len(answers), ("judge/one",))
            )
    return with_preset(tidy(rows), get_preset("spillover")), runs


def board_of(models, **more):
    frame, runs = made_up(models, **more)
    return make_board(frame, runs), frame, runs
