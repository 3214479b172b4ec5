"""Weights of graph models: loaded into a model, and converted to current names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from resi.domains.weights import misfits
from resi.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor, nn


def load_weights(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Put weights into a model.

    Raises
    ------
    ArtifactError
        Saying what does not fit.
    """
    if found := misfits(model.state_dict(), state):
        raise ArtifactError(f"do not fit the architecture: {found}")
    model.load_state_dict(dict(state), strict=True)


def renamed(state: Mapping[str, Tensor], current: Callable[[str], str]) -> dict[str, Tensor]:
    """Return weights under the names that ``current`` gives them.

    Raises
    ------
    ArtifactError
        If two names that mean one tensor hold different ones.
    """
    result: dict[str, Tensor] = {}
    for name, tensor in state.items():
        now = current(name)
        if now in result and not torch.equal(result[now], tensor):
            raise ArtifactError(f"holds different weights under two names of {now}")
        result[now] = tensor
    return result
