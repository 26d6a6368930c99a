"""`spillover plan`: how many questions and answers a claim needs."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from spillover.cli.numbers import MANY, OPEN_SHARE, SHARE, Real
from spillover.cli.rows import Rows, print_rows, rows_options
from spillover.errors import SpilloverError
from spillover.show.terminal import console
from spillover.stats.logitnormal import icc_of_rate
from spillover.stats.paired_power import paired_plan
from spillover.stats.power import needed_n
from spillover.stats.power import plan as design
from spillover.stats.rates import Rate

QUESTIONS = (8, 24, 50, 72, 100, 200, 400)


MARGIN = Real(1e-6, 1, max_open=True)
BELOW_1 = Real(0, 1, max_open=True)


@click.command()
@click.option("--margin", type=MARGIN, help="Rate that is to be excluded: 0.01 is one percent.")
@click.option("--drift", type=MARGIN, help="Or: rise over a base's rate that is to be found, in parts of one.")
@click.option("--power", type=OPEN_SHARE, default=0.9, show_default=True, help="Chance to succeed.")
@click.option(
    "--rate", type=SHARE, default=0.0, show_default=True, help="True rate that is expected; with --drift the base's."
)
@click.option(
    "--icc",
    type=BELOW_1,
    help="How alike answers to one question are [default: what the margin makes likely].",
)
@click.option("--pilot", type=click.Path(path_type=Path), help="Log or folder of logs that the ICC is taken from.")
@click.option("--alpha", type=MARGIN, help="One-sided error [default: 0.05; with --drift 0.025, as in reports].")
@click.option("--questions", type=MANY, multiple=True, help="Numbers of questions; may be repeated.")
@rows_options
def plan(
    margin: float | None,
    drift: float | None,
    power: float,
    rate: float,
    icc: float | None,
    pilot: Path | None,
    alpha: float | None,
    questions: tuple[int, ...],
    rows: Rows,
) -> None:
    """Answers per question that show a rate to lie below a margin, or a drift from a base, on questions like these."""
    if (margin is None) == (drift is None):
        raise SpilloverError("Give one of --margin (a rate to be excluded) and --drift (a rise to be found).")
    if drift is not None:
        if icc is not None or pilot is not None:
            raise SpilloverError(
                "--icc and --pilot are for --margin; a drift is planned with questions as published ones differ."
            )
        _plan_drift(drift, power, rate, 0.025 if alpha is None else alpha, questions, rows)
        return
    assert margin is not None
    alpha = 0.05 if alpha is None else alpha
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
    designs = [design(count, margin, power, icc, rate, alpha) for count in questions or QUESTIONS]
    if rows is not None:
        given = {"margin": margin, "rate": rate, "alpha": alpha, "icc": icc, "independent_answers": needed}
        print_rows([{**asdict(d), "answers": d.answers, **given} for d in designs], rows)
        return
    table = Table(
        "questions", "answers each", "answers", "design effect", "power", f"detectable over {100 * rate:g} %", box=None
    )
    for d in designs:
        if d.epochs is None:
            table.add_row(str(d.questions), "no number is enough", "", "", "", "")
            continue
        table.add_row(
            str(d.questions),
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


def _plan_drift(drift: float, power: float, rate: float, alpha: float, questions: tuple[int, ...], rows: Rows) -> None:
    try:
        designs = [paired_plan(count, drift, power, rate, alpha) for count in questions or QUESTIONS]
    except ValueError as error:
        raise SpilloverError(f"There is no such design: {error}.") from error
    if rows is not None:
        given = {"drift": drift, "rate": rate, "alpha": alpha}
        print_rows([{**asdict(d), "answers": d.answers, **given} for d in designs], rows)
        return
    table = Table("questions", "answers each", "answers of both", "power", "power on this suite", box=None)
    for d in designs:
        cells = ["no number is enough", "", "", ""]
        if d.epochs is not None:
            cells = [str(d.epochs), str(d.answers), f"{100 * d.power:.0f} %", f"{100 * d.suite_power:.0f} %"]
        table.add_row(str(d.questions), *cells)
    to = console()
    to.print(
        Text(
            f"To find a rise of {100 * drift:g} points over a base at {100 * rate:g} %, with power {power:g} on questions "
            f"like these and error {alpha:g}:"
        )
    )
    to.print(table)
    to.print(
        Text(
            "Simulated, with questions that differ as published ones do and an organism that is bad where its base is. More "
            "answers to few questions stop helping: what differs between questions stays.",
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
