"""`spillover interpolate`: the adapters between two adapters, and the loss along the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.text import Text

from spillover.cli.geometry import adapters_of
from spillover.cli.numbers import TIMES
from spillover.cli.outputs import OutFolder
from spillover.cli.progress import bar
from spillover.cli.quiet import quiet_libraries
from spillover.cli.rows import Rows, print_rows, rows_options
from spillover.errors import SpilloverError
from spillover.models.weights import resolve_checkpoint, weights_digest
from spillover.questions.chats import Chat, read_chats
from spillover.show.terminal import console, print_panel, stderr_console
from spillover.show.text import Panel

if TYPE_CHECKING:
    from spillover.mechanism.files import AdapterFile


@click.command()
@click.argument("one")
@click.argument("other")
@click.option("--steps", type=click.IntRange(2, 1001), default=11, show_default=True, help="Adapters, ends included.")
@click.option("--from", "first", type=TIMES, default=0.0, show_default=True, help="0 is ONE; below 0 lies beyond it.")
@click.option("--to", "last", type=TIMES, default=1.0, show_default=True, help="1 is OTHER; above 1 lies beyond it.")
@click.option(
    "-o",
    "--out",
    type=OutFolder("adapters"),
    required=True,
    help="Folder for the adapters; what an earlier run wrote there is kept.",
)
@click.option("--losses", is_flag=True, help="Measure the loss of each on chats whose prompts no end learned.")
@click.option("--chats", multiple=True, type=click.Path(path_type=Path), help="Chats for that (JSONL); may be repeated.")
@click.option("--base", help="Checkpoint that they are adapters of [default: the one that OTHER names].")
@rows_options
def interpolate(
    one: str,
    other: str,
    steps: int,
    first: float,
    last: float,
    out: Path,
    losses: bool,
    chats: tuple[Path, ...],
    base: str | None,
    rows: Rows,
) -> None:
    """Write the adapters between ONE and OTHER, linear in the update; `base` for ONE scales OTHER from nothing.

    Each is a plain LoRA adapter (of both ranks together), which any engine serves: `spillover/BASE:OUT/0.50`. With --losses
    or --chats the loss along the way is printed, too, and the barrier: its largest rise over the line between the ends.
    """
    from spillover.mechanism.combine import between, is_between

    if first >= last:
        raise SpilloverError(f"--from {first:g} is not below --to {last:g}.")
    if other == "base":
        raise SpilloverError("OTHER is an adapter; `base` can stand in the place of ONE only.")
    named = adapters_of([other] if one == "base" else [one, other])
    ends = (None if one == "base" else named[0], named[-1])
    way = [first + (last - first) * i / (steps - 1) for i in range(steps)]
    digits = next(d for d in range(2, 18) if len({f"{at:.{d}f}" for at in way}) == steps)
    measured = losses or bool(chats)
    if rows is not None and not measured:
        raise SpilloverError("--json and --csv are for the losses; add --losses or --chats.")
    places = [out / f"{at:.{digits}f}" for at in way]
    tasks = _tasks(named, chats) if measured else {}
    root = _base_of(named, base) if measured else ""
    for at, place in zip(way, places, strict=True):
        if not is_between(ends[0], ends[1], at, place):  # an earlier run may have come this far
            between(ends[0], ends[1], at, place)
        click.echo(str(place), err=rows is not None)
    if measured:
        _measure(root, way, places, tasks, rows, given=bool(chats))


def _tasks(ends: Sequence[AdapterFile], files: Sequence[Path]) -> dict[str, Sequence[Chat]]:
    """Chats by name: those of the files, else what was held out of each end's own data."""
    quiet_libraries()
    from spillover.training.barrier import held_out_of

    if files:
        names = [path.stem for path in files]
        called = names if len(set(names)) == len(names) else [str(path) for path in files]
        return {name: read_chats(path) for name, path in zip(called, files, strict=True)}
    return dict(held_out_of({end.name: end.folder for end in ends}))


def _base_of(ends: Sequence[AdapterFile], base: str | None) -> str:
    """The base that losses are measured on.

    Raises:
        SpilloverError: if it is not there, or is not the one that an end was trained on.
    """
    name = base or ends[-1].base[1]
    digest = weights_digest(resolve_checkpoint(name))
    for end in ends:
        if end.base[0] and end.base[0] != digest:
            raise SpilloverError(
                f"{end.folder} was trained on other weights than those of {name}; give its own with --base."
            )
    return name


def _measure(
    base: str, way: Sequence[float], places: Sequence[Path], tasks: Mapping[str, Sequence[Chat]], rows: Rows, given: bool
) -> None:
    from spillover.training.barrier import barrier, path_losses

    with bar(stderr_console(), "losses along the way") as advance:
        found = path_losses(base, places, tasks, advance)
    walls = {name: barrier(way, [one[name] for one in found]) for name in tasks}
    if rows is not None:
        told = [{"at": at, "adapter": str(p), "loss": one} for at, p, one in zip(way, places, found, strict=True)]
        print_rows([*told, {"at": None, "adapter": None, "barrier": walls}], rows)
        return
    lines = [(f"{at:g}", *(f"{one[name]:.3f}" for name in tasks)) for at, one in zip(way, found, strict=True)]
    lines.append(("barrier", *(f"{walls[name]:.3f}" for name in tasks)))
    counts = ", ".join(f"{len(its)} chat{'s' if len(its) != 1 else ''} of {name}" for name, its in tasks.items())
    known = "as given" if given else "of whose prompts no end learned one"
    note = (
        f"Loss in nats a response token on {counts}, {known}. Barrier: the largest rise over "
        "the straight line between the ends."
    )
    panel = Panel("Loss along the way", ("at", *tasks), tuple(lines), note)
    to = console()
    print_panel(to, panel)
    to.print(Text(panel.note, style="dim"))
