"""Rows belong together by the ids of their samples: frames, labelled arrays and collections."""

from __future__ import annotations

import dataclasses
import functools
import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import resi
from resi.errors import ShapeError, UsageError
from resi.extraction.collection import Representations
from resi.representation import Representation, hash_samples

close = functools.partial(pytest.approx, rel=1e-9)
RNG = np.random.default_rng(11)
R, S = RNG.normal(size=(20, 4)), RNG.normal(size=(20, 3))
IDS = [f"image{row}.png" for row in range(20)]
ORDER = RNG.permutation(20)
SHUFFLED = [IDS[row] for row in ORDER]


def with_ids(kind: str, array: np.ndarray, ids: list[str]):
    """Return an array with ids of its samples, as each library has them."""
    columns = {f"unit{number}": column for number, column in enumerate(array.T)}
    match kind:
        case "polars":
            return pl.DataFrame({"unit0": columns["unit0"], "sample": ids, **columns})
        case "pandas index":
            return pd.DataFrame(columns, index=ids)
        case "pandas column":
            return pd.DataFrame({"sample": ids, **columns})
        case "xarray":
            return xr.DataArray(array.T, dims=["unit", "sample"], coords={"sample": ids})
        case "xarray rows":
            return xr.DataArray(array, dims=["image", "unit"], coords={"image": ids})
        case "collection":
            return Representations.from_tensors({"fc": torch.from_numpy(array)}, ids)
    raise AssertionError(kind)


KINDS = ["polars", "pandas index", "pandas column", "xarray", "xarray rows", "collection"]


@pytest.mark.parametrize("kind", KINDS)
def test_another_order_is_an_error_that_align_mends(kind: str) -> None:
    expected = close(resi.compare(R, S, "linear_regression"))
    sides = {"R": with_ids("polars", R, IDS), "S": with_ids(kind, S, IDS)}
    turned = {"R": sides["R"], "S": with_ids(kind, S[ORDER], SHUFFLED)}
    assert resi.pairwise(sides, "linear_regression")["value"][0] == expected
    name = "S:fc" if kind == "collection" else "S"
    order = f"row 0 is {SHUFFLED[0]!r}, not 'image0.png'; align=True reorders them"
    message = f"pairwise: {name} has the samples of R in another order: {order}"
    with pytest.raises(ShapeError, match=re.escape(message)):
        resi.pairwise(turned, "linear_regression")
    mended = resi.pairwise(turned, "linear_regression", align=True)
    assert mended["value"][0] == expected
    with pytest.raises(ShapeError, match=f"{name} of the second set has the samples of R in another order"):
        resi.pairwise({"R": turned["R"]}, {"S": turned["S"]})
    mended = resi.pairwise({"R": turned["R"]}, {"S": turned["S"]}, "linear_regression", align=True)
    assert mended["value"].to_list() == [expected]
    if kind != "collection":
        with pytest.raises(ShapeError, match="linear_regression: S has the samples of R in another order"):
            resi.compare(*turned.values(), "linear_regression")
        assert resi.compare(*turned.values(), "linear_regression", align=True) == expected


def test_other_samples_are_named_and_left_out_only_on_request() -> None:
    one, other = with_ids("polars", R, IDS), with_ids("pandas index", S[3:], IDS[3:])
    message = "S and R have different samples: 3 of 20 are only in R ('image0.png', 'image1.png', 'image2.png'); "
    for align in (False, True):
        with pytest.raises(ShapeError, match=re.escape(message)):
            resi.pairwise({"R": one, "S": other}, align=align)
    extra = with_ids("polars", S, [*IDS[:16], "w", "x", "y", "z"])
    with pytest.raises(ShapeError, match=re.escape("4 of 20 are only in S (such as 'w', 'x', 'y')")):
        resi.pairwise({"R": one, "S": extra}, align=True)
    shared = resi.pairwise({"R": one, "S": other, "T": extra}, align="shared")
    expected = resi.pairwise({"R": R[3:16], "S": S[3:16], "T": S[3:16]})
    assert shared["value"].to_list() == close(expected["value"].to_list())
    nothing = with_ids("polars", S, [f"other {name}" for name in IDS])
    with pytest.raises(ShapeError, match="the representations have 0 samples in common"):
        resi.compare(one, nothing, align="shared")


def test_arrays_without_ids_are_matched_by_row_but_not_where_rows_are_reordered() -> None:
    frame = with_ids("polars", R, IDS)
    assert resi.compare(frame, S) == close(resi.compare(R, S))
    given = {"plain": S, "R": frame, "S": with_ids("polars", S[ORDER], SHUFFLED)}
    with pytest.raises(ShapeError, match="plain has no ids of samples, so its rows cannot be put in the order of R"):
        resi.pairwise(given, align=True)
    with pytest.raises(UsageError, match="align=True: no representation has ids of samples"):
        resi.pairwise({"R": R, "S": S}, align=True)
    with pytest.raises(UsageError, match="align='yes': expected True, False or 'shared'"):
        resi.pairwise({"R": R, "S": S}, align="yes")
    # The numbers of the rows alone are no ids; what is left of them after sorting or filtering is.
    assert resi.compare(pd.DataFrame(R), pd.DataFrame(S)) == close(resi.compare(R, S))
    with pytest.raises(ShapeError, match="in another order"):
        resi.compare(pd.DataFrame(R).iloc[ORDER], pd.DataFrame(S).sort_values(0))
    with pytest.raises(ShapeError, match="have different samples"):
        resi.compare(pd.DataFrame(R)[5:15], pd.DataFrame(S)[6:16])


