"""Measures of the topology of point clouds: their loops, and their shape at several scales."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from resi.errors import UsageError
from resi.measures.base import BuiltIn
from resi.measures.homology.distances import Distances, reordered, trial_distances
from resi.measures.homology.spectrum import COLUMNS, heat_trace, times
from resi.measures.needs import Needs
from resi.measures.shared import parts
from resi.measures.shared.candidates import searching
from resi.measures.shared.distances import cloud_of_positions

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import Tensor

    from resi.measures.features import Features
    from resi.measures.needs import Size
    from resi.measures.shared.distances import Cloud

    Array = np.ndarray[Any, Any]
else:
    from resi.lazy import torch

# Up to as many samples, all their distances are computed once (512 MiB); beyond, those of each draw's landmarks.
TABLE_ROWS = 8192
# With more neighbours than this share of the other samples, values of like and of unlike shapes overlap.
MANY_NEIGHBOURS = 1 / 3
# What does not change the distances between rows, up to one factor.
DISTANCE_INVARIANCES = frozenset({"orthogonal", "permutation", "isotropic_scaling", "translation"})


@dataclass
class RTD(BuiltIn):
    """Representation topology divergence.

    For how long loops of one point cloud stay open that the other closes: the summed length of the bars of first
    homology of a complex that compares the two distance matrices (see :mod:`resi.measures.homology.persistence`),
    averaged over both directions and over trials. Distances are in units of their 0.9-quantile, so the value has no
    unit; it is 0 for equal distance matrices and grows with the number of rows.

    Each trial uses its own draw of ``rows`` rows, the same for all representations with the same number of samples.
    With at most ``rows`` samples, all are used in one trial. So the time grows with about the square of the samples up
    to ``rows``; beyond that it is ``trials`` times as long and constant.

    Parameters
    ----------
    trials : int
        Number of draws.
    rows : int
        Samples in a draw.
    seed : int
        Key of the draws.

    References
    ----------
    .. [1] Barannikov et al., Representation Topology Divergence: A Method for Comparing Neural Network
       Representations, ICML 2022.
    """

    trials: int = 10
    rows: int = 500
    seed: int = 0

    name = "rtd"
    version = 2
    family = "topology"
    larger_is_more_similar = False
    invariances = DISTANCE_INVARIANCES
    self_value = 0.0
    deterministic = False
    spatial = "align"
    on_cpu = True
    benchmark = True
    published_name = "RTD"
    cost = "O(N²) up to `rows` samples, O(trials rows²) beyond; more where many loops are open at once"
    reference = (
        "Barannikov et al., Representation Topology Divergence: A Method for Comparing Neural Network Representations, "
        "ICML 2022"
    )

    def prepare(self, x: Features) -> tuple[Distances, ...]:
        """Compute, normalise and sort the distances of every trial."""
        return x.shared(trial_distances, trials=self.trials, rows=self.rows, seed=self.seed)

    def permuted(self, state: tuple[Distances, ...], order: Tensor) -> tuple[Distances, ...] | None:
        """Return the distances of the samples in another order, unless those would be other draws of them."""
        return (reordered(state[0], order.cpu().numpy()),) if state[0].n_points == len(order) else None

    def compare(self, a: tuple[Distances, ...], b: tuple[Distances, ...]) -> float:
        """Return the divergence, at least 0; trials run side by side on the threads that torch may use."""
        threads = min(torch.get_num_threads(), len(a))
        if threads == 1:
            return sum(map(_divergence, a, b)) / len(a)
        with ThreadPoolExecutor(threads, thread_name_prefix="resi-rtd") as pool:
            return sum(pool.map(_divergence, a, b)) / len(a)

    def memory_needs(self, size: Size) -> Needs:
        """Return the bytes of the centred rows, those of a draw, and the distances of all draws."""
        pairs = min(size.n_samples, self.rows) ** 2
        is_drawn = size.n_samples > self.rows
        drawn = (size.itemsize + 8) * self.rows * size.n_features if is_drawn else 0
        held = parts.cloud(size) | {"trials": 6 * (self.trials if is_drawn else 1) * pairs}
        return Needs(held, preparing=drawn + 32 * pairs, comparing=20 * pairs)

    def relative_time(self, n_samples: int, n_features: int) -> float:
        """Return what sorting and adding edges takes, and the products before, for all draws."""
        trials = 1 if n_samples <= self.rows else self.trials
        return trials * min(n_samples, self.rows) ** 2 * (1000.0 + n_features)


def _divergence(a: Distances, b: Distances) -> float:
    """Return the mean over both directions of the summed bar lengths."""
    from resi.measures.homology.persistence import total_bar_lengths
    from resi.measures.homology.windows import Side

    there, back = total_bar_lengths(a.n_points, Side(*a[1:]), Side(*b[1:]))
    return float(there + back) / 2


class HeatTrace(NamedTuple):
    """The heat trace at 256 times, shape (256,), and the number of samples."""

    values: Array
    n_samples: int


@dataclass
class IMD(BuiltIn):
    """Multi-scale intrinsic distance.

    ``1e6 max_t exp(-2 (t + 1/t)) |h_R(t) - h_S(t)|`` over 256 times t, logarithmically spaced in [0.1, 10], where
    ``h(t) = tr exp(-t L) / n_samples`` is the heat trace of the normalised Laplacian of the symmetric graph of nearest
    neighbours (Euclidean, unweighted). At least 0, and below 1e6 exp(-4). Where more samples are at the distance of the
    last neighbour than fit, the graph joins each of them with a weight that is that part of them that fits.

    Up to ``exact_rows`` samples the heat trace is exact to rounding error, about 1e-15. Beyond, it is estimated as the
    mean of zᵀ exp(-t L) z over ``probes`` vectors z of random signs, the same for both sides. The variance of that
    quadratic form of ``B = exp(-t L)`` is ``2 (|B|_F² - sum_i B_ii²)``; hence the standard deviation of h(t) is at most
    ``sqrt(2 h(2t) / (probes n_samples))``, and that of h_R(t) - h_S(t) at most ``sqrt(2 / probes) |B_R - B_S|_F /
    n_samples``, which goes to 0 with the difference. The estimate takes less time than the exact trace by the factor
    ``probes / n_samples``.

    Parameters
    ----------
    neighbours : int
        Nearest neighbours of each sample that the graph joins it to.
    exact_rows : int
        Largest number of samples for which traces are exact; the time grows with its square.
    probes : int
        Random vectors beyond that.
    seed : int
        Key of the random vectors.

    References
    ----------
    .. [1] Tsitsulin et al., The Shape of Data: Intrinsic Distance for Data Distributions, ICLR 2020.
    """

    neighbours: int = 5
    exact_rows: int = 20_000
    probes: int = 8_192
    seed: int = 0

    name = "imd"
    version = 2
    family = "topology"
    larger_is_more_similar = False
    invariances = DISTANCE_INVARIANCES
    self_value = 0.0
    spatial = "align"
    on_cpu = True
    benchmark = True
    published_name = "IMDScore"
    cost = "O(1)"
    reference = "Tsitsulin et al., The Shape of Data: Intrinsic Distance for Data Distributions, ICLR 2020"

    def prepare(self, x: Features) -> HeatTrace:
        """Compute the heat trace."""
        keys = {"exact_rows": self.exact_rows, "probes": self.probes, "seed": self.seed}
        return HeatTrace(x.shared(heat_trace, k=self.neighbours, **keys), x.shape[0])

    def permuted(self, state: HeatTrace, order: Tensor) -> HeatTrace | None:
        """Return the same, as it does not depend on the order of the rows, unless it was estimated."""
        del order
        return state if state.n_samples <= self.exact_rows else None

    def compare(self, a: HeatTrace, b: HeatTrace) -> float:
        """Return the distance, at least 0."""
        import numpy as np

        t = times()
        return float(1e6 * (np.exp(-2 * (t + 1 / t)) * abs(a.values - b.values)).max())

    def note(self, a: HeatTrace, b: HeatTrace) -> str:
        """Say where graphs of so few samples are nearly complete, for any samples."""
        n_samples = min(a.n_samples, b.n_samples)
        if self.neighbours <= MANY_NEIGHBOURS * (n_samples - 1):
            return ""
        return (
            f"graphs of {n_samples} samples, each joined to its {self.neighbours} nearest ones, are much alike "
            "whatever the representations are"
        )

    def memory_needs(self, size: Size) -> Needs:
        """Return the bytes of the centred rows, of what finds the neighbours, the graph, and blocks of vectors."""
        graph = 8 * size.n_samples * (3 * COLUMNS + 10 * self.neighbours)
        search = searching(size, self.neighbours + 1, is_unit=False)
        return Needs(parts.cloud(size), preparing=max(search, graph))

    def relative_time(self, n_samples: int, n_features: int) -> float:
        """Return what the traces take, and the search for neighbours before."""
        vectors = n_samples if n_samples <= self.exact_rows else self.probes
        return n_samples * (1500.0 * vectors + n_samples * n_features)


@dataclass
class GeometryScore(BuiltIn):
    """Geometry score.

    The squared Euclidean distance between two vectors of mean relative living times. Entry i of such a vector says for
    which share of all values up to a limit the witness complex of some landmarks has exactly i loops (see
    :mod:`resi.measures.homology.witness`), on average over draws of landmarks, with replacement, out of the samples.
    The limit is the largest distance between a landmark and a sample times n_samples / (128 * 5000). At least 0, at
    most 2. With far fewer than 5000 samples the limit is so small that hardly any loop is filled.

    Parameters
    ----------
    draws : int
        Number of draws; they are the same for all representations of as many samples.
    landmarks : int
        Samples in a draw.
    holes : int
        Length of the vectors: times with more loops are left out.
    seed : int
        Key of the draws.

    References
    ----------
    .. [1] Khrulkov and Oseledets, Geometry Score: A Method For Comparing Generative Adversarial Networks, ICML 2018.
    """

    draws: int = 1000
    landmarks: int = 64
    holes: int = 100
    seed: int = 0

    name = "geometry_score"
    version = 2
    family = "topology"
    larger_is_more_similar = False
    invariances = DISTANCE_INVARIANCES
    self_value = 0.0
    deterministic = False
    spatial = "align"
    on_cpu = True
    published_name = "GeometryScore"
    cost = "O(1)"
    reference = (
        "Khrulkov and Oseledets, Geometry Score: A Method For Comparing Generative Adversarial Networks, ICML 2018"
    )

    def prepare(self, x: Features) -> Array:
        """Return the mean relative living times, shape (holes,)."""
        keys = {"landmarks": self.landmarks, "holes": self.holes, "seed": self.seed}
        return x.shared(mean_living_times, draws=self.draws, **keys)

    def compare(self, a: Array, b: Array) -> float:
        """Return the score, in [0, 2]."""
        return float(((a - b) ** 2).sum())

    def memory_needs(self, size: Size) -> Needs:
        """Return the bytes of the centred rows, and the distances between all samples or from landmarks."""
        table = 18 * size.n_samples**2 if size.n_samples <= TABLE_ROWS else 24 * size.n_samples * self.landmarks
        return Needs(parts.cloud(size), preparing=table + 16 * self.landmarks**3)

    def relative_time(self, n_samples: int, n_features: int) -> float:
        """Return what the draws take, of which more is filled the more witnesses there are, and the distances."""
        return self.draws * n_samples**1.4 + 0.003 * n_samples**2 * n_features


def mean_living_times(x: Features, draws: int, landmarks: int, holes: int, seed: int) -> Array:
    """Return the relative living times of loops, averaged over draws of landmarks, shape (holes,).

    Raises
    ------
    UsageError
        If there is no draw, or none of its landmarks can bound a triangle.
    DegenerateInputError
        If all rows are the same.
    """
    import numpy as np

    from resi.measures.homology.witness import living_times
    from resi.randomness import generator

    if draws < 1 or landmarks < 3 or holes < 1:
        raise UsageError(
            f"geometry_score needs at least one draw, 3 landmarks and one hole, not {draws=}, {landmarks=}, {holes=}"
        )
    cloud = x.shared(cloud_of_positions)
    n_samples = len(cloud.points)
    share = n_samples / (128 * 5000)
    total = np.zeros(holes)
    drawn = generator(seed, "geometry_score", n_samples).integers(0, n_samples, (draws, landmarks))
    table = cloud.squares(slice(0, n_samples)).sqrt_().cpu().numpy() if n_samples <= TABLE_ROWS else None
    for rows in drawn:
        if table is not None:
            total += living_times(table, rows, share, holes)
        else:
            total += living_times(_from_landmarks(cloud, rows), np.arange(landmarks), share, holes)
    return total / draws


def _from_landmarks(cloud: Cloud, rows: Array) -> Array:
    """Return the distances of some rows, which may repeat, to all rows."""
    import numpy as np

    unique, place = np.unique(rows, return_inverse=True)
    distances = np.concatenate([cloud.squares(slice(row, row + 1)).sqrt_().cpu().numpy() for row in unique.tolist()])
    return distances[place]
