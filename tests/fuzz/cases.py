"""Pairs of representations such as networks make them, and worse: drawn by hypothesis, known to 50 digits.

A pair is made exactly, then rounded to a floating point type and laid out in memory in some way. What it was before
rounding is kept, and with it the ranks that the rounded numbers no longer show.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from hypothesis import strategies as st

from tests.exact.definitions import MP, Ranks, centre, exact, norm, singular_values

if TYPE_CHECKING:
    from tests.exact.definitions import Matrix

DTYPES = {"float64": torch.float64, "float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
# The largest numbers have up to this power of two, on either side of 1: well within the range of their type, but not
# their squares.
SCALES = {"float64": 500, "float32": 100, "bfloat16": 100, "float16": 12}
TORCH_LAYOUTS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "torch": lambda tensor: tensor,
    "transposed": lambda tensor: tensor.T.contiguous().T,
    "requires_grad": torch.Tensor.requires_grad_,
}
NUMPY_LAYOUTS: dict[str, Callable[[Any], Any]] = {
    "numpy": lambda array: array,
    "read-only": lambda array: array,
    "fortran": np.asfortranarray,
    "strided": lambda array: np.repeat(array, 2, axis=1)[:, ::2],
    "negative": lambda array: array[::-1].copy()[::-1],
}
LAYOUTS = (*NUMPY_LAYOUTS, *TORCH_LAYOUTS)
KINDS = ("gaussian", "rectified", "low rank", "duplicates", "dead", "integers", "column scales")
RELATIONS = ("unrelated", "related", "rotated", "nearly equal", "equal")


@dataclass(frozen=True)
class Side:
    """One representation.

    Attributes
    ----------
    array : numpy array or Tensor of shape (n_samples, n_features)
        As a caller would have it.
    before : array of mpmath numbers
        The same before it was rounded to its type.
    """

    array: Any
    dtype: str
    before: Matrix

    @property
    def epsilon(self) -> float:
        return torch.finfo(DTYPES[self.dtype]).eps

    @property
    def tensor(self) -> torch.Tensor:
        """The numbers as a contiguous tensor of their type."""
        given = self.array
        if not isinstance(given, torch.Tensor):
            given = torch.from_numpy(np.array(given))
        return given.detach().clone().contiguous()

    @property
    def numbers(self) -> Matrix:
        """The numbers that the array holds, exactly."""
        return exact(self.tensor.double().numpy())


@dataclass(frozen=True)
class Case:
    """A pair of representations, and how it was made."""

    R: Side
    S: Side
    text: str

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(self.text)

    def possible_ranks(self) -> Iterator[Ranks]:
        """Yield the ranks that both sides may have: those before rounding, then without what it may have hidden."""
        centred, as_given = (
            [_ranks(change(side.before), side.numbers, side.epsilon) for side in (self.R, self.S)]
            for change in (centre, lambda X: X)
        )
        places = max(map(len, (*centred, *as_given)))
        for r, s in itertools.product(range(places), repeat=2):
            yield Ranks(*((R[min(r, len(R) - 1)], S[min(s, len(S) - 1)]) for R, S in (centred, as_given)))


UNDECIDED = 32
"""Directions within this factor of what rounding adds may count or not."""


def _ranks(before: Matrix, numbers: Matrix, epsilon: float) -> list[int]:
    """Return the rank of a matrix before its numbers were rounded, and lower ones that rounding leaves possible."""
    values = singular_values(before)
    rank = sum(value > MP.mpf(10) ** -22 * values[0] for value in values) if values[0] else 0
    rounding = epsilon * max(norm(numbers), norm(before))
    certain = sum(value > UNDECIDED * rounding for value in values)
    return [rank, *range(min(rank, sum(value > rounding / UNDECIDED for value in values)), max(certain, 1) - 1, -1)]


@st.composite
def cases(draw: st.DrawFn, kinds: tuple[str, ...] = KINDS) -> Case:
    """Draw a pair of representations of the same 8 to 22 samples."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n = draw(st.integers(8, 22))
    widths = [draw(st.integers(1, 8) | st.integers(1, 2 * n)) for _ in "RS"]
    relation, made = draw(st.sampled_from(RELATIONS)), [draw(st.sampled_from(kinds)) for _ in "RS"]
    R = _made(rng, made[0], exact(rng.normal(size=(n, 5))), widths[0])
    if relation in ("unrelated", "related"):
        latent = exact(rng.normal(size=(n, 5)))
        if relation == "related":
            latent = R @ exact(rng.normal(size=(R.shape[1], 5)) / R.shape[1]) + latent * exact(draw(_powers(-2, 0)))
        S = _made(rng, made[1], latent, widths[1])
    elif relation == "rotated":
        S = R @ exact(np.linalg.qr(rng.normal(size=(R.shape[1], R.shape[1])))[0])
    else:
        nearness = 0.0 if relation == "equal" else draw(_powers(-10, -1))
        S = R + exact(rng.normal(size=R.shape)) * exact(nearness)
    sides, words = [], []
    for made_side in (R, S):
        dtype, layout = draw(st.sampled_from(list(DTYPES))), draw(st.sampled_from(LAYOUTS))
        offset = draw(st.just(0.0) | _powers(0, 7))
        X = made_side + exact(rng.normal(size=(1, made_side.shape[1])) * offset)
        largest = MP.frexp(abs(X).max())[1]
        scale = draw(st.just(0) | st.integers(-SCALES[dtype] - largest, SCALES[dtype] - largest))
        scale = min(scale, SCALES[dtype] - largest)
        X *= MP.mpf(2) ** scale
        sides.append(Side(_laid_out(_rounded(X, dtype), layout), dtype, X))
        words.append(f"{'x'.join(map(str, X.shape))} {dtype} {layout} offset {offset:.3g} scale 2**{scale}")
    return Case(sides[0], sides[1], f"Case({relation}, {made[0]} {words[0]}; {made[1]} {words[1]})")


def _powers(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high).map(lambda power: 10.0**power)


def _made(rng: np.random.Generator, kind: str, latent: Matrix, width: int) -> Matrix:
    """Return features of a kind that depend on what is latent, mostly linearly."""
    rank = max(1, width // 2) if kind == "low rank" else width
    mixed = latent @ exact(rng.normal(size=(latent.shape[1], rank)))
    X = mixed + exact(0.3 * rng.normal(size=mixed.shape))
    if kind == "rectified":
        X = np.where(X > 0, X, MP.mpf(0))
    elif kind == "low rank":
        X = X @ exact(rng.normal(size=(rank, width)))
    elif kind == "duplicates":
        X = X[rng.integers(0, max(2, len(X) // 2), len(X))]
    elif kind == "dead":
        X[:, 0] = MP.mpf(float(rng.choice([0.0, 0.1, 1e3])))
    elif kind == "integers":
        X = exact(np.round(X.astype(float)))
    elif kind == "column scales":
        X = X * exact(10.0 ** rng.uniform(-3, 3, (1, width)))
    return X


def _rounded(X: Matrix, dtype: str) -> torch.Tensor:
    return torch.from_numpy(X.astype(np.float64)).to(DTYPES[dtype])


def _laid_out(tensor: torch.Tensor, layout: str) -> Any:
    """Return the same numbers as an array of some layout in memory."""
    if layout in TORCH_LAYOUTS:
        return TORCH_LAYOUTS[layout](tensor)
    if tensor.dtype == torch.bfloat16:  # which numpy does not have
        return tensor
    array = NUMPY_LAYOUTS[layout](tensor.numpy())
    if layout == "read-only":
        array.setflags(write=False)
    return array
