"""`spillover judge` and `spillover agree`: judge answers given earlier or elsewhere, and compare judges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from inspect_ai.model import GenerateConfig, Model
from rich.table import Table
from rich.text import Text

from spillover.answers.layout import Layout
from spillover.answers.presets import get_preset, presets
from spillover.cli.judge_check import check_first, check_option
from spillover.cli.layout import table_options
from spillover.cli.models import grader_option, open_models
from spillover.cli.numbers import FEW
from spillover.cli.outputs import DIFFERING, OutFolder, first_folder
from spillover.cli.progress import bar
from spillover.cli.quiet import quiet_libraries
from spillover.cli.rows import Rows, print_rows, rows_options
from spillover.errors import SpilloverError
from spillover.figures.figure import limits
from spillover.judging.rubric import READERS
from spillover.show.terminal import console, stderr_console
from spillover.show.text import limits_text, percent, value_text
from spillover.table_files import is_table
from spillover.writing import write_table

if TYPE_CHECKING:
    from spillover.figures.judges import PairAgreement


@click.command()
@click.argument("sources", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--grader", required=True, help="Inspect model that judges, or `lab-grader`.")
@click.option("--grader-base-url", help="Address of the grader's server.")
@click.option("--rubric", "rubrics", multiple=True, metavar="ROLE=RUBRIC", help="Another rubric; may be repeated.")
@click.option("--preset", default="spillover", show_default=True, help=f"Thresholds: {', '.join(presets())}.")
@click.option("--reader", type=click.Choice(READERS), default="auto", show_default=True, help="How replies are read.")
@click.option("--batch", is_flag=True, help="Use the provider's batch mode: about half the price, up to a day.")
@grader_option
@click.option("--no-cache", is_flag=True, help="Ask about every answer again.")
@check_option
@table_options
@click.option("--limit", type=FEW, metavar="N", help="A first try, in OUT-first-N: N answers of each log, or model.")
@click.option(
    "-o", "--out", type=OutFolder("logs"), default=Path("runs") / "judged", show_default=True, help="Folder of judged logs."
)
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
    limit: int | None,
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
    from spillover.judging.assess import first_calling
    from spillover.models.checks import LAB_GRADER_NOTE
    from spillover.run.reach import greet

    jobs = load_answers(sources, layout, limit)  # before the grader: a wrong path should not cost loading it
    if any(is_table(path) for path in sources) and grader.endswith("lab-grader"):
        click.echo(f"Note: {LAB_GRADER_NOTE}", err=True)
    model = _grader(grader, grader_base_url, batch, grader_arg)
    how = Judging(chosen, preset, reader, not no_cache)
    check_first([how.roles(job.log) for job in jobs], model, preset, check, reader)
    # Of a grader whose every reading is known from before nothing is asked, not even whether it is there.
    with bar(stderr_console(), "judging") as advance, first_calling(greet):
        written, effort = judge_answers(jobs, first_folder(out, limit), model, how, advance)
    for path in written:
        click.echo(f"Judged: {path}")
    click.echo(f"{effort.asked} ratings asked for, {effort.cached} known from before.")
    if effort.unread:
        told = (
            f"{effort.unread} of {effort.asked} replies were no verdict ({effort.reason}); their answers count as unscored"
        )
        if effort.unread == effort.asked:
            raise SpilloverError(f"{told}. Another --reader may suit this grader.")
        click.echo(f"Note: {told}.", err=True)
    if effort.failed:
        raise SpilloverError(
            f"{effort.failed} ratings failed at the grader ({effort.why}); their answers count as unscored. The same "
            "command asks again for these alone."
        )


def _grader(name: str, base_url: str | None, batch: bool, arguments: Sequence[str]) -> Model:
    (grader,) = open_models([name], arguments, GenerateConfig(batch=True) if batch else None, base_url=base_url)
    return grader


@click.command()
@click.argument("logs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--out", type=DIFFERING, help="Write the answers on which outcomes differ (.csv).")
@rows_options
def agree(logs: tuple[Path, ...], out: Path | None, rows: Rows) -> None:
    """Compare the judges in LOGS that read the same answers: alpha, kappa, the questions and answers they differ on."""
    from spillover.answers.read import read
    from spillover.figures.judges import compare_judges

    found = compare_judges(read(logs, mixed=True))
    if rows is not None:
        print_rows((_pair_row(p, found.alpha) for p in found.pairs), rows)
        if out is not None:
            write_table(found.differing, out)
        return
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
        write_table(found.differing, out)
        click.echo(f"Answers: {out}")


def _pair_row(pair: PairAgreement, alpha: Mapping[str, float]) -> dict[str, Any]:
    """Two judges on one probe; shares are parts of one."""
    sides: dict[str, float] = {}
    for name, rate, unscored in zip(("first", "second"), pair.rates, pair.unscored, strict=True):
        between = limits(rate)
        sides |= {f"{name}_value": rate.value, f"{name}_lower": between.lower, f"{name}_upper": between.upper}
        sides |= {f"{name}_unscored": unscored}
    return {
        "probe": pair.probe,
        "measure": pair.measure,
        "first": pair.first,
        "second": pair.second,
        "answers": pair.n,
        "same": pair.same,
        "kappa": pair.kappa,
        **sides,
        **{f"alpha_{name}": value for name, value in alpha.items()},
    }


def _number(value: float) -> str:
    return "undefined" if value != value else f"{value:.2f}"
