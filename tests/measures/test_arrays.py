"""Every kind of array that people have is taken as the numbers it holds, or refused in one line."""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
import torch

import resi
from resi.errors import ShapeError
from resi.measures.shapes import as_tensor

from .samples import MEASURES

if TYPE_CHECKING:
    from pathlib import Path

GOOD = np.random.default_rng(0).normal(size=(20, 4))


class Labelled(torch.Tensor):
    """A tensor of another class."""


class Wrapped:
    """What numpy can make an array of."""

    shape = GOOD.shape

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return GOOD.astype(dtype) if dtype else GOOD


def taken(tmp_path: Path) -> dict[str, Any]:
    packed = np.zeros(20, dtype=[("mark", "i1"), ("row", "f8", 4)])
    packed["row"] = GOOD
    read_only = GOOD.copy()
    read_only.flags.writeable = False
    mapped = np.memmap(tmp_path / "numbers", dtype=float, mode="w+", shape=GOOD.shape)
    mapped[:] = GOOD
    mapped.flush()
    with torch.inference_mode():
        inference = torch.tensor(GOOD)
    return {
        "reversed": GOOD[::-1].copy()[::-1],
        "columns": np.asfortranarray(GOOD),
        "every second": np.repeat(GOOD, 2, axis=1)[:, ::2],
        "read-only": read_only,
        "other bytes": GOOD.astype(GOOD.dtype.newbyteorder()),
        "fields": packed["row"],
        "memmap": mapped,
        "memmap to read": np.memmap(tmp_path / "numbers", dtype=float, mode="r", shape=GOOD.shape),
        "nothing masked": np.ma.masked_array(GOOD, mask=False),
        "lists": GOOD.tolist(),
        "tuples": tuple(map(tuple, GOOD.tolist())),
        "list of arrays": list(GOOD),
        "list of tensors": list(torch.tensor(GOOD)),
        "polars": pl.DataFrame(GOOD),
        "wrapped": Wrapped(),
        "requires grad": torch.tensor(GOOD, requires_grad=True),
        "parameter": torch.nn.Parameter(torch.tensor(GOOD)),
        "subclass": torch.tensor(GOOD).as_subclass(Labelled),
        "negated": torch.complex(torch.zeros(20, 4).double(), torch.tensor(-GOOD)).conj().imag,
        "inference": inference,
        "expanded": torch.tensor(GOOD).unsqueeze(0).expand(3, 20, 4)[1],
        "transposed": torch.tensor(GOOD.T.copy()).T,
    }


@pytest.mark.parametrize("name", ["rsa", "jaccard", "cka", "imd"])
def test_arrays_are_the_numbers_they_hold(name: str, tmp_path: Path) -> None:
    measure = MEASURES[name]()
    other = np.tanh(GOOD[:, :3])
    expected = measure(GOOD, other)
    for kind, array in taken(tmp_path).items():
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert measure(array, other) == pytest.approx(expected, rel=1e-12), kind


def test_what_is_taken_is_a_plain_tensor(tmp_path: Path) -> None:
    for kind, array in taken(tmp_path).items():
        tensor = as_tensor("cka", "R", array, "nd")
        assert type(tensor) is torch.Tensor, kind
        assert not tensor.requires_grad
        np.testing.assert_array_equal(np.asarray(tensor), GOOD)


def test_frames() -> None:
    pd = pytest.importorskip("pandas")
    frames = {
        "float64": pd.DataFrame(GOOD),
        "mixed": pd.DataFrame(GOOD).assign(count=[1] * 20).drop(columns="count"),
        "nullable": pd.DataFrame(GOOD).astype("Float64").astype(float),
    }
    for frame in frames.values():
        assert MEASURES["cka"]()(frame, GOOD) == pytest.approx(1)
    single = as_tensor("cka", "R", pd.DataFrame(GOOD.astype(np.float32)), "nd")
    assert single.dtype == torch.float32
    assert as_tensor("cka", "R", pl.DataFrame(GOOD.astype(np.float32)), "nd").dtype == torch.float32
    for frame in (pd.DataFrame({"a": ["x", "y"]}), pl.DataFrame({"a": ["x", "y"]})):
        with pytest.raises(ShapeError, match="cka: R is not a numeric array: it holds objects"):
            MEASURES["cka"]()(frame, GOOD)
    with pytest.raises(ShapeError, match="holds 1 NaN"):
        MEASURES["cka"]()(pl.DataFrame({"a": [1.0, None]}), GOOD[:2])
    with pytest.raises(ShapeError, match=r"cka: R of shape \(2, 1\) is int64; expected floating"):
        MEASURES["cka"]()(pd.DataFrame({"a": [1, 2]}), GOOD[:2])
    assert resi.pairwise({"a": pd.DataFrame(GOOD), "b": pl.DataFrame(GOOD)}, ["cka"])["value"][0] == pytest.approx(1)


def refused() -> dict[str, tuple[Any, str]]:
    masked = np.ma.masked_array(GOOD, mask=GOOD > 1.5)
    return {
        "masked": (masked, rf"of shape \(20, 4\) is a masked array with {masked.mask.sum()} masked entries; first"),
        "objects": (GOOD.astype(object), r"is not a numeric array: it holds objects of any type; if all are numbers"),
        "ragged": ([[1.0, 2.0], [3.0]], "is not a numeric array"),
        "ragged arrays": ([np.ones(2), np.ones(3)], "is not a numeric array"),
        "dict": ({"a": 1}, "is not a numeric array: it is of type dict"),
        "none": (None, "is not a numeric array: it is of type NoneType"),
        "number": (3.0, "is not a numeric array: it is of type float"),
        "0-d": (np.array(3.0), r"has shape \(\); shape='nd' needs 2 axes"),
        "dates": (np.zeros((3, 2), "datetime64[s]"), "is not a numeric array"),
        "booleans": (GOOD > 0, r"of shape \(20, 4\) is bool; expected floating point"),
        "meta": (torch.empty(20, 4, device="meta"), r"of shape \(20, 4\) is on the meta device"),
        "sparse": (torch.tensor(GOOD).to_sparse(), r"of shape \(20, 4\) is sparse; call its to_dense\(\) first"),
        "complex": (torch.tensor(GOOD * 1j).conj(), r"of shape \(20, 4\) is complex128; expected floating point"),
    }


@pytest.mark.parametrize("kind", refused())
def test_the_rest_is_refused_in_one_line(kind: str) -> None:
    array, message = refused()[kind]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ShapeError, match=f"^cka: R {message}") as caught:
            MEASURES["cka"]()(array, GOOD)
    assert "\n" not in str(caught.value)


def test_wide_floats_and_sparse_matrices() -> None:
    from scipy import sparse

    with pytest.raises(ShapeError, match=r"^cka: R of shape \(20, 4\) is sparse; call its toarray\(\) first$"):
        MEASURES["cka"]()(sparse.csr_matrix(GOOD), GOOD)
    wide = GOOD.astype(np.longdouble)
    if wide.dtype.itemsize > 8:
        with pytest.raises(ShapeError, match=rf"^cka: R of shape \(20, 4\) is {wide.dtype}; expected floating point"):
            MEASURES["cka"]()(wide, GOOD)


def test_arrays_are_taken_without_importing_what_they_are_not_of(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pandas", "polars", "scipy"):
        monkeypatch.setitem(sys.modules, name, None)  # importing it fails
    for array in (GOOD, torch.tensor(GOOD), GOOD.tolist()):
        assert as_tensor("cka", "R", array, "nd").shape == GOOD.shape
