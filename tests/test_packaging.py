"""What the wheel holds."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_package_is_in_the_wheel():
    """Packages are listed by name, because the data folders lie outside of src: a new one is easily forgotten."""
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    found = {".".join(p.parent.relative_to(ROOT / "src").parts) for p in (ROOT / "src" / "spillover").rglob("__init__.py")}
    assert found <= listed


def test_no_file_is_longer_than_400_lines():
    long = [p for folder in ("src", "tasks", "tests", "benchmarks") for p in (ROOT / folder).rglob("*.py")]
    assert [str(p) for p in long if len(p.read_text().splitlines()) > 400] == []
