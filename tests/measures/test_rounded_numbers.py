"""Numbers of single precision and less: rounding is no direction of the data, and no data count as rounding."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment

import resi
from resi.errors import DegenerateInputError
from resi.measures.features import Features
from resi.measures.shared import bases, intermediates
from tests.exact.definitions import DEFINITIONS, Ranks, exact

from .samples import MEASURES

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

DTYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16]
every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=str)
linear = torch.nn.functional.linear
# In directions that many have in common, rounding is averaged out.
DIGITS = {torch.float64: 1e-9, torch.float32: 1e-6, torch.float16: 2e-3, torch.bfloat16: 2e-2}


class Draws:
    def __init__(self, seed: int = 0) -> None:
        self._generator = torch.Generator().manual_seed(seed)

    def normal(self, *size: int) -> Tensor:
        return torch.randn(*size, generator=self._generator, dtype=torch.float64)

    def layer(self, n: int, k: int, d: int, dtype: torch.dtype, offset: float = 0.0) -> Tensor:
        """Return what a layer makes of k features in d, computed in the precision given."""
        weights = self.normal(d, k).to(dtype) / k**0.5
        return linear((self.normal(n, k) + offset).to(dtype), weights, self.normal(d).to(dtype))

    def full_rank(self, n: int, d: int, condition: float) -> Tensor:
        left = torch.linalg.qr(self.normal(n, d))[0]
        left = torch.linalg.qr(left - left.mean(0))[0]
        values = torch.logspace(0, -np.log10(condition), d, dtype=torch.float64)
        return n**0.5 * (left * values) @ torch.linalg.qr(self.normal(d, d))[0]


def batch_norm(x: Tensor) -> Tensor:
    mean, variance = x.double().mean(0).to(x.dtype), x.double().var(0).to(x.dtype)
    return torch.nn.functional.batch_norm(x, mean, variance)


def layer_norm(x: Tensor) -> Tensor:
    return torch.nn.functional.layer_norm(x, (x.shape[1],))


def rank(x: Tensor, build: Callable[[Features], bases.Basis] = bases.centred_basis) -> int:
    return Features(x).shared(build).rank


@every_dtype
@pytest.mark.parametrize("shape", [(200, 10, 50), (20, 3, 8), (300, 64, 256), (60, 5, 300)])
def test_rank_of_an_expanding_layer(dtype: torch.dtype, shape: tuple[int, int, int]) -> None:
    draws, (n, k, d) = Draws(), shape
    assert rank(draws.layer(n, k, d, dtype)) == k
    assert rank(draws.layer(n, k, d, dtype), bases.uncentred_basis) == k + 1  # the bias
    assert rank(draws.layer(n, k, d, dtype, offset=3)) == k
    assert rank(batch_norm(draws.layer(n, k, d, dtype, offset=3))) == k
    assert rank(layer_norm(draws.layer(n, k, d, dtype))) in (k, k + 1)  # the mean of each row
    assert rank(linear(draws.layer(n, k, d, dtype), draws.normal(d, d).to(dtype) / d**0.5)) == k
    assert rank((draws.normal(n, k) @ draws.normal(k, d)).to(dtype)) == k


@pytest.mark.parametrize("dtype", DTYPES[:2], ids=str)
@pytest.mark.parametrize("offset", [10.0, 100.0, 1000.0])
def test_rank_far_from_zero(dtype: torch.dtype, offset: float) -> None:
    draws = Draws()
    assert rank(draws.layer(200, 10, 50, dtype, offset)) == 10
    assert rank(draws.layer(200, 10, 50, dtype) + offset) == 10
    assert rank((draws.normal(200, 10) @ draws.normal(10, 50) + offset * draws.normal(50)).to(dtype)) == 10
    assert rank((draws.normal(200, 50) + offset).to(dtype)) == 50


@pytest.mark.parametrize(("dtype", "most"), list(zip(DTYPES, (4, 8, 2, 8), strict=True)), ids=str)
def test_rank_with_columns_of_very_different_size(dtype: torch.dtype, most: int) -> None:
    draws = Draws()
    scales = torch.logspace(-most, most, 50, dtype=torch.float64)
    assert rank((draws.normal(300, 50) * scales).to(dtype)) == 50
    assert rank((draws.normal(300, 10) @ draws.normal(10, 50) * scales).to(dtype)) == 10
    with_offset = torch.cat((draws.normal(300, 20), torch.full((300, 1), 6e4)), 1).to(dtype)
    assert rank(with_offset) == 20


@pytest.mark.parametrize(
    ("dtype", "condition"),
    [(torch.float64, 1e8), (torch.float32, 1e5), (torch.float32, 1.0), (torch.float16, 100), (torch.bfloat16, 10)],
    ids=str,
)
def test_full_rank_stays_full(dtype: torch.dtype, condition: float) -> None:
    draws = Draws()
    for n, d in ((20, 8), (200, 50), (300, 150)):
        assert rank(draws.full_rank(n, d, condition).to(dtype)) == d
    assert rank(draws.normal(60, 300).to(dtype)) == 59


def test_numbers_keep_their_precision_in_a_larger_type() -> None:
    numbers = Draws().layer(200, 10, 50, torch.bfloat16)
    for kind in (torch.float32, torch.float64):
        assert Features(numbers.to(kind), torch.bfloat16).shared(bases.centred_basis).rank == 10
    assert Features(numbers.double()).shared(bases.centred_basis).rank == 50


@every_dtype
def test_a_few_noisy_columns_take_no_direction_away(dtype: torch.dtype) -> None:
    """Saturated neurons alternate between neighbouring numbers; the others are not affected."""
    draws = Draws()
    epsilon = torch.finfo(dtype).eps
    saturated = 1 - epsilon / 2 * (draws.normal(200, 40) > 0).double()
    x = torch.cat((draws.normal(200, 5), saturated), 1).to(dtype)
    if dtype != torch.float64:
        assert rank(x) == 5
        assert int(Features(x).shared(intermediates.constant_columns).sum()) == 40
        units = Features(x).shared(intermediates.unit_columns)
        assert not units[:, 5:].any()
    assert Features(x).shared(intermediates.centred_norm) > 1


def pairs() -> dict[str, tuple[Tensor, Tensor]]:
    draws = Draws()
    first, second = draws.normal(300, 10), draws.normal(300, 8)
    wide, narrow = draws.normal(10, 50), draws.normal(8, 40)
    related = first[:, :8] + second
    return {
        "a rotated copy": (first @ wide, first @ wide @ torch.linalg.qr(draws.normal(50, 50))[0]),
        "unrelated": (first @ wide, second @ narrow),
        "related": (first @ wide, related @ narrow),
        "full rank beside it": (first @ wide, draws.normal(300, 20) + first[:, :1]),
        "far from zero": (first @ wide + 30, related @ narrow - 20),
        "scaled columns": (first @ wide * torch.logspace(-1.5, 1.5, 50), related @ narrow),
    }


PAIRS = pairs()


@pytest.mark.parametrize("dtype", DTYPES[1:], ids=str)
@pytest.mark.parametrize(
    "name",
    [
        *("pwcca", "svcca", "linear_regression", "gulp", "eigenspace_overlap"),
        *("cka", "procrustes", "normalized_procrustes", "aligned_cosine", "soft_correlation_match"),
    ],
)
def test_values_are_those_of_the_unrounded_numbers(name: str, dtype: torch.dtype) -> None:
    for kind, (R, S) in PAIRS.items():
        check_rounded(name, kind, R, S, dtype)


def check_rounded(name: str, kind: str, R: Tensor, S: Tensor, dtype: torch.dtype) -> None:
    measure = MEASURES[name]()
    exact = measure(R, S)
    given = {"a": R.to(dtype), "b": S.to(dtype)}
    # A distance of nothing becomes that of what was rounded off, in the units of the features.
    size = float(R.norm()) if name == "procrustes" else 1.0
    count = 18 if name == "gulp" else 1.0
    tolerance = DIGITS[dtype] * (30 if kind in ("far from zero", "scaled columns") else 1)
    expected = pytest.approx(exact, rel=tolerance, abs=tolerance * size * count)
    assert measure(given["a"], given["b"]) == expected, kind
    assert resi.pairwise(given, [name])["value"][0] == expected, kind


def test_states_of_an_expanding_embedding() -> None:
    """The first states of a network that embeds in few features are the same whatever precision computes them."""
    draws = Draws(1)
    embedded, up = draws.normal(300, 16), draws.normal(128, 16) / 4
    inner, outer = draws.normal(96, 128) / 11, draws.normal(128, 96) / 10

    def states(dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        first = linear(layer_norm(embedded.to(dtype)), up.to(dtype))
        hidden = torch.tanh(linear(first, inner.to(dtype)))
        return first, layer_norm(first + linear(hidden, outer.to(dtype)))

    for name in ("eigenspace_overlap", "pwcca", "linear_regression", "gulp"):
        single, double = (MEASURES[name]()(*states(dtype)) for dtype in (torch.float32, torch.float64))
        assert single == pytest.approx(double, rel=1e-5)


@pytest.mark.parametrize(
    "name",
    [
        *("cka", "pwcca", "svcca", "linear_regression", "gulp", "normalized_procrustes", "angular_shape"),
        *("hard_correlation_match", "soft_correlation_match"),
    ],
)
@pytest.mark.parametrize("dtype", DTYPES[1:], ids=str)
def test_a_collapsed_model_is_undefined(name: str, dtype: torch.dtype) -> None:
    """Rows that differ in the last digit their numbers have are the same; columns near zero are sums of like terms."""
    draws = Draws()
    step = 8.5e-8 * torch.finfo(dtype).eps / 2**-23
    collapsed = draws.normal(64) + step * torch.sign(draws.normal(100, 64)) * (draws.normal(100, 64) > 0)
    other = draws.normal(100, 30).to(dtype)
    if dtype != torch.float32:  # sums are in single precision: only the rounding of each number counts
        collapsed = collapsed[0].expand(100, 64) * (1 + step * torch.sign(draws.normal(100, 64)) / 2)
    for pair in ((collapsed.to(dtype), other), (other, collapsed.to(dtype))):
        with pytest.raises(DegenerateInputError, match="all rows are the same to the precision of"):
            MEASURES[name]()(*pair)


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e4, 1e5])
def test_neurons_are_matched_far_from_zero(offset: float) -> None:
    rng = np.random.default_rng(0)
    R = rng.normal(size=(300, 20))
    S = R[:, rng.permutation(20)] + 0.7 * rng.normal(size=(300, 20))
    pair = [(X + offset).astype(np.float32) for X in (R, np.hstack((S, -offset + S[:, :3])))]
    measure = MEASURES["permutation_procrustes"]()
    in_double = [X.astype(np.longdouble) for X in pair]
    gains = np.array([[(x * y).sum() for y in in_double[1].T] for x in in_double[0].T])
    rows, columns = linear_sum_assignment((gains - gains.mean()).astype(float), maximize=True)
    rest = [j for j in range(23) if j not in columns]
    squares = ((in_double[0][:, rows] - in_double[1][:, columns]) ** 2).sum() + (in_double[1][:, rest] ** 2).sum()
    assert measure(*pair) == pytest.approx(float(np.sqrt(squares)), rel=1e-6)
    # Moving both sides by the same vector changes nothing.
    R, S = ((X + offset).astype(np.float32) for X in (R, S))
    assert measure(R, S) == pytest.approx(measure(R.astype(float), S.astype(float)), rel=1e-6)


SCALES = {
    torch.float64: (1e-35, 1e-20, 1.0, 1e20, 1e35),
    torch.float32: (1e-35, 1e-30, 1e-20, 1e-9, 1e-7, 1.0, 1e7, 1e9, 1e20, 1e30, 1e35),
    torch.bfloat16: (1e-35, 1e-9, 1.0, 1e9, 1e35),
    torch.float16: (1e-3, 1.0, 1e3),
}


@pytest.mark.parametrize(("dtype", "scale"), [(dtype, scale) for dtype in SCALES for scale in SCALES[dtype]], ids=str)
@pytest.mark.parametrize("offset", [0.0, 10.0])
def test_every_scale(dtype: torch.dtype, scale: float, offset: float) -> None:
    draws = Draws()
    R = draws.normal(40, 60)
    numbers = {"a": ((R + offset) * scale).to(dtype), "b": ((R + draws.normal(40, 60) + offset) * scale).to(dtype)}
    names = ["cka", "procrustes", "normalized_procrustes", "angular_shape", "permutation_procrustes"]
    values = dict(resi.pairwise(numbers, names).select("measure", "value").iter_rows())
    centred = [X.double() / scale - (X.double() / scale).mean(0) for X in numbers.values()]
    K, L = (X @ X.T for X in centred)
    for name in names:
        unit = scale if name in ("procrustes", "permutation_procrustes") else 1.0
        one = MEASURES[name]()(*numbers.values()) / unit
        assert values[name] / unit == pytest.approx(one, rel=1e-6)
        same_numbers = [X.double() / scale for X in numbers.values()]
        assert one == pytest.approx(MEASURES[name]()(*same_numbers), rel=1e-6)
    assert values["cka"] == pytest.approx(float((K * L).sum() / K.norm() / L.norm()), rel=1e-6)


def test_many_features_of_large_size() -> None:
    draws = Draws()
    R = (1e7 * draws.normal(64, 4096)).float()
    S = (R + 1e7 * draws.normal(64, 4096)).float()
    value = resi.pairwise({"a": R, "b": S}, ["cka"])["value"][0]
    assert value == pytest.approx(MEASURES["cka"]()(R.double(), S.double()), rel=1e-6)


def test_nearly_the_same_is_compared_in_double_precision() -> None:
    draws = Draws()
    R = draws.normal(50, 40)
    sides = {name: (R + size * draws.normal(50, 40)).float() for name, size in (("b", 1e-4), ("c", 2e-4), ("d", 1e-3))}
    values = resi.pairwise({"a": R.float(), **sides, "same": R.float()}, ["cka"], threads=2)
    found = {row["target"]: row["value"] for row in values.iter_rows(named=True) if row["source"] == "a"}
    for name, side in sides.items():
        expected = MEASURES["cka"]()(R.float().double(), side.double())
        assert 1 - found[name] == pytest.approx(1 - expected, rel=1e-6)
    assert found["same"] == 1


@pytest.mark.parametrize("name", ["procrustes", "normalized_procrustes", "angular_shape"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_beside_double_precision_nothing_is_rounded_to_single(name: str, dtype: torch.dtype) -> None:
    """Near each other, where products of single precision would leave five digits."""
    draws = Draws()
    R = (draws.normal(22, 26) + 5 * draws.normal(1, 26)).to(dtype)
    S = R.double() @ torch.linalg.qr(draws.normal(26, 26)).Q + 0.1 * draws.normal(22, 26)
    expected = float(DEFINITIONS[name](exact(R.double().numpy()), exact(S.numpy()), Ranks()))
    for pair in ((R, S), (S, R)):
        assert MEASURES[name]()(*pair) == pytest.approx(expected, rel=1e-11)
