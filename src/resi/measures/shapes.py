"""Converts arrays of any shape to two matrices with matching rows.

``nd`` is (n_samples, n_features) already. ``ntd`` (samples, tokens, features) has one row per token of a sample.
``nchw`` (samples, channels, height, width) has two policies, one of which each measure selects:

- *align*: both sides are average-pooled to the smaller height and width of the two; rows are (sample, cell), columns
  are channels. Of more than 5000 rows of several cells, 5000 are kept, drawn over all samples and cells: the same ones
  for all pairs of that many samples and cells.
- *flatten*: one row per sample, all channels and cells as columns.

A 2-D side next to a 3-D or 4-D one is given a single token or cell.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from resi.errors import ShapeError
from resi.measures.features import DOUBLE_BYTES
from resi.measures.needs import Size
from resi.specs import Layout

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import Tensor

    from resi.representation import ArrayLike
else:
    from resi.lazy import torch

Sampling = Literal["spread", "strided"]
LAYOUTS: tuple[str, ...] = get_args(Layout)
MAX_ALIGNED_ROWS = 5000
BLOCK_ENTRIES = 2**22
"""About so many numbers of maps are averaged at a time."""


@dataclass(frozen=True)
class View:
    """How one side of a comparison is converted to a matrix; the same view of the same array gives the same matrix.

    Attributes
    ----------
    layout : str
        Layout of the array itself.
    grid : (height, width) or None
        Size that ``nchw`` maps are pooled to; None flattens them.
    rows : int or None
        How many rows of ``nchw`` maps are kept, drawn at random; None keeps all.
    step : int
        Every step-th row is kept, as in the published code. If the number of cells divides the step, only the top-left
        cells are kept.
    """

    layout: Layout
    grid: tuple[int, int] | None = None
    rows: int | None = None
    step: int = 1

    def size(self, size: tuple[int, ...]) -> tuple[int, int]:
        """Return rows and columns of the matrix that an array of a size becomes."""
        rows, columns = self._all(size)
        return math.ceil((self.rows or rows) / self.step), columns

    def needed(self, size: tuple[int, ...], itemsize: int) -> Size:
        """Return the size of the matrix that an array becomes whose numbers have so many bytes; averages have eight."""
        is_averaged = len(size) == 4 and self.grid is not None and self.grid != tuple(size[2:])
        return Size(*self.size(size), DOUBLE_BYTES if is_averaged else itemsize)

    def _all(self, size: tuple[int, ...]) -> tuple[int, int]:
        """Return rows and columns before rows are chosen."""
        if len(size) == 3:
            return size[0] * size[1], size[2]
        if len(size) == 4 and self.grid is not None:
            return size[0] * math.prod(self.grid), size[1]
        return size[0], math.prod(size[1:])

    def matrix(self, array: Tensor) -> Tensor:
        """Return the matrix of shape (n_rows, n_columns), of averaged maps in float64, else as precise as the array."""
        if array.ndim == 4 and self.grid is not None:
            return self._aligned(array, self.grid)
        tensor = array.flatten(0, 1) if array.ndim == 3 else array.flatten(1)
        return tensor[self._kept(len(tensor)).to(tensor.device)] if self.rows is not None else tensor[:: self.step]

    def _aligned(self, array: Tensor, grid: tuple[int, int]) -> Tensor:
        """Return a row per kept cell of maps; beside it, only a block of averaged maps is held."""
        n_cells = math.prod(grid)
        if self.size(tuple(array.shape))[0] == len(array) * n_cells:
            maps = array if tuple(array.shape[2:]) == grid else _averaged(array, grid)
            return maps.permute(0, 2, 3, 1).flatten(0, 2)
        kept = self._kept(len(array) * n_cells).to(array.device)
        block = max(1, BLOCK_ENTRIES // math.prod(array.shape[1:]))
        parts = []
        for start in range(0, len(array), block):
            maps = array[start : start + block]
            if tuple(maps.shape[2:]) != grid:
                maps = _averaged(maps, grid)
            first, last = torch.searchsorted(kept, torch.tensor([start, start + block], device=kept.device) * n_cells)
            places = kept[first:last] - start * n_cells
            parts.append(maps.flatten(2)[places // n_cells, :, places % n_cells])
        return torch.cat(parts)

    def _kept(self, total: int) -> Tensor:
        """Return which of all rows are kept, in order."""
        if self.rows is not None:
            return torch.from_numpy(spread_rows(total, self.rows))
        return torch.arange(0, total, self.step)

    def samples(self, size: tuple[int, ...]) -> Tensor:
        """Return to which sample each row of the matrix belongs that an array of a size becomes, shape (n_rows,)."""
        rows = self._all(size)[0]
        return self._kept(rows) // (rows // size[0])

    def reordered(self, size: tuple[int, ...], order: Tensor) -> Tensor | None:
        """Return the order of the rows of the matrix that an order of the samples of an array of a size makes.

        The rows of a sample stay together. None where only some rows are kept: they are other ones for other orders.
        """
        if self.rows is not None or self.step > 1:
            return None
        n_rows = self.size(size)[0] // size[0]
        if n_rows == 1:
            return order
        return (order.unsqueeze(-1) * n_rows + torch.arange(n_rows, device=order.device)).flatten(-2)


def _averaged(maps: Tensor, grid: tuple[int, int]) -> Tensor:
    return torch.nn.functional.adaptive_avg_pool2d(maps.double(), grid)


def spread_rows(total: int, count: int) -> np.ndarray[Any, Any]:
    """Return ``count`` of ``total`` row numbers, drawn by these two numbers alone, in order."""
    from resi.randomness import generator

    rows = generator(0, "spatial rows", total, count).choice(total, count, replace=False)
    rows.sort()
    return rows


@dataclass(frozen=True)
class _Bound:
    view: View
    array: Tensor

    def __call__(self) -> Tensor:
        return self.view.matrix(self.array)

    def on_cpu(self) -> _Bound:
        return _Bound(self.view, self.array.cpu())


def views(
    measure: str,
    arrays: tuple[ArrayLike, ArrayLike],
    layouts: tuple[Layout, Layout],
    spatial: Literal["align", "flatten"],
) -> tuple[_Bound, _Bound]:
    """Check two arrays and return, for each, the call that makes its matrix.

    Raises
    ------
    ShapeError
        One line naming the measure, the argument and the shapes.
    """
    tensors = tuple(
        as_tensor(measure, side, array, layout) for side, array, layout in zip("RS", arrays, layouts, strict=True)
    )
    tensors = (tensors[0], tensors[1].to(tensors[0].device))
    view_a, view_b = pair_views(measure, (tuple(tensors[0].shape), tuple(tensors[1].shape)), layouts, spatial)
    return _Bound(view_a, tensors[0]), _Bound(view_b, tensors[1])


def as_tensor(measure: str, argument: str, array: ArrayLike, layout: Layout) -> Tensor:
    """Return ``array`` as a tensor after checking its type, rank, size and values.

    Parameters
    ----------
    measure, argument : str
        Names in error messages.
    array : array
        A torch tensor, a numpy array, anything that numpy can convert (such as a pandas or Polars frame of numbers), or
        nested lists.
    layout : {"nd", "ntd", "nchw"}
        Its axes; arrays with two axes are always accepted.

    Raises
    ------
    ShapeError
        One line naming the measure, the argument, what it is, and what to do.
    """
    if layout not in LAYOUTS:
        raise ShapeError(f"{measure}: unknown shape {layout!r} of {argument}; known: {', '.join(LAYOUTS)}")
    tensor = _plain_tensor(f"{measure}: {argument}", array)
    size = tuple(tensor.shape)
    if tensor.dtype not in (torch.float64, torch.float32, torch.bfloat16, torch.float16):
        kind = str(tensor.dtype).removeprefix("torch.")
        raise ShapeError(
            f"{measure}: {argument} of shape {size} is {kind}; expected floating point of 16, 32 or 64 bits, "
            "convert it first"
        )
    if tensor.ndim != len(layout) and tensor.ndim != 2:
        advice = axes_advice(layout, len(size))
        raise ShapeError(f"{measure}: {argument} has shape {size}; shape={layout!r} needs {len(layout)} axes{advice}")
    if tensor.numel() == 0 or size[0] < 2:
        raise ShapeError(f"{measure}: {argument} has shape {size}; at least 2 samples and 1 feature are needed")
    # The extremes of what holds a NaN are NaN.
    if not all(map(math.isfinite, (float(extreme) for extreme in tensor.aminmax()))):
        bad = int((~torch.isfinite(tensor)).sum())
        raise ShapeError(f"{measure}: {argument} of shape {size} holds {bad} NaN or infinite values")
    return tensor


def axes_advice(layout: str, axes: int) -> str:
    """Return what to write where features were expected and there are more axes; nothing in other cases."""
    known = {3: "ntd", 4: "nchw"} if layout == "nd" else {}
    return f"; pass shape={known[axes]!r}, or pooling='mean' to extract" if axes in known else ""


def _plain_tensor(label: str, array: Any) -> Tensor:
    """Return a dense tensor without history; errors begin with ``label``."""
    try:
        if isinstance(array, torch.Tensor):
            return _dense(label, array)
        if isinstance(array, list | tuple):
            return _of_list(label, array)
        return torch.as_tensor(_native(label, array))
    except ShapeError:
        raise
    except (TypeError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise ShapeError(f"{label} is not a numeric array: {reason}") from error


def _dense(label: str, tensor: Tensor) -> Tensor:
    size = "" if tensor.is_nested else f" of shape {tuple(tensor.shape)}"
    if tensor.is_nested:
        raise ShapeError(f"{label} is a nested tensor; pad it or compare its parts")
    if tensor.layout != torch.strided:
        raise ShapeError(f"{label}{size} is sparse; call its to_dense() first")
    if tensor.is_meta:
        raise ShapeError(f"{label}{size} is on the meta device, which holds no numbers")
    if tensor.is_quantized:
        raise ShapeError(f"{label}{size} is quantized; call its dequantize() first")
    if hasattr(tensor, "get_mask"):
        raise ShapeError(f"{label}{size} is a masked tensor; leave out the masked rows, or fill them, first")
    # Measures know tensors only, and none whose signs are still to be changed.
    return tensor.detach().as_subclass(torch.Tensor).resolve_neg()


def _of_list(label: str, items: Any) -> Tensor:
    """Return nested lists as a tensor: of arrays in their own precision, of numbers in Python's."""
    if items and hasattr(items[0], "shape"):
        return torch.stack([_plain_tensor(label, item) for item in items])
    return torch.as_tensor(items, dtype=torch.float64)


