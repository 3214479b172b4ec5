"""One representation as the input of measures, with intermediates that several of them share."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch
    from torch import Tensor
else:
    from resi.lazy import torch

T = TypeVar("T")

DOUBLE_BYTES = 8


class Features:
    """One representation as the input of measures: its matrix, and intermediates computed from it so far.

    Attributes
    ----------
    given : Tensor of shape (n_samples, n_features)
        The matrix in the precision it has; rows are samples.
    dtype : torch.dtype
        The precision that the numbers have, which the matrix may exceed: bfloat16 for numbers that a network computed
        in bfloat16 and a file keeps as float32, float32 for the averages of float32 maps in float64.
    position : int
        Place among all that are compared: of two representations, the first one keeps what belongs to the pair.
    """

    def __init__(self, given: Tensor, dtype: torch.dtype | None = None, position: int = 0) -> None:
        self.given = given
        self.dtype = given.dtype if dtype is None else dtype
        self.position = position
        self._shared: dict[tuple[Any, ...], Any] = {}
        self._partner: weakref.ref[Features] | None = None
        self._shared_with_partner: dict[Any, Any] = {}

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of samples and features."""
        n_samples, n_features = self.given.shape
        return n_samples, n_features

    @property
    def epsilon(self) -> float:
        """Distance from 1 to the next larger number of the precision that the numbers have."""
        return torch.finfo(self.dtype).eps

    @property
    def single(self) -> bool:
        """Whether the numbers have single precision or less, so that products may be computed in it."""
        return self.dtype.itemsize < DOUBLE_BYTES

    @property
    def matrix(self) -> Tensor:
        """The matrix in float64, shape (n_samples, n_features)."""
        return self.shared(_in_double) if self.given.dtype.itemsize < DOUBLE_BYTES else self.given

    def shared(self, build: Callable[..., T], **parameters: Any) -> T:
        """Return ``build(self, **parameters)``, computed once for all measures."""
        key = (build, *sorted(parameters.items())) if parameters else (build,)
        if key not in self._shared:
            self._shared[key] = self._keep(build(self, **parameters))
        return cast("T", self._shared[key])

    def known(self, build: Callable[..., T], **parameters: Any) -> T | None:
        """Return what ``shared`` would, if it has been computed already, else None."""
        return cast("T | None", self._shared.get((build, *sorted(parameters.items()))))

    def keep(self, build: Callable[..., T], value: T) -> None:
        """Store ``value``, a by-product, as the result of ``build(self)`` unless one is stored."""
        self._shared.setdefault((build,), value)

    def shared_with(self, other: Features, build: Callable[[Features, Features], T]) -> T:
        """Return ``build(self, other)``, computed once for both directions and all measures.

        ``build(other, self)`` has to be its transpose ``T``, or the same number. Only what belongs to the latest
        partner is kept: comparisons of one pair follow each other, and products of all pairs would not fit into memory.
        """
        if other.position < self.position:
            result: Any = other.shared_with(self, build)
            return cast("T", result.T if hasattr(result, "T") else result)
        if self._partner is None or self._partner() is not other:
            self._partner = weakref.ref(other)
            self._shared_with_partner = {}
        if build not in self._shared_with_partner:
            self._shared_with_partner[build] = self._keep(build(self, other), of_pair=True)
        return cast("T", self._shared_with_partner[build])

    def drop_pair(self) -> None:
        """Drop the intermediates of pairs: those of all pairs would not fit into memory."""
        self._partner = None
        self._shared_with_partner = {}

    def held(self) -> tuple[Any, ...]:
        """Return the matrix and everything computed from it so far."""
        return (self.given, *self._shared.values(), *self._shared_with_partner.values())

    def _keep(self, value: T, of_pair: bool = False) -> T:
        """Return a value that is about to be stored; a subclass may inspect it."""
        del of_pair
        return value


def _in_double(x: Features) -> Tensor:
    return x.given.double()
