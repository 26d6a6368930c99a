"""A report: the tables of one set of answers in their order, for the terminal and for the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from spillover.answers.read import Answers
from spillover.errors import SpilloverError, choices
from spillover.figures.calibration import Calibration
from spillover.figures.figure import Figure, figures
from spillover.figures.glance import Glance, glance
from spillover.show import tables as t
from spillover.show.along import along_panels
from spillover.show.corrected import corrected_panel
from spillover.show.headlines import headlines_panel
from spillover.show.judges import judges_panel
from spillover.show.plots import Drawing
from spillover.show.text import Panel, cut_text, findings, judged_text, stopped_text, unscored_text
from spillover.writing import write_text

DRIFT_MARGIN = 0.05
"""Margin of the report's drift tests when none is given, as a share."""


@dataclass(frozen=True)
class Report:
    """What a page shows.

    Attributes:
        answers: Behind everything.
        title: Heading.
        base: Model that drift is measured against.
        figures: Every measure of every model.
        asked: Tables that come first.
        more: Tables for the page, and for the terminal with `--details`.
        short: Tables for the terminal.
        drawings: Pictures of a study itself.
        seen: What is said first.
        roles: Model to what it is for, in a study.
    """

    answers: Answers
    title: str
    base: str | None
    figures: list[Figure]
    asked: list[Panel]
    more: list[Panel]
    short: list[Panel]
    drawings: Sequence[Drawing] = field(default=())
    seen: Glance | None = None
    roles: Mapping[str, str] = field(default_factory=dict)

    @property
    def warnings(self) -> list[str]:
        """What its figures do not show."""
        told = judged_text(self.answers.judges())
        return [
            *told,
            *filter(None, (unscored_text(self.figures), cut_text(self.figures), stopped_text(self.answers.stops))),
        ]

    @property
    def blind(self) -> list[str]:
        """Which judges cannot tell: the first thing that is said."""
        return judged_text([judge for judge in self.answers.judges() if judge.problem])

    @property
    def findings(self) -> list[str]:
        """What it says, in sentences."""
        blind = any(f.blind for f in self.figures)
        said = findings(self.figures)
        return [*self.warnings, *said] if blind else [*said, *self.warnings]


def report(
    answers: Answers,
    title: str = "Emergent misalignment",
    *,
    base: str | None = None,
    calibration: Calibration | None = None,
    margin: float | None = None,
    panels: Sequence[Panel] = (),
    drawings: Sequence[Drawing] = (),
    brief: bool = False,
    roles: Mapping[str, str] | None = None,
    taught: str | None = None,
) -> Report:
    """Put a report together.

    Args:
        answers: From `spillover.answers.read`.
        title: Heading.
        base: Model that drift is measured against.
        calibration: To correct rates with.
        margin: For the test of the drift, in (0, 1).
        panels: Tables of a study itself, which come first.
        drawings: Pictures of a study itself.
        roles: Model to what it is for; the verdict is about organisms, where there are roles.
        taught: Question set of what the fine-tune was to teach: it is no spill-over.
        brief: Whether the study's own tables stand for those of every single model in the terminal.

    Raises:
        SpilloverError: if the base is not among the models, or the calibration is of another judge.
    """
    if base is not None and base not in answers.models:
        raise SpilloverError(f"No model is called '{base}'; {choices(base, answers.models)}")
    if calibration is not None:
        calibration.refuse_other(answers)
    found = figures(answers, base=base)
    able = [f for f in found if not f.blind]  # nothing is decided by a judge that cannot tell
    series = along_panels(found, base) if not brief else []
    whole, heads = (t.figures_panel(found, drift=base is not None), headlines_panel(found, base)) if found else (None, None)
    aside = [t.formats_panel(answers), t.agreement_panel(answers)]
    asked = [
        *panels,
        *series,
        whole,
        judges_panel(answers.judges()),
        aside[0],
        t.external_panel(answers.external, base),
        corrected_panel(answers, found, calibration) if calibration else None,
        t.drift_panel(answers, able, base, margin) if base and margin else None,
        aside[1],
        t.stops_panel(answers.stops),
    ]
    more = [
        t.categories_panel(figures(answers, by_category=True)),
        t.outcomes_panel(answers) if found else None,
        t.intervals_panel(found),
        t.drift_panel(answers, able, base, DRIFT_MARGIN) if base and not margin else None,
        t.flips_panel(answers, base) if base else None,
    ]
    blind = len(able) < len(found)
    if brief:  # a study of many arms and seeds: a thousand lines of single models hide what it says
        first = [*panels, judges_panel(answers.judges()), t.stops_panel(answers.stops)]
        asked, more = first, [*(panel for panel in asked if panel not in first), *more]
    short = [heads if panel is whole else panel for panel in asked if panel not in aside] if heads and not brief else asked
    kept = [[_doubted(panel, blind) for panel in some if panel] for some in (asked, more, short)]
    apart = [name for name, role in (roles or {}).items() if role != "organism"]
    seen = glance(answers, found, base, taught, apart)
    return Report(answers, title, base, found, kept[0], kept[1], kept[2], drawings, seen, roles or {})


DOUBTED = ("What became of all answers", "Flips", "Format effect", "How sure")
"""Tables in which figures of a judge that cannot tell stand among others."""


def _doubted(panel: Panel, blind: bool) -> Panel:
    if not blind or panel.title not in DOUBTED:
        return panel
    told = "What a judge said that cannot tell (see above) is in here too, and is not to be believed."
    return replace(panel, note=f"{told} {panel.note}")


def write_page(made: Report, path: Path) -> None:
    """Write the self-contained page."""
    from spillover.show.html import render

    write_text(path, render(made))
