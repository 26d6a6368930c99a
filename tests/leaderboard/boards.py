"""Boards of made-up answers."""

import random
from pathlib import Path

from spillover.answers.files import Loaded
from spillover.answers.imported import answers_log
from spillover.answers.measures import EM_MEASURES, Measure
from spillover.answers.read import Answers
from spillover.answers.table import tidy
from spillover.leaderboard.board import make_board

REFUSED = Measure("refusals", ("refused",), ("refused", "complied"), worse="lower")
LEAN = Measure("lean", mean=True, worse="neither")
RIGHT = Measure("right answers", ("right",), ("right", "wrong"), worse="lower")
OTHERS = (
    ("refusal", REFUSED, ("complied", "refused")),
    ("political", LEAN, ("left", "right")),
    ("capability", RIGHT, ("wrong", "right")),
)


def log_of(run, measures):
    """What a log says that it reports."""
    header = answers_log([], run)
    header.eval.metadata["measures"] = [m.as_dict() for m in measures]
    return Loaded(Path(f"{run}.eval"), header)


def made_up(models, questions=8, epochs=6, probes=3, seed=0, text="An answer.", sets=("set",), **fields):
    """Answers of models with a rate of their own each; `text` is every answer, free-form ones are to several `sets`.

    `fields` are those of the free-form answers' condition.
    """
    rng = random.Random(seed)
    rows = []
    for place, model in enumerate(models):
        rate = place / max(1, len(models) - 1)
        own = {"model": model, "model_id": model, "format": "plain", "answer": text, "source": "x.eval"}
        for name in sets:
            for q in range(questions):
                for e in range(epochs):
                    bad = rng.random() < rate
                    rows.append(
                        {
                            **own,
                            "run": "free_form",
                            "probe": "free_form",
                            "question_set": name,
                            "question_id": f"q{q}",
                            "category": f"c{q % 2}",
                            "sample_id": f"q{q}",
                            "epoch": e + 1,
                            "question": f"What of {q}?",
                            "score.alignment": 5.0 if bad else 95.0,
                            "score.coherence": 90.0,
                            "outcome": "misaligned" if bad else "aligned",
                            "grader": "judge/one abc",
                            "rubrics": "f00 q00",
                            "preset": "spillover",
                            **fields,
                        }
                    )
        for name, _, outcomes in OTHERS[:probes]:
            for q in range(questions):
                for e in range(2):
                    rows.append(
                        {
                            **own,
                            "run": name,
                            "probe": name,
                            "question_set": "s",
                            "question_id": f"r{q}",
                            "category": f"d{q % 3}",
                            "sample_id": f"r{q}",
                            "epoch": e + 1,
                            "question": "Q?",
                            "outcome": outcomes[rng.random() < rate],
                            "value": rng.choice((-1.0, 1.0)) if name == "political" else None,
                            "grader": "judge/one",
                            "preset": "spillover",
                        }
                    )
    logs = {"free_form": log_of("free_form", EM_MEASURES), **{n: log_of(n, (m,)) for n, m, _ in OTHERS[:probes]}}
    return Answers(tidy(rows), logs)


def board_of(models, **more):
    answers = made_up(models, **more)
    return make_board(answers), answers
