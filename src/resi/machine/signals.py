"""SIGTERM, sent by clusters and containers, stops a run like Ctrl-C: finished work is kept."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from types import FrameType

INTERRUPTED, TERMINATED = 130, 143
"""Exit codes, as shells give them: 128 and the number of the signal."""


class Terminated(KeyboardInterrupt):
    """SIGTERM was received; it is handled like Ctrl-C."""


def raise_on_term() -> None:
    """Make SIGTERM raise ``Terminated``, unless something else, such as a launcher, handles the signal."""
    is_main = threading.current_thread() is threading.main_thread()
    if is_main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _raise)


def _raise(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise Terminated


def leave(code: int) -> NoReturn:
    """Exit with a code; of a process that was stopped by a signal, threads that still compute are left behind."""
    if code in (INTERRUPTED, TERMINATED):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
