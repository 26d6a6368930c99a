"""Ranks with their uncertainty, names that are safe, data files that only hold data."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spillover.leaderboard.board import Entry, Value, ranks
from spillover.leaderboard.payload import index, model_file, script
from tests.leaderboard.boards import board_of


def value(x, half):
    return Value(x, max(0.0, x - half), min(1.0, x + half), 10, 5, 0.0)


figures = st.lists(st.tuples(st.floats(0, 1), st.floats(0.001, 0.4)), min_size=1, max_size=12)


@given(figures, st.sampled_from(["higher", "lower"]))
def test_a_rank_is_a_range_that_holds_every_order_the_intervals_allow(rows, worse):
    values = [(str(i), value(*row)) for i, row in enumerate(rows)]
    found = ranks(values, worse)
    for best, worst in found.values():
        assert 1 <= best <= worst <= len(rows)
    order = sorted(values, key=lambda v: v[1].value, reverse=worse == "lower")
    for place, (name, _) in enumerate(order, start=1):
        assert found[name][0] <= place <= found[name][1]


def test_models_that_are_not_told_apart_are_tied():
    found = ranks([("a", value(0.1, 0.05)), ("b", value(0.12, 0.05)), ("c", value(0.9, 0.05)), ("d", None)], "higher")
    assert found == {"a": (1, 2), "b": (1, 2), "c": (3, 3)}
    assert ranks([("a", value(0.1, 0.05))], "neither") == {}


@given(st.text(), st.text())
def test_a_models_name_makes_a_safe_and_unique_file_name(one, two):
    a, b = Entry(one, {}, ()), Entry(two, {}, ())
    assert re.fullmatch(r"[a-z0-9-]{1,60}", a.slug)
    assert (a.slug == b.slug) == (one == two)


def test_the_board_has_every_figure_and_ranks_by_the_broadest():
    board, frame, runs = board_of(["base", "middle", "worst"])
    assert [c.measure for c in board.columns] == ["misaligned", "refusals", "lean", "right answers"]
    data = index(board, frame, runs, "T", False, False)
    rates = [m["cells"]["em|set|plain"][0] for m in data["models"]]
    assert rates[0] == 0
    assert rates[2] == 1
    assert data["matrix"][0]["measured"] == ["c0", "c1"]
    assert all(
        len(cells) == len(data["multiverse"]["presets"]) for cells in data["multiverse"]["cells"]["set, plain"].values()
    )
    one = model_file(board, board.entries[2], frame, runs, {"weights": "abc"})
    pair = one["pairs"][board.entries[0].slug]["em|set|plain"]
    assert pair[0] == 1.0
    assert pair[1] > 0.5
    assert one["flips"][board.entries[0].slug] == [["aligned", 0, 48, 0, 0, 0, 0]]
    assert sum(n for _, _, n in one["questions"]["em|set|plain"]) == 48


HOSTILE = ["</script><script>alert(1)</script>", "\u2028\u2029'\"\\", "<!--", "\ud800", "*/ alert(1) /*"]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_data_file_is_one_call_with_json_whatever_the_text(text):
    source = script("model-x", {"answer": text, text: 1})
    found = re.fullmatch(r'spillover\.receive\("model-x", (.*)\);\n', source, re.DOTALL)
    assert json.loads(found.group(1)) == {"answer": text, text: 1}
    assert "<" not in source
    assert source.isascii()
