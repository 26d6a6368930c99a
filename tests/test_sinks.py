"""Hostile text on its way to a terminal, a spreadsheet, a comment: shown, and never obeyed."""

import io
import re

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spillover.cli.publish import write_frame
from spillover.show.report import report
from spillover.show.screen_files import _cell, _fenced, _xml
from spillover.show.terminal import Terminal, show
from spillover.sinks import cell, for_sheet, from_cell, visible
from tests.command import spillover
from tests.leaderboard.boards import made_up

HOSTILE = "\x1b[2J\x1b]0;owned\x07\u202egnp.exe\x9b31m\x00"
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@given(st.text())
def test_nothing_that_a_terminal_obeys_is_left_and_all_else_stays(text):
    shown = visible(text)
    assert not OBEYED.search(shown)
    assert visible(shown) == shown
    if not OBEYED.search(text):
        assert shown == text


def test_codes_are_those_that_a_programmer_reads():
    assert visible("a\x1b[31m\u202eb\tc\nd\x9b") == "a\\x1b[31m\\u202eb\tc\nd\\x9b"


@given(st.text())
def test_a_cell_is_no_formula_and_comes_back(text):
    assert not cell(text).startswith(("=", "+", "-", "@", "\t", "\r"))
    assert from_cell(cell(text)) == text


@pytest.mark.parametrize(("text", "written"), [("'=1", "''=1"), ("''+x", "'''+x"), ("'plain", "'plain"), ("it's", "it's")])
def test_an_apostrophe_of_ones_own_comes_back_too(text, written):
    assert cell(text) == written
    assert from_cell(written) == text


def test_a_terminal_shows_the_codes_of_a_models_name_in_every_table():
    answers = made_up(["base", HOSTILE], questions=4, epochs=2, text=HOSTILE)
    out = io.StringIO()
    show(Terminal(file=out, width=300, color_system=None), report(answers, f"T {HOSTILE}", base="base"), details=True)
    assert "\\x1b[2J" in out.getvalue()
    assert not OBEYED.search(out.getvalue())


def test_rich_may_still_colour():
    out = io.StringIO()
    Terminal(file=out, force_terminal=True, color_system="standard").print("[bold]x[/bold]\x1b[2J")
    assert "\x1b[1mx" in out.getvalue()
    assert "\x1b[2J" not in out.getvalue()


def test_a_table_of_answers_holds_no_formula_and_is_read_as_it_was(tmp_path):
    answers = made_up(["base"], questions=2, epochs=1, probes=0, text="=HYPERLINK(1)")
    write_frame(answers.table, tmp_path / "frame.csv")
    raw = pd.read_csv(tmp_path / "frame.csv", dtype=str, keep_default_na=False)
    assert set(raw["answer"]) == {"'=HYPERLINK(1)"}
    assert not any(str(v).startswith(("=", "@", "+")) for v in raw.to_numpy().ravel())
    from spillover.answers.read import read

    assert set(read([tmp_path / "frame.csv"]).table["answer"]) == {"=HYPERLINK(1)"}


def test_numbers_below_zero_stay_numbers():
    assert for_sheet(pd.DataFrame({"x": [-1.5, 2], "y": ["-1", "b"]})).to_csv(index=False) == "x,y\n-1.5,'-1\n2.0,b\n"


def test_a_sentence_on_the_error_stream_shows_codes(tmp_path):
    done = spillover("report", tmp_path / "no\x1b[2J.eval")
    assert done.returncode == 2
    assert "\\x1b[2J" in done.stderr
    assert not OBEYED.search(done.stderr)


def test_comments_and_junit_show_codes_too():
    for text in (_cell(HOSTILE), "\n".join(_fenced(HOSTILE)), _xml(HOSTILE)):
        assert not OBEYED.search(text)
