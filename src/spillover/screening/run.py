"""Run a screen: ask both models block by block until every probe is decided, or the budget is used up.

Every block is a step of a plan that grows: an Inspect eval set with logs of its own, and how long it is stands in
`plan.json` before it is asked. Killed anywhere, the same command goes on and comes to the same verdict.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inspect_ai.model import Model

from spillover.judging.certificate import Certificate
from spillover.models.checks import of_the_lab
from spillover.models.identity import arguments_of, cache_identity, describe, installed
from spillover.run.plan import Plan, Step, read_plan
from spillover.run.tasks import TaskSpec, data_digest
from spillover.screening.answers import Answers, pairs_by_round, worst_by_round
from spillover.screening.baseline import Baseline
from spillover.screening.block import Ask, ask_block, block_steps
from spillover.screening.config import Settings
from spillover.screening.cost import dollars, dollars_at_most, dollars_each, seconds_of, usage_of
from spillover.screening.first import most_moved
from spillover.screening.gate import Gated
from spillover.screening.judge_check import check_spec, run_check
from spillover.screening.race import Race
from spillover.screening.result import ScreenResult, Side, conclude, overall


@dataclass
class Screen:
    """One checkpoint against one base.

    Attributes:
        checkpoint: The model under test.
        base: What it is compared with; a baseline holds answers that were given earlier.
        grader: Who judges.
        gated: Probes.
        left_out: Probes of the suite that are not tested.
        settings: How it is decided.
        folder: Where its logs lie.
        ask: Asks.
        certificates: What the grader is worth on answers whose outcome is known.
        command: What does the same again.
        shifts: Probe to how far its prompts move the checkpoint, where those that are moved most are asked alone at first.
    """

    checkpoint: Model
    base: Model | Baseline
    grader: Model
    gated: list[Gated]
    left_out: list[str]
    settings: Settings
    folder: Path
    ask: Ask
    certificates: tuple[Certificate, ...] = ()
    shifts: Mapping[str, float] = field(default_factory=dict)
    command: str = ""

    @property
    def suspects(self) -> tuple[str, ...]:
        """Probes that are asked alone at first."""
        return most_moved(dict(self.shifts), self.settings.screen_first)

    @property
    def blind(self) -> str | None:
        """Why the grader cannot tell, or None."""
        lab = of_the_lab(str(self.describe("checkpoint")["name"]))
        return next((told for c in self.certificates if (told := c.problem_for(lab))), None)

    def describe(self, who: str) -> dict[str, Any]:
        """Name and weights of `checkpoint`, `base` or `grader`."""
        model = getattr(self, who)
        return dict(model.about) if isinstance(model, Baseline) else describe(model)

    def run(self) -> ScreenResult:
        """Go on where an earlier run stopped, to the verdict."""
        questions = {g.name: g.questions for g in self.gated}
        race = Race.of(questions, self.settings.margin, self.settings.alpha, self.suspects)
        mine: dict[str, Answers] = {}
        theirs: dict[str, Answers] = {}
        judge, blind = None, self.blind
        if self.settings.judge_answers and not blind:
            judge = run_check(self.check, self.grader, self._check_logs(), self.ask)
        stopped = "the judge failed its check"
        sides = ["checkpoint"] if isinstance(self.base, Baseline) else ["base", "checkpoint"]
        plan = read_plan(self.logs) or Plan(id="screen")
        while not blind and (judge is None or not judge.problem):
            rounds, stopped = self._next(plan, race, mine, theirs)
            if not rounds:
                break
            steps = block_steps(self.digest, race.block, rounds, self.gated, sides, self.settings.seed)
            plan = plan.then(*steps)
            plan.write(self.logs)  # how long a block is stands there before it is asked
            found = self._block(steps, rounds, race.block)
            for all_of_it, part in ((mine, found["checkpoint"]), (theirs, found["base"])):
                for probe, answers in part.items():
                    all_of_it.setdefault(probe, {}).update(answers)
            pairs = {n: (found["checkpoint"].get(n, {}), found["base"].get(n, {})) for n in rounds}
            race.add(
                {name: pairs_by_round(*of) for name, of in pairs.items()},
                {name: worst_by_round(*of) for name, of in pairs.items()},
            )
        probes = conclude(race, self.gated, mine, theirs, self.settings, stopped)
        verdict, reason = overall(probes, judge, self.blind)
        logs = sorted(self.logs.rglob("*.eval"))
        usage = usage_of(logs)
        return ScreenResult(
            verdict=verdict,
            reason=reason,
            probes=probes,
            judge=judge,
            left_out=tuple(self.left_out),
            usage=usage,
            cost=dollars(usage, self.settings.prices),
            about=self.about(),
            certificates=self.certificates,
            seconds=seconds_of(logs),
        )

    @property
    def check(self) -> TaskSpec:
        """What the judge's check asks."""
        return check_spec(self.settings.judge_answers, self.settings.preset, self.gated)

    def _check_logs(self) -> Path:
        return self.logs / f"judge-check-{self.settings.judge_answers}"

    @property
    def logs(self) -> Path:
        """Folder of this screen's logs: named by everything that its answers depend on."""
        return self.folder / f"logs-{self.digest[:12]}"

    @property
    def digest(self) -> str:
        """Of models, probes, data, settings and versions."""
        base = self.base.digest if isinstance(self.base, Baseline) else self.describe("base")
        parts: list[Any] = [self.describe("checkpoint"), base, self.describe("grader"), self.settings.digest]
        models = [m for m in (self.checkpoint, self.base, self.grader) if isinstance(m, Model)]
        parts += [[cache_identity(m), arguments_of(m)] for m in models]
        parts += [[g.name, g.identity] for g in self.gated] + [data_digest(), installed()]
        return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()

    def about(self) -> dict[str, Any]:
        """Who was compared, with what, by whom."""
        return {
            **{who: self.describe(who) for who in ("checkpoint", "base", "grader")},
            "baseline": isinstance(self.base, Baseline),
            "settings": self.settings.described(),
            **({"asked_first": list(self.suspects), "moved": dict(self.shifts)} if self.shifts else {}),
            "digest": self.digest,
            **({"command": self.command} if self.command else {}),
            "logs": str(self.logs),
            "packages": installed(),
        }

    def _next(
        self, plan: Plan, race: Race, mine: dict[str, Answers], theirs: dict[str, Answers]
    ) -> tuple[dict[str, int], str]:
        """Rounds of the next block by probe, or none and why."""
        planned = next((step.spec["rounds"] for step in plan.steps if step.spec["block"] == race.block), None)
        if planned is not None:
            return dict(planned), ""
        stored = isinstance(self.base, Baseline)
        asked = sum(len(a) for a in mine.values()) + (0 if stored else sum(len(a) for a in theirs.values()))
        if not self.settings.every_probe and "above the margin" in race.findings().values():
            return {}, "another probe failed first"
        most = self.base.rounds_of(race.block) if isinstance(self.base, Baseline) else None
        rounds = race.plan(self.settings.max_samples - asked, 1 if stored else 2, most, self._unreadable(race, mine, theirs))
        if not rounds:
            return {}, self._why(race, most)
        each = {g.name: g.questions * (1 if stored else 2) for g in self.gated}
        if not self._affordable(asked, sum(count * each[name] for name, count in rounds.items())):
            return {}, "the budget in dollars is used up"
        return rounds, ""

    def _unreadable(self, race: Race, mine: dict[str, Answers], theirs: dict[str, Answers]) -> set[str]:
        """Probes that have not failed and with too much that is unscored: more answers may show that it was chance."""
        failed = {name for name, finding in race.findings().items() if finding == "above the margin"}
        sides = [(name, Side.of(given)) for answers in (mine, theirs) for name, given in answers.items()]
        return {name for name, side in sides if side.share(side.unscored) > self.settings.max_unscored} - failed

    def _why(self, race: Race, most: dict[str, int] | None) -> str:
        undecided = [n for n, f in race.findings().items() if f == "undecided"]
        if most is not None and not any(most.get(n) for n in undecided):
            return "the baseline has no more answers"
        return "the budget of answers is used up, and the same command with a larger --max-samples goes on"

    def _affordable(self, asked: int, planned: int) -> bool:
        if self.settings.max_cost is None:
            return True
        spent = dollars_at_most(usage_of(sorted(self.logs.rglob("*.eval"))), self.settings.prices)
        each = spent / asked if asked else dollars_each(self.settings.prices)
        return spent + each * planned <= self.settings.max_cost

    def _block(self, steps: Sequence[Step], rounds: dict[str, int], block: int) -> dict[str, dict[str, Answers]]:
        """Side to its answers of one block."""
        asked = [g for g in self.gated if g.name in rounds]
        out: dict[str, dict[str, Answers]] = {}
        if isinstance(self.base, Baseline):
            out["base"] = {g.name: self.base.answers(g.name, block, rounds[g.name]) for g in asked}
        for step in steps:
            model = getattr(self, step.spec["side"])
            out[step.spec["side"]] = ask_block(self.ask, model, self.grader, self.logs, step, self.gated, self.settings)
        return out
