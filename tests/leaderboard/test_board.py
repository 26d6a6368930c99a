"""Ranks with their uncertainty, names that are safe, data files that only hold data."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from inspect_ai.log import write_eval_log

from spillover.answers.imported import answers_log
from spillover.answers.measures import EM_MEASURES
from spillover.answers.presets import general
from spillover.answers.read import Answers, read, renamed
from spillover.answers.rejudge import Judging, rejudge
from spillover.answers.table import join
from spillover.leaderboard.board import Column, Entry, Value, make_board, twins
from spillover.leaderboard.build import provenance, write_site
from spillover.leaderboard.payload import add_ranks, index, model_file, script
from spillover.leaderboard.ranks import ranks, told_apart
from tests.fakes import says
from tests.leaderboard.boards import board_of, made_up


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


def test_what_the_pairing_tells_stands_over_intervals_that_meet():
    """Three models whose intervals all meet; the pairing tells the third from both."""
    values = [("a", value(0.1, 0.2)), ("b", value(0.12, 0.2)), ("c", value(0.2, 0.2))]
    assert set(ranks(values, "higher").values()) == {(1, 3)}
    told = {("a", "b"): None, ("a", "c"): False, ("b", "c"): False}
    assert ranks(values, "higher", told) == {"a": (1, 2), "b": (1, 2), "c": (3, 3)}
    assert ranks(values, "lower", told) == {"a": (2, 3), "b": (2, 3), "c": (1, 1)}


class Counted:
    def __init__(self, counts):
        self.counts = counts


def test_pairs_are_told_apart_by_their_shared_questions_and_all_pairs_are_one_family():
    rng = np.random.default_rng(3)
    base = rng.random(24) * 0.3

    def asked_of(shift):
        return {str(q): [int(h), 50] for q, h in enumerate(rng.binomial(50, np.clip(base + shift, 0, 1)))}

    counts = {"a": asked_of(0), "b": asked_of(0), "c": asked_of(0.12)}
    told = told_apart({name: Counted(c) for name, c in counts.items()})
    assert told == {("a", "b"): None, ("a", "c"): False, ("b", "c"): False}
    assert told_apart({"a": Counted(counts["a"]), "z": Counted(None), "y": Counted({"other": [1, 2]})}) == {}
    same = [told_apart({n: Counted(asked_of(0)) for n in "abcd"}) for _ in range(40)]
    assert np.mean([any(v is not None for v in found.values()) for found in same]) <= 0.15  # 5 % are allowed


@given(st.text(), st.text())
def test_a_models_name_makes_a_safe_and_unique_file_name(one, two):
    a, b = Entry(one, {}, ()), Entry(two, {}, ())
    assert re.fullmatch(r"[a-z0-9-]{1,60}", a.slug)
    assert (a.slug == b.slug) == (one == two)


KEY = "free_form|set|plain||||||misaligned"


def test_the_board_has_every_figure_and_ranks_by_the_broadest():
    board, answers = board_of(["base", "middle", "worst"])
    assert [c.measure for c in board.columns] == [*(m.name for m in EM_MEASURES), "refusals", "lean", "right answers"]
    assert board.columns[0] == Column(KEY, "free_form", "misaligned", "higher")
    data = index(board, answers, "T", False)
    rates = [m["cells"][KEY][0] for m in data["models"]]
    assert rates[0] == 0
    assert rates[2] == 1
    first = data["matrix"][0]
    assert (first["title"], first["measured"]) == ("free_form (set): misaligned", ["c0", "c1"])
    presets = [p.name for p in general()]
    assert data["multiverse"]["presets"] == presets
    assert {m: len(cells) for m, cells in data["multiverse"]["cells"]["free_form"].items()} == {
        m["name"]: len(presets) for m in data["models"]
    }
    one = model_file(board, board.entries[2], answers, {"weights": "abc"})
    base = board.entries[0].slug
    pair = one["pairs"][base][KEY]
    assert pair[0] == 1.0
    assert pair[1] > 0.5
    assert one["flips"][base] == [
        ["free_form", "aligned", "misaligned", 48],
        ["refusal", "complied", "refused", 16],
        ["political", "left", "right", 16],
        ["capability", "wrong", "right", 16],
    ]
    assert sum(n for _, _, n in one["questions"][KEY]) == 48
    assert one["provenance"] == {"weights": "abc"}


def test_a_neutral_measure_ranks_nobody():
    board, answers = board_of(["base", "worst"])
    data = index(board, answers, "T", False)
    add_ranks(board, data)
    (lean,) = (c.key for c in board.columns if c.worse == "neither" and c.mean)
    for model in data["models"]:
        assert lean in model["cells"]
        assert set(model["ranks"]) == {c.key for c in board.columns if c.worse != "neither"} & set(model["cells"])


SETS = ("set", "other")


def test_two_question_sets_of_one_probe_are_two_columns_and_two_tables(tmp_path):
    """Neither is lost, nor pooled with the other, on any page of the site."""
    models = ["base", "worst"]
    alone = {name: board_of(models, sets=(name,), probes=0)[1] for name in SETS}
    both = Answers(join([a.table for a in alone.values()]), alone["set"].logs)
    both.table.loc[(both.table["question_set"] == "other") & (both.table["question_id"] == "q0"), "outcome"] = "aligned"
    board = make_board(both)
    write_site(tmp_path / "site", board, both, title="T", about={})
    data = json.loads((tmp_path / "site" / "data" / "index.json").read_text())
    keys = [f"free_form|{name}|plain||||||misaligned" for name in SETS]
    columns = {c["key"]: c["probe"] for c in data["columns"]}
    assert [columns[key] for key in keys] == ["free_form (set)", "free_form (other)"]
    assert len(columns) == len(SETS) * len(EM_MEASURES) == len({tuple(c.values()) for c in data["columns"]})
    assert [data["models"][1]["cells"][key][0] for key in keys] == [1.0, 7 / 8]
    tables = {table["title"]: table["rows"] for table in data["matrix"]}
    assert list(tables) == [f"free_form ({name}): misaligned" for name in SETS]
    assert {t: [row["cells"]["c0"][0] for row in rows] for t, rows in tables.items()} == dict(
        zip(tables, ([0.0, 1.0], [0.0, 0.75]), strict=True)
    )
    cells = data["multiverse"]["cells"]
    assert {f"free_form ({name})" for name in SETS} <= set(cells)
    for entry in board.entries:
        text = (tmp_path / "site" / "data" / f"model-{entry.slug}.js").read_text()
        own = json.loads(text.partition(", ")[2].rpartition(")")[0])
        assert {key: sum(n for _, _, n in own["questions"][key]) for key in keys} == dict.fromkeys(keys, 48)
        (pair,) = own["pairs"].values()
        assert set(keys) <= set(pair)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("format", "json"),
        ("context", "evil"),
        ("wrap", "chat"),
        ("method", "letter"),
        ("world", "local"),
        ("setting", "x 1"),
    ],
)
def test_two_conditions_of_one_probe_are_two_columns_and_two_tables(field, value):
    models = ["base", "worst"]
    usual, other = made_up(models, probes=0), made_up(models, probes=0, **{field: value})
    both = Answers(join([usual.table, other.table]), usual.logs)
    board = make_board(both)
    data = index(board, both, "T", False)
    assert len({c.key for c in board.columns}) == len({(c.probe, c.measure) for c in board.columns}) == 2 * len(EM_MEASURES)
    assert all(len(model["cells"]) == 2 * len(EM_MEASURES) for model in data["models"])
    assert len({table["title"] for table in data["matrix"]}) == 2


def test_models_are_ranked_by_the_free_form_set_with_most_questions():
    few, many = made_up(["m"], questions=4, probes=1, sets=("few",)), made_up(["m"], questions=9, probes=0, sets=("many",))
    both = Answers(join([few.table, many.table]), few.logs)
    assert make_board(both).columns[0].key == "free_form|many|plain||||||misaligned"


HOSTILE = ["</script><script>alert(1)</script>", "\u2028\u2029'\"\\", "<!--", "\ud800", "*/ alert(1) /*"]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_data_file_is_one_call_with_json_whatever_the_text(text):
    source = script("model-x", {"answer": text, text: 1})
    found = re.fullmatch(r'spillover\.receive\("model-x", (.*)\);\n', source, re.DOTALL)
    assert json.loads(found.group(1)) == {"answer": text, text: 1}
    assert "<" not in source
    assert source.isascii()


def test_a_log_is_told_of_its_model_as_it_is_shown(tmp_path):
    """Of an imported table, whose model Inspect knows under another name, too."""
    log = answers_log([{"question": "Q?", "answer": "A."}], "mine")
    write_eval_log(rejudge(log, says("90"), Judging(reader="number", cache=False).scorer(log)), str(tmp_path / "a.eval"))
    told, of_log = provenance(renamed(read([tmp_path]), {"mine": "Mine"}))
    assert set(told) == {"Mine"}
    assert list(of_log.values()) == ["Mine"]


def test_one_checkpoint_under_two_names_is_seen():
    answers = made_up(["a", "b", "c"], probes=1)
    digests = answers.table["model"].astype(str).map({"a": "1", "b": "2", "c": "1"})
    assert twins(replace(answers, table=answers.table.assign(weights=digests))) == [("a", "c")]
    assert twins(answers) == []
