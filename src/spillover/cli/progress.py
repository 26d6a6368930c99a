"""One progress bar for everything that takes a while."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


@contextmanager
def bar(console: Console, title: str) -> Iterator[Callable[[int, int, str], None]]:
    """A bar that is moved by calling `advance(done, total, note)`; without a terminal, ten lines over the whole run."""
    if not console.is_terminal:
        yield _lines(console, title)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(title, total=None, note="")
        yield lambda done, total, note: progress.update(task, completed=done, total=total, note=note)


def _lines(console: Console, title: str) -> Callable[[int, int, str], None]:
    last = -1

    def advance(done: int, total: int, note: str) -> None:
        nonlocal last
        tenth = 10 * done // max(1, total)
        if tenth != last:
            last = tenth
            console.print(f"{title}: {done}/{total} {note}", highlight=False, markup=False)

    return advance
