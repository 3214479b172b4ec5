"""Checks that weights fit a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resi.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

SHOWN = 3


def check_fit(expected: Mapping[str, Tensor], state: Mapping[str, Tensor], source: object) -> None:
    """Check that weights have the expected names and shapes.

    Raises
    ------
    ArtifactError
        Naming ``source`` and the first weights that are missing, foreign or of another shape.
    """
    if found := misfits(expected, state):
        raise ArtifactError(f"the weights of {source} do not fit its architecture: {found}")


def misfits(expected: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> str:
    """Return the first weights that are missing, foreign or of another shape than expected; empty if all fit."""
    problems = [f"{name} is missing" for name in expected if name not in state]
    problems += [f"{name} is not part of the model" for name in state if name not in expected]
    problems += [
        f"{name} has shape {tuple(state[name].shape)} instead of {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if name in state and state[name].shape != tensor.shape
    ]
    more = f" and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
    return "; ".join(problems[:SHOWN]) + more
