"""Which rows of maps are compared."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from resi.measures.shapes import MAX_ALIGNED_ROWS, pair_views


def rows_kept(samples: int, side: int, sampling: str) -> torch.Tensor:
    """Return (sample, cell) of every row that is kept of maps whose entries tell both."""
    maps = torch.arange(samples * side * side, dtype=torch.float64).reshape(samples, 1, side, side)
    view, other = pair_views("cka", ((samples, 1, side, side),) * 2, ("nchw", "nchw"), "align", sampling)  # type: ignore[arg-type]
    assert view == other
    numbers = view.matrix(maps)[:, 0].long()
    return torch.stack([numbers // (side * side), numbers % (side * side)])


@pytest.mark.parametrize(("samples", "side"), [(5000, 7), (10_000, 2), (1000, 3)])
def test_rows_of_many_are_spread_over_samples_and_cells(samples: int, side: int) -> None:
    sample, cell = rows_kept(samples, side, "spread")
    assert len(sample) == MAX_ALIGNED_ROWS
    counts = np.bincount(cell, minlength=side * side)
    expected = MAX_ALIGNED_ROWS / side**2
    assert np.abs(counts - expected).max() <= 5 * np.sqrt(expected)
    halves = float((sample < samples / 2).double().mean())
    assert abs(halves - 0.5) <= 5 * 0.5 / np.sqrt(MAX_ALIGNED_ROWS)
    assert len(torch.unique(torch.stack([sample, cell]), dim=1).T) == MAX_ALIGNED_ROWS
    assert torch.equal(rows_kept(samples, side, "spread")[0], sample)


def test_the_published_stride_keeps_the_top_left_cell_alone() -> None:
    sample, cell = rows_kept(5000, 7, "strided")
    assert cell.unique().tolist() == [0]
    assert torch.equal(sample, torch.arange(5000))
    sample, _ = rows_kept(10_000, 1, "strided")
    assert len(sample) == 5000


def test_all_rows_are_kept_of_few_and_of_maps_of_one_cell() -> None:
    assert rows_kept(10_000, 1, "spread").shape[1] == 10_000
    assert rows_kept(500, 3, "spread").shape[1] == 4500


def test_a_pair_of_a_map_and_a_vector_is_compared_sample_by_sample() -> None:
    maps, vectors = torch.rand(6000, 3, 2, 2), torch.rand(6000, 5)
    a, b = pair_views("cka", (tuple(maps.shape), tuple(vectors.shape)), ("nchw", "nchw"), "align")
    torch.testing.assert_close(a.matrix(maps), maps.double().mean((2, 3)))
    torch.testing.assert_close(b.matrix(vectors), vectors)
