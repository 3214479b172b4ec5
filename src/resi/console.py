"""What a person sees: messages and progress on standard error, tables on standard output."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console

QUIET_SECONDS = 10.0


def output() -> Console:
    """Return the console for results; wide where its output goes to a file, so that no column is cut."""
    from rich.console import Console

    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=160)


def say(message: str) -> None:
    """Tell the user something on standard error, as one line."""
    sys.stderr.write(f"{message}\n")
    sys.stderr.flush()


def format_seconds(seconds: float) -> str:
    """Return a time as a person says it: ``12.3 s``, ``5 min``, ``2.5 h``, ``3 days``."""
    for limit, size, unit, digits in ((120, 1, "s", 1), (7200, 60, "min", 0), (172_800, 3600, "h", 1)):
        if seconds < limit:
            return f"{seconds / size:.{digits}f} {unit}"
    return f"{seconds / 86_400:.0f} days"


@contextlib.contextmanager
def progress(label: str, total: int) -> Iterator[Callable[[], None]]:
    """Show progress over ``total`` steps: a bar on a terminal, else a line every ten seconds and one at the end.

    Yields
    ------
    callable
        To be called after each step.
    """
    if sys.stderr.isatty():
        with _bar(label, total) as advance:
            yield advance
        return
    start = shown = time.monotonic()
    done = 0

    def advance_line() -> None:
        nonlocal done, shown
        done += 1
        now = time.monotonic()
        if now - shown >= QUIET_SECONDS and done < total:
            shown = now
            left = (now - start) / done * (total - done)
            say(f"{label}: {done}/{total}, {now - start:.0f} s so far, about {left:.0f} s to go")

    yield advance_line
    say(f"{label}: {done}/{total} in {time.monotonic() - start:.1f} s")


@contextlib.contextmanager
def _bar(label: str, total: int) -> Iterator[Callable[[], None]]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("left"), TimeRemainingColumn(), console=Console(stderr=True)) as bars:
        task = bars.add_task(label, total=total)
        yield lambda: bars.advance(task)


@contextlib.contextmanager
def byte_progress(label: str, size: int) -> Iterator[Callable[[int], None]]:
    """Show on standard error how many of ``size`` bytes have come; yield what is called with each further number."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bars:
        task = bars.add_task(label, total=size)
        yield lambda count: bars.advance(task, count)
