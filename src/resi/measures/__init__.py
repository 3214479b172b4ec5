"""The built-in similarity measures, one file per family."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resi.measures.aligned_rows import AlignedCosine
from resi.measures.alignment import AngularShape, NormalizedProcrustes, PermutationProcrustes, Procrustes
from resi.measures.cca import PWCCA, SVCCA
from resi.measures.homology.topology import IMD, RTD, GeometryScore
from resi.measures.kernel import CKA
from resi.measures.matching import HardCorrelationMatch, SoftCorrelationMatch
from resi.measures.neighbours import Jaccard, RankSimilarity, SecondOrderCosine
from resi.measures.regression import EigenspaceOverlap, Gulp, LinearRegression
from resi.measures.rsa import RSA
from resi.measures.rsm import DistanceCorrelation, RSMNormDifference
from resi.measures.statistics import ConcentricityDifference, MagnitudeDifference, UniformityDifference

if TYPE_CHECKING:
    from resi.measures.base import Measure

MEASURES: tuple[type[Measure], ...] = (
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
