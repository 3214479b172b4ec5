"""What a person sees: messages and progress on standard error, tables on standard output.

Everything that resi prints goes through here. Texts may hold what others have written, such as errors of measures,
manifests and folder names, so control characters are made visible; what an encoding lacks is replaced.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import sys
import time
from contextvars import ContextVar
from typing import IO, TYPE_CHECKING, Any, cast

from resi.console.plain_text import encodable, visible
from resi.console.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console
    from rich.text import Text

QUIET_SECONDS = 10.0
LEAST_STEPS, LEAST_SECONDS = 3, 3.0
"""After so many steps, and seconds since the first, the rest is estimated."""
PATIENCE_SECONDS = 2.0
"""What takes less needs no progress, where it is called from Python."""
DEFAULT_WIDTH = 80
_quiet_seconds: ContextVar[float] = ContextVar("quiet_seconds", default=0.0)


class _Encodable:
    """A stream to which any text can be written, in any encoding of the stream."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text, with replacements for characters that the encoding lacks."""
        return self._stream.write(_encodable(text, self._stream))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _encodable(text: str, stream: IO[str]) -> str:
    if isinstance(stream, io.StringIO):  # holds any text; it has no encoding
        return text
    return encodable(text, getattr(stream, "encoding", None))


def output() -> Console:
    """Return the console for results; wide where its output goes to a file, so that no column is cut."""
    console = _console(sys.stdout)
    return console if console.is_terminal or asked_width() else _console(sys.stdout, width=160)


def asked_width() -> int | None:
    """Return the width that the environment variable ``COLUMNS`` asks for; None if it names none."""
    text = os.environ.get("COLUMNS", "")
    return int(text) if text.isdecimal() and int(text) > 0 else None


def width() -> int | None:
    """Return how wide a line of standard output can be; None where it goes to a file or another program."""
    if asked := asked_width():
        return asked
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or DEFAULT_WIDTH if sys.stdout.isatty() else None
    except (OSError, ValueError, AttributeError):  # a stream that is none of the system's
        return None


def show(text: str, style: str = "") -> None:
    """Print one line of a result to standard output as it is, in a style of Rich where that is a terminal."""
    is_plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    if style and sys.stdout.isatty() and not is_plain:
        _console(sys.stdout).print(visible(text), style=style, markup=False, soft_wrap=True)
    else:
        write(f"{visible(text)}\n")


def shown(text: object) -> str:
    """Return a text as standard output can show it on one line, so that its width is known."""
    return _encodable(visible(str(text).rstrip()), sys.stdout)


def say(message: str) -> None:
    """Print one line to standard error, without secrets: it may be the log of a job."""
    stream = _Encodable(sys.stderr)
    stream.write(f"{visible(redact(message.rstrip()))}\n")
    stream.flush()


def write(text: str) -> None:
    """Write a text of several lines to standard output unchanged, such as JSON."""
    _Encodable(sys.stdout).write(visible(text, keep="\n"))


def accept_all_text() -> None:
    """Replace characters that the encoding lacks in all output, Hydra's included, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):  # of a stream that is none of Python's own
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def cell(text: object) -> str:
    """Return a text for a table or a marked-up line: on one line, and without markup."""
    from rich.markup import escape

    return escape(visible(str(text).rstrip()))


def _console(stream: IO[str], width: int | None = None) -> Console:
    return _console_class()(file=cast("IO[str]", _Encodable(stream)), width=width, highlight=False, emoji=False)


@functools.cache
def _console_class() -> type[Console]:
    from rich.console import Console

    class VisibleConsole(Console):
        """Makes control characters visible in every text, those in cells and titles of tables included."""

        def render_str(self, text: str, **options: Any) -> Text:
            """Return the text as Rich does."""
            return super().render_str(visible(text, keep="\n"), **options)

    return VisibleConsole


def format_seconds(seconds: float) -> str:
    """Return a time as a person says it: ``12.3 s``, ``5 min``, ``2.5 h``, ``3 days``."""
    for limit, size, unit, digits in ((120, 1, "s", 1), (7200, 60, "min", 0), (172_800, 3600, "h", 1)):
        if seconds < limit:
            return f"{seconds / size:.{digits}f} {unit}"
    return f"{seconds / 86_400:.0f} days"


def time_taken(seconds: float) -> str:
    """Return how long something takes or took, to the second up to ten minutes: ``42 s``, ``1 min 54 s``, ``31 min``.

    All lines about a run have these, so that times can be compared along it.
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 600:
        return f"{whole // 60} min {whole % 60} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def time_left(done: int, total: int, since_first: float) -> float | None:
    """Return the seconds that the rest takes at the speed since the first step was done; None where it is not known.

    The first step takes longer, as what it needs is loaded then; and the first of many may be over only when most of
    the work for others is done, too.
    """
    if done < LEAST_STEPS or 100 * done < total or since_first < LEAST_SECONDS:
        return None
    return since_first / (done - 1) * (total - done)


@contextlib.contextmanager
def quiet_for(seconds: float) -> Iterator[None]:
    """Show no progress of the code inside in its first seconds, as ``after`` of :func:`progress`."""
    token = _quiet_seconds.set(seconds)
    try:
        yield
    finally:
        _quiet_seconds.reset(token)


@contextlib.contextmanager
def progress(label: str, total: int, after: float = 0.0) -> Iterator[Callable[[], None]]:
    """Show progress over ``total`` steps: a bar on a terminal, else a line every ten seconds and one at the end.

    Parameters
    ----------
    after : float
        Seconds in which nothing is shown, such as of a function that is mostly done by then. If it is not 0, the line
        at the end only follows others.

    Yields
    ------
    callable
        To be called after each step.
    """
    after = max(after, _quiet_seconds.get())
    if sys.stderr.isatty():
        with _bar(label, total, after) as advance:
            yield advance
        return
    start = shown = first = time.monotonic()
    done = 0

    def advance_line() -> None:
        nonlocal done, shown, first
        done += 1
        now = time.monotonic()
        first = now if done == 1 else first
        if now - shown >= QUIET_SECONDS and done < total:
            shown = now
            left = time_left(done, total, now - first)
            forecast = "" if left is None else f", about {time_taken(left)} to go"
            say(f"{label}: {done}/{total}, {time_taken(now - start)} so far{forecast}")

    yield advance_line
    if not after or shown > start:
        took = time.monotonic() - start
        say(f"{label}: {done}/{total} in {time_taken(took) if took >= 60 else f'{took:.1f} s'}")


@contextlib.contextmanager
def _bar(label: str, total: int, after: float) -> Iterator[Callable[[], None]]:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bars = Progress(*columns, TextColumn("left"), TimeRemainingColumn(), console=_console(sys.stderr))
    task = bars.add_task(cell(label), total=total)
    start = time.monotonic()

    def advance() -> None:
        bars.advance(task)
        if not bars.live.is_started and time.monotonic() - start >= after:
            bars.start()

    if not after:
        bars.start()
    try:
        yield advance
    finally:
        if bars.live.is_started:
            bars.stop()


@contextlib.contextmanager
def byte_progress(label: str, size: int) -> Iterator[Callable[[int], None]]:
    """Show on standard error how many of ``size`` bytes have come; yield what is called with each further number."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bars:
        task = bars.add_task(label, total=size)
        yield lambda count: bars.advance(task, count)
