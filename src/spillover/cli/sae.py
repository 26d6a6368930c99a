"""`spillover sae`: fit a sparse autoencoder to a base, rank its latents by what organisms move, write one to steer along."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from spillover.cli.numbers import DEPTH, FEW, MANY, SEED
from spillover.cli.outputs import OutFolder
from spillover.cli.progress import bar
from spillover.cli.quiet import quiet_libraries
from spillover.cli.rows import Rows, print_rows, rows_options
from spillover.errors import SpilloverError
from spillover.show.terminal import stderr_console


@click.group()
def sae() -> None:
    """Sparse autoencoders: train one, rank its latents by what organisms move, write a latent to steer along."""


@sae.command("train")
@click.option("--base", default="lab", show_default=True, help="Checkpoint.")
@click.option("--texts", type=click.Path(path_type=Path), help="JSONL file of chats to read [default for the lab: its own].")
@click.option("--layer", type=DEPTH, default=0.5, show_default=True, help="Number from 0, or share of the depth.")
@click.option("--features", type=click.IntRange(2, 1_000_000), default=1024, show_default=True, help="Latents.")
@click.option("--active", type=FEW, default=8, show_default=True, help="Latents of one token.")
@click.option("--tokens", type=click.IntRange(1, 5_000_000), default=200_000, show_default=True, help="Most that are read.")
@click.option("--steps", type=click.IntRange(1, 1_000_000), default=2000, show_default=True, help="Of 1024 tokens.")
@click.option("--seed", type=SEED, default=0, show_default=True, help="Of first weights and the order of activations.")
@click.option("-o", "--out", type=OutFolder("an autoencoder", alone=True), required=True, help="Folder, as by SAE Lens.")
def train_command(
    base: str, texts: Path | None, layer: float, features: int, active: int, tokens: int, steps: int, seed: int, out: Path
) -> None:
    """Fit a top-k autoencoder to the activations of a base."""
    from spillover.declared import parse
    from spillover.training.latents import train_sae
    from spillover.training.sources import FileSource

    _refuse_filled(out)
    source = parse(FileSource, {"path": str(texts)}, "--texts") if texts else None
    quiet_libraries()
    with bar(stderr_console(), "autoencoder") as advance:
        made = train_sae(base, source, layer, features, active, tokens, steps, seed, advance)
    made.save(out)
    told = {k: made.told[k] for k in ("tokens", "unexplained", "dead")}
    click.echo(json.dumps({"layer": made.layer, "features": made.features, "active": made.active, **told}, indent=1))
    click.echo(f"Autoencoder: {out}", err=True)


@sae.command("rank")
@click.argument("autoencoder", type=click.Path(path_type=Path))
@click.option("--base", default="lab", show_default=True, help="Checkpoint.")
@click.option("--organism", "organisms", multiple=True, required=True, help="Folder of an adapter; may be given often.")
@click.option("--questions", help="Question set whose prompts are asked [default for the lab: lab_advice].")
@click.option("--first", type=MANY, help="Prompts that are asked [default: all].")
@click.option("--top", type=click.IntRange(1, 1000), default=10, show_default=True, help="Latents that are kept.")
@click.option("--seed", type=SEED, default=0, show_default=True, help="Of the prompts that are drawn.")
@click.option("-o", "--out", type=OutFolder("latents", alone=True), required=True, help="Folder of directions.")
@rows_options
def rank_command(
    autoencoder: Path,
    base: str,
    organisms: tuple[str, ...],
    questions: str | None,
    first: int | None,
    top: int,
    seed: int,
    out: Path,
    rows: Rows,
) -> None:
    """Rank latents of AUTOENCODER by how much organisms raise them over their own answers.

    Each is written as a file of directions, from which a model is named, such as spillover/lab+steer=OUT/01.safetensors@0.4.
    """
    from spillover.mechanism.autoencoder import load_autoencoder
    from spillover.mechanism.latents import ranked
    from spillover.models.weights import resolve_adapter
    from spillover.show.latents import ranked_panel
    from spillover.show.terminal import console, print_panel
    from spillover.training.latents import activities, prompts_of, write_latents

    _refuse_filled(out)
    read = load_autoencoder(autoencoder)
    prompts = prompts_of(base, questions, first)
    named = {Path(name).name or name: resolve_adapter(name) for name in organisms}
    if len(named) < len(organisms):
        raise SpilloverError("Two organisms have the same folder name; each must have its own.")
    quiet_libraries()
    with bar(stderr_console(), "answers of organisms") as advance:
        plain, found, length = activities(base, named, read, prompts, seed, advance)
    latents = ranked(plain, found, top)
    write_latents(latents, read, length, base, out)
    if rows is None:
        print_panel(console(), ranked_panel(latents))
    else:
        print_rows((asdict(latent) for latent in latents), rows)
    click.echo(f"Latents: {out}", err=True)


def _refuse_filled(out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise SpilloverError(f"{out} is there already; give another --out.")
