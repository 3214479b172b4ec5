"""Euclidean distances as the topological measures need them: exact where points coincide, drawn and normalised."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from resi.errors import DegenerateInputError, UsageError
from resi.measures.shared.distances import Cloud, cloud_of_positions

if TYPE_CHECKING:
    import numpy as np
    import torch

    from resi.measures.features import Features

    Array = np.ndarray[Any, Any]
else:
    from resi.lazy import torch


MOST_POINTS = 1 << 16
"""Of a complex: two points of it are written as one number of 32 bits."""


class Distances(NamedTuple):
    """Normalised distances between some rows of one representation.

    Attributes
    ----------
    n_points : int
        Number of rows.
    values : array of shape (n_points * (n_points - 1) / 2,), float64
        Distances in units of their 0.9-quantile, in the order of ``numpy.triu_indices(n_points, 1)``.
    order : array of the same shape, uint32
        Edges by value, ties by position, as ``b << 16 | c``.
    opening : array of shape (n_opening,), int32
        Positions in that order of the edges that close no triangle with earlier ones.
    zero_below : float
        Distances below it count as 0: a millionth of the mean.
    """

    n_points: int
    values: Array
    order: Array
    opening: Array
    zero_below: float


def trial_distances(x: Features, trials: int, rows: int, seed: int) -> tuple[Distances, ...]:
    """Return the normalised distances of each trial's subset of rows, or once of all rows if there are no more.

    The subset depends on ``seed``, the trial and the number of samples alone: it is the same for all representations.

    Raises
    ------
    UsageError
        If ``trials`` or ``rows`` is too small, or ``rows`` too large.
    DegenerateInputError
        If at least nine tenths of the entries of a distance matrix are zero.
    """
    from resi.randomness import generator

    if trials < 1 or rows < 2:
        raise UsageError(f"rtd needs at least 1 trial of 2 rows, not trials={trials}, rows={rows}")
    cloud = x.shared(cloud_of_positions)
    n_samples = len(cloud.points)
    if min(n_samples, rows) > MOST_POINTS:
        raise UsageError(
            f"rtd compares at most {MOST_POINTS} rows at a time, not {min(n_samples, rows)}: set rows lower"
        )
    if n_samples <= rows:
        return (_normalised(cloud),)
    draws = [generator(seed, "rtd", trial, n_samples) for trial in range(trials)]
    subsets = [torch.as_tensor(draw.choice(n_samples, rows, replace=False)) for draw in draws]
    return tuple(_normalised(cloud.subset(subset.to(cloud.points.device))) for subset in subsets)


def _normalised(cloud: Cloud) -> Distances:
    n_points = len(cloud.points)
    upper = torch.triu_indices(n_points, n_points, 1, device=cloud.points.device)
    values = cloud.squares(slice(0, n_points))[upper[0], upper[1]].sqrt_().cpu().numpy()
    scale = _full_quantile(values, n_points, 0.9)
    if scale == 0:
        raise DegenerateInputError(
            f"nine tenths of the distances between {n_points} rows are zero, so distances cannot be normalised"
        )
    values /= scale
    mean = 2 * float(values.sum()) / n_points**2
    return _sorted(n_points, values, 1e-6 * mean)


def _sorted(n_points: int, values: Array, zero_below: float) -> Distances:
    from resi.measures.homology.edges import in_order, opening

    order = in_order(values, n_points)
    return Distances(n_points, values, order, opening(order, n_points), zero_below)


def reordered(distances: Distances, order: Array) -> Distances:
    """Return the distances between the rows in another order: row i is to be row ``order[i]``."""
    import numpy as np

    tail, head = np.triu_indices(distances.n_points, 1)
    first, second = np.minimum(order[tail], order[head]), np.maximum(order[tail], order[head])
    place = first * (2 * distances.n_points - first - 1) // 2 + second - first - 1
    return _sorted(distances.n_points, distances.values[place], distances.zero_below)


def _full_quantile(values: Array, n_points: int, q: float) -> float:
    """Return a quantile of the full distance matrix: n_points zeros, then every distance twice."""
    import numpy as np

    position = q * (n_points**2 - 1)
    low = math.floor(position)
    places = [(index - n_points) // 2 for index in (low, min(low + 1, n_points**2 - 1))]
    ordered = np.partition(values, [place for place in places if place >= 0])
    below, above = (float(ordered[place]) if place >= 0 else 0.0 for place in places)
    return below + (above - below) * (position - low)