def _native(label: str, array: Any) -> Any:
    """Return what is not a tensor as a numpy array that torch can take."""
    import numpy as np

    if hasattr(array, "toarray") and hasattr(array, "nnz"):
        raise ShapeError(f"{label} of shape {array.shape} is sparse; call its toarray() first")
    if isinstance(array, np.ma.MaskedArray) and np.ma.is_masked(array):
        count = int(np.ma.getmaskarray(array).sum())
        raise ShapeError(
            f"{label} of shape {array.shape} is a masked array with {count} masked entries; first leave out the rows "
            "that have one, in all representations, or fill them with filled()"
        )
    if not isinstance(array, np.ndarray) and not hasattr(array, "__array__"):
        raise ShapeError(f"{label} is not a numeric array: it is of type {type(array).__name__}")
    result = np.asarray(array)
    if result.dtype.kind == "f" and result.dtype.itemsize > 8:
        raise ShapeError(
            f"{label} of shape {result.shape} is {result.dtype}; expected floating point of 16, 32 or 64 bits, convert "
            "it first"
        )
    if result.dtype.kind == "O":
        raise ShapeError(
            f"{label} is not a numeric array: it holds objects of any type; if all are numbers, convert it with "
            "astype(float)"
        )
    # torch has no tensors of these kinds.
    stepped = any(stride < 0 or stride % result.itemsize for stride in result.strides)
    if stepped or not result.flags.writeable or not result.dtype.isnative:
        return result.astype(result.dtype.newbyteorder("="), order="C", copy=True)
    return result


