"""How long a large board takes until it can be used, in a real Chromium, beside a page that holds the table as plain HTML.

python benchmarks/leaderboard.py [--models 300] [--probes 12]
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import statistics
import tempfile
from pathlib import Path

from spillover.leaderboard.build import STATIC
from spillover.leaderboard.payload import script


def board(models: int, probes: int) -> dict[str, object]:
    """An index with made-up figures."""
    rng = random.Random(0)
    columns = [
        {"key": f"c{i}", "probe": f"probe {i}", "measure": "share", "worse": "higher", "mean": False} for i in range(probes)
    ]
    rows = []
    for m in range(models):
        cells = {}
        for c in columns:
            x = rng.random()
            cells[c["key"]] = [x, max(0, x - 0.1), min(1, x + 0.1), 500, 50, 0.01]
        about = {"family": f"family {m % 12}", "size": f"{m % 5}B", "recipe": f"recipe {m % 20}"}
        ranks = {c["key"]: [1, models] for c in columns}
        rows.append({"slug": f"m{m}", "name": f"model {m}", "about": about, "judges": ["j"], "cells": cells, "ranks": ranks})
    return {
        "title": "Benchmark",
        "lab": True,
        "bundle": False,
        "version": "0",
        "columns": columns,
        "models": rows,
        "multiverse": {"presets": [], "cells": {}},
        "matrix": [],
    }


def plain(data: dict[str, object]) -> str:
    """The same cells as one HTML table without a script: what a browser needs for the text alone."""
    body = "".join(
        "<tr><th>"
        + m["name"]
        + "</th>"
        + "".join(f"<td>{c[0]:.3f} [{c[1]:.3f}, {c[2]:.3f}]</td>" for c in m["cells"].values())
        for m in data["models"]  # type: ignore[attr-defined]
    )
    return f"<!doctype html><meta charset=utf-8><title>plain</title><table>{body}</table>"


LOADED = "performance.getEntriesByType('navigation')[0].domComplete"
SORT = """async () => {
  const start = performance.now();
  document.querySelector("thead button").click();
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  return performance.now() - start;
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=300)
    parser.add_argument("--probes", type=int, default=12)
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    from playwright.sync_api import sync_playwright

    data = board(options.models, options.probes)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        site = Path(folder)
        for path in STATIC.iterdir():
            shutil.copyfile(path, site / path.name)
        (site / "data").mkdir()
        (site / "data" / "index.js").write_text(script("index", data))
        (site / "plain.html").write_text(plain(data))
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        found: dict[str, list[float]] = {"board": [], "plain table": [], "sort": []}
        for _ in range(options.runs):
            for name, file in (("board", "index.html"), ("plain table", "plain.html")):
                page = browser.new_page()
                page.goto((site / file).as_uri())
                page.wait_for_selector("table tbody tr:last-child")
                found[name].append(page.evaluate(LOADED))
                if name == "board":
                    found["sort"].append(page.evaluate(SORT))
                page.close()
        browser.close()
    middle = {name: statistics.median(times) for name, times in found.items()}
    print(f"{options.models} models, {options.probes} probes, median of {options.runs} loads from the disk")
    print(f"board ready {middle['board']:.0f} ms, plain table {middle['plain table']:.0f} ms, ", end="")
    print(f"ratio {middle['board'] / middle['plain table']:.1f}; limit 1000 ms, used {middle['board'] / 10:.0f} %")
    print(f"sorting by another column {middle['sort']:.0f} ms")
    print(json.dumps({name: round(value, 1) for name, value in middle.items()}))


if __name__ == "__main__":
    main()
