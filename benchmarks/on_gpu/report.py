"""What the sections share: the device, tables and checks, and what is left of a section's time."""

from __future__ import annotations

import contextlib
import importlib
import json
import math
import time
import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

MOST_SHOWN = 40
"""So many failed checks of a section are printed; all of them are in the data."""
SPARE_SECONDS = 5.0
"""A section ends by itself this long before it would be ended."""


@dataclass
class Run:
    """A section that runs.

    Parameters
    ----------
    name : str
    device_name : str
    quick : bool
        Whether sizes are small.
    seconds : float
        How long it may take.
    journal : Path
        Where its begin and its results are noted.
    """

    name: str
    device_name: str
    quick: bool
    seconds: float
    journal: Path
    passed: int = 0
    failed: list[str] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)
    spent: bool = False
    """Whether the section leaves traces in its process, so that the next one needs another."""

    @property
    def device(self) -> torch.device:
        """The device under test, with its number."""
        device = torch.device(self.device_name)
        return torch.device("cuda", device.index or 0) if device.type == "cuda" else device

    @property
    def on_gpu(self) -> bool:
        """Whether that is a GPU."""
        return self.device.type == "cuda"

    @property
    def full(self) -> bool:
        """Whether sizes are those of real work."""
        return self.on_gpu and not self.quick

    @property
    def left(self) -> float:
        """Seconds that are left to this section."""
        return self.seconds - SPARE_SECONDS - (time.monotonic() - self.began)

    def has(self, seconds: float, what: str) -> bool:
        """Return whether that much time is left; say what is left out if not."""
        if self.left >= seconds:
            return True
        self.say(f"left out for want of time: {what}")
        return False

    def say(self, text: str) -> None:
        """Print a paragraph."""
        print(f"{text}\n", flush=True)  # noqa: T201 - that is what it is for

    def table(self, name: str, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Print a table of markdown, and keep it as data."""
        lines = [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
        lines += [f"| {' | '.join(map(shown, row))} |" for row in rows]
        self.say(f"**{name}**\n\n" + "\n".join(lines))
        self.data[name] = [dict(zip(header, map(plain, row), strict=True)) for row in rows]

    def check(self, name: str, is_right: bool, found: object = "") -> bool:
        """Note whether something is as it should be, and print what is not."""
        if is_right:
            self.passed += 1
        else:
            text = " ".join(f"{name}: {found}".split())
            self.failed.append(text)
            if len(self.failed) <= MOST_SHOWN:
                self.say(f"FAILED {text}")
        return is_right

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Let an error of a part of the section fail that part alone, unless the GPU is lost."""
        try:
            yield
        except Exception as error:
            self.say(f"```\n{traceback.format_exc()}```")
            self.check(name, False, f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")
            if is_lost(error):
                raise

    def sync(self) -> None:
        """Wait for the device."""
        if self.on_gpu:
            torch.cuda.synchronize(self.device)

    def timed(self, function: Callable[[], Any], times: int = 1) -> float:
        """Return the shortest time of some calls in seconds, the device waited for."""
        best = math.inf
        for _ in range(times):
            self.sync()
            start = time.perf_counter()
            function()
            self.sync()
            best = min(best, time.perf_counter() - start)
        return best

    def peak(self, function: Callable[[], Any]) -> int:
        """Return the most bytes of the device that were allocated during a call beyond those before it."""
        if not self.on_gpu:
            function()
            return 0
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(self.device)
        before = torch.cuda.memory_allocated(self.device)
        function()
        self.sync()
        return torch.cuda.max_memory_allocated(self.device) - before


def is_there(name: str) -> bool:
    """Return whether this machine has a device."""
    device = torch.device(name)
    return device.type == "cpu" or (device.index or 0) < torch.cuda.device_count()


def is_lost(error: BaseException) -> bool:
    """Return whether the GPU answers no more to this process."""
    words = ("illegal memory access", "device-side assert", "unspecified launch failure", "misaligned address")
    return any(word in str(error) for word in words)


def run_section(run: Run) -> bool:
    """Run one section; return whether this process can run others."""
    note(run, {"event": "begin", "section": run.name, "seconds": run.seconds})
    print(f"\n## {run.name}\n", flush=True)  # noqa: T201
    error, is_usable = "", True
    try:
        importlib.import_module(f"on_gpu.{run.name}").section(run)
    except Exception as failure:
        print(f"```\n{traceback.format_exc()}```", flush=True)  # noqa: T201
        error, is_usable = f"{type(failure).__name__}: {failure}".splitlines()[0], not is_lost(failure)
    seconds = time.monotonic() - run.began
    entry = {"passed": run.passed, "failed": run.failed, "data": run.data, "error": error, "seconds": seconds}
    note(run, {"event": "end", "section": run.name, **entry})
    print(f"({run.name}: {seconds:.1f} s)", flush=True)  # noqa: T201
    if run.on_gpu and is_usable:
        with contextlib.suppress(Exception):
            torch.cuda.empty_cache()
    return is_usable and not run.spent


def note(run: Run, entry: dict[str, Any]) -> None:
    """Add a line to the journal."""
    with run.journal.open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry, default=str) + "\n")


def plain(value: Any) -> Any:
    """Return a value as JSON knows it."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if isinstance(value, str | int | float | bool | type(None)) else str(value)


def shown(value: Any) -> str:
    """Return a value as a table shows it."""
    if isinstance(value, float):
        return f"{value:.3g}"
    return "" if value is None else str(value).replace("|", "/")
