"""Messages of a process to the one that has started it, from any of its threads."""

from __future__ import annotations

import contextlib
import pickle
import threading
from typing import TYPE_CHECKING, Any

from resi.errors import ResiError, UsageError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection


class Sender:
    """Sends messages from any thread.

    Where nobody listens any more, they are lost: the thread that reads what comes from there ends this process.
    """

    def __init__(self, connection: Connection[Any, Any]) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def __call__(self, *message: Any) -> None:
        """Send a message of some parts; an error among them arrives as one that can be sent."""
        parts = tuple(_sendable(part) if isinstance(part, Exception) else part for part in message)
        with self._lock, contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._connection.send(parts)


def _sendable(error: Exception) -> Exception:
    """Return an error without its traceback; one that another process could not read as one that says the same.

    It may hold what cannot be pickled; and one that is made from more than its message is pickled, but not read.
    """
    error = error.with_traceback(None)
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - it is this process's own
    except Exception:
        kind = next((kind for kind in (UsageError, ResiError) if isinstance(error, kind)), None)
        found = kind(str(error)) if kind else RuntimeError(f"{type(error).__name__}: {error}")
        for note in getattr(error, "__notes__", ()):
            found.add_note(note)
        return found
    return error
