"""How a call permutes samples: ``null=`` and ``blocks=`` applied to the samples that are compared."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from resi.engine.chance import Null
from resi.errors import UsageError
from resi.representation import subsampled_rows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    from resi.api.entries import Entry
    from resi.engine.chance import Chance

    Blocks: TypeAlias = Sequence[Any] | Mapping[Any, Any]

SHOWN = 3


def null_of(
    function: str, null: int | Null | None, blocks: Any, known: Sequence[Entry], samples: int | None
) -> Null | None:
    """Return how samples are permuted, or None if they are not.

    Parameters
    ----------
    null : int or Null, optional
        Number of permutations, or their full description.
    blocks : sequence or mapping, optional
        A label per sample: one for each row, in the order of rows after aligning; or a mapping from sample id to label.
    known : sequence of Entry
        What is compared, with its rows in order.
    samples : int, optional
        How many of the samples are compared.

    Raises
    ------
    UsageError
        If some samples have no label, or there is nothing to permute.
    """
    if null is None:
        return None
    with errors_of(function):
        found = null if isinstance(null, Null) else Null(null)
        given = blocks if blocks is not None else found.blocks
        codes = None if given is None else block_codes(function, given, known, samples)
        return dataclasses.replace(found, blocks=codes)


@contextlib.contextmanager
def errors_of(function: str) -> Iterator[None]:
    """Make errors about arguments name the function that was called."""
    try:
        yield
    except UsageError as error:
        raise UsageError(f"{function}: {str(error).removeprefix(f'{function}: ')}") from None


def block_codes(function: str, given: Any, known: Sequence[Entry], samples: int | None) -> tuple[int, ...] | None:
    """Return the block of each compared sample as an integer, or None if there are no samples.

    Parameters are as for :func:`null_of`.
    """
    usable = [one for one in known if one.item is not None]
    if not usable:
        return None
    entry = next((one for one in usable if one.ids is not None), None if isinstance(given, Mapping) else usable[0])
    if entry is None or entry.item is None:
        raise UsageError(
            f"{function}: blocks= gives labels by id, but no representation has sample ids; give one label per row"
        )
    labels = _labels(function, given, entry, entry.item.size[0])
    rows = subsampled_rows(len(labels), samples)
    kept = labels if rows is None else [labels[row] for row in rows]
    code = {label: number for number, label in enumerate(dict.fromkeys(kept))}
    return tuple(code[label] for label in kept)


def _labels(function: str, given: Any, entry: Entry, n_samples: int) -> list[Any]:
    """Return one label for each row of a representation."""
    if isinstance(given, Mapping):
        by_id = {str(sample): label for sample, label in given.items()}
        missing = [sample for sample in entry.ids or () if sample not in by_id]
        if missing:
            shown = ", ".join(map(repr, missing[:SHOWN]))
            raise UsageError(f"{function}: blocks= has no label for {len(missing)} samples of {entry.label}: {shown}")
        labels = [by_id[sample] for sample in entry.ids or ()]
    else:
        try:
            labels = list(given.tolist() if hasattr(given, "tolist") else given)
        except TypeError:
            raise UsageError(f"{function}: blocks={given!r}: expected one label for each sample") from None
        if len(labels) != n_samples:
            raise UsageError(
                f"{function}: blocks= has {len(labels)} labels, but {n_samples} samples are compared; expected one for "
                "each row in their order, or a mapping from ids of samples to labels"
            )
    for row, label in enumerate(labels):
        is_missing = label is None or (isinstance(label, float) and math.isnan(label))
        if is_missing or not isinstance(label, Hashable):
            raise UsageError(f"{function}: blocks= has no usable label for row {row}: {label!r}")
    return labels


def chance_columns(chance: Chance | None) -> tuple[Any, ...]:
    """Return the cells of the columns that ``null=`` adds; all null where there is no chance."""
    if chance is None:
        return (None,) * 7
    return (
        chance.mean,
        chance.quantile,
        chance.p_value,
        chance.calibrated,
        chance.exact_mean,
        chance.exact_variance,
        chance.exact_of,
    )
