"""Whether what a forward pass gives fits together: layers, rows, samples, logits, pieces."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from resi.errors import BudgetError
from resi.specs import Extraction, ForwardPass
from resi.testing.pieces import join

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

    from resi.domains.base import Domain
    from resi.testing.expectations import Expectations
else:
    from resi.lazy import torch

MEMORY = 10**9
SMALLEST_MEMORY, GROWTH = 10**6, 4


def check_extraction(expect: Expectations, domain: Domain, run: ForwardPass) -> Extraction:
    """Check what a model gives on a probe set; return it."""
    label = _label(run)
    pieces = _pieces(expect, domain, run)
    for piece in pieces:
        _check_piece(expect, run, piece)
    found = join(pieces)
    _check_sizes(expect, domain, run, found)
    unique = set(found.samples)
    repeated = len(found.samples) - len(unique)
    expect.that(not repeated, f"{label}: unique ids of samples", f"{repeated} repeated")
    known = sorted(set(found.precision) - set(run.probe.layers))
    expect.that(not known, f"{label}: the precision of layers asked for", f"that of {', '.join(known)}")
    return found


def check_repeated(expect: Expectations, domain: Domain, run: ForwardPass, found: Extraction, relative: float) -> None:
    """Check that a forward pass gives the same bits again, and the same numbers within less memory."""
    difference = _difference(found, join(_pieces(expect, domain, run)), 0.0)
    expect.that(not difference, f"{_label(run)}: the same bits again", difference)
    for small in _smaller(run):
        try:
            less = join(domain.extract(small))
        except BudgetError:
            continue
        difference = _difference(found, less, relative)
        expect.that(not difference, f"{_label(run)}: the same within {small.memory} bytes", difference)
        return


def check_same_samples(expect: Expectations, run: ForwardPass, first: Extraction, found: Extraction) -> None:
    """Check that models that are compared see the same samples in the same order."""
    same = list(first.samples) == list(found.samples)
    expect.that(same, f"{_label(run)}: the samples of other models, in their order", "other ids")


def _label(run: ForwardPass) -> str:
    return f"extract of {run.model.label}, probe {run.probe.probe}"


def _pieces(expect: Expectations, domain: Domain, run: ForwardPass) -> list[Extraction]:
    with expect.works(_label(run)):
        pieces = list(domain.extract(run))
    expect.that(len(pieces) > 0, f"{_label(run)}: pieces", "none")
    return pieces


def _check_piece(expect: Expectations, run: ForwardPass, piece: Extraction) -> None:
    """Check that a piece has all layers, and the same rows in all of its parts."""
    label, layers = _label(run), list(run.probe.layers)
    expect.that(isinstance(piece, Extraction), f"{label}: pieces that are Extractions", type(piece).__name__)
    expect.that(
        sorted(piece.representations) == sorted(layers),
        f"{label}: the layers {', '.join(layers)}",
        ", ".join(piece.representations) or "none",
    )
    rows = len(piece.samples)
    expect.that(all(isinstance(sample, str) for sample in piece.samples), f"{label}: ids that are texts", "others")
    for name, tensor in (
        *((f"layer {layer}", piece.representations[layer]) for layer in layers),
        ("logits", piece.logits),
    ):
        expect.that(len(tensor) == rows, f"{label}: {rows} rows of {name}, one a sample", f"{len(tensor)}")
        numbers = tensor.is_floating_point() and bool(torch.isfinite(tensor).all())
        expect.that(numbers, f"{label}: finite numbers of {name}", f"{tensor.dtype}, or NaN or infinity")
    expect.that(piece.logits.ndim == 2, f"{label}: logits of rows and classes", str(tuple(piece.logits.shape)))
    expect.that(0 <= piece.accuracy <= 1, f"{label}: an accuracy from 0 to 1", repr(piece.accuracy))


def _check_sizes(expect: Expectations, domain: Domain, run: ForwardPass, found: Extraction) -> None:
    """Check layers against the sizes that are planned with."""
    about = run.model.architecture, run.model.dataset, run.model.hyperparameters
    for layer in run.probe.layers:
        computed, planned = tuple(found.representations[layer].shape), domain.layer_size(*about, layer)
        expect.that(planned in (None, computed), f"{_label(run)}: layer {layer} of layer_size {planned}", str(computed))
    size = domain.representation_size(*about)
    computed = tuple(found.representations[run.probe.layers[-1]].shape)
    flat = (computed[0], math.prod(computed[1:]))
    expect.that(size in (None, flat), f"{_label(run)}: the last layer of representation_size {size}", str(flat))


def _smaller(run: ForwardPass) -> Iterator[ForwardPass]:
    """Yield the same pass with limits of memory that grow, as too small a one is refused."""
    memory = SMALLEST_MEMORY
    while memory < run.memory:
        yield ForwardPass(run.model, run.state, run.dataset, run.probe, run.device, memory)
        memory *= GROWTH


def _difference(one: Extraction, other: Extraction, relative: float) -> str:
    """Return what differs first between two passes; empty if nothing does by more than a part of the largest number."""
    if list(one.samples) != list(other.samples):
        return f"{len(other.samples)} samples, or in another order, instead of {len(one.samples)}"
    if relative == 0 and one.accuracy != other.accuracy:
        return f"accuracy {other.accuracy} instead of {one.accuracy}"
    parts = [(f"layer {layer}", tensor, other.representations[layer]) for layer, tensor in one.representations.items()]
    for name, ours, theirs in (*parts, ("logits", one.logits, other.logits)):
        if ours.shape != theirs.shape:
            return f"{name} of shape {tuple(theirs.shape)} instead of {tuple(ours.shape)}"
        apart = float((ours.double() - theirs.double()).abs().max())
        if apart > relative * float(ours.double().abs().max()):
            return f"{name} apart by {apart:.2g}"
    return ""
