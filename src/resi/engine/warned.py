"""Warnings as data: warnings of a thread are kept with the comparison they are about instead of being printed.

Python has one list of filters and one place that shows warnings, for all threads. Both are changed as long as anything
listens, in a way that makes a difference only to threads that are listening: warnings of others are filtered and shown
as before.
"""

from __future__ import annotations

import threading
import warnings
from typing import Any, cast

from resi.machine.hold import Hold

LONGEST = 200
"""Number of characters of a warning that are kept."""
FOR_DEVELOPERS = (DeprecationWarning, PendingDeprecationWarning, FutureWarning, ImportWarning, ResourceWarning)
"""Categories of warnings that say nothing about a value; they are dropped."""


class _Here:
    """Message pattern of a filter that matches any message, but only in a thread that is listening."""

    def match(self, message: str) -> bool:
        del message
        return bool(_heard())


class _Listening(Hold):
    """Warnings are passed on to listeners."""

    def change(self) -> None:
        if self._holders:
            return
        show = warnings.showwarning

        def listen(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
            heard = _heard()
            if not heard:
                show(message, category, *where, **more)
            elif not issubclass(category, FOR_DEVELOPERS) and (text := _one_line(message, category)) not in heard[-1]:
                heard[-1].append(text)

        self._back.enter_context(warnings.catch_warnings())
        # Every time, not only the first: the next comparison gets the warning, too.
        cast("list[Any]", warnings.filters).insert(0, ("always", _Here(), Warning, None, 0))
        warnings.showwarning = listen


listening = _Listening()
"""Enter it for as long as any thread is to :func:`hear` warnings."""
_local = threading.local()


class hear:  # noqa: N801 - used like a function; a generator would take three times as long, for every pair
    """Yield the list that collects the warnings of this thread, one line each, without duplicates."""

    __slots__ = ("_heard",)

    def __enter__(self) -> list[str]:
        self._heard = _heard()
        texts: list[str] = []
        self._heard.append(texts)
        return texts

    def __exit__(self, *error: object) -> None:
        self._heard.pop()


def _heard() -> list[list[str]]:
    try:
        return cast("list[list[str]]", _local.heard)
    except AttributeError:
        _local.heard = []
        return _local.heard


def _one_line(message: Warning | str, category: type[Warning]) -> str:
    text = " ".join(str(message).split())
    shown = text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
    return f"{category.__name__}: {shown}"
