"""Cosine distances and the nearest neighbours by them, each computed once per representation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resi.errors import DegenerateInputError, ShapeError
from resi.measures.artifacts import BLOCK_ENTRIES
from resi.measures.rows import distinct_directions, unit_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from torch import Tensor

    from resi.measures.base import Features
else:
    from resi.lazy import torch

# The products of rows of length one are off by less than this.
PRODUCT_ERROR = 1e-14


def cosine_distances(x: Features) -> Tensor:
    """Return all cosine distances between rows, shape (n_samples, n_samples)."""
    unit = x.shared(unit_rows)
    result = unit.new_empty((len(unit), len(unit)))
    for part in _blocks(len(unit)):
        result[part] = _distances_from(x, unit[part])
    return result


def neighbours(x: Features, k: int) -> Tensor:
    """Return each row's k nearest other rows by cosine distance, nearest first, shape (n_samples, k), int64.

    Rows at the same distance are taken in the order of their index; rows of the same direction, as far as
    :func:`resi.measures.rows.distinct_directions` tells, and rows parallel to the one in question are at the same
    distance, whatever the rounding of products. An all-zero row has distance 1 to every other.

    Raises
    ------
    ShapeError
        If there are not more than k rows.
    DegenerateInputError
        If all rows have the same direction, so that no row is nearer than another.
    """
    n_samples = x.shape[0]
    if not 1 <= k < n_samples:
        raise ShapeError(f"k = {k} neighbours need at least {k + 1} rows, but there are {n_samples}")
    distinct = x.shared(distinct_directions)
    if distinct is not None and len(distinct.first) == 1:
        raise DegenerateInputError("all rows have the same direction: none is nearer than another")
    whole = x.known(cosine_distances)
    unit = x.shared(unit_rows)
    found = torch.empty((n_samples, k), dtype=torch.int64, device=unit.device)
    for part in _blocks(n_samples):
        distances = _distances_from(x, unit[part]) if whole is None else whole[part].clone()
        distances.diagonal(part.start).fill_(torch.inf)
        found[part] = _smallest(distances, k)
    return found


def first_but_one(x: Features, k: int) -> Tensor:
    """Return each row's k nearest rows as the published benchmark finds them, shape (n_samples, k), int64.

    The k + 1 nearest of all rows, the row itself among them, in float32, without the first: which is another row where
    one has the same direction, as rounding decides.
    """
    from sklearn.neighbors import NearestNeighbors

    matrix = x.given.float().cpu().numpy()
    # The rows asked for are a copy, since scikit-learn otherwise knows that each is itself.
    found = NearestNeighbors(n_neighbors=k + 1, metric="cosine").fit(matrix).kneighbors(matrix.copy())[1]
    return torch.from_numpy(found[:, 1:]).to(x.given.device)


def _blocks(n_samples: int) -> Iterator[slice]:
    """Yield the rows whose distances are computed at a time: always the same, so that their last bits are, too."""
    block = max(1, BLOCK_ENTRIES // n_samples)
    return (slice(start, min(start + block, n_samples)) for start in range(0, n_samples, block))


def _distances_from(x: Features, rows: Tensor) -> Tensor:
    """Return the cosine distances of rows of length one to all rows of a representation."""
    unit = x.shared(unit_rows)
    distinct = x.shared(distinct_directions)
    distances = as_distances(rows @ unit.T)
    if distinct is not None:
        distances[:, distinct.copies] = distances[:, distinct.originals]
    return distances


def as_distances(cosines: Tensor) -> Tensor:
    """Turn cosines into distances, in place; what is within rounding of zero becomes zero."""
    return torch.nn.functional.threshold(cosines.neg_().add_(1.0), PRODUCT_ERROR, 0.0, inplace=True)


def _smallest(distances: Tensor, k: int) -> Tensor:
    """Return the columns of the k smallest values of each row, ties by column."""
    values, columns = distances.topk(k, dim=1, largest=False)
    by_column = columns.sort(dim=1)
    order = values.gather(1, by_column.indices).sort(dim=1, stable=True).indices
    result = by_column.values.gather(1, order)
    # Where more columns tie with the k-th value than fit, topk chose among them freely.
    tied = (distances <= values.amax(1, keepdim=True)).sum(1) > k
    if tied.any():
        result[tied] = distances[tied].sort(dim=1, stable=True).indices[:, :k]
    return result