def pair_views(
    measure: str,
    sizes: tuple[tuple[int, ...], tuple[int, ...]],
    layouts: tuple[Layout, Layout],
    spatial: Literal["align", "flatten"],
    sampling: Sampling = "spread",
) -> tuple[View, View]:
    """Return the views of a pair of arrays of the given sizes.

    Parameters
    ----------
    sampling : {"spread", "strided"}
        Which of many rows of maps are kept: rows at random, or every k-th as in the published code, k = rows // 5000.

    Raises
    ------
    ShapeError
        If the two sides do not have the same rows.
    """
    size_a, size_b = sizes
    if size_a[0] != size_b[0]:
        raise ShapeError(f"{measure}: R has {size_a[0]} rows, S {size_b[0]}; rows must be the same samples")
    maps = [size[2:] for size in sizes if len(size) == 4]
    if not maps:
        if _tokens(size_a) != _tokens(size_b):
            raise ShapeError(f"{measure}: R has shape {size_a}, S {size_b}; both need the same number of tokens")
        return View(layouts[0]), View(layouts[1])
    if 3 in (len(size_a), len(size_b)):
        raise ShapeError(f"{measure}: R has shape {size_a}, S {size_b}; ntd and nchw cannot be compared")
    if spatial == "flatten":
        return View(layouts[0]), View(layouts[1])
    # A 2-D side counts as a map of one cell.
    maps += [(1, 1)] * (2 - len(maps))
    grid = (min(size[0] for size in maps), min(size[1] for size in maps))
    rows = size_a[0] * grid[0] * grid[1]
    if sampling == "strided":
        step = max(1, rows // MAX_ALIGNED_ROWS)
        return View(layouts[0], grid, step=step), View(layouts[1], grid, step=step)
    # Maps of one cell are vectors, of which all are kept.
    kept = MAX_ALIGNED_ROWS if rows > MAX_ALIGNED_ROWS and grid != (1, 1) else None
    return View(layouts[0], grid, kept), View(layouts[1], grid, kept)


def least_precise(*dtypes: torch.dtype) -> torch.dtype:
    """Return the floating point type of lowest precision."""
    return max(dtypes, key=lambda dtype: torch.finfo(dtype).eps)


def _tokens(size: tuple[int, ...]) -> int:
    return size[1] if len(size) == 3 else 1
