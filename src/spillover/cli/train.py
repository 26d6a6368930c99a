"""`spillover train`: recipe in, adapter and organism card out."""

from __future__ import annotations

import os
from pathlib import Path

import click

from spillover.cli.numbers import SEED
from spillover.cli.outputs import OutFolder
from spillover.cli.progress import bar
from spillover.cli.quiet import quiet_libraries
from spillover.cli.trackers import trackers_option
from spillover.errors import SpilloverError
from spillover.models.weights import ALIASES
from spillover.show.terminal import stderr_console
from spillover.training.recipe import load_recipe


@click.command()
@click.argument("recipe")
@trackers_option
@click.option("--base", help="Another base model: `lab` or a local checkpoint.")
@click.option("--seed", "seeds", type=SEED, multiple=True, help="Another seed; may be given several times.")
@click.option(
    "--out",
    type=OutFolder("an organism"),
    help="Folder of the adapter, or of a folder for each of several seeds [default: runs/organisms/RECIPE-seed].",
)
def train(recipe: str, base: str | None, seeds: tuple[int, ...], out: Path | None) -> None:
    """Train the organism of RECIPE (a bundled name or a YAML file), once for every seed."""
    chosen = [load_recipe(recipe, base, seed) for seed in dict.fromkeys(seeds)] or [load_recipe(recipe, base)]
    named = chosen[0].base
    if base is None and named not in ALIASES and not Path(named).expanduser().exists():
        raise SpilloverError(f"The recipe is for {named}, which is no folder here; name the base: --base FOLDER.")
    if out and len(chosen) == 1:
        OutFolder("an organism", alone=True).convert(out, None, None)
    quiet_libraries()
    from spillover.training.train import train as fit

    console = stderr_console()
    for one in chosen:
        folder = out if out and len(chosen) == 1 else (out or Path("runs") / "organisms") / f"{one.id}-{one.seed}"
        if (folder / "organism.json").is_file():
            click.echo(f"{folder} was trained before; it is looked at, and not trained again.", err=True)
        with bar(console, one.title if len(chosen) == 1 else f"{one.title} #{one.seed}") as advance:
            fit(one, folder, advance)
        if os.environ.get("RANK", "0") == "0":  # of several processes the first one speaks
            click.echo(folder)
