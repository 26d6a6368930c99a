"""Which certificate goes with which answers: those that a log carries, and those that are kept on this machine."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from inspect_ai.log import EvalLog
from inspect_ai.model import Model

from spillover.answers.table import judge_name
from spillover.errors import SpilloverError
from spillover.judging.certificate import Certificate, fitting, kept_of, parse_certificate
from spillover.models.checks import of_the_lab
from spillover.models.identity import cache_identity, describe

logger = logging.getLogger(__name__)
CERTIFICATES = "certificates"
"""Key of a log's metadata."""
META = ("judge_check", "judge_attack")
"""Probes whose subject is the grader."""
BETWEEN = " + "
"""Between the names of judges that vote."""
_DIGEST = re.compile("#([0-9a-f]{12})")


@dataclass(frozen=True)
class Judge:
    """Who judged some answers, and what is known of that.

    Attributes:
        grader: Name.
        probe: Of the answers.
        certificates: One for each panel of its rubrics that there is one for.
        lab: Whether the answers are those of the lab's own models.
    """

    grader: str
    probe: str
    certificates: tuple[Certificate, ...]
    lab: bool = False

    @property
    def problem(self) -> str | None:
        """Why it cannot tell, or None."""
        if not self.lab and any(c.lab for c in self.certificates):
            return "can read only the toy text of the lab's own models, and these answers are of others"
        return next((c.problem for c in self.certificates if c.problem), None)


def certificates_of(rubrics: Mapping[str, str] | None, grader: Model) -> list[Certificate]:
    """The kept ones of a grader under some rubrics, role to digest: what goes into the log of its answers."""
    identity = cache_identity(grader)
    if identity is None or not rubrics:
        return []
    who = describe(grader)
    return fitting(kept_of([identity]), judge_name(who["name"], who["weights"]), rubrics.values())


def certificates_in(log: EvalLog) -> list[Certificate]:
    """Those that a log carries, and those kept here of the graders that it names."""
    carried: list[Certificate] = []
    for raw in (log.eval.metadata or {}).get(CERTIFICATES) or ():
        try:
            carried.append(parse_certificate(raw, "a log's certificate"))
        except SpilloverError as error:  # logs come from everywhere
            logger.warning("%s It is not used.", error)
    scores = [s.metadata for sample in log.samples or [] for s in (sample.scores or {}).values() if s.metadata]
    identities = {i for details in scores if isinstance(i := details.get("grader_identity"), str)}
    return [*carried, *kept_of(identities)]


def judges_of(rows: pd.DataFrame, found: Iterable[Certificate]) -> list[Judge]:
    """Who judged some rows; nobody for answers of a table whose judge is not recorded, or that need none."""
    known = list(found)
    columns = ["grader", "rubrics", "probe", "model_id"]
    several = rows[columns].drop_duplicates().dropna(subset=["grader", "rubrics"]).astype(str)
    out: dict[tuple[str, str, bool], Judge] = {}
    rows_of_one = (
        (one, rubrics, probe, model)
        for grader, rubrics, probe, model in several.itertuples(index=False)
        for one in grader.split(BETWEEN)
        if probe not in META
    )
    for grader, rubrics, probe, model in rows_of_one:
        lab = of_the_lab(model)
        before = out.get((grader, probe, lab))
        fit = fitting(known, grader, _DIGEST.findall(rubrics))
        both = {c.name: c for c in (*(before.certificates if before else ()), *fit)}
        out[grader, probe, lab] = Judge(grader, probe, tuple(both.values()), lab)
    return list(out.values())


def metadata_with(about: Mapping[str, Any] | None, more: Iterable[Certificate]) -> dict[str, Any]:
    """A log's metadata with more certificates in it, each of them once."""
    own = dict(about or {})
    raw = [*(own.get(CERTIFICATES) or ()), *(c.as_dict() for c in more)]
    unique = {str(sorted(map(str, c.items()))) if isinstance(c, dict) else str(c): c for c in raw}
    return {**own, CERTIFICATES: list(unique.values())} if raw else own
