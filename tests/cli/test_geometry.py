"""The commands on adapters, as a user calls them."""

import json

import pandas as pd
import pytest
from click.testing import CliRunner

from spillover.cli.geometry import combine, geometry
from spillover.cli.interpolate import interpolate
from spillover.errors import SpilloverError
from spillover.mechanism.files import AdapterFile
from tests.mechanism.test_subspaces import adapter, dense


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    place = tmp_path_factory.mktemp("organisms")
    return [
        str(adapter(place / name, seed, start=start).folder) for name, seed, start in (("a", 1, 7), ("b", 2, 7), ("c", 3, 8))
    ]


def call(command, *arguments):
    return CliRunner().invoke(command, [str(a) for a in arguments], catch_exceptions=False)


def test_table_page_and_modules(folders, tmp_path):
    done = call(geometry, *folders, "-k", 1, "-k", 2, "-o", tmp_path / "g.html", "--table", tmp_path / "g.csv")
    assert done.exit_code == 0
    assert "a – b" in done.output
    assert "These began with the same A matrices (cosine): a and b" in " ".join(done.output.split())
    page = (tmp_path / "g.html").read_text()
    assert "Likeness of updates" in page
    assert "Skip to the answers" not in page
    table = pd.read_csv(tmp_path / "g.csv")
    assert set(table["k"]) == {1, 2}
    assert set(table["side"]) == {"left", "right"}
    assert len(table) == 3 * 2 * 2 * 8  # pairs, sides, k, modules


def test_json_has_every_curve(folders):
    done = CliRunner().invoke(geometry, [f"x={folders[0]}", f"y={folders[2]}", "-k", "2", "--json"])
    curves = json.loads(done.stdout)
    assert {(c["name"], c["side"], c["k"]) for c in curves} == {("x – y", "right", 2), ("x – y", "left", 2)}
    assert len(curves[0]["values"]["overlap"]) == len(curves[0]["layers"]) == 4


def test_the_way_between_two_and_from_the_base(folders, tmp_path):
    done = call(interpolate, *folders[:2], "--steps", 3, "-o", tmp_path / "way")
    assert [line.rpartition("/")[2] for line in done.output.split()] == ["0.00", "0.50", "1.00"]
    ends = [AdapterFile(f) for f in folders[:2]]
    module, half = next(iter(AdapterFile(str(tmp_path / "way" / "0.50"))))
    assert dense(half).allclose(sum(dense(e.factors(module)) for e in ends) / 2, atol=1e-6)
    call(interpolate, "base", folders[0], "--steps", 2, "--from", -1, "--to", 2, "-o", tmp_path / "scaled")
    module, twice = next(iter(AdapterFile(str(tmp_path / "scaled" / "2.00"))))
    assert dense(twice).allclose(2 * dense(ends[0].factors(module)), atol=1e-6)


def test_an_interrupted_way_is_gone_on_with_and_steps_may_be_fine(folders, tmp_path):
    first = call(interpolate, *folders[:2], "--steps", 3, "-o", tmp_path / "way")
    (tmp_path / "way" / "1.00" / "sum.json").unlink()
    with pytest.raises(SpilloverError, match="is there already"):
        CliRunner().invoke(interpolate, [*folders[:2], "--steps", "3", "-o", str(tmp_path / "way")], catch_exceptions=False)
    for path in (tmp_path / "way" / "1.00").iterdir():
        path.unlink()
    (tmp_path / "way" / "1.00").rmdir()
    assert call(interpolate, *folders[:2], "--steps", 3, "-o", tmp_path / "way").output == first.output
    fine = call(interpolate, *folders[:2], "--steps", 3, "--from", 0.5, "--to", 0.51, "-o", tmp_path / "fine")
    assert [line.rpartition("/")[2] for line in fine.output.split()] == ["0.500", "0.505", "0.510"]


def test_every_k_that_is_asked_for_is_shown(folders):
    shown = call(geometry, *folders[:2], "-k", 1, "-k", 2).output
    assert sum(line.split()[3:6] == ["1", "right", "1"] for line in shown.splitlines()) == 1
    assert sum(line.split()[3:6] == ["1", "right", "2"] for line in shown.splitlines()) == 1


def test_sums_and_differences(folders, tmp_path):
    call(combine, f"{folders[0]}=1", f"{folders[1]}=-1", "-o", tmp_path / "sum")
    module, found = next(iter(AdapterFile(str(tmp_path / "sum"))))
    one, other = (dense(AdapterFile(f).factors(module)) for f in folders[:2])
    assert dense(found).allclose(one - other, atol=1e-6)


@pytest.mark.parametrize(
    ("command", "arguments", "message"),
    [
        (geometry, ["A"], "Give two adapters or more"),
        (geometry, ["A", "/nowhere"], "No adapter at '/nowhere'"),
        (geometry, ["A", "A"], "give them as NAME=FOLDER"),
        (interpolate, ["A", "B", "--from", "1", "--to", "0", "-o", "OUT"], "--from 1 is not below --to 0"),
        (interpolate, ["A", "base", "-o", "OUT"], "`base` can stand in the place of ONE only"),
        (geometry, ["A", "B", "--table", "x.xlsx"], "the ending must be .csv or .parquet"),
        (combine, ["A", "-o", "OUT"], "is no FOLDER=WEIGHT"),
        (combine, ["A=much", "-o", "OUT"], "is no FOLDER=WEIGHT"),
    ],
)
def test_wrong_input_is_one_sentence(folders, tmp_path, command, arguments, message):
    places = {"A": folders[0], "B": folders[1], "OUT": str(tmp_path / "out")}
    given = [places.get(a, a) for a in arguments]
    given = [f"{folders[0]}=much" if a == "A=much" else a for a in given]
    with pytest.raises(SpilloverError, match=message):
        CliRunner().invoke(command, given, catch_exceptions=False)
    assert not (tmp_path / "out").exists()
