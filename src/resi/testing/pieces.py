"""A forward pass comes in pieces, batches of rows; to be checked, they are joined again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resi.specs import Extraction

if TYPE_CHECKING:
    from collections.abc import Iterable


def join(pieces: Iterable[Extraction]) -> Extraction:
    """Return the pieces of a forward pass as one, rows in order; its accuracy is that of all rows."""
    import torch

    parts = list(pieces)
    if len(parts) == 1:
        return parts[0]
    counts = [len(part.samples) for part in parts]
    return Extraction(
        representations={
            layer: torch.cat([part.representations[layer] for part in parts]) for layer in parts[0].representations
        },
        logits=torch.cat([part.logits for part in parts]),
        accuracy=sum(n * part.accuracy for n, part in zip(counts, parts, strict=True)) / sum(counts),
        samples=[sample for part in parts for sample in part.samples],
        layout=parts[0].layout,
        precision=parts[0].precision,
    )
