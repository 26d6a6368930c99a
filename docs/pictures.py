"""Pictures of simulated tables: `python docs/pictures.py` draws `docs/reference/simulations.md`, `--check` compares.

Every picture is rows of marks on a scale with the line that is to be kept to. SVG by hand, so that the same tables give the
same file everywhere; both themes; shapes besides colours.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

ROOT = Path(__file__).parent
TABLES = ROOT / "reference" / "simulations.md"
ROW, LABEL, WIDE, TOP, KEY = 15, 170, 470, 34, 22
"""Pixels: height of a row, of labels, of the scale, above the rows, of the legend."""
STYLE = (
    "text{font:12px sans-serif;fill:#333}.k{font-size:11px}.g{stroke:#ddd}.l{stroke:#b00;stroke-dasharray:4 3}"
    ".a{fill:#0072b2;stroke:#0072b2}.b{fill:none;stroke:#d55e00;stroke-width:1.5}.c{fill:none;stroke:#009e73;stroke-width:1.5}"
    "@media (prefers-color-scheme:dark){text{fill:#ddd}.g{stroke:#444}.l{stroke:#f66}.a{fill:#56b4e9;stroke:#56b4e9}"
    ".b{stroke:#f0a35e}.c{stroke:#4fd6ac}}"
)
MARKS: dict[str, str] = {
    "a": '<circle class="a" cx="{x}" cy="{y}" r="3"/>',
    "b": '<path class="b" d="M{x} {y}m-4 -4h8v8h-8z"/>',
    "c": '<path class="c" d="M{x} {y}m-4 -4l8 8m0 -8l-8 8"/>',
}
Numbers = dict[str, list[float]]
"""Class of a mark to its values in one row."""


@dataclass(frozen=True)
class Picture:
    """One picture.

    Attributes:
        name: Of the file.
        starts: How the header of its table begins.
        label: From a row's cells to its name.
        values: From a row's cells to its marks.
        scale: Ends and step of the scale.
        line: Where the line is that is to be kept to.
        key: Class of a mark to what it is.
        title: What is drawn, with its unit.
    """

    name: str
    starts: str
    label: Callable[[list[str]], str]
    values: Callable[[list[str]], Numbers]
    scale: tuple[float, float, float]
    line: float | None
    key: dict[str, str]
    title: str


def first(cell: str) -> float:
    """The number that a cell begins with."""
    return float(re.match(r"-?[\d.]+", cell.strip())[0])  # type: ignore[index]


def parted(cells: Sequence[str], part: int) -> list[float]:
    """One part of cells that read `10 / 65`."""
    return [first(cell.split("/")[part]) for cell in cells]


PICTURES = (
    Picture(
        "coverage",
        "| questions x answers | rate | equal",
        lambda r: f"{r[0]}, rate {r[1]}",
        lambda r: {"a": [first(c) for c in r[2:8]], "b": [first(r[8])], "c": [first(r[9])]},
        (84, 100, 2),
        95,
        {"a": "on questions like these, six worlds", "b": "on this suite, least", "c": "clustered Wilson, least"},
        "Coverage of 95 % intervals, percent of runs",
    ),
    Picture(
        "width",
        "| questions x answers | rate | equal",
        lambda r: f"{r[0]}, rate {r[1]}",
        lambda r: dict(zip("abc", ([v] for v in map(first, r[10].split("/"))), strict=True)),
        (0, 32, 4),
        None,
        {"a": "on questions like these", "b": "on this suite", "c": "clustered Wilson"},
        "Mean width of 95 % intervals, points",
    ),
    Picture(
        "false_rises",
        "| questions x answers | base | beta",
        lambda r: f"{r[0]}, base {r[1]}",
        lambda r: {"a": [first(c) for c in r[2:7]]},
        (0, 8, 1),
        2.5,
        {"a": "on questions like these, five worlds"},
        "No drift: runs that call one a rise, percent",
    ),
    Picture(
        "power",
        "| questions x answers | base | rise",
        lambda r: f"{r[0]}, {r[1]} + {r[2]}",
        lambda r: {"a": parted(r[3:8], 0), "b": parted(r[3:8], 1)},
        (0, 100, 10),
        None,
        {"a": "on questions like these, five worlds", "b": "on this suite"},
        "A rise (points over the base): runs that call it one, percent",
    ),
    Picture(
        "seeds",
        "| seeds x questions | rate",
        lambda r: f"{r[0]}, rate {r[1]}",
        lambda r: {"a": [first(r[2])], "b": [first(r[3])], "c": [first(r[4])]},
        (90, 100, 1),
        95,
        {"a": "seeds alike", "b": "seeds differ by 0.5 logits", "c": "by 1"},
        "Coverage over training seeds and questions, percent of runs",
    ),
    Picture(
        "correction",
        "| sensitivity | specificity | labels",
        lambda r: f"{r[0]} / {r[1]}, {r[2]}, ICC {r[3]}",
        lambda r: {"a": [first(r[5])], "b": [first(r[6])], "c": [first(r[4])]},
        (0, 100, 10),
        95,
        {"a": "Rogan-Gladen", "b": "prediction-powered", "c": "not corrected"},
        "Coverage by the judge's sensitivity / specificity, labels and ICC, percent of runs",
    ),
)


def table(text: str, starts: str) -> list[list[str]]:
    """Cells of the rows of the table whose header begins so.

    Raises:
        KeyError: if there is none.
    """
    lines = text.splitlines()
    at = next((i for i, line in enumerate(lines) if line.startswith(starts)), None)
    if at is None:
        raise KeyError(f"{TABLES} has no table that begins with '{starts}'")
    rows = []
    for line in lines[at + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def drawn(picture: Picture, rows: Sequence[list[str]]) -> str:
    """The picture as SVG."""
    low, high, step = picture.scale
    bottom = TOP + ROW * len(rows)

    def place(value: float) -> float:
        return round(LABEL + WIDE * (min(max(value, low), high) - low) / (high - low), 1)

    out = [f'<text x="8" y="16">{escape(picture.title)}</text>']
    for n in range(round((high - low) / step) + 1):
        x = place(low + n * step)
        out.append(f'<path class="g" d="M{x} {TOP - 8}V{bottom}"/>')
        out.append(f'<text class="k" x="{x}" y="{bottom + 14}" text-anchor="middle">{low + n * step:g}</text>')
    if picture.line is not None:
        out.append(f'<path class="l" d="M{place(picture.line)} {TOP - 8}V{bottom}"/>')
    for n, cells in enumerate(rows):
        y = TOP + ROW * n + ROW // 2 - 4
        out.append(f'<text class="k" x="{LABEL - 10}" y="{y + 4}" text-anchor="end">{escape(picture.label(cells))}</text>')
        out += [MARKS[k].format(x=place(v), y=y) for k, values in picture.values(cells).items() for v in values]
    x = 16
    for kind, what in picture.key.items():
        out.append(MARKS[kind].format(x=x, y=bottom + KEY + 6))
        out.append(f'<text class="k" x="{x + 9}" y="{bottom + KEY + 10}">{escape(what)}</text>')
        x += 24 + round(6.1 * len(what))
    size = (LABEL + WIDE + 20, bottom + KEY + 20)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size[0]} {size[1]}" width="{size[0]}" role="img">'
    return "\n".join([head, f"<title>{escape(picture.title)}</title><style>{STYLE}</style>", *out, "</svg>\n"])


def main() -> None:
    """Write the pictures, or with `--check` name those that differ."""
    text = TABLES.read_text(encoding="utf-8")
    stale = []
    for picture in PICTURES:
        path, made = ROOT / "pictures" / f"{picture.name}.svg", drawn(picture, table(text, picture.starts))
        if not path.is_file() or path.read_text(encoding="utf-8") != made:
            stale.append(path)
            if "--check" not in sys.argv:
                path.parent.mkdir(exist_ok=True)
                path.write_text(made, encoding="utf-8")
    for path in stale:
        print(path.relative_to(ROOT.parent))
    sys.exit(bool(stale and "--check" in sys.argv))


if __name__ == "__main__":
    main()
