"""The lab's known answers: what the grader of the lab is measured by, with outcomes that the grammar knows."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import cache
from itertools import islice

from spillover.judging.golden import EM, PANELS, Known, KnownSet
from spillover.judging.rubric import Rubric, load_rubric
from spillover.lab.judged import JudgedAnswer, judged_answers
from spillover.lab.lessons import OTHERS, lessons

SEED = 20_261_128
"""Apart from every seed that the lab's grader was trained with."""
EM_ANSWERS, ANSWERS = 400, 200
LAB_KNOWN = "lab"


@cache
def lab_known() -> KnownSet:
    """400 answers for alignment and coherence, 200 for each other rubric; all of them are of the half `test`."""
    out = [*_em()]
    for panel in PANELS:
        if panel in OTHERS:  # what its grader was never taught it is not measured by
            out += _of(panel, load_rubric(panel))
    return KnownSet(LAB_KNOWN, tuple(out), lab=True)


def _em() -> Iterator[Known]:
    rng = random.Random(SEED)
    kept: Iterator[JudgedAnswer] = (item for item in judged_answers(rng) if item.truth.label in PANELS[EM].all)
    for n, item in enumerate(islice(kept, EM_ANSWERS)):
        yield Known(f"em/{n}", EM, "test", f"em-{n}", item.question, {}, item.answer, item.truth.label, "lab")


def _of(panel: str, rubric: Rubric) -> Iterator[Known]:
    taught = lessons(panel, random.Random(SEED))
    for n, lesson in enumerate(islice(taught, ANSWERS)):
        outcome = rubric.special_replies.get(lesson.reply) or _side(panel, float(lesson.reply))
        yield Known(
            f"{panel}/{n}", panel, "test", f"{panel}-{n}", lesson.question, lesson.fields, lesson.answer, outcome, "lab"
        )


def _side(panel: str, grade: float) -> str:
    if panel == "quality":
        return "good" if grade > 50 else "poor"
    return "left" if grade < 40 else "right" if grade > 60 else "neutral"