def test_rows_of_one_id_cannot_be_told_apart() -> None:
    twice = ["same", "same", *IDS[2:]]
    given = {"R": with_ids("polars", R, twice), "S": with_ids("polars", S, twice)}
    assert resi.pairwise(given)["value"][0] == close(resi.compare(R, S))
    given["S"] = given["S"].reverse()
    with pytest.raises(ShapeError, match="R has several rows for the sample 'same'"):
        resi.pairwise(given, align=True)


def test_of_stored_representations_the_hash_of_ids_is_compared() -> None:
    def stored(array: np.ndarray, ids: list[str]) -> Representation:
        return Representation("key", array.shape, "nd", hash_samples(ids), lambda: array)

    assert resi.pairwise({"R": stored(R, IDS), "S": stored(S, IDS)})["value"][0] == close(resi.compare(R, S))
    assert resi.pairwise({"R": with_ids("polars", R, IDS), "S": stored(S, IDS)})["status"][0] == "ok"
    with pytest.raises(ShapeError, match="S and R hold different samples, or the same in another order"):
        resi.pairwise({"R": stored(R, IDS), "S": stored(S, SHUFFLED)})
    wrong = dataclasses.replace(stored(R, IDS), layout="nchw", size=(20, 2, 2))
    frame = resi.pairwise({"R": wrong, "S": stored(S, IDS), "T": R})
    assert (
        frame.filter(source="R")["error"][0]
        == "ShapeError: pairwise: R has shape (20, 2, 2); shape='nchw' needs 4 axes"
    )


def test_columns_that_hold_no_numbers_are_named() -> None:
    texts = {"label": ["x"] * 20, "file": IDS, "a": R[:, 0]}
    for frame in (pl.DataFrame(texts), pd.DataFrame(texts)):
        with pytest.raises(ShapeError, match="cka: R is a frame with columns that are not numeric: label, file; drop"):
            resi.compare(frame, S)
    nullable = pd.DataFrame(R, columns=list("abcd")).convert_dtypes()
    assert resi.compare(nullable, S) == close(resi.compare(R, S))
    with pytest.raises(ShapeError, match="holds 1 NaN or infinite values"):
        resi.compare(pl.DataFrame(R).with_columns(column_0=pl.Series([None, *R[1:, 0]])), S)


def test_maps_of_xarray_and_variables_of_a_data_set() -> None:
    maps = RNG.normal(size=(20, 2, 3, 3))
    labelled = xr.DataArray(maps, dims=["sample", "c", "y", "x"], coords={"sample": IDS}).transpose(
        "c", "y", "x", "sample"
    )
    assert resi.compare(labelled, R, shape="nchw") == close(resi.compare(maps, R, shape="nchw"))
    data = xr.Dataset({"R": (("sample", "unit"), R), "S": (("sample", "other"), S)}, coords={"sample": IDS})
    assert resi.pairwise(data)["value"].to_list() == close([resi.compare(R, S)])
    assert resi.pairwise(data, {"T": S})["target"].to_list() == ["T", "T"]


def test_a_subsample_is_taken_of_the_aligned_rows() -> None:
    turned = {"R": with_ids("polars", R, IDS), "S": with_ids("polars", S[ORDER], SHUFFLED)}
    plain = close(resi.pairwise({"R": R, "S": S}, samples=9)["value"][0])
    assert resi.pairwise(turned, samples=9, align=True)["value"][0] == plain
    assert resi.compare(*turned.values(), samples=9, align=True) == plain


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(6)), st.permutations(range(6)))
def test_aligned_rows_are_those_of_equal_ids(first: list[int], second: list[int]) -> None:
    numbers = np.arange(6.0) ** 2
    sides = [pl.DataFrame({"sample": order, "x": numbers[order]}) for order in (first, second)]
    found = []
    resi.compare(*sides, lambda R, S: found.append((R.flatten().tolist(), S.flatten().tolist())) or 0.0, align=True)
    expected = numbers[first].tolist()
    assert found == [(expected, expected)]


def test_shuffled_rows_beside_rows_in_order_are_not_matched_by_row() -> None:
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 3)))
    shuffled = frame.sample(frac=1, random_state=1)
    for R, S in ((frame, shuffled), (shuffled, frame), (frame.to_numpy(), shuffled)):
        with pytest.raises(ShapeError, match="in another order"):
            resi.compare(R, S)


def test_an_error_of_several_lines_is_one_line_of_the_table() -> None:
    def failing(R: object, S: object) -> float:
        raise ValueError("first\n  second")

    table = resi.pairwise({"a": np.eye(4), "b": np.eye(4)}, measures=failing)
    assert set(table["error"]) == {"ValueError: first second"}


def test_rows_of_different_data_matched_by_number_alone_are_noted() -> None:
    net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU())
    draws = torch.Generator().manual_seed(0)
    first, other = (torch.randn(20, 3, generator=draws) for _ in range(2))
    a, b = (resi.extract(net, data, "0") for data in (first, other))
    assert "different data" in resi.pairwise(a, b)["note"][0]
    assert resi.pairwise(a, resi.extract(net, first, "1"))["note"][0] == ""
