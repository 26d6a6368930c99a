"""What a grader is to be measured on: the panels of the rubrics that it is to read, as far as there is no certificate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from inspect_ai import Task
from inspect_ai.model import Model

from spillover.judging.certificate import Certificate, identity_digest, kept_of
from spillover.judging.golden import EM, GOLDEN, golden, panels_of
from spillover.judging.rubric import Reader, Rubric, load_rubric
from spillover.lab.known import LAB_KNOWN, lab_known
from spillover.models.checks import is_lab_grader
from spillover.models.identity import cache_identity
from spillover.probes.build import RUBRIC_NAMES
from spillover.run.tasks import TaskSpec

TOKENS_A_CALL = 560
"""A rubric, a short question and a short answer."""


@dataclass(frozen=True)
class Check:
    """What a grader is to be asked about.

    Attributes:
        grader: Who.
        rubrics: Role to rubric, of every probe that it is to judge.
        preset: Thresholds.
        half: Of the golden set.
        reader: How replies are read.
        folder: Where certificates are kept; the cache for None.
        anew: Whether the judgements in the cache are passed over.
    """

    grader: Model
    rubrics: Mapping[str, str] = field(default_factory=dict)
    preset: str = "spillover"
    half: str = "test"
    reader: Reader = "auto"
    folder: Path | None = None
    anew: bool = False

    @property
    def lab(self) -> bool:
        """Whether the grader is the lab's, which can read nothing but the lab's toy text."""
        return is_lab_grader(self.grader)

    @property
    def panels(self) -> dict[str, dict[str, Rubric]]:
        """Panel to its rubrics, of those that there are known answers for and that the grader can read."""
        known = lab_known() if self.lab else golden()
        there = {a.panel for a in known.answers}
        loaded = {name: load_rubric(name) for name in dict.fromkeys(self.rubrics.values())}
        found = {panel: its for panel, its in panels_of(loaded).items() if panel in there}
        heads = getattr(self.grader.api, "heads", None)
        return {p: its for p, its in found.items() if heads is None or {r.measures for r in its.values()} <= set(heads)}

    def known(self, panel: str) -> str:
        """Which answers, with their digest."""
        part = (lab_known() if self.lab else golden()).of([panel], None if self.half == "both" else self.half)  # type: ignore[arg-type]
        return f"{part.id}{'' if self.lab else f' ({self.half})'}#{part.digest}"

    def spec(self, again: bool, panels: Sequence[str]) -> TaskSpec:
        """As it is asked."""
        used = {role: rubric.id for panel in panels for role, rubric in self.panels[panel].items()}
        named = {load_rubric(name).id: name for name in self.rubrics.values()}
        args = {
            "golden": LAB_KNOWN if self.lab else GOLDEN,
            "panels": list(panels),
            "half": self.half,
            "rubrics": {role: named[identifier] for role, identifier in used.items()},
            "preset": self.preset,
            "reader": self.reader,
            **({"cache": False} if self.anew else {}),
            **({"again": True} if again else {}),
        }
        return TaskSpec(task="judge_check", args=args)

    def missing(self) -> list[str]:
        """Panels without a certificate; none for a grader that must be asked every time."""
        if cache_identity(self.grader) is None:
            return []
        have = {c.panel for c in self.found()}
        return [p for p in self.panels if p not in have]

    def _is(self, made: Certificate, panel: str, identity: str) -> bool:
        digests = {r.digest for r in self.panels[panel].values()}
        same = made.panel == panel and set(made.rubrics) == digests and made.identity == identity_digest(identity)
        how = (made.known, made.preset, made.reader)
        return same and how == (self.known(panel), self.preset, self.reader)

    def found(self) -> list[Certificate]:
        """The kept certificates that it is about."""
        identity = cache_identity(self.grader)
        have = [] if identity is None else kept_of([identity], self.folder)
        return [c for p in self.panels for c in have if identity and self._is(c, p, identity)]

    def cost(self, panels: Sequence[str]) -> tuple[int, int, int]:
        """(known answers, calls, tokens) at most."""
        tasks = [self.spec(again, panels).build() for again in (False, True)]
        each = [2 if (s.metadata or {})["category"] == EM else 1 for t in tasks for s in t.dataset]
        return len(tasks[0].dataset), sum(each), sum(each) * TOKENS_A_CALL


def checks_of(
    named: Iterable[Mapping[str, str]], grader: Model, preset: str = "spillover", reader: Reader = "auto"
) -> list[Check]:
    """The checks that some probes' rubrics (role to name) need: one, unless two probes have other rubrics for one panel."""
    out: list[Check] = []
    for number, names in enumerate(named):
        own = {f"{number}.{role}": name for role, name in names.items()}
        mine = Check(grader, own, preset, reader=reader)
        for at, other in enumerate(out):
            if all(other.panels.get(p, its) == its for p, its in mine.panels.items()):
                out[at] = replace(other, rubrics={**other.rubrics, **own})
                break
        else:
            out.append(mine)
    return out


def names_in(tasks: Iterable[Task]) -> list[dict[str, str]]:
    """Role to rubric of some tasks, as far as they are ours."""
    return [dict((task.metadata or {}).get(RUBRIC_NAMES) or {}) for task in tasks]


def reader_in(specs: Iterable[TaskSpec]) -> Reader:
    """How some tasks have their grader read, if they all say the same."""
    found = {spec.args.get("reader", "auto") for spec in specs}
    return found.pop() if len(found) == 1 else "auto"


def told(check: Check, panels: Sequence[str]) -> str:
    """What the check will cost, in one sentence."""
    answers, calls, tokens = check.cost(panels)
    return (
        f"Checking the judge {check.grader} on {answers} answers whose outcome is known ({', '.join(panels)}): at most "
        f"{calls} calls, about {tokens:,} tokens, once. --no-check leaves it out."
    )
