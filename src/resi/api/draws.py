"""How a call resamples: ``bootstrap=`` and ``blocks=`` applied to the samples that are compared."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from resi.api.permutations import block_codes, errors_of
from resi.engine.intervals import Bootstrap
from resi.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from resi.api.entries import Entry
    from resi.engine.intervals import Interval


def bootstrap_of(
    function: str,
    bootstrap: int | Bootstrap | None,
    blocks: Any,
    known: Sequence[Entry],
    samples: int | None,
    keep: bool = False,
) -> Bootstrap | None:
    """Return how samples are resampled, or None if they are not.

    Parameters
    ----------
    bootstrap : int or Bootstrap, optional
        Number of draws, or their full description.
    keep : bool
        Whether the draws of every value are kept.

    The others are those of :func:`~resi.api.permutations.null_of`.

    Raises
    ------
    UsageError
        If the number is too small, or some samples have no label.
    """
    if bootstrap is None:
        if keep:
            raise UsageError(f"{function}: draws=True keeps the draws of intervals; also give bootstrap=1000")
        return None
    with errors_of(function):
        found = bootstrap if isinstance(bootstrap, Bootstrap) else Bootstrap(bootstrap)
        given = blocks if blocks is not None else found.blocks
        codes = None if given is None else block_codes(function, given, known, samples)
        return dataclasses.replace(found, blocks=codes, keep=keep or found.keep)


def interval_columns(found: Interval | None, keep: bool) -> tuple[Any, ...]:
    """Return the cells of the columns that ``bootstrap=`` adds; all null where there is no interval."""
    if found is None:
        return (None,) * (4 if keep else 2)
    limits = found.low, found.high
    return (*limits, found.units, list(found.replicates or ())) if keep else limits
