"""The models of the published benchmark, under the names by which its configurations select them, and under ours."""

from __future__ import annotations

from typing import NamedTuple

STANDARD_SEEDS = range(10)
"""Seeds of the published models that were trained on unaltered data."""
SEEDS = range(5)
"""Seeds of those that were trained on altered data."""


class OwnModel(NamedTuple):
    """A model as a run names it.

    Attributes
    ----------
    representation : str or None
        Which output of a layer is compared; None for the domain's own.
    """

    domain: str
    dataset: str
    architecture: str
    setting: str
    seed: int
    representation: str | None = None


class PublishedModel(NamedTuple):
    """A model as the published benchmark registers it; some are registered several times, under several names.

    Attributes
    ----------
    domain, architecture, train_dataset, identifier : str
    seed : int
    token_pos : int, str or None
        The position whose token is compared, or ``mean``; None outside of the language domain.
    own : OwnModel
        The same model here.
    """

    domain: str
    architecture: str
    train_dataset: str
    identifier: str
    seed: int
    token_pos: int | str | None
    own: OwnModel
