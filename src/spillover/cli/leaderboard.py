"""`spillover leaderboard`: a static site from logs."""

from __future__ import annotations

from pathlib import Path

import click

from spillover.answers.presets import get_preset, presets
from spillover.answers.read import Answers, read, renamed
from spillover.answers.table import tidy
from spillover.cli.quiet import quiet_libraries
from spillover.errors import SpilloverError
from spillover.exchange.contributed import is_record, read_contribution
from spillover.exchange.export import Given, write_exchange
from spillover.leaderboard.board import make_board, with_contributions
from spillover.leaderboard.build import cards, provenance, read_about, write_site


@click.command()
@click.argument("logs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="Folder of the site.")
@click.option("--models", type=click.Path(path_type=Path), help="YAML: model to name, family, size, recipe, base, domain.")
@click.option("--preset", default="spillover", show_default=True, help=f"Thresholds: {', '.join(presets())}.")
@click.option("--judge", help="Part of the name of one judge, where several scored the answers.")
@click.option("--title", default="Spillover leaderboard", show_default=True)
@click.option("--bundle", is_flag=True, help="Copy the logs with Inspect's viewer into the site.")
@click.option("--export", type=click.Path(path_type=Path), help="Folder for exchange files (see docs/leaderboard.md).")
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

    A .json file among LOGS is a contributed Every Eval Ever record; it is checked, and refused with the reason.
    """
    quiet_libraries()
    for name, folder in (("-o", out), ("--export", export)):
        if folder is not None and folder.exists() and not folder.is_dir():
            raise SpilloverError(f"{folder} is a file; {name} names a folder.")
    if export is not None and export.is_dir() and any(export.iterdir()) and not (export / "figures.csv").is_file():
        raise SpilloverError(f"{export} holds other things than an export; choose another folder with --export.")
    contributed = [read_contribution(path, preset) for path in logs if path.suffix == ".json" and is_record(path)]
    logs = tuple(path for path in logs if path.suffix != ".json" or not is_record(path))
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
    given = {names.get(name, name): {k: v for k, v in body.items() if k != "name"} for name, body in about.items()}
    board = make_board(answers, {n: {**known.get(n, {}), **given.get(n, {})} for n in {**known, **given}})
    board = with_contributions(board, contributed)
    told = {body["name"]: name for name, body in about.items() if "name" in body}
    missing = [name for name in given if name not in {e.name for e in board.entries}]
    if missing:
        have = ", ".join(e.name for e in board.entries[:8])
        raise SpilloverError(
            f"{models}: no model in the logs is called '{told.get(missing[0], missing[0])}'; the models are {have}."
        )
    write_site(out, board, answers, title=title, about=shown, bundle=logs if bundle else ())
    click.echo(f"{len(board.entries)} models, up to {len(board.columns)} figures each: {out / 'index.html'}")
    if export is not None:
        for path in write_exchange(Given(export, board, shown, of_log, preset, organisation)):
            click.echo(str(path))
