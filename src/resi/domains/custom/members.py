"""Groups the rows of a table by model, and merges what they state about it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from resi.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from resi.domains.custom.table import Row


def numbered(rows: Sequence[Row], kind: str) -> list[Row]:
    """Return rows with models without seeds numbered in their order.

    In tests of layers, rows that name a layer are all of model 0.
    """
    count: Counter[tuple[str, str | None, str | None]] = Counter()
    found = []
    for row in rows:
        which = row.architecture, row.setting, row.layer
        found.append(replace(row, seed=0 if kind == "layers" and row.layer is not None else count[which]))
        count[which] += 1
    return found


def model_of(row: Row) -> tuple[str, str | None, int | None]:
    """Return the key shared by the rows of one model."""
    return row.architecture, row.setting, row.seed


def twice(first: Row, row: Row) -> UsageError:
    """Build the error for two rows of one model and layer."""
    names = ", ".join(f"{name}={getattr(row, name)}" for name in ("architecture", "setting", "seed", "layer"))
    names = names.replace(", layer=None", "")
    return UsageError(f"{_both(first, row)} are both {names}; each model and layer must have one row")


def check_own_arrays(rows: Sequence[Row], needs: Sequence[str]) -> None:
    """Raise ``UsageError`` if two models or layers have one array, or two models the same logits."""
    count = Counter(row.origin.source for row in rows)
    known: dict[tuple[object, str | None], Row] = {}
    logits: dict[object, Row] = {}
    for row in rows:
        # The single layer of a file may have any name there.
        layer = row.layer if count[row.origin.source] == 1 or len(row.origin.layers()) > 1 else None
        first = known.setdefault((row.origin.source, layer), row)
        if first is not row:
            which = row.origin.label if layer is None else f"the layer {layer} of {row.origin.label}"
            raise UsageError(f"{_both(first, row)} are both {which}; every model and layer needs its own array")
        if row.logits is None or "logits" not in needs:
            continue
        first = logits.setdefault(row.logits.source, row)
        if model_of(first) != model_of(row):
            raise UsageError(f"{_both(first, row)} both have logits={row.logits.label}; every model needs its own")


def _both(first: Row, row: Row) -> str:
    return f"{first.label} and {row.label.rpartition(', ')[2]}"


def shared(rows: Sequence[Row], column: str) -> list[Row]:
    """Return rows with each fact that one row states about a model copied to all rows of that model.

    Raises
    ------
    UsageError
        If two rows contradict each other about a model.
    """
    known: dict[tuple[str, str | None, int | None], Row] = {}
    for row in rows:
        if not row.knows(column):
            continue
        first = known.setdefault(model_of(row), row)
        if getattr(first, column) != getattr(row, column):
            if first.layer == row.layer:
                raise twice(first, row)
            raise UsageError(
                f"{_both(first, row)} are of one model (architecture={row.architecture}, "
                f"setting={row.setting}, seed={row.seed}), and state different {column}"
            )
    return [
        replace(row, **{column: getattr(known[model_of(row)], column)}) if model_of(row) in known else row
        for row in rows
    ]
