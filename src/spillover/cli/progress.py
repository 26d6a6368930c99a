"""One progress bar for everything that takes a while."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

EARLY = 0.05
"""Share of a run before which the time that is left is not told."""


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
        _Rate(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(title, total=None, note="")
        yield lambda done, total, note: progress.update(task, completed=done, total=total, note=note)


class _Rate(ProgressColumn):
    """Units a second."""

    def render(self, task: Task) -> Text:
        """As `3.2/s`; nothing before anything is known."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f}/s" if speed else "")


def _lines(console: Console, title: str) -> Callable[[int, int, str], None]:
    last, begun = -1, time.monotonic()

    def advance(done: int, total: int, note: str) -> None:
        nonlocal last
        tenth = 10 * done // max(1, total)
        if tenth != last:
            last = tenth
            spent = time.monotonic() - begun
            # The first answer waits for the models to load, and says nothing of the others.
            left = f", {_duration(spent * (total - done) / done)} left" if EARLY * total <= done < total else ""
            told = f"{title}: {done}/{total} {note} ({_duration(spent)}{left})"
            console.print(told, highlight=False, markup=False, soft_wrap=True)

    return advance


def _duration(seconds: float) -> str:
    """`12 s`, `3 min`, `1.5 h`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 100 * 60 else f"{seconds / 3600:.1f} h"
