"""The errors a user can see: each is one line that names the thing, its value, and what to do."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from resi.fingerprints import file_state

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

LONGEST = 500
"""The most characters shown of another package's error."""


class ResiError(Exception):
    """Base of every error that is shown as one line, without a traceback."""

    exit_code = 1


class UsageError(ResiError):
    """A name, option or value on the command line, or in a config, that does not exist or does not fit."""

    exit_code = 2


class ShapeError(ResiError, ValueError):
    """Arrays whose shapes, types or values a measure cannot take."""


class DegenerateInputError(ResiError, ValueError):
    """Input for which the measure has no value, such as a constant representation; recorded as ``undefined``."""


class DatasetError(ResiError):
    """A dataset file that is missing or damaged."""


class CheckpointError(DatasetError):
    """A published model's file that is there and cannot be used: damaged, another network's, or not finite."""


class DownloadError(ResiError):
    """A file that could not be fetched, or whose content is not the expected one."""


class ArtifactError(ResiError):
    """A stored artifact with damaged content.

    Attributes
    ----------
    message : str
        What is wrong, without the advice.
    path : Path or None
        The file, if resi can recompute it.
    state : tuple of int or None
        What the file was when the error was found, see :func:`resi.fingerprints.file_state`.
    """

    def __init__(self, message: str, path: Path | None = None, advice: str = "") -> None:
        super().__init__(f"{message} {advice}".strip())
        self.message = message
        self.path = path
        self.state = None if path is None else file_state(path)


class TrainingError(ResiError):
    """A training that did not yield a model."""


class StoreError(ResiError):
    """A data root that cannot be written to."""


class BudgetError(ResiError, MemoryError):
    """Work that does not fit into ``compare.memory``."""


class FactError(ResiError, ValueError):
    """A fact of a measure that is missing, misspelt or contradicts another.

    Attributes
    ----------
    problems : tuple of str
        All that is wrong with the measure; the message is the first.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__(problems[0])
        self.problems = problems


class MeasureError(ResiError):
    """A measure that was stopped, ended its process, or did something that would harm other comparisons."""


NEARLY_AS_NEAR = 0.25
"""By how much less another name may be near, to be suggested beside the nearest."""


def unknown_name(kind: str, name: str, known: Collection[str], hint: str = "") -> UsageError:
    """Build the error for a name that does not exist: the nearest names, then all of them."""
    near = near_names(name.lower(), known)
    guess = f"; did you mean {' or '.join(near)}?" if near else "."
    listing = ", ".join(sorted(known)) or "none"
    return UsageError(f"unknown {kind} {name!r}{guess} Known: {listing}.{hint}")


def near_names(name: str, known: Collection[str]) -> list[str]:
    """Return up to three known names that are near to one: of a very near one, not those that are far less so."""
    found = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    shares = [difflib.SequenceMatcher(None, each, name).ratio() for each in found]
    return [each for each, share in zip(found, shares, strict=True) if share >= shares[0] - NEARLY_AS_NEAR]


def listed(names: Iterable[str], most: int = 8) -> str:
    """Return some names for a message: the first ones, and how many there are beyond."""
    known = list(names)
    more = f" and {len(known) - most} more" if len(known) > most else ""
    return (", ".join(known[:most]) or "none") + more


def count_of(number: int, noun: str, several: str = "") -> str:
    """Return a number with its noun, such as ``1 comparison`` or ``3 comparisons``.

    Parameters
    ----------
    several : str, optional
        The noun, with what depends on it, where there are several; by default with an s.
    """
    return f"{number} {noun if number == 1 else several or f'{noun}s'}"


def stopped(text: str) -> str:
    """Return a text that ends as a sentence does, so that another may follow."""
    return text if text.endswith((".", "!", "?")) else f"{text}."


def first_line(error: BaseException) -> str:
    """Return the first line of another package's error, or its class if it has no message."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


def described(error: BaseException) -> str:
    """Return the type and text of an error in one line; a ``SystemExit`` of a plugin does not end the process."""
    try:
        text = " ".join(str(error).split())
    except Exception:
        text = ""  # of an error that cannot say what it is
    text = text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
