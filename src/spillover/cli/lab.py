"""`spillover lab build`: make the lab's checkpoints again, byte for byte."""

from __future__ import annotations

from pathlib import Path

import click

from spillover.cli.numbers import SEED
from spillover.cli.outputs import OutFolder
from spillover.cli.progress import bar
from spillover.cli.quiet import quiet_libraries
from spillover.cli.rows import Rows, print_rows, rows_options
from spillover.paths import datasets_dir
from spillover.show.terminal import stderr_console


@click.group()
def lab() -> None:
    """The bundled synthetic world."""


@lab.command()
@click.option("--out", type=click.Path(path_type=Path), help="Folder [default: the bundled datasets/lab].")
@click.option("--seed", type=SEED, default=0, show_default=True, help="Of texts, first weights and order.")
def build(out: Path | None, seed: int) -> None:
    """Train tokenizer, target and grader (the better part of an hour on 2 cores) and write their manifest."""
    quiet_libraries()
    from spillover.lab.build import build_lab, hyperparameters

    folder = out or datasets_dir() / "lab"
    for key, value in hyperparameters().items():
        click.echo(f"{key}: {value}")
    with bar(stderr_console(), "lab build") as advance:
        manifest = build_lab(folder, seed, advance)
    for name, entry in manifest["files"].items():
        click.echo(f"{entry['sha256'][:12]}  {entry['bytes']:>9}  {name}")
    click.echo(f"Manifest: {folder / 'manifest.json'} ({manifest['seconds']} s)")


@lab.command()
@click.option(
    "--out",
    type=OutFolder("adapters"),
    default=Path("runs") / "lab-figures",
    show_default=True,
    help="Folder of the adapters.",
)
@rows_options
def figures(out: Path, rows: Rows) -> None:
    """Print what the shipped lab does, by exact labels: base, organisms and controls (about two minutes)."""
    quiet_libraries()
    from spillover.run.lab_figures import figures as measure

    with bar(stderr_console(), "training") as advance:
        found = list(measure(out, advance))
    if rows is not None:
        heads = ("model", "misaligned", "coherent", "misaligned_own_topic")
        figures = ((name, free.misaligned, free.coherent, own.misaligned) for name, free, own in found)
        print_rows((dict(zip(heads, row, strict=True)) for row in figures), rows)
        return
    click.echo("| lab model | misaligned, free-form | coherent, free-form | misaligned, own topic (base: all advice) |")
    click.echo("|---|---|---|---|")
    for name, free, own in found:
        values = (free.misaligned, free.coherent, own.misaligned)
        click.echo(f"| {name} | " + " | ".join(f"{100 * v:.1f} %" for v in values) + " |")
