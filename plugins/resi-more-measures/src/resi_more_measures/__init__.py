"""Similarity measures of the literature beyond those built into resi, one file per family."""

from __future__ import annotations

from typing import TYPE_CHECKING

import resi
from resi_more_measures import (
    cca,
    cknna,
    covariances,
    dimension,
    encoding,
    gromov,
    held_out,
    hsic,
    kernels,
    named_kernels,
    neighbours,
    predictivity,
    rank_rsa,
    rdm_metrics,
    rsa,
    rv,
    shape,
    subspaces,
    topology,
    transport,
)

if TYPE_CHECKING:
    from resi import Measure

FAMILIES = (
    cca,
    cknna,
    covariances,
    dimension,
    encoding,
    gromov,
    held_out,
    hsic,
    kernels,
    named_kernels,
    neighbours,
    predictivity,
    rank_rsa,
    rdm_metrics,
    rsa,
    rv,
    shape,
    subspaces,
    topology,
    transport,
)


@resi.hookimpl
def resi_measures() -> tuple[type[Measure], ...]:
    """Tell resi of the measures of every family."""
    return tuple(measure for family in FAMILIES for measure in family.MEASURES)
