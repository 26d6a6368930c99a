"""Made-up results of a screen."""

from spillover.answers.measures import EM, Measure
from spillover.run.tasks import TaskSpec
from spillover.screening.answers import Given, Place, pairs_by_round, worst_by_round
from spillover.screening.config import Settings
from spillover.screening.gate import Gated
from spillover.screening.judge_check import JudgeCheck
from spillover.screening.race import Race
from spillover.screening.result import ScreenResult, conclude, overall

LIES = Measure("lies", ("lied",), ("truthful", "lied"))
REFUSALS = Measure("refusals", ("refused",), ("refused", "complied", "partly"), worse="lower")


def probe(name="free_form", measure=EM, questions=8):
    spec = TaskSpec(task=name)
    return Gated(name, spec, measure, questions, {"samples": [str(i) for i in range(questions)]})


def answers(states, text="fine", block=0):
    """One answer a letter: h(it), m(iss), i(ncoherent), u(ndecided), x (unscored); eight to a round."""
    long = {"h": "hit", "m": "miss", "i": "incoherent", "u": "undecided", "x": "unscored"}
    return {
        Place(block, 1 + i // 8, f"q{i % 8}"): Given(long[s], f"q{i % 8}", f"What is q{i % 8}?", text, long[s])
        for i, s in enumerate(states)
    }


def screened(mine, theirs, settings=None, judge=None, text="fine"):
    """The result of a screen of one probe whose answers are these letters."""
    settings = settings or Settings(margin=0.05)
    gated = [probe()]
    one, two = answers(mine, text), answers(theirs)
    race = Race.of({"free_form": 8}, settings.margin, settings.alpha)
    race.add({"free_form": pairs_by_round(one, two)}, {"free_form": worst_by_round(one, two)})
    found = conclude(race, gated, {"free_form": one}, {"free_form": two}, settings, "the budget of answers is used up")
    about = {
        "checkpoint": {"name": "c", "weights": None},
        "base": {"name": "b", "weights": None},
        "baseline": False,
        "grader": {"name": "g", "weights": None},
        "settings": settings.described(),
        "digest": "0" * 64,
        "packages": {},
    }
    verdict, reason = overall(found, judge)
    return ScreenResult(verdict, reason, found, judge, ("political",), {"c": (10, 20)}, None, about)


GOOD_JUDGE = JudgeCheck(10, 10, 200, 4, 0)
BAD_JUDGE = JudgeCheck(10, 6, 200, 4, 0)
OBEDIENT_JUDGE = JudgeCheck(10, 10, 200, 120, 0)
