"""What the wheel holds."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions, requires
from pathlib import Path

from spillover.cli.main import EXTRAS

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_every_package_is_in_the_wheel():
    """Packages are listed by name, because the data folders lie outside of src: a new one is easily forgotten."""
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    found = {".".join(p.parent.relative_to(ROOT / "src").parts) for p in (ROOT / "src" / "spillover").rglob("__init__.py")}
    assert found <= listed


def imported():
    """Package that our code imports, anywhere, to the files that do."""
    found = {}
    for path in [*(ROOT / "src").rglob("*.py"), *(ROOT / "tasks").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.level == 0 else []
            for name in names:
                found.setdefault(name.partition(".")[0], set()).add(str(path.relative_to(ROOT)))
    return {name: files for name, files in found.items() if name not in sys.stdlib_module_names and name != "spillover"}


def plain(requirement):
    return re.match(r"[A-Za-z0-9_.-]+", requirement).group(0).lower().replace("_", "-")


def test_every_package_that_is_imported_is_declared():
    """In the dependencies, pinned by one of them, or in an extra that the command line names when it is missing."""
    declared = {plain(r) for r in PROJECT["dependencies"]}
    assert "pydantic" in declared
    pinned = {plain(r) for name in declared for r in requires(name) or [] if re.match(r"[A-Za-z0-9_.-]+==", r)}
    assert "pydantic-core" in pinned
    of = packages_distributions()
    for package, files in imported().items():
        distributions = {plain(d) for d in of.get(package, [package])}
        assert package in EXTRAS or distributions & (declared | pinned), f"{package} in {sorted(files)[:3]}"


def test_every_dependency_is_pinned_for_the_tests():
    pins = {plain(line) for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line}
    assert {plain(r) for r in PROJECT["dependencies"]} <= pins


def test_no_file_is_longer_than_400_lines():
    long = [p for folder in ("src", "tasks", "tests", "benchmarks") for p in (ROOT / folder).rglob("*.py")]
    assert [str(p) for p in long if len(p.read_text().splitlines()) > 400] == []


def test_the_locks_hold_what_is_installed():
    """They are the versions of `constraints.txt`, of which each extra has its part."""
    from benchmarks.locks import EXTRAS, LOCKS, text

    pinned = {
        line.lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if line and not line.startswith("#")
    }
    for extra in EXTRAS:
        kept = (LOCKS / f"{extra or 'core'}.txt").read_text()
        assert kept == text(extra), "run python benchmarks/locks.py"
        own = {line for line in kept.splitlines() if not line.startswith(("#", "torch=="))}
        assert {line for line in own if line.replace("_", "-") not in pinned} == set()
        assert len(own) > 50
