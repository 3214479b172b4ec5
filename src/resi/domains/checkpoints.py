"""Checkpoints that others wrote: dictionaries of weights, read without running any code in them."""

from __future__ import annotations

import pickle
from typing import IO, TYPE_CHECKING

from resi.errors import ArtifactError

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    from resi.lazy import torch


def read_weights(file: IO[bytes]) -> dict[str, Tensor]:
    """Return the weights in a file that ``torch.save`` wrote, on the CPU.

    Raises
    ------
    ArtifactError
        If it is anything else than a dictionary of tensors.
    """
    try:
        loaded = torch.load(file, weights_only=True, map_location="cpu")
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ArtifactError(f"cannot be read as a checkpoint: {reason}") from error
    if not isinstance(loaded, dict) or not all(isinstance(value, torch.Tensor) for value in loaded.values()):
        raise ArtifactError("holds no dictionary of weights")
    return loaded
