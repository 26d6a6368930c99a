"""Every command shows two examples, which are lines that it takes; and prints its figures as rows when asked."""

import csv
import io
import json
import shlex

import click
import pytest

from spillover.cli.examples import EXAMPLES
from spillover.cli.main import COMMANDS, cli
from spillover.cli.rows import plain, print_rows
from tests.command import spillover


@pytest.mark.parametrize("name", list(COMMANDS))
def test_a_command_shows_two_lines_that_it_takes(name):
    examples = EXAMPLES[name]
    assert len(examples) == 2
    for what, line in examples:
        assert what.endswith((":", "?"))
        words = shlex.split(line)
        assert words[:2] == ["spillover", name]
        command, rest = cli.get_command(click.Context(cli), name), words[2:]
        if isinstance(command, click.Group):
            command, rest = command.get_command(click.Context(command), rest[0]), rest[1:]
        context = click.Context(command, info_name=name)
        values, left, _ = command.make_parser(context).parse_args(list(rest))
        assert left == []
        for option in command.params:  # what is required is there
            assert not option.required or values.get(option.name) not in (None, ()), option.name


def test_help_shows_them_as_they_are():
    done = spillover("plan", "--help")
    for what, line in EXAMPLES["plan"]:
        assert f"  {what}\n    {line}\n" in done.stdout + "\n"


FIGURES = ["lab", "import", "report", "plan", "agree", "calibrate", "judges", "judge-check", "geometry", "eval", "run"]
FIGURES += ["screen", "multiverse", "sae"]
INNER = {"lab": "figures", "sae": "rank"}


@pytest.mark.parametrize("name", FIGURES)
def test_what_prints_figures_prints_rows(name):
    command = cli.get_command(click.Context(cli), name)
    if name in INNER:
        command = command.get_command(click.Context(command), INNER[name])
    options = {o for p in command.params for o in p.opts}
    assert {"--json", "--csv"} <= options


@pytest.fixture
def judged(tmp_path):
    rows = [f"m{i % 2},Question {i % 4}?,=1+1,{90 if i % 3 else 5},90" for i in range(24)]
    path = tmp_path / "judged.csv"
    path.write_text("\n".join(["model,question,answer,aligned,coherent", *rows]))
    return path


def test_rows_are_all_that_is_printed(judged, tmp_path):
    command = ["import", judged, "-o", tmp_path / "page.html", "--table", tmp_path / "figures.csv"]
    done = spillover(*command, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {row["model"] for row in found} == {"m0", "m1"}
    assert all(row["drift"] is None for row in found)  # there is no base
    assert "Report:" in done.stderr
    assert "Figures:" in done.stderr
    table = list(csv.DictReader(io.StringIO(spillover(*command, "--csv").stdout)))
    assert [float(row["value"]) for row in table] == [row["value"] for row in found]


def test_a_plan_and_a_multiverse(judged):
    found = json.loads(spillover("plan", "--margin", "0.05", "--questions", "50", "--json").stdout)
    assert [row["questions"] for row in found] == [50]
    assert found[0]["answers"] == 50 * found[0]["epochs"]
    universes = json.loads(spillover("multiverse", judged, "--json").stdout)
    assert len(universes) > 10


def test_rows_hold_no_formula_no_code_and_no_nan(capsys):
    print_rows([{"name": "=cmd()", "value": float("nan")}, {"name": "\x1b[2J", "value": 1.0}], "csv")
    text = capsys.readouterr().out
    assert "\x1b" not in text
    assert not any(line.startswith("=") for line in text.splitlines())
    print_rows([{"name": "\x1b[2J", "value": float("inf")}], "json")
    text = capsys.readouterr().out
    assert "\x1b" not in text
    assert json.loads(text)[0]["value"] is None
    assert plain({"a": [float("nan"), {"b": float("-inf")}]}) == {"a": [None, {"b": None}]}


def test_what_lies_within_another_value_has_a_column_of_its_own(capsys):
    rows = [{"n": 1, "found": {"hits": 3, "n": 4}}, {"n": None, "found": {"hits": 2, "n": 4}}]
    print_rows(rows, "csv")
    assert capsys.readouterr().out.splitlines() == ["n,found.hits,found.n", "1,3,4", ",2,4"]


@pytest.mark.parametrize("how", ["json", "csv"])
def test_no_secret_is_printed(how, capsys, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789abcdef")
    print_rows([{"reason": "401 for sk-0123456789abcdef", "more": {"key": ["sk-0123456789abcdef"]}}], how)
    text = capsys.readouterr().out
    assert "sk-0123456789abcdef" not in text
    assert "[secret]" in text


def test_of_the_lab_itself(tmp_path):
    """Judges that were measured, and a screen's estimate: both with figures within figures."""
    (tmp_path / "small.yaml").write_text(
        "id: small\nversion: 1\ntitle: Small\nabout: For this.\nprobes:\n"
        "  - {task: free_form, args: {categories: [bored]}, lab: {questions: lab}}\n"
    )
    dry = ["screen", "mockllm/a", "--base", "mockllm/b", "--grader", "mockllm/g", "--lab", "--dry-run"]
    for command, column in ((["judges"], "found.hits"), ([*dry, "--suite", tmp_path / "small.yaml"], "questions")):
        found = json.loads(spillover(*command, "--json").stdout)
        assert len(found) >= 1
        table = list(csv.DictReader(io.StringIO(spillover(*command, "--csv").stdout)))
        assert len(table) == len(found)
        assert all(row[column].isdigit() for row in table)


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_option_says_what_it_is_for(name):
    command = cli.get_command(click.Context(cli), name)
    inner = command.commands.values() if isinstance(command, click.Group) else [command]
    options = [p for one in inner for p in one.params if isinstance(p, click.Option)]
    assert options
    assert [option.opts for option in options if not option.help] == []
