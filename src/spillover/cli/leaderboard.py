"""`spillover leaderboard`: a static site from logs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from spillover.answers.files import find
from spillover.answers.presets import get_preset, presets
from spillover.answers.read import Answers, read, renamed
from spillover.answers.table import tidy
from spillover.cli.outputs import OutFolder
from spillover.cli.quiet import quiet_libraries
from spillover.errors import SpilloverError
from spillover.exchange.contributed import RECOMPUTED, Contribution, computed_again, is_record, read_contribution
from spillover.exchange.export import Given, write_exchange
from spillover.leaderboard.board import make_board, twins, with_contributions
from spillover.leaderboard.build import cards, naive, provenance, read_about, write_site
from spillover.logs import read_log


@click.command()
@click.argument("logs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--out", type=OutFolder("a leaderboard"), required=True, help="Folder of the site.")
@click.option("--models", type=click.Path(path_type=Path), help="YAML: model to name, family, size, recipe, base, domain.")
@click.option("--preset", default="spillover", show_default=True, help=f"Thresholds: {', '.join(presets())}.")
@click.option("--judge", help="Part of the name of one judge, where several scored the answers.")
@click.option("--title", default="Spillover leaderboard", show_default=True, help="Heading of the site.")
@click.option("--bundle", is_flag=True, help="Copy the logs with Inspect's viewer into the site.")
@click.option("--export", type=OutFolder("an export"), help="Folder for exchange files (see docs/leaderboard.md).")
@click.option("--organisation", default="unnamed", show_default=True, help="Who measured, for the exchange files.")
def leaderboard(
    logs: tuple[Path, ...],
    out: Path,
    models: Path | None,
    preset: str,
    judge: str | None,
    title: str,
    bundle: bool,
    export: Path | None,
    organisation: str,
) -> None:
    """Make a static site of the models in LOGS (files or folders). Open OUT/index.html, or put OUT on any web server.

    A .json file among LOGS is a contributed Every Eval Ever record. Its figures are computed again from the logs beside it,
    and it is refused where they differ; without logs it is shown as claimed, apart and unranked.
    """
    quiet_libraries()
    if export is not None and export.is_dir() and any(export.iterdir()) and not (export / "figures.csv").is_file():
        raise SpilloverError(f"{export} holds other things than an export; choose another folder with --export.")
    contributed = [read_contribution(path, preset) for path in logs if path.suffix == ".json" and is_record(path)]
    logs = tuple(path for path in logs if path.suffix != ".json" or not is_record(path))
    by_model = _computed_again(contributed, logs, preset, judge)
    logs += tuple(log for c in by_model.values() for log in c.logs)
    about = read_about(models) if models else {}
    answers = read(logs, judge=judge, preset=preset) if logs else Answers(tidy([]), preset=get_preset(preset))
    # A model may be called in the file as logs or as tables do.
    short: dict[str, str] = dict(answers.table[["model_id", "model"]].drop_duplicates().astype(str).itertuples(index=False))
    full = {shown: name for name, shown in short.items()}
    about = {full.get(name, name): body for name, body in about.items()}
    names = short | {name: body["name"] for name, body in about.items() if "name" in body}
    if logs:
        answers = renamed(answers, names)
    shown, of_log = provenance(answers)
    known = {name: card for name, body in shown.items() for card in cards([body.get("model", "")]).values()}
    for name, plain in naive({name: body.get("model", "") for name, body in shown.items()}).items():
        known.setdefault(name, {})["naive"] = plain
    given = {names.get(name, name): {k: v for k, v in body.items() if k != "name"} for name, body in about.items()}
    for its in twins(answers):
        click.echo(
            f"{', '.join(its)}: the same weights, so one checkpoint is ranked {len(its)} times; leave one out.", err=True
        )
    board = make_board(answers, {n: {**known.get(n, {}), **given.get(n, {})} for n in {**known, **given}})
    ids: dict[str, str] = dict(answers.table[["model", "model_id"]].drop_duplicates().astype(str).itertuples(index=False))
    for entry in board.entries:
        if theirs := by_model.get(ids.get(entry.name, entry.name)):
            called = {"called": theirs.entry.name} if theirs.entry.name != entry.name else {}
            theirs_about = {**theirs.entry.about, **entry.about}  # what is known here goes before what they say
            entry.about = {**theirs_about, "source": theirs.entry.about["source"], **called}
            entry.origin = RECOMPUTED
    board = with_contributions(board, [(c.entry, c.columns) for c in contributed if not c.logs])
    told = {body["name"]: name for name, body in about.items() if "name" in body}
    missing = [name for name in given if name not in {e.name for e in board.entries}]
    if missing:
        have = ", ".join(e.name for e in board.entries[:8])
        raise SpilloverError(
            f"{models}: no model in the logs is called '{told.get(missing[0], missing[0])}'; the models are {have}."
        )
    names_of = {e.name for e in board.entries}
    for name, body in given.items():
        if body.get("naive", name) not in names_of:
            raise SpilloverError(f"{models}: the naive fine-tune of '{name}', '{body['naive']}', is no model here.")
    write_site(out, board, answers, title=title, about=shown, bundle=logs if bundle else ())
    click.echo(f"{len(board.entries)} models, up to {len(board.columns)} figures each: {out / 'index.html'}")
    if export is not None:
        if organisation == "unnamed":
            click.echo("The exchange files say that nobody in particular measured; name who did: --organisation.", err=True)
        for path in write_exchange(Given(export, board, shown, of_log, preset, organisation)):
            click.echo(str(path))


def _computed_again(
    contributed: Sequence[Contribution], logs: Sequence[Path], preset: str, judge: str | None
) -> dict[str, Contribution]:
    """Model by Inspect's name to the contribution that has its logs.

    Raises:
        SpilloverError: if its logs give other figures, or a model or a run is there twice.
    """
    with_logs = [c for c in contributed if c.logs]
    if not with_logs:
        return {}
    out: dict[str, Contribution] = {}
    ours = [read_log(path, header_only=True) for path in find(list(logs))[0]] if logs else []
    models, runs = {log.eval.model for log in ours}, {log.eval.task_id for log in ours}
    for theirs in with_logs:
        model = computed_again(theirs, preset, judge)
        # Logs of one run are retries of each other, of which the newest counts: another model's would replace ours.
        its = {read_log(path, header_only=True).eval.task_id for path in theirs.logs}
        if model in models:
            raise SpilloverError(f"The model {model} is there twice; leave one of them out.")
        if its & runs:
            raise SpilloverError(
                f"{theirs.path} is refused: its logs have the run of another one ({sorted(its & runs)[0]})."
            )
        models.add(model)
        runs |= its
        out[model] = theirs
    return out
