"""Forking processes that have nothing to do are kept for a while: the next run's workers start at once."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from resi.machine.forkserver import ForkServer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


CHANGING = "PYTEST_CURRENT_TEST"
"""A variable that a process changes all the time, and that nothing depends on."""

MOST_IDLE = 3
"""So many are kept, of some hundred megabytes each: jobs of a sweep in one process may each need another one."""


class _Key(NamedTuple):
    """What a forking process has been started with, and would differ in another one."""

    process: int
    folder: str
    path: tuple[str, ...]
    load: str
    work: str
    words: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]


_idle: dict[_Key, ForkServer] = {}
_keys: dict[ForkServer, _Key] = {}
_lock = threading.Lock()


def take(load: str, work: str, words: Sequence[str], environment: Mapping[str, str]) -> ForkServer:
    """Return a forking process, one that is idle if one would be the same; see :class:`ForkServer`."""
    variables = tuple(sorted(item for item in environment.items() if item[0] != CHANGING))
    key = _Key(os.getpid(), str(Path.cwd()), tuple(sys.path), load, work, tuple(words), variables)
    with _lock:
        server = _idle.pop(key, None)
    if server is not None and not server.is_current():
        server.close()
        server = None
    if server is None:
        server = ForkServer(load, work, words, environment)
    _keys[server] = key
    return server


def give_back(server: ForkServer) -> None:
    """Keep a forking process whose processes have ended: of several that are alike one, and some in all."""
    key = _keys.pop(server)
    unwanted = [server]
    with _lock:
        if server.is_alive and key not in _idle:
            _idle[key] = unwanted.pop()
        for other, kept in list(_idle.items()):  # those that have waited longest first
            if len(_idle) > MOST_IDLE or not kept.is_alive:
                unwanted.append(_idle.pop(other))
    for each in unwanted:
        each.close()


@atexit.register
def _close_all() -> None:
    for key, server in list(_idle.items()):
        if key.process == os.getpid():
            server.close()
