"""Optimal transport of samples onto samples, by the distances among them alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from resi import Measure
from resi.errors import DegenerateInputError
from resi.measures.features import Features
from resi.measures.shared.distances import euclidean_distances
from resi.measures.shared.precision import or_exactly
from resi.randomness import generator

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    from resi.lazy import torch


@dataclass
class GromovWasserstein(Measure):
    """Gromov-Wasserstein distance of the samples.

    ``sqrt(min_T Σ_ijkl (A_ij - B_kl)² T_ik T_jl)`` over all plans T that move the samples, of equal weight, onto each
    other, with A and B the Euclidean distances of the samples in units of their root mean square. Which sample is which
    does not count, only how the distances are arranged: permuting the samples of one side, as tests against chance do,
    does not change the distance. The problem has many local optima; the value is the better of those that conditional
    gradients reach from the samples matched as they are and from all matched equally, and therefore an upper bound of
    the distance, determined by its input.

    Parameters
    ----------
    rows : int
        How many samples are taken, where there are more: the same draw for all representations of as many samples.
    seed : int
        Key of the draw.
    iterations : int
        Most steps from each start.

    References
    ----------
    .. [1] Mémoli, Gromov-Wasserstein Distances and the Metric Approach to Object Matching, Foundations of Computational
       Mathematics 2011.
    .. [2] Peyré, Cuturi & Solomon, Gromov-Wasserstein Averaging of Kernel and Distance Matrices, ICML 2016.
    """

    rows: int = 300
    seed: int = 0
    iterations: int = 1000

    name = "gromov_wasserstein"
    family = "rsm"
    larger_is_more_similar = False
    invariances = frozenset({"orthogonal", "permutation", "isotropic_scaling", "translation"})
    self_value = 0.0
    deterministic = False
    spatial = "align"
    on_cpu = True
    cost = "O(iterations rows³)"
    reference = (
        "Mémoli, Gromov-Wasserstein Distances and the Metric Approach to Object Matching, Foundations of Computational "
        "Mathematics 2011"
    )

    def __post_init__(self) -> None:
        if self.rows < 2 or self.iterations < 1:
            raise ValueError(
                f"{self.name}: rows {self.rows} must be at least 2, iterations {self.iterations} at least 1"
            )

    def prepare(self, x: Features) -> Tensor:
        """Return the distances of the samples that are taken, in units of their root mean square.

        Raises
        ------
        DegenerateInputError
            If all of them are the same.
        """
        if len(x.given) > self.rows:
            draw = generator(self.seed, "gromov_wasserstein", len(x.given)).choice(
                len(x.given), self.rows, replace=False
            )
            draw.sort()
            x = Features(x.given[torch.as_tensor(draw, device=x.given.device)], x.dtype)
        matrix = x.shared(euclidean_distances).matrix.cpu()
        size = float(matrix.square().mean().sqrt())
        if size == 0:
            raise DegenerateInputError(f"all distances of {len(matrix)} samples are zero")
        return matrix / size

    def permuted(self, state: Tensor, order: Tensor) -> Tensor | None:
        """Return the state for the rows in another order, or None where a draw would hold other rows."""
        rows = order.cpu()
        return state[rows][:, rows] if len(rows) == len(state) else None

    def compare(self, a: Tensor, b: Tensor) -> float:
        """Return the distance, at least 0, unitless."""
        import numpy as np
        from ot.gromov import gromov_wasserstein

        first, second, count = a.numpy(), b.numpy(), len(a)
        weights = np.full(count, 1 / count)
        costs = []
        for start in (np.eye(count) / count, np.outer(weights, weights)):
            plan = gromov_wasserstein(
                first, second, weights, weights, "square_loss", symmetric=True, G0=start, max_iter=self.iterations
            )
            costs.append(2.0 - 2.0 * float(np.sum((first @ plan @ second) * plan)))
        return math.sqrt(or_exactly(0.0, max(min(costs), 0.0), 2.0))

    def prepared_bytes(self, n_samples: int, n_features: int) -> int:
        """Return the bytes of the samples that are taken, and of several matrices over these."""
        count = min(n_samples, self.rows)
        return 24 * count * n_features + 80 * count**2


MEASURES: tuple[type[Measure], ...] = (GromovWasserstein,)
