"""Which certificate goes with which answers: those that a log carries, and those that are kept on this machine."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import pandas as pd
from inspect_ai.log import EvalLog
from inspect_ai.model import Model

from spillover.answers.judged_by import JUDGED_BY
from spillover.answers.presets import Preset, get_preset, presets
from spillover.errors import SpilloverError
from spillover.judging.certificate import Certificate, fitting, identity_digest, kept, kept_of, parse_certificate
from spillover.judging.golden import Half
from spillover.models.checks import of_the_lab
from spillover.models.identity import cache_identity

logger = logging.getLogger(__name__)
CERTIFICATES = "certificates"
"""Key of a log's metadata."""
HALVES: Mapping[str, Half | None] = {"test": "test", "both": None}
"""Halves of the golden set that certificates may be of."""
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
        asks: Options of `spillover judge-check` that measure it as it judged here; None where only its name is known.
    """

    grader: str
    probe: str
    certificates: tuple[Certificate, ...]
    lab: bool = False
    asks: str | None = None

    @property
    def problem(self) -> str | None:
        """Why it cannot tell, or None."""
        return next((told for c in self.certificates if (told := c.problem_for(self.lab))), None)


def certificates_of(rubrics: Mapping[str, str] | None, grader: Model) -> list[Certificate]:
    """The kept ones of a grader under some rubrics, role to digest, however it is read: for the log of its answers."""
    identity, used = cache_identity(grader), set((rubrics or {}).values())
    return [c for c in kept_of([identity]) if set(c.rubrics) <= used] if identity is not None and used else []


def certificates_in(log: EvalLog) -> list[Certificate]:
    """Those that a log carries of the graders that it names, and behind them those kept here, which are believed first."""
    carried: list[Certificate] = []
    scores = [s.metadata for sample in log.samples or [] for s in (sample.scores or {}).values() if s.metadata]
    identities = {i for details in scores if isinstance(i := details.get("grader_identity"), str)}
    digests = {identity_digest(i) for i in identities}
    for raw in (log.eval.metadata or {}).get(CERTIFICATES) or ():
        try:
            made = parse_certificate(raw, "a log's certificate")
        except SpilloverError as error:  # logs come from everywhere
            logger.warning("%s It is not used.", error)
            continue
        carried += [made] if made.identity in digests else []
    own = kept_of(identities)
    mine = {(c.identity, c.panel, c.rubrics, c.reader) for c in own}
    return [*(c for c in carried if (c.identity, c.panel, c.rubrics, c.reader) not in mine), *own]


def judges_of(
    rows: pd.DataFrame,
    found: Mapping[str, Sequence[Certificate]],
    preset: Preset,
    other: Sequence[Certificate] = (),
) -> list[Judge]:
    """Who judged some rows; nobody for answers of a table whose judge is not recorded, or that need none.

    Args:
        rows: Answers.
        found: Run to the certificates of its log.
        preset: Thresholds of the outcomes; a certificate under other ones says nothing of them.
        other: For answers without a log, such as those of a frame.
    """
    several = rows.assign(**{} if JUDGED_BY in rows else {JUDGED_BY: None})
    several = several[["grader", "rubrics", "probe", "model_id", "run", JUDGED_BY]].drop_duplicates()
    several = several.dropna(subset=["grader", "rubrics"]).astype(object)
    known = {c.name for cs in [*found.values(), other] for c in cs if _is_current(c.known) and _same(c.preset, preset)}
    out: dict[tuple[str, str, bool], dict[str, Certificate]] = {}
    asks: dict[tuple[str, str, bool], str] = {}
    for graders, rubrics, probe, model, run, who in several.itertuples(index=False):
        if probe in META:
            continue
        ids = str(who).split(BETWEEN) if isinstance(who, str) else []
        for place, grader in enumerate(str(graders).split(BETWEEN)):
            key = (grader, str(probe), of_the_lab(str(model)))
            mine, own = out.setdefault(key, {}), ids[place : place + 1]
            for read_by in own:
                asks.setdefault(key, _options(grader, preset, read_by.partition(" ")[2]))
            digests = _DIGEST.findall(str(rubrics))
            for made in fitting(found.get(str(run), other), own, digests, lambda c: c.name in known):
                mine[made.name] = made
    return [Judge(*key[:2], tuple(its.values()), key[2], asks.get(key)) for key, its in out.items()]


def _options(grader: str, preset: Preset, reader: str) -> str:
    more = [f" --preset {preset.name}"] if preset.name != "spillover" else []
    more += [f" --reader {reader}"] if reader != "auto" else []
    return f"--grader {grader.partition(' ')[0]}{''.join(more)}"


def _is_current(known: str) -> bool:
    """Whether a certificate is of answers as they are now, and not of the half that judges may learn."""
    return known in _current_names()


@cache
def _current_names() -> frozenset[str]:
    from spillover.judging.golden import PANELS, golden

    halves = {f"{golden().id} ({name})#{golden().of([p], half).digest}" for p in PANELS for name, half in HALVES.items()}
    return frozenset(halves | {c.known for c in kept() if c.lab})


def _same(name: str, preset: Preset) -> bool:
    if name not in presets():
        return False
    skip = {"title", "name"}
    return get_preset(name).model_dump(exclude=skip) == preset.model_dump(exclude=skip)


def metadata_with(about: Mapping[str, Any] | None, more: Iterable[Certificate]) -> dict[str, Any]:
    """A log's metadata with more certificates in it, each of them once."""
    own = dict(about or {})
    raw = [*(own.get(CERTIFICATES) or ()), *(c.as_dict() for c in more)]
    unique = {str(sorted(map(str, c.items()))) if isinstance(c, dict) else str(c): c for c in raw}
    return {**own, CERTIFICATES: list(unique.values())} if raw else own
