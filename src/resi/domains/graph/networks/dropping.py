"""Dropout as torch has it, with faster draws on the CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor


def dropout(x: Tensor, probability: float, training: bool) -> Tensor:
    """Return x with each number dropped with a probability, and the others scaled up."""
    if not training or x.device.type != "cpu":
        return functional.dropout(x, probability, training)
    return x * (draw_kept(x.shape, probability) * scale(probability))


def draw_kept(shape: torch.Size, probability: float) -> Tensor:
    """Return bytes on the CPU that say which numbers are kept; torch's own generator draws the key of all of them."""
    from resi.domains.graph.compiled.draws import draw_kept

    key = int(torch.empty((), dtype=torch.int64).random_())
    return draw_kept(shape.numel(), probability, key).view(shape)


def scale(probability: float) -> float:
    """Return what numbers that are kept are multiplied with, so that their mean stays."""
    return 1 / (1 - probability)
