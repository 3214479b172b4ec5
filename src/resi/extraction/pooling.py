"""Pooling of tokens or maps to one vector per sample, without padding."""

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
    """Raise unless the pooling exists.

    Raises
    ------
    UsageError
        If it is unknown.
    """
    if pooling not in POOLINGS:
        raise UsageError(f"pooling={pooling!r}: expected one of {', '.join(POOLINGS)}")


def real_tokens(mask: Tensor | None, samples: Sequence[str]) -> Tensor | None:
    """Return the mask of real tokens from an attention mask; None if nothing is padded.

    Raises
    ------
    UsageError
        If a sample has only padding.
    """
    if mask is None:
        return None
    real = mask != 0
    if ((mask != 1) & real).any():
        raise UsageError("attention_mask: expected 1 for tokens and 0 for padding, not other numbers")
    if real.all():
        return None
    if not (has_any := real.any(1)).all():
        raise UsageError(f"sample {samples[int(has_any.int().argmin())]!r} has only padding tokens")
    return real


def pool(computed: Tensor, layout: Layout, pooling: str, real: Tensor | None) -> tuple[Tensor, Layout]:
    """Return a pooled copy of a layer's output.

    Outputs without tokens or cells are copied unchanged. Means are computed in float32 if the layer's type is narrower;
    selected values keep their type.

    Parameters
    ----------
    computed : Tensor
        Of shape (n_samples, n_features), (n_samples, n_tokens, n_features) or (n_samples, n_channels, ...).
    real : Tensor of shape (n_samples, n_tokens), optional
        Mask of real tokens, if there is padding, see :func:`real_tokens`.

    Returns
    -------
    tuple of Tensor and str
        The copy, and its layout.

    Raises
    ------
    UsageError
        If the pooling does not apply to this kind of array, or the mask has another number of tokens.
    """
    if layout == "nchw" and pooling in ("cls", "last"):
        raise UsageError(f"computes maps, for which pooling={pooling} is not defined: choose pooling=mean, max or none")
    if layout == "nd":
        return _copied(computed), layout
    if layout == "nchw":
        if pooling == "none" and computed.dim() > 4:
            raise UsageError(f"computes {computed.dim()} axes, at most 4 can be kept: choose pooling=mean or max")
        return (_copied(computed), layout) if pooling == "none" else (_over_cells(computed, pooling), "nd")
    if real is not None:
        real = _real_here(real, computed)
    if pooling != "none":
        return _over_tokens(computed, pooling, real), "nd"
    if real is not None:
        raise UsageError(f"computes tokens for samples of different length, which do not fit one array: {ADVICE}")
    return _copied(computed), layout


def _copied(computed: Tensor) -> Tensor:
    return computed.clone(memory_format=torch.contiguous_format)


def _over_cells(computed: Tensor, pooling: str) -> Tensor:
    cells = tuple(range(2, computed.dim()))
    return computed.amax(cells) if pooling == "max" else _wide(computed).mean(cells)


def _real_here(real: Tensor, computed: Tensor) -> Tensor:
    if real.shape != computed.shape[:2]:
        raise UsageError(
            f"computes {computed.shape[1]} tokens, but the attention mask has {real.shape[1]}, so padding is unknown: "
            "pass samples of one length"
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
    """Return the index of the first or the last real token, with padding on either side."""
    found = real.int()
    return found.argmax(1) if pooling == "cls" else real.shape[1] - 1 - found.flip(1).argmax(1)


def _wide(computed: Tensor) -> Tensor:
    return computed if computed.dtype in (torch.float32, torch.float64) else computed.float()
