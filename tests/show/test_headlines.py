"""A whole suite in the terminal: one line a probe, the worst one first; few probes keep every measure."""

import io
from dataclasses import replace

import pandas as pd
import pytest
from rich.console import Console

from spillover.show.headlines import FEW
from spillover.show.report import report
from spillover.show.terminal import show
from tests.show.test_glance import answered

RATES = (0.1, 0.5, 0.3, 0.0, 0.2)


def suite(probes, models=("organism",)):
    """Answers to so many question sets, in each of which the models have another share of misaligned ones."""
    parts = [
        answered({"base": 0.0} | dict.fromkeys(models, rate), questions=20, question_set=f"set {i}")
        for i, rate in enumerate(RATES[:probes])
    ]
    return replace(parts[0], table=pd.concat([p.table for p in parts], ignore_index=True))


def printed(made, details=False):
    to = Console(width=400, file=io.StringIO())
    show(to, made, details)
    return to.file.getvalue()


def test_one_line_a_probe_and_the_largest_rise_first():
    made = report(suite(5), base="base")
    (panel,) = [p for p in made.short if p.title == "Headlines"]
    assert [row[0] for row in panel.rows] == [f"free_form (set {i}): misaligned" for i in (1, 2, 4, 0, 3)]
    shares = ["50.0 (20/40)", "30.0 (12/40)", "20.0 (8/40)", "10.0 (4/40)", "0.0 (0/40)"]
    assert [row[1].partition(" [")[0] for row in panel.rows] == shares
    assert panel.rows[0][1].endswith("[38.1, 61.9]")  # on this suite
    assert {row[2] for row in panel.rows} == {"0.0 (0/40)"}
    assert panel.rows[0][3].startswith("+50.0 [")
    assert f"of {len(made.figures)} figures" in panel.note


def test_the_page_and_details_have_every_measure():
    made = report(suite(5), base="base")
    assert "Figures" in {p.title for p in made.asked}
    assert "Headlines" not in {p.title for p in made.asked}
    assert "of all answers" not in printed(made)
    assert "free_form (set 3): misaligned, of all answers" in printed(made, details=True)


def test_several_models_are_named_and_without_a_base_so_is_every_one():
    made = report(suite(5, ("one", "other")), base="base")
    (panel,) = [p for p in made.short if p.title == "Headlines"]
    assert len(panel.rows) == 10
    assert {row[1] for row in panel.rows} == {"one", "other"}
    alone = report(suite(5))
    (panel,) = [p for p in alone.short if p.title == "Headlines"]
    assert [row[1] for row in panel.rows] == ["base", "organism"] * 5
    assert "drift, points" not in panel.headers


@pytest.mark.parametrize("probes", [1, FEW])
def test_few_probes_keep_every_measure(probes):
    made = report(suite(probes), base="base")
    assert made.short == made.asked
