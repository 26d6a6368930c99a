"""Write `locks/EXTRA.txt`: every package that an extra brings, at the version that the suite passed with.

`python benchmarks/locks.py` after a change of dependencies; `pip install --constraint locks/lab.txt 'spillover[lab]'` then
installs what was tested. Versions are those of this environment, which `constraints.txt` names; torch has a build for each
kind of machine, so its lock has the version alone.
"""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LOCKS = Path(__file__).parents[1] / "locks"
EXTRAS = ("", "api", "excel", "lab", "train", "trackers", "docs")
"""The empty one is the package alone. vLLM's come with an environment of their own, and are pinned in pyproject.toml."""


LEFT = ("setuptools", "pip", "triton", "nvidia-", "cuda-")
"""What comes with a machine's own build of torch, or with Python."""


def closure(extra: str) -> dict[str, str]:
    """Package to version of all that `spillover[extra]` needs here."""
    found: dict[str, str] = {}
    waiting = [("spillover", frozenset({extra} - {""}))]
    seen = set()
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        known = distribution(name)
        if name != "spillover":
            found[name] = known.version.partition("+")[0]
        for line in known.requires or ():
            wish = Requirement(line)
            if wish.marker is None or any(wish.marker.evaluate({"extra": e}) for e in (*extras, "")):
                try:
                    distribution(wish.name)
                except PackageNotFoundError:
                    continue
                if canonicalize_name(wish.name).startswith(LEFT):
                    continue
                waiting.append((canonicalize_name(wish.name), frozenset(wish.extras)))
    return dict(sorted(found.items()))


def text(extra: str) -> str:
    """The file of one extra."""
    called = f"spillover[{extra}]" if extra else "spillover"
    lines = [f"{name}=={version}" for name, version in closure(extra).items()]
    return "\n".join([f"# What `{called}` was tested with; written by benchmarks/locks.py.", *lines]) + "\n"


def main() -> None:
    """Write them all, or with `--check` say which are old."""
    old = []
    for extra in EXTRAS:
        path = LOCKS / f"{extra or 'core'}.txt"
        wanted = text(extra)
        if "--check" in sys.argv:
            old += [path.name] if not path.is_file() or path.read_text(encoding="utf-8") != wanted else []
            continue
        path.parent.mkdir(exist_ok=True)
        path.write_text(wanted, encoding="utf-8")
        print(f"{path}: {len(wanted.splitlines()) - 1} packages")
    if old:
        sys.exit(f"Old locks: {', '.join(old)}; run python benchmarks/locks.py.")


if __name__ == "__main__":
    main()
