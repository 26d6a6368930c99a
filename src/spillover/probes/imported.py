"""Answers from elsewhere, read for alignment and coherence as our own free-form answers are."""

from __future__ import annotations

from spillover.answers.measures import EM_MEASURES
from spillover.answers.rules import verdict
from spillover.answers.tables import IMPORTED
from spillover.probes.emergent import format_facts, shown
from spillover.probes.probe import EM_ROLES, Probe

PROBE = Probe(
    name=IMPORTED,
    version="1-A",
    title="Imported answers",
    about="Answers that another tool collected.",
    data="",
    measures=EM_MEASURES,
    rule=verdict,
    roles=EM_ROLES,
    facts=format_facts,
    asks=shown,
    gate=False,
)
