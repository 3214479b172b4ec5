"""One vector a sample from tokens or maps; what pads is left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from resi.errors import UsageError
from resi.lazy import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from resi.specs import Layout

Pooling = Literal["none", "mean", "max", "cls", "last"]
POOLINGS: tuple[str, ...] = get_args(Pooling)
ADVICE = "choose pooling=mean, max, cls or last"


def check_pooling(pooling: str) -> None:
    """Raise unless there is such a pooling.

    Raises
    ------
    UsageError
        If there is none.
    """
    if pooling not in POOLINGS:
        raise UsageError(f"pooling={pooling!r}: expected one of {', '.join(POOLINGS)}")


def real_tokens(mask: Tensor | None, samples: Sequence[str]) -> Tensor | None:
    """Return which tokens of a batch do not pad, of an attention mask; None if none does.

    Raises
    ------
    UsageError
        If a sample has no other tokens.
    """
    if mask is None:
        return None
    real = mask != 0
    if ((mask != 1) & real).any():
        raise UsageError("attention_mask: expected 1 for each token and 0 for what pads, not other numbers")
    if real.all():
        return None
    if not (has_any := real.any(1)).all():
        raise UsageError(f"sample {samples[int(has_any.int().argmin())]!r} has no tokens but those that pad")
    return real


def pool(computed: Tensor, layout: Layout, pooling: str, real: Tensor | None) -> tuple[Tensor, Layout]:
    """Return a copy of what a layer computes, pooled.

    What has no tokens or cells is kept as it is. Means are computed in float32 if the layer is of a narrower type;
    whatever is selected keeps its type.

    Parameters
    ----------
    computed : Tensor
        Of shape (n_samples, n_features), (n_samples, n_tokens, n_features) or (n_samples, n_channels, ...).
    real : Tensor of shape (n_samples, n_tokens), optional
        Where a token does not pad, if any does, see :func:`real_tokens`.

    Returns
    -------
    tuple of Tensor and str
        The copy, and its layout.

    Raises
    ------
    UsageError
        If the pooling is not of this kind of array, or the mask has other tokens.
    """
    if layout == "nchw" and pooling in ("cls", "last"):
        raise UsageError(f"computes maps, of which pooling={pooling} is not defined: choose pooling=mean, max or none")
    if layout == "nd":
        return _copied(computed), layout
    if layout == "nchw":
        if pooling == "none" and computed.dim() > 4:
            raise UsageError(f"computes {computed.dim()} axes, of which 4 can be kept: choose pooling=mean or max")
        return (_copied(computed), layout) if pooling == "none" else (_over_cells(computed, pooling), "nd")
    if real is not None:
        real = _real_here(real, computed)
    if pooling != "none":
        return _over_tokens(computed, pooling, real), "nd"
    if real is not None:
        raise UsageError(f"computes tokens for samples of different length, which are no one array unpooled: {ADVICE}")
    return _copied(computed), layout


def _copied(computed: Tensor) -> Tensor:
    return computed.clone(memory_format=torch.contiguous_format)


def _over_cells(computed: Tensor, pooling: str) -> Tensor:
    cells = tuple(range(2, computed.dim()))
    return computed.amax(cells) if pooling == "max" else _wide(computed).mean(cells)


def _real_here(real: Tensor, computed: Tensor) -> Tensor:
    if real.shape != computed.shape[:2]:
        raise UsageError(
            f"computes {computed.shape[1]} tokens, of which the mask of {real.shape[1]} tokens does not say which pad: "
            "give samples of one length"
        )
    return real.to(computed.device)


def _over_tokens(computed: Tensor, pooling: str, real: Tensor | None) -> Tensor:
    if real is None:
        if pooling == "mean":
            return _wide(computed).mean(1)
        return computed.amax(1) if pooling == "max" else computed[:, 0 if pooling == "cls" else -1].clone()
    if pooling == "mean":
        total = _wide(computed).masked_fill(~real[:, :, None], 0).sum(1)
        return total / real.sum(1, keepdim=True)
    if pooling == "max":
        return computed.masked_fill(~real[:, :, None], -torch.inf).amax(1)
    return computed[torch.arange(len(computed), device=computed.device), _place(real, pooling)]


def _place(real: Tensor, pooling: str) -> Tensor:
    """Return the number of the first or the last token that does not pad, on whichever side others do."""
    found = real.int()
    return found.argmax(1) if pooling == "cls" else real.shape[1] - 1 - found.flip(1).argmax(1)


def _wide(computed: Tensor) -> Tensor:
    return computed if computed.dtype in (torch.float32, torch.float64) else computed.float()
