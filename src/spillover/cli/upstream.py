"""`spillover fetch`: put a published file into the verified cache."""

from __future__ import annotations

from pathlib import Path

import click

from spillover.cli.progress import bar
from spillover.questions.upstream import fetch as fetch_file
from spillover.questions.upstream import get_upstream, registry
from spillover.show.terminal import stderr_console


@click.command()
@click.argument("names", nargs=-1)
@click.option("--from", "source", type=click.Path(path_type=Path), help="Take this copy instead of the download.")
def fetch(names: tuple[str, ...], source: Path | None) -> None:
    """Fetch published files NAMES (all of them by default) and verify size and SHA-256."""
    console = stderr_console()
    for name in names or tuple(registry()):
        entry = get_upstream(name)
        got = 0
        with bar(console, name) as advance:

            def on_bytes(count: int, entry_size: int = entry.size, advance: object = advance) -> None:
                nonlocal got
                got += count
                if callable(advance):
                    advance(got, entry_size, "bytes")

            path = fetch_file(name, source, on_bytes)
        click.echo(f"{name}: {path} ({entry.licence})")
