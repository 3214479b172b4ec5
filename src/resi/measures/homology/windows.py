"""The edges of two distance matrices in the order of the smaller distance, a part at a time, compiled with numba.

Both matrices have their own edges in order already, so that parts are merged, only as far as they are asked for. The
compiled loops of :mod:`~resi.measures.homology.persistence` use ``ends`` and ``place_of``, too: numba notices changes
in the file of a function only, so a change of these two takes one there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from resi.machine.compiling import NO_REFERENCES_COUNTED, compiled

if TYPE_CHECKING:
    from collections.abc import Callable

    Array = np.ndarray[Any, Any]

# What is said of an edge beside its points: it closes no triangle in the side it is taken from, and the triangle of it
# and the apex comes with it, when the apex belongs to the one side and to the other.
OPENING = np.int64(1 << 32)
FIRST_READY, SECOND_READY = np.int64(1 << 33), np.int64(1 << 34)


def lean(function: Callable[..., Any]) -> Any:
    """Compile a function that allocates nothing: counting references to its arrays took a third of the time."""
    return compiled(function, **NO_REFERENCES_COUNTED)


class Side(NamedTuple):
    """One representation: its distances over the edges b < c, in the order of ``numpy.triu_indices``.

    Attributes
    ----------
    values : array of shape (n_edges,), float64
    order : array of shape (n_edges,), uint32
        Edges by value, ties by position, as ``b << 16 | c``.
    opening : array of shape (n_opening,), int32
        Positions in that order of the edges that close no triangle with earlier ones.
    zero_below : float
        Smaller values count as 0.
    """

    values: Array
    order: Array
    opening: Array
    zero_below: float


class Window(NamedTuple):
    """What comes up to a value: edges, by ``min(d_R, d_S)``, and the triangles of the apex that come after their edge.

    These are, for each direction, by the distances of its own side.
    """

    edges: Array  # int64, with what is said of them
    values: Array
    first_late: Array
    first_late_values: Array
    second_late: Array
    second_late_values: Array


@lean
def ends(edge: int) -> tuple[int, int]:
    """Return the two points of an edge."""
    return (edge >> 16) & 0xFFFF, edge & 0xFFFF


@lean
def place_of(n_points: int, b: int, c: int) -> int:
    """Return the position of the distance between two points."""
    if b > c:
        b, c = c, b
    return b * n_points - b * (b + 1) // 2 + c - b - 1


@lean
def value_at(n_points: int, side: Side, position: int) -> float:
    """Return the value of the edge at a position in the side's order."""
    b, c = ends(np.int64(side.order[position]))
    return side.values[place_of(n_points, b, c)]


@lean
def count_until(n_points: int, side: Side, below: float, also: float) -> int:
    """Return how many edges of a side have a value below a limit, or another one that is no larger."""
    low, high = 0, len(side.order)
    while low < high:
        middle = (low + high) // 2
        value = value_at(n_points, side, middle)
        if value < below or value == also:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def _split(n_points: int, own: Side, other: Side, at: Any, stop: int, ready: int) -> Any:
    """Return the edges of a side's order that come at its value, and those that the other side brings earlier.

    An edge of equal values comes from the first side. ``at`` says how many edges, and opening ones, were returned
    before, and is moved on.
    """
    size = stop - at[0] + 1
    edges, values, count = np.empty(size, np.int64), np.empty(size), 0
    late, late_values, n_late = np.empty(size, np.int64), np.empty(size), 0
    takes_equal = ready == FIRST_READY
    for position in range(at[0], stop):
        edge = np.int64(own.order[position])
        b, c = ends(edge)
        place = place_of(n_points, b, c)
        value, others = own.values[place], other.values[place]
        said = FIRST_READY | SECOND_READY if value == others else ready
        if at[1] < len(own.opening) and own.opening[at[1]] == position:
            said |= OPENING
            at[1] += 1
        # Both are written, and one is kept: which it is cannot be foreseen, and a wrong guess costs more.
        edges[count], values[count] = edge | said, value
        late[n_late], late_values[n_late] = edge, value
        count += (value < others) | ((value == others) & takes_equal)
        n_late += value > others
    at[0] = stop
    return edges[:count], values[:count], late[:n_late], late_values[:n_late]


@compiled
def _merged(edges: Any, values: Any, others: Any, other_values: Any) -> tuple[Any, Any]:
    """Return edges from two lists by value, ties by position."""
    size = len(edges) + len(others)
    merged, merged_values = np.empty(size, np.int64), np.empty(size)
    i = j = k = 0
    while i < len(edges) and j < len(others):
        a, b, value, other = edges[i], others[j], values[i], other_values[j]
        take = value < other or (value == other and (a & 0xFFFFFFFF) < (b & 0xFFFFFFFF))
        merged[k] = a if take else b
        merged_values[k] = value if take else other
        i += take
        j += not take
        k += 1
    for rest in range(i, len(edges)):
        merged[k], merged_values[k] = edges[rest], values[rest]
        k += 1
    for rest in range(j, len(others)):
        merged[k], merged_values[k] = others[rest], other_values[rest]
        k += 1
    return merged, merged_values


@compiled
def window_up_to(n_points: int, first: Side, second: Side, at: Any, limit: float) -> Window:
    """Return what comes up to a value and was not returned before, which ``at`` says for both sides."""
    stop = count_until(n_points, first, limit, limit)
    edges, values, first_late, first_late_values = _split(n_points, first, second, at[0], stop, FIRST_READY)
    stop = count_until(n_points, second, limit, limit)
    others, other_values, second_late, second_late_values = _split(n_points, second, first, at[1], stop, SECOND_READY)
    edges, values = _merged(edges, values, others, other_values)
    return Window(edges, values, first_late, first_late_values, second_late, second_late_values)


@lean
def count_openings(n_points: int, own: Side, other: Side, ready: int) -> int:
    """Return how many edges that may close no triangle come at the value of a side."""
    count, takes_equal = 0, ready == FIRST_READY
    for position in own.opening:
        b, c = ends(np.int64(own.order[position]))
        place = place_of(n_points, b, c)
        value, others = own.values[place], other.values[place]
        count += (value < others) | ((value == others) & takes_equal)
    return count
