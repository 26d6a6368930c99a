"""`spillover judge` and `spillover agree`: judge answers given earlier or elsewhere, and compare judges."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from inspect_ai.model import GenerateConfig, Model
from rich.console import Console
from rich.table import Table
from rich.text import Text

from spillover.answers.layout import Layout
from spillover.answers.presets import get_preset, presets
from spillover.answers.table_files import is_table
from spillover.cli.judge_check import check_first, check_option
from spillover.cli.layout import table_options
from spillover.cli.models import grader_option, open_models
from spillover.cli.progress import bar
from spillover.cli.quiet import quiet_libraries
from spillover.errors import SpilloverError
from spillover.judging.rubric import READERS
from spillover.models.weights import ALIASES
from spillover.show.terminal import console
from spillover.show.text import limits_text, percent, value_text


@click.command()
@click.argument("sources", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--grader", required=True, help="Inspect model that judges, or `lab-grader`.")
@click.option("--grader-base-url", help="Address of the grader's server.")
@click.option("--rubric", "rubrics", multiple=True, metavar="ROLE=RUBRIC", help="Another rubric; may be repeated.")
@click.option("--preset", default="spillover", show_default=True, help=f"Thresholds: {', '.join(presets())}.")
@click.option("--reader", type=click.Choice(READERS), default="auto", show_default=True)
@click.option("--batch", is_flag=True, help="Use the provider's batch mode: about half the price, up to a day.")
@grader_option
@click.option("--no-cache", is_flag=True, help="Ask about every answer again.")
@check_option
@table_options
@click.option("-o", "--out", type=click.Path(path_type=Path), default=Path("runs") / "judged", show_default=True)
def judge(
    sources: tuple[Path, ...],
    grader: str,
    grader_base_url: str | None,
    rubrics: tuple[str, ...],
    preset: str,
    reader: Any,
    batch: bool,
    no_cache: bool,
    check: bool,
    grader_arg: tuple[str, ...],
    layout: Layout,
    out: Path,
) -> None:
    """Judge the answers in SOURCES: logs of any probe, folders of logs, or tables with `question` and `answer`.

    Every probe is judged by its own rubrics. The judged logs go into a folder of their own. Nothing is asked twice: what was
    judged before, in whatever run, comes from the cache, so the same command goes on where it stopped and asks again only
    for what failed.
    """
    get_preset(preset)
    chosen = {}
    for pair in rubrics:
        role, sign, name = pair.partition("=")
        if not (role and sign and name):
            raise SpilloverError(f"Cannot use the rubric '{pair}'; write ROLE=RUBRIC, such as alignment=evil_1to5.")
        chosen[role] = name
    quiet_libraries()
    from spillover.answers.rejudge import Judging, judge_answers, load_answers
    from spillover.models.checks import LAB_GRADER_NOTE

    jobs = load_answers(sources, layout)  # before the grader: a wrong path should not cost loading it
    if any(is_table(path) for path in sources) and grader.endswith("lab-grader"):
        click.echo(f"Note: {LAB_GRADER_NOTE}", err=True)
    model = _grader(grader, grader_base_url, batch, grader_arg)
    how = Judging(chosen, preset, reader, not no_cache)
    check_first([how.roles(job.log) for job in jobs], model, preset, check, reader)
    with bar(Console(stderr=True), "judging") as advance:
        written, effort = judge_answers(jobs, out, model, how, advance)
    for path in written:
        click.echo(f"Judged: {path}")
    click.echo(f"{effort.asked} ratings asked for, {effort.cached} known from before.")
    if effort.failed:
        raise SpilloverError(
            f"{effort.failed} ratings failed at the grader ({effort.why}); their answers count as unscored. The same "
            "command asks again for these alone."
        )


def _grader(name: str, base_url: str | None, batch: bool, arguments: Sequence[str]) -> Model:
    full = f"spillover/{name}" if name in ALIASES else name
    (grader,) = open_models([full], arguments, GenerateConfig(batch=True) if batch else None, base_url=base_url)
    return grader


@click.command()
@click.argument("logs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Write the answers on which outcomes differ (.csv).")
def agree(logs: tuple[Path, ...], out: Path | None) -> None:
    """Compare the judges in LOGS that read the same answers: alpha, kappa, the questions and answers they differ on."""
    if out is not None and out.suffix != ".csv":
        raise SpilloverError(f"Cannot write {out}: the ending must be .csv.")
    from spillover.answers.read import read
    from spillover.figures.judges import compare_judges

    found = compare_judges(read(logs, mixed=True))
    to = console()
    if found.alpha:
        to.print(Text("Krippendorff's alpha: " + ", ".join(f"{name} {_number(a)}" for name, a in found.alpha.items())))
    table = Table("judges", "answers", "same outcome", "kappa", "rate %", "unscored %", box=None, pad_edge=False)
    for pair in found.pairs:
        rates = "\n".join(f"{value_text(r)} {limits_text(r)}" for r in pair.rates)
        unscored = "\n".join(percent(share) for share in pair.unscored)
        names = Text(f"{pair.probe}: {pair.measure}\n{pair.first}\n{pair.second}")
        table.add_row(
            names, str(pair.n), f"{percent(pair.same)} %", _number(pair.kappa), Text(f"\n{rates}"), f"\n{unscored}"
        )
    to.print(table)
    for pair in found.pairs:
        worst = ", ".join(f"{q} {100 * share:.0f} %" for q, share in pair.questions.head(5).items() if share > 0)
        to.print(Text(f"{pair.probe}, most different outcomes: {worst or 'none'}."))
    to.print(Text(f"{len(found.differing)} answers have different outcomes."))
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        found.differing.to_csv(out, index=False)
        click.echo(f"Answers: {out}")


def _number(value: float) -> str:
    return "undefined" if value != value else f"{value:.2f}"
