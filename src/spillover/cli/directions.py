"""`spillover directions`: find directions in the residual stream and write them to a file that models are steered by."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from spillover.cli.numbers import FEW, LAYER, MANY, SEED
from spillover.cli.outputs import DIRECTIONS
from spillover.errors import SpilloverError

NEEDS_ORGANISM = ("difference", "pca", "weights")


@click.command()
@click.argument("method", type=click.Choice(["contrast", "probe", "difference", "pca", "weights", "random"]))
@click.option("--base", default="lab", show_default=True, help="Checkpoint.")
@click.option("--organism", help="Folder of an adapter; for difference, pca and weights.")
@click.option("--questions", help="Question set whose prompts are asked [default for the lab: lab_advice].")
@click.option("--first", type=MANY, help="Prompts that are asked [default: all].")
@click.option("--positive", multiple=True, help="System line with the trait, for contrast and probe; several may be given.")
@click.option("--negative", multiple=True, help="System line without it.")
@click.option("--layer", "layers", multiple=True, type=LAYER, help="Layers, from 0 [default: all].")
@click.option("--count", type=FEW, default=1, show_default=True, help="Directions of pca and random.")
@click.option("--without-massive", is_flag=True, help="Zero the dimensions that carry most of a difference by themselves.")
@click.option(
    "--match", type=click.Path(path_type=Path), help="For random: a file whose ablation they shall be a control for."
)
@click.option(
    "--seed", type=SEED, default=0, show_default=True, help="Of what is drawn: prompts, and rotations of the null."
)
@click.option("-o", "--out", type=DIRECTIONS, required=True, help="File (.safetensors).")
def directions(
    method: str,
    base: str,
    organism: str | None,
    questions: str | None,
    first: int | None,
    positive: tuple[str, ...],
    negative: tuple[str, ...],
    layers: tuple[int, ...],
    count: int,
    without_massive: bool,
    match: Path | None,
    seed: int,
    out: Path,
) -> None:
    """Find directions by METHOD and write them to a file.

    contrast: system lines with and without a trait. probe: what a classifier learns from the same. difference:
    organism minus base. pca: what the organism changed. weights: what its updates have in common. random: the
    control; with --match as many directions as disturb neutral text like those of a file when they are taken out. A
    model is steered by its name, such as spillover/lab+steer=FILE#2@0.2.
    """
    if (organism is None) == (method in NEEDS_ORGANISM):
        raise SpilloverError(f"{method} {'needs' if organism is None else 'takes no'} --organism.")
    if without_massive and method != "difference":
        raise SpilloverError("--without-massive is for difference.")
    if count != 1 and method not in ("pca", "random"):
        raise SpilloverError(f"--count is for pca and random; {method} finds one direction at each layer.")
    if match is not None and (method != "random" or count != 1 or layers):
        raise SpilloverError(
            "--match is for random, and takes layers and number from the file: leave --layer and --count out."
        )
    from spillover.mechanism.directions import save_directions
    from spillover.training.finding import find

    asked: dict[str, Any] = {"questions": questions, "first": first, "positive": positive, "negative": negative}
    found = find(method, base, organism, list(layers) or None, count, seed, without_massive, match, **asked)
    if found.none:
        raise SpilloverError("There is no direction that chance does not give as well.")
    save_directions(found, out)
    click.echo(json.dumps(found.summary(), indent=1))
    click.echo(f"Directions: {out}", err=True)
