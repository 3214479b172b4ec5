"""Matching rows: representations are aligned by the ids of their samples, where they have ids."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any, Literal

from resi.errors import ShapeError, UsageError
from resi.representation import hash_samples

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    from resi.api.entries import Entry
    from resi.api.frames import Ids
    from resi.representation import Representation

    Align: TypeAlias = bool | Literal["shared"]

SHARED = "shared"
EXAMPLES = 3


def aligned(function: str, entries: Sequence[Entry], align: Align) -> list[Entry]:
    """Return representations with matching rows, or raise.

    Representations without ids are matched by row.

    Parameters
    ----------
    align : bool or ``shared``
        True puts rows in the order of the first representation with ids; ``shared`` also leaves out samples that some
        of them lack.

    Raises
    ------
    ShapeError
        If the ids of two representations differ, if their order differs and ``align`` is False, or if ids are repeated.
    UsageError
        If ``align`` is something else, or there are no ids to align by.
    """
    if align not in (True, False, SHARED):
        raise UsageError(f"{function}: align={align!r}: expected True, False or {SHARED!r}")
    known = [(entry.label, entry.ids) for entry in entries if entry.item is not None and entry.ids is not None]
    if not known:
        if align:
            raise UsageError(f"{function}: align={align!r}: no representation has ids of samples; leave it out")
        _check_hashes(function, entries, None)
        return [_without_hash(entry) for entry in entries]
    known += _numbered(entries, known)
    first, order = known[0]
    others = [(name, ids) for name, ids in known[1:] if ids != order]
    if not others:
        _check_hashes(function, entries, (first, order))
        return [_without_hash(entry) for entry in entries]
    if align != SHARED:
        for name, ids in others:
            _check_same(function, (first, order), (name, ids))
    if not align:
        raise _in_another_order(function, (first, order), others[0])
    if align == SHARED:
        order = _shared(function, known)
    return [_reordered(function, entry, order, first) for entry in entries]


def _numbered(entries: Sequence[Entry], known: Sequence[tuple[str, Ids]]) -> list[tuple[str, Ids]]:
    """Return row numbers as ids for a representation without ids, if the ids of others are reordered row numbers.

    This happens if one frame was shuffled and another was not: matched by row, they would be different samples.
    """
    for _, ids in known:
        numbers = tuple(map(str, range(len(ids))))
        if ids != numbers and set(ids) == set(numbers):
            return [
                (entry.label, numbers)
                for entry in entries
                if entry.item is not None and entry.ids is None and entry.item.size[0] == len(ids)
            ]
    return []


def _check_hashes(function: str, entries: Sequence[Entry], first: tuple[str, Ids] | None) -> None:
    """Raise ``ShapeError`` if a representation known only by the hash of its ids has other samples."""
    expected = None if first is None else (first[0], hash_samples(first[1]))
    for entry in entries:
        if entry.item is None or entry.ids is not None or not entry.item.samples:
            continue
        expected = expected or (entry.label, entry.item.samples)
        if entry.item.samples != expected[1]:
            raise ShapeError(
                f"{function}: {entry.label} and {expected[0]} hold different samples, or the same in another order"
            )


def _check_same(function: str, first: tuple[str, Ids], other: tuple[str, Ids]) -> None:
    here, there = set(first[1]), set(other[1])
    if here != there:
        parts = [
            f"{len(only)} of {len(whole)} are only in {name} ({_examples(only)})"
            for name, only, whole in (
                (first[0], [i for i in first[1] if i not in there], first[1]),
                (other[0], [i for i in other[1] if i not in here], other[1]),
            )
            if only
        ]
        raise ShapeError(
            f"{function}: {other[0]} and {first[0]} have different samples: {', '.join(parts)}; "
            f"align={SHARED!r} compares the samples they share"
        )
    for name, ids in (first, other):
        _check_unique(function, name, ids)


def _examples(ids: Sequence[str]) -> str:
    shown = ", ".join(map(repr, ids[:EXAMPLES]))
    return f"such as {shown}" if len(ids) > EXAMPLES else shown


def _check_unique(function: str, name: str, ids: Ids) -> None:
    if len(set(ids)) == len(ids):
        return
    seen: set[str] = set()
    twice = next(sample for sample in ids if sample in seen or seen.add(sample))  # type: ignore[func-returns-value]
    raise ShapeError(
        f"{function}: {name} has several rows for the sample {twice!r}, so its rows cannot be reordered; give each "
        "row its own id"
    )


def _in_another_order(function: str, first: tuple[str, Ids], other: tuple[str, Ids]) -> ShapeError:
    row = next(row for row, (a, b) in enumerate(zip(first[1], other[1], strict=True)) if a != b)
    return ShapeError(
        f"{function}: {other[0]} has the samples of {first[0]} in another order: row {row} is {other[1][row]!r}, not "
        f"{first[1][row]!r}; align=True reorders them"
    )


def _shared(function: str, known: Sequence[tuple[str, Ids]]) -> Ids:
    for name, ids in known:
        _check_unique(function, name, ids)
    common = set.intersection(*(set(ids) for _, ids in known))
    order = tuple(sample for sample in known[0][1] if sample in common)
    if len(order) < 2:
        raise ShapeError(f"{function}: align={SHARED!r}: the representations have {len(order)} samples in common")
    return order


def _reordered(function: str, entry: Entry, order: Ids, first: str) -> Entry:
    if entry.item is None or entry.ids == order:
        return _without_hash(entry)
    if entry.ids is None:
        raise ShapeError(
            f"{function}: {entry.label} has no ids of samples, so its rows cannot be put in the order of {first}; "
            "give it ids, or none to all"
        )
    places = {sample: row for row, sample in enumerate(entry.ids)}
    rows = [places[sample] for sample in order]
    item = dataclasses.replace(
        entry.item,
        size=(len(rows), *entry.item.size[1:]),
        samples="",
        load=functools.partial(_rows, entry.item.load, rows),
    )
    return dataclasses.replace(entry, item=item, ids=order)


def _rows(load: Callable[[], Any], rows: list[int]) -> Any:
    return load()[rows]


def _without_hash(entry: Entry) -> Entry:
    """Return an entry whose samples are known to match the others."""
    item: Representation | None = entry.item
    return (
        entry
        if item is None or not item.samples
        else dataclasses.replace(entry, item=dataclasses.replace(item, samples=""))
    )
