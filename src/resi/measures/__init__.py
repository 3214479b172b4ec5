"""The built-in similarity measures, one file a family, registered through the same hook as anybody's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resi.measures.alignment import AlignedCosine, AngularShape, NormalizedProcrustes, PermutationProcrustes, Procrustes
from resi.measures.cca import PWCCA, SVCCA
from resi.measures.homology.topology import IMD, RTD, GeometryScore
from resi.measures.kernel import CKA
from resi.measures.matching import HardCorrelationMatch, SoftCorrelationMatch
from resi.measures.neighbours import Jaccard, RankSimilarity, SecondOrderCosine
from resi.measures.regression import EigenspaceOverlap, Gulp, LinearRegression
from resi.measures.rsm import RSA, DistanceCorrelation, RSMNormDifference
from resi.measures.statistics import ConcentricityDifference, MagnitudeDifference, UniformityDifference
from resi.registry.hookspecs import hookimpl

if TYPE_CHECKING:
    from resi.measures.base import Measure


@hookimpl
def resi_measures() -> tuple[type[Measure], ...]:
    """Return the built-in measures."""
    return (
        AlignedCosine,
        AngularShape,
        CKA,
        ConcentricityDifference,
        DistanceCorrelation,
        EigenspaceOverlap,
        GeometryScore,
        Gulp,
        HardCorrelationMatch,
        IMD,
        Jaccard,
        LinearRegression,
        MagnitudeDifference,
        NormalizedProcrustes,
        PermutationProcrustes,
        Procrustes,
        PWCCA,
        RankSimilarity,
        RSA,
        RSMNormDifference,
        RTD,
        SecondOrderCosine,
        SoftCorrelationMatch,
        SVCCA,
        UniformityDifference,
    )
