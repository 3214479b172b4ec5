"""Memory of shared intermediates of a representation, in bytes by part, and temporary memory for computing them.

Parts are named after the functions that compute them. Numbers that hold one entry for each row are counted where a
representation may have few columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from resi.measures.shared.intermediates import BLOCK_ENTRIES

if TYPE_CHECKING:
    from resi.measures.needs import Size


def shifted(size: Size) -> dict[str, int]:
    """Return the parts of a centred representation."""
    return size.matrix() | {"shifted": size.double}


def centred_compact(size: Size) -> dict[str, int]:
    """Return the parts of a centred representation rotated into at most n_samples columns."""
    return shifted(size) | ({"centred_compact": 8 * size.n_samples * size.smaller} if size.wide else {})


def rotating(size: Size) -> int:
    """Return what rotating a matrix into at most n_samples columns takes: a copy."""
    return size.double if size.wide else 0


def bases(size: Size) -> dict[str, int]:
    """Return the parts of an orthonormal basis on both sides."""
    return {"basis": 8 * size.smaller * (size.n_samples + size.n_features)}


def decomposing(size: Size) -> int:
    """Return what a singular value decomposition takes: a copy of the matrix and the space that LAPACK works in."""
    return size.double + 3 * size.square


def vectors(size: Size) -> dict[str, int]:
    """Return the parts of rows that are computed when they are needed: three numbers for each."""
    return size.given() | {"vectors": 24 * size.n_samples}


def taking(size: Size) -> int:
    """Return what a block of rows or columns takes."""
    return 8 * min(BLOCK_ENTRIES, size.entries)


def cloud(size: Size) -> dict[str, int]:
    """Return the parts of the cloud of centred rows."""
    return shifted(size) | {"cloud": 24 * size.n_samples}


def directions(size: Size) -> dict[str, int]:
    """Return the parts of rows of length one."""
    return vectors(size) | {"directions": size.double}


def block_of_squares(size: Size, is_unit: bool = False) -> int:
    """Return what a block of squared distances takes: these, sums of squared lengths, and which of them cancelled."""
    return (9 if is_unit else 17) * min(BLOCK_ENTRIES, size.n_samples**2)


def entries_below(n_samples: int) -> int:
    """Return the most entries of a block of distances to its own rows and those before."""
    rows = min(n_samples, max(1, BLOCK_ENTRIES // n_samples))
    last = n_samples % rows
    return max(rows * (n_samples - last), last * n_samples)


def measuring(size: Size) -> int:
    """Return what all distances take while they are computed, these included."""
    blocks = max(taking(size), 9 * entries_below(size.n_samples))
    return max(size.pairs + blocks, taking(size))
