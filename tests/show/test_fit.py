"""Tables at 80, 100 and 120 columns: lesser columns go, names are cut in the middle, figures stay whole."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spillover.show.fit import LEAST, fitted, middle, needed
from spillover.show.screen_files import HEADERS as SCREEN
from spillover.show.terminal import Terminal, print_panel
from spillover.show.text import Panel
from tests.command import spillover

HEADERS = ("measure", "model", "figure", "on this suite", "questions like these", "drift, points", "coherent %", "cut %")
LONG = "vllm/Qwen2.5-7B-Instruct:/work/organisms/bad_medical_advice-{}-f4d1"
ROWS = tuple(
    (
        "free_form: misaligned" if not i else "",
        LONG.format(i),
        "12.5 (40/320)",
        "[9.1, 16.6]",
        "[4.0, 29.9]",
        "+12.0 [+3.1, +28.8]",
        "98.1",
        "0.0",
    )
    for i in range(3)
)
PANEL = Panel("Figures", HEADERS, ROWS, "")


@pytest.mark.parametrize("width", [80, 100, 120, 220])
def test_what_matters_stays(width):
    (shown,), left_out = fitted(PANEL, width)
    assert needed(shown) <= width
    assert {"model", "figure", "questions like these", "drift, points"} <= set(shown.headers)
    assert set(shown.headers) | set(left_out) | {"measure"} == set(HEADERS)
    assert "measure" in shown.headers or shown.title == "free_form: misaligned"
    for before, after in zip(ROWS, shown.rows, strict=True):
        whole = dict(zip(HEADERS, before, strict=True))
        if "measure" not in shown.headers:
            del whole["measure"]
        for header, cell in zip(shown.headers, after, strict=True):
            assert cell == whole[header] or header in ("measure", "model")
    assert len({row[shown.headers.index("model")] for row in shown.rows}) == 3
    assert bool(left_out) == (width < 150)


def test_a_table_without_known_headers_keeps_its_first_figure():
    panel = Panel(
        "By category", ("arm", *(f"category {i}" for i in range(12))), (("naive", *["12.0 [1.0, 20.0]"] * 12),), ""
    )
    (shown,), left_out = fitted(panel, 80)
    assert needed(shown) <= 80
    assert shown.headers == ("arm", "category 0", "category 1", "category 2")
    assert left_out == tuple(f"category {i}" for i in range(3, 12))


OTHER = ("task", "metric", "model", "value", "standard error", "samples", "unscored", "drift")
OUTCOMES = ("probe", "model", "answers", "outcomes", "unscored because")
JUDGE = ("probe", "model", "same %", "95 % interval", "sensitivity %", "specificity %")
CERTIFICATE = ("panel", "grader", "AUC", "finds", "clears", "pairs", "calls")
UNIVERSES = ("all universes", "lowest %", "median %", "highest %", "highest / lowest")


@pytest.mark.parametrize(
    ("headers", "kept"),
    [
        (OTHER, {"task", "model", "metric", "value", "drift"}),
        (OUTCOMES, {"probe", "model", "outcomes"}),
        (JUDGE, {"probe", "model", "same %", "95 % interval"}),
        (CERTIFICATE, {"panel", "grader", "AUC", "finds", "clears"}),
        (UNIVERSES, {"lowest %", "median %", "highest %"}),
        (SCREEN[:-1], {SCREEN[0], "verdict", "drift, points", "confidence sequence"}),
    ],
)
def test_the_tables_that_there_are_keep_their_figures(headers, kept):
    names = ("task", "probe", "grader", "all universes")
    row = tuple("inspect_evals/mmlu_0_shot, biology" if h in names else "12.0 [1.0, 20.0]" for h in headers)
    parts, left_out = fitted(Panel("T", headers, (row, row), ""), 80)
    assert kept <= set(parts[0].headers)
    assert left_out


@given(
    st.lists(st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=60)), st.integers(LEAST, 60)
)
def test_names_that_are_cut_stay_apart(names, width):
    short = middle(names, width)
    assert len(set(short)) == len(set(names))
    assert [s for s, n in zip(short, names, strict=True) if len(n) <= width] == [n for n in names if len(n) <= width]


@pytest.mark.parametrize("columns", ["80", "100", None])
def test_the_terminal_is_asked_and_a_pipe_is_not(columns, tmp_path, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns:
        monkeypatch.setenv("COLUMNS", columns)
    rows = [f"{LONG.format(i % 2)},Question {i % 4}?,An answer.,{90 if i % 3 else 5},90" for i in range(24)]
    (tmp_path / "judged.csv").write_text("\n".join(["model,question,answer,aligned,coherent", *rows]))
    done = spillover("import", tmp_path / "judged.csv", "--base", LONG.format(0).replace("/work/organisms/", ""))
    assert done.returncode == 0, done.stderr
    table = [line for line in done.stdout.splitlines() if "(4/12)" in line or "(0/12)" in line or "/12)" in line]
    assert table
    if columns:
        assert all(len(line.rstrip()) <= int(columns) for line in table)
        assert "No room for:" in done.stdout
    else:
        assert "No room for:" not in done.stdout
        assert "cut %" in done.stdout


@pytest.mark.parametrize("columns", ["0", "12", "x"])
def test_no_width_is_no_loss(columns, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", columns)
    (tmp_path / "judged.csv").write_text("model,question,answer,aligned,coherent\nm,What?,That.,90,90\n")
    done = spillover("import", tmp_path / "judged.csv")
    assert "0.0 (0/1)" in done.stdout


@pytest.mark.parametrize("width", [80, 90, 100, 120])
def test_what_is_printed_is_whole(width):
    out = io.StringIO()
    print_panel(Terminal(width=width, file=out), PANEL)
    text = out.getvalue()
    assert max(map(len, text.splitlines())) <= width
    for row in ROWS:
        for cell in (row[2], row[4], row[5]):  # figure, questions like these, drift
            assert cell in text


def test_a_table_is_parted_before_a_column_is_left_out():
    """One column too few, and everything has room once the measure stands above."""
    parts, left_out = fitted(PANEL, needed(PANEL) - 1)
    assert left_out == ()
    assert [part.title for part in parts] == ["free_form: misaligned"]


def test_what_there_is_room_for_is_kept():
    """The most telling of the lesser columns first, and then whatever else fits."""
    panel = Panel(
        "T",
        ("model", "figure", "on this suite", "unscored %", "cut %"),
        (("m", "12.5 (40/320)", "[9.1, 16.6]", "0.1", "0"),),
        "",
    )
    (shown,), left_out = fitted(panel, 45)
    assert left_out == ("on this suite",)
    assert shown.headers == ("model", "figure", "unscored %", "cut %")


@given(st.lists(st.integers(LEAST, 60), min_size=2, max_size=4), st.integers(60, 120))
def test_names_share_what_is_cut(lengths, width):
    headers = (*("model", "task", "metric", "grader")[: len(lengths)], "value")
    (shown,), _ = fitted(Panel("T", headers, ((*("n" * n for n in lengths), "0.5"),), ""), width)
    after = [len(cell) for cell in shown.rows[0][:-1]]
    assert needed(shown) <= width or max(after) == LEAST
    cut = [b for a, b in zip(lengths, after, strict=True) if a > b]
    assert not cut or max(cut) - min(cut) <= 1
    assert not cut or max(after) <= max(cut) + 1


def test_a_sentence_folds_before_a_name_is_cut():
    told = "AUC 1.000, finds 94 % (67/71), clears 93.9 % (309/329), coherence AUC 0.934 of known lab answers"
    panel = Panel("Can the judge tell?", ("probes", "judge", "on known answers"), (("refusal", "a/grader", told),), "")
    out = io.StringIO()
    print_panel(Terminal(width=80, file=out), panel)
    assert "a/grader" in out.getvalue()
    assert " ".join(out.getvalue().replace("refusal", "").replace("a/grader", "").split()).endswith(told)
    assert max(map(len, out.getvalue().splitlines())) <= 80


def test_a_question_folds_and_is_not_cut():
    asked = "Which of these would you do first if you had no savings at all and two children?"
    panel = Panel("T", ("question", "model", "figure"), ((asked, "a/model", "12.5 (40/320)"),), "")
    (shown,), _ = fitted(panel, 60)
    assert shown.rows[0][0] == asked


SCREENED = tuple(
    (f"{name}: {what}", "INCONCLUSIVE", "78.0 % (131/168)", "0.6 % (1/168)", "+77.4", "[+68.0, +100.0]", "168", "0.0 / 0.0")
    for name, what in (
        ("alignment_questions", "misaligned in answer or reasoning"),
        ("refusal", "not: refusal of harmful requests"),
        ("free_form", "misaligned"),
    )
)


@pytest.mark.parametrize("width", [80, 90, 100, 120])
def test_a_narrow_table_is_folded_at_blanks_and_nowhere_else(width):
    out = io.StringIO()
    print_panel(Terminal(width=width, file=out), Panel("Screen", SCREEN[:-1], SCREENED, ""))
    text = out.getvalue()
    assert max(map(len, text.splitlines())) <= width
    said = text.split()
    for row in SCREENED:
        for cell in row[:6]:
            assert set(cell.split()) <= set(said), cell
    assert {"verdict", "checkpoint", "base", "drift,", "confidence"} <= set(said)
