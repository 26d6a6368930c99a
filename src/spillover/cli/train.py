"""`spillover train`: recipe in, adapter and organism card out."""

from __future__ import annotations

import os
from pathlib import Path

import click
from rich.console import Console

from spillover.cli.progress import bar
from spillover.cli.quiet import quiet_libraries
from spillover.training.recipe import load_recipe


@click.command()
@click.argument("recipe")
@click.option("--base", help="Another base model: `lab` or a local checkpoint.")
@click.option("--seed", type=click.IntRange(min=0), help="Another seed.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the adapter [default: runs/organisms/RECIPE-seed].")
def train(recipe: str, base: str | None, seed: int | None, out: Path | None) -> None:
    """Train the organism of RECIPE (a bundled name or a YAML file)."""
    chosen = load_recipe(recipe, base, seed)
    folder = out or Path("runs") / "organisms" / f"{chosen.id}-{chosen.seed}"
    quiet_libraries()
    from spillover.training.train import train as fit

    console = Console(stderr=True)
    with bar(console, chosen.title) as advance:
        fit(chosen, folder, advance)
    if os.environ.get("RANK", "0") == "0":  # of several processes the first one speaks
        click.echo(folder)
