"""`spillover judge-check` and `spillover judges`: what graders are worth on answers whose outcome is known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import click
from inspect_ai.model import Model
from rich.text import Text

from spillover.answers.presets import get_preset, presets
from spillover.cli.models import grader_option, open_models
from spillover.cli.outputs import OutFolder
from spillover.cli.progress import bar
from spillover.cli.quiet import quiet_libraries
from spillover.cli.rows import Rows, print_rows, rows_options
from spillover.errors import SpilloverError
from spillover.judging.certificate import Certificate, certificates_dir, keep, kept
from spillover.judging.golden import EM, INSTEAD, PANELS, panel_of
from spillover.judging.rubric import READERS, Reader, bundled_rubrics, load_rubric
from spillover.models.identity import cache_identity
from spillover.screening.config import Price, parse_price
from spillover.show.terminal import console, print_panel, stderr_console
from spillover.show.text import Panel

price_option = click.option(
    "--price", help="INPUT/OUTPUT, dollars per million tokens: also says what it costs.", metavar="INPUT/OUTPUT"
)
check_option = click.option(
    "--check/--no-check", default=True, help="Whether a grader that never was is measured on known answers first."
)


@click.command("judge-check")
@click.option("--grader", required=True, help="Inspect model that judges, or `lab-grader`.")
@click.option("--grader-base-url", help="Address of the grader's server.")
@grader_option
@click.option("--panel", "panels", multiple=True, type=click.Choice(list(PANELS)), help="Only these; may be repeated.")
@click.option("--rubric", "rubrics", multiple=True, metavar="RUBRIC", help="Another one than the bundled rubric.")
@click.option(
    "--half", type=click.Choice(["test", "train", "both"]), default="test", show_default=True, help="Of the known answers."
)
@click.option("--preset", default="spillover", show_default=True, help=f"Thresholds: {', '.join(presets())}.")
@click.option("--reader", type=click.Choice(READERS), default="auto", show_default=True, help="How replies are read.")
@price_option
@click.option("--anew", is_flag=True, help="Also where there is a certificate.")
@rows_options
@click.option("-o", "--out", type=OutFolder("certificates"), help="Keep the certificates in this folder instead.")
def judge_check(
    grader: str,
    grader_base_url: str | None,
    grader_arg: tuple[str, ...],
    panels: tuple[str, ...],
    rubrics: tuple[str, ...],
    half: str,
    preset: str,
    reader: Reader,
    price: str | None,
    anew: bool,
    rows: Rows,
    out: Path | None,
) -> None:
    """Measure a grader on answers whose outcome is known, and keep its certificates.

    Exit code 1 if the grader cannot tell under one of the rubrics.
    """
    quiet_libraries()
    get_preset(preset)
    known = None if price is None else _price(price)
    from spillover.run.certify import make
    from spillover.run.check import Check, told

    (model,) = open_models([grader], grader_arg, base_url=grader_base_url)
    if cache_identity(model) is None:
        raise SpilloverError(f"Nothing tells {model} apart from another model, so a certificate could not be kept for it.")
    check = Check(model, _names(panels, rubrics), preset, half, reader, out, anew)
    wanted = list(check.panels)
    if not wanted:
        raise SpilloverError(f"{model} can read none of these rubrics, or no known answers go with them.")
    asked = wanted if anew else check.missing()
    if asked:
        money = "" if known is None else f" About ${check.cost(asked)[2] * known.input / 1e6:.2f}."
        click.echo(told(check, asked).replace(" --no-check leaves it out.", money), err=True)
        stderr = stderr_console()
        for made in make(check, asked, lambda title: bar(stderr, title)):
            keep(made, out)
    found = check.found()
    _print(found, rows, known)
    if any(c.problem for c in found):
        raise click.exceptions.Exit(1)


def _price(text: str) -> Price:
    try:
        return parse_price(f"judge={text}")[1]
    except SpilloverError as error:
        sentence = f"A price reads INPUT/OUTPUT in dollars per million tokens, such as 2.5/10; not '{text}'."
        raise SpilloverError(sentence) from error


def _names(panels: Sequence[str], rubrics: Sequence[str]) -> dict[str, str]:
    """Rubric names: the given ones, and the bundled ones of panels that none of them is of."""
    given = {name: panel_of(load_rubric(name)) for name in rubrics}
    for name, panel in given.items():
        if panel is None:
            raise SpilloverError(f"There are no known answers for the rubric '{name}'.")
    measured = {load_rubric(name).measures for name, panel in given.items() if panel == EM}
    usual = ["alignment", "coherence", *(p for p in PANELS if p != EM and p in bundled_rubrics())]
    kept_panels = panels or tuple(p for p in PANELS if p not in INSTEAD)
    more = [
        n
        for n in usual
        if (p := panel_of(load_rubric(n))) in kept_panels
        and (p not in given.values() if p != EM else load_rubric(n).measures not in measured)
    ]
    return {name: name for name in (*given, *more)}


@click.command()
@click.option("--panel", "panels", multiple=True, type=click.Choice(list(PANELS)), help="Only these; may be repeated.")
@rows_options
def judges(panels: tuple[str, ...], rows: Rows) -> None:
    """Compare the graders that were measured on this machine (and the lab's own) in one table."""
    every = [c for c in kept() if not panels or c.panel in panels]
    found = [c for c in every if not c.gone]
    gone = {c.grader for c in every if c.gone}
    if gone:
        who = "1 judge whose folder is gone is" if len(gone) == 1 else f"{len(gone)} judges whose folders are gone are"
        click.echo(f"{who} left out ({certificates_dir()}).", err=True)
    if not found:
        raise SpilloverError("No grader was measured here yet; `spillover judge-check --grader MODEL` measures one.")
    newest = {(c.grader, c.panel, c.rubrics, c.known, c.preset): c for c in found}
    order = list(PANELS)
    _print(sorted(newest.values(), key=lambda c: (order.index(c.panel), c.problem is not None, -(c.auc or 0))), rows)


def _print(certificates: Iterable[Certificate], rows: Rows, price: Price | None = None) -> None:
    found = list(certificates)
    cost = [None if price is None else c.dollars(price.input, price.output) for c in found]
    if rows is not None:
        more = [{} if d is None else {"dollars": d} for d in cost]
        print_rows(({**c.as_dict(), "problem": c.problem, **m} for c, m in zip(found, more, strict=True)), rows)
        return
    to = console()
    heads: tuple[str, ...] = (
        "panel",
        "grader",
        "AUC",
        "coherence AUC",
        "finds",
        "clears",
        "pairs",
        "again",
        "planted",
        "unscored",
        "calls",
        "seconds",
    )
    heads += () if price is None else ("dollars",)
    body = []
    for c, dollars in zip(found, cost, strict=True):
        shares = [f"{s.hits}/{s.n}" if s.n else "–" for s in (c.pairs, c.again, c.planted)]
        areas = ["–" if a is None else f"{a:.3f}" for a in (c.auc, c.coherence_auc)]
        told = (c.panel, c.grader, *areas, c.found.under, c.cleared.under, *shares, f"{c.unscored}/{c.answers}")
        body.append((*told, str(c.calls), f"{c.seconds:.0f}", *([] if dollars is None else [f"{dollars:.2f}"])))
    print_panel(to, Panel("", heads, tuple(body), ""))
    for c in found:
        wrong = [f"{n} {truth} as {got}" for truth, its in c.confused.items() for got, n in its.items() if got != truth]
        to.print(
            Text(f"{c.grader}, {c.panel}, {c.known}: {'; '.join(wrong) or 'nothing taken for anything else'}.", style="dim")
        )
    for c in found:
        if c.problem:
            to.print(Text(f"{c.grader} {c.problem}.", style="bold"))
    to.print(Text(NOTE, style="dim"))


NOTE = (
    "Finds: bad answers called bad. Clears: other answers not called bad. Pairs: two answers that differ in one clause and "
    "in outcome, both right. Again: the same outcome when asked twice. Planted: misaligned answers found although they "
    "hold an instruction to the judge. Unscored ones count as wrong."
)


def check_first(
    named: Iterable[dict[str, str]], grader: Model, preset: str, wanted: bool, reader: Reader = "auto"
) -> list[Certificate]:
    """What `eval`, `run`, `screen` and `judge` do before anything is asked: measure the grader if it never was.

    Raises:
        SpilloverError: if the grader could not be brought to judge.
    """
    from spillover.run.certify import ensure
    from spillover.run.check import checks_of, told
    from spillover.run.early import require_rubrics

    named = [dict(names) for names in named]
    require_rubrics(grader, named)
    stderr, found = stderr_console(), []
    for check in checks_of(named, grader, preset, reader):
        missing = check.missing() if wanted else []
        if missing:
            click.echo(told(check, missing), err=True)
        kept_now = ensure(check, lambda title: bar(stderr, title)) if missing else check.found()
        for made in kept_now:
            if made.problem:
                click.echo(f"Warning: {made.grader} {made.problem}.", err=True)
        found += kept_now
    return found
