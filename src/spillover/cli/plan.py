"""`spillover plan`: how many questions and answers a claim needs."""

from __future__ import annotations

import math
from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from spillover.errors import SpilloverError
from spillover.show.terminal import console
from spillover.stats.logitnormal import icc_of_rate
from spillover.stats.power import needed_n
from spillover.stats.power import plan as design
from spillover.stats.rates import Rate

QUESTIONS = (8, 24, 50, 72, 100, 200, 400)


@click.command()
@click.option("--margin", type=float, required=True, help="Rate that is to be excluded: 0.01 is one percent.")
@click.option("--power", type=float, default=0.9, show_default=True, help="Chance to succeed.")
@click.option("--rate", type=float, default=0.0, show_default=True, help="True rate that is expected.")
@click.option("--icc", type=float, help="How alike answers to one question are [default: what the margin makes likely].")
@click.option("--pilot", type=click.Path(path_type=Path), help="Log or folder of logs that the ICC is taken from.")
@click.option("--alpha", type=float, default=0.05, show_default=True, help="One-sided error.")
@click.option("--questions", type=click.IntRange(min=1), multiple=True, help="Numbers of questions; may be repeated.")
def plan(
    margin: float,
    power: float,
    rate: float,
    icc: float | None,
    pilot: Path | None,
    alpha: float,
    questions: tuple[int, ...],
) -> None:
    """Answers per question that show a rate to lie below MARGIN, on questions like these."""
    if icc is not None and pilot is not None:
        raise SpilloverError("Give --icc or --pilot, not both.")
    why = "as given"
    if pilot is not None:
        icc, why = _icc_of(pilot)
    elif icc is None:
        icc, why = icc_of_rate(margin), f"of a rate of {100 * margin:g} % whose questions differ as published ones do"
    if not 0 <= icc < 1:
        raise SpilloverError(f"The ICC lies between 0 and 1, not {icc}.")
    try:
        needed = math.ceil(needed_n(margin, rate, power, alpha))
    except ValueError as error:
        raise SpilloverError(f"There is no such design: {error}.") from error
    table = Table(
        "questions", "answers each", "answers", "design effect", "power", f"detectable over {100 * rate:g} %", box=None
    )
    for count in questions or QUESTIONS:
        d = design(count, margin, power, icc, rate, alpha)
        if d.epochs is None:
            table.add_row(str(count), "no number is enough", "", "", "", "")
            continue
        table.add_row(
            str(count),
            str(d.epochs),
            str(d.answers),
            f"{d.deff:.1f}",
            f"{100 * d.power:.0f} %",
            f"{100 * d.detectable:.1f} %",
        )
    limit = (
        "More answers to the same questions stop helping: the effective number never exceeds questions / ICC, so at least "
        f"{math.ceil(needed * icc)} questions. "
        if icc > 0
        else ""
    )
    to = console()
    to.print(
        Text(
            f"To show with error {alpha:g} and power {power:g} that a rate is below {100 * margin:g} %, when it is "
            f"{100 * rate:g} %: {needed} independent answers."
        )
    )
    to.print(table)
    to.print(
        Text(
            f"ICC {icc:.3g} ({why}); power is simulated with the upper limit at one-sided error alpha (--alpha 0.025 for "
            f"the 95 % interval that reports print). {limit}On this suite alone, {needed} answers to any number of "
            "questions are enough.",
            style="dim",
        )
    )


def _icc_of(pilot: Path) -> tuple[float, str]:
    """ICC of the first measure in a pilot's logs, and where it is from.

    Raises:
        SpilloverError: if the logs hold no share with ten hits and ten misses, which would not tell it.
    """
    from spillover.answers.read import read
    from spillover.figures.figure import figures
    from spillover.show.tables import TELLING

    rates = [(f, f.value) for f in figures(read([pilot])) if isinstance(f.value, Rate)]
    telling = [(f, rate) for f, rate in rates if min(rate.hits, rate.n - rate.hits) >= TELLING]
    if not telling:
        raise SpilloverError(f"{pilot} has no rate with {TELLING} hits and misses or more, which would tell an ICC: --icc.")
    figure, rate = telling[0]
    return rate.icc, f"{figure.group} on {figure.title}: {figure.measure.name}"
