"""A change to the whole process that lasts as long as anything holds it, and is undone afterwards."""

from __future__ import annotations

import contextlib
import threading
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Hold(ABC):
    """A change to the process; several threads may hold it, and the last one to leave undoes it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holders = 0
        self._back = contextlib.ExitStack()

    @abstractmethod
    def change(self) -> None:
        """Change what is not yet so, and leave how to take it back on ``self._back``; called at every entry."""

    @contextlib.contextmanager
    def __call__(self) -> Iterator[None]:
        """Hold it, ``with hold():``."""
        with self._lock:
            self.change()
            self._holders += 1
        try:
            yield
        finally:
            with self._lock:
                self._holders -= 1
                if not self._holders:
                    self._back.close()
