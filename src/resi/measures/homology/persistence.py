"""First homology of the cross complex of two distance matrices, compiled with numba.

The complex
-----------
The representation topology divergence of (R, S) looks at 2n points whose distances are ``[[0, d_Rᵀ], [d_R, m]]`` with
``m = min(d_R, d_S)``. The first n points are all at distance 0 of one another; contracting them to one vertex, the
apex, leaves first homology as it is. Apex and points are there from 0 on, and so is the edge between the apex and each
point; the edge bc comes at m(b, c), the triangle bcd with the last of its three edges, and the triangle (apex, b, c) at
d_R(b, c). (A point a of the first n that is nearer than that to both b and c would bring the last one earlier, but then
the triangle b, c, a' with a' the copy of a among the other n, and those of the apex and its edges, fill the same loop.)

The algorithm
-------------
Every edge bc closes one loop through the apex, so first homology at any time is Z/2 to the power of the edges present,
modulo one relation a triangle. The kernel adds edges and triangles in the order of their value and keeps, as bit sets,

- the classes *alive*, each with the edge that gave birth to it,
- for every edge bc, the class of the loop apex-b-c as a sum of classes alive.

A relation that is not satisfied yet expresses one class by others. The youngest class in it dies (elder rule): what is
left still spans the image of every earlier time, so births and deaths are those of persistent homology. Nearly all
edges have class 0 and are passed over with a few bit operations; this, and not having to sort or to store any
coboundary, is why it is fast. Ties need no care: in any order of equal values, only bars of length zero
differ.

One file holds all of it, since numba's cache of compiled code notices changes in the file of a function only.

Classes are stored as ``potential(b) + potential(c) + residue(bc)``, all of them bit sets over the alive classes. Going
around a triangle the potentials cancel, so the many classes that only say which points are not joined in R yet (as many
as points, when S collapses what R spreads out) cost nothing; the residue is zero for almost every edge.

References
----------
.. [1] Barannikov et al., Representation Topology Divergence, ICML 2022.
.. [2] Edelsbrunner, Harer, Computational Topology, AMS 2010 (elder rule, incremental algorithm).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numba
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    Array = np.ndarray[Any, Any]

ONE = np.uint64(1)
WORD = 64
# How many words of alive classes, and how many edges of non-zero residue, there is room for at first. Both double, and
# the computation starts again, when they run out.
FIRST_WORDS = 8
FIRST_ROWS = 4096


def _compiled(function: Callable[..., Any]) -> Any:
    try:
        return numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # nowhere to keep compiled code, as in an installation that cannot be written to
        return numba.njit(nogil=True)(function)


class Complex(NamedTuple):
    """The two distance matrices as vectors over the edges b < c, in the order of ``numpy.triu_indices(n, 1)``."""

    n_points: int
    tail: Array  # (n_edges,) int32, b
    head: Array  # (n_edges,) int32, c
    first: Array  # (n_edges,) float64, d_R
    second: Array  # (n_edges,) float64, d_S


class State(NamedTuple):
    """What the kernel knows at one time. ``words`` are uint64 sets of 64 bits each."""

    present: Array  # (n_points, words of points): c in present[b] when the edge bc is there
    nonzero: Array  # (n_points, words of points): c in nonzero[b] when the residue of bc is not zero
    component: Array  # (n_points,) label of the connected component of the edges present
    potential: Array  # (n_points, words of classes)
    residue: Array  # (words of classes, rows): one column for each edge of non-zero residue
    row_of: Array  # (n_edges,) its column, where there is one
    edge_of: Array  # (rows,) and back; -1 where the column is free
    free_rows: Array  # (rows,) stack of free columns
    free_classes: Array  # (classes,) stack of free classes
    birth: Array  # (classes,) value at which the class was born
    age: Array  # (classes,) position of its edge; -1 when it is not alive
    relation: Array  # (words of classes,) scratch: what is to become zero
    link: Array  # (words of points,) scratch: points that both ends of an edge are joined to
    stack: Array  # (n_points,) scratch
    counts: Array  # (5,) see the names below
    total: Array  # (1,) sum of bar lengths so far


# Positions in State.counts: free columns, columns to look at, free classes, classes to look at, classes alive.
FREE_ROWS, ROWS, FREE_CLASSES, CLASSES, ALIVE = range(5)


@_compiled
def _lowest(word: Any) -> int:
    """Return the position of the lowest bit of a word that is not zero."""
    position = 0
    for width in (32, 16, 8, 4, 2, 1):
        if word & ((ONE << np.uint64(width)) - ONE) == 0:
            position += width
            word >>= np.uint64(width)
    return position


@_compiled
def _bit(position: int) -> Any:
    return ONE << np.uint64(position & 63)


@_compiled
def _holds(sets: Any, b: int, c: int) -> bool:
    return (sets[b, c >> 6] & _bit(c)) != 0


@_compiled
def _edge(n_points: int, b: int, c: int) -> int:
    """Return the position of the edge between two points."""
    if b > c:
        b, c = c, b
    return b * n_points - b * (b + 1) // 2 + c - b - 1


@_compiled
def merged_order(first: Any, first_order: Any, second: Any, second_order: Any) -> Any:
    """Return the edges by ``min(first, second)``, ties by position, from the orders of the two, in linear time."""
    n_edges = len(first)
    order = np.empty(n_edges, np.int32)
    i = j = 0
    for k in range(n_edges):
        # Each edge is taken from the list in which it comes earlier.
        while i < n_edges and first[first_order[i]] > second[first_order[i]]:
            i += 1
        while j < n_edges and second[second_order[j]] >= first[second_order[j]]:
            j += 1
        take_first = j >= n_edges
        if i < n_edges and j < n_edges:
            a, b = first_order[i], second_order[j]
            take_first = first[a] < second[b] or (first[a] == second[b] and a < b)
        if take_first:
            order[k] = first_order[i]
            i += 1
        else:
            order[k] = second_order[j]
            j += 1
    return order


@_compiled
def _start(n_points: int, words: int, rows: int) -> State:
    point_words = (n_points + WORD - 1) // WORD
    n_edges = n_points * (n_points - 1) // 2
    return State(
        np.zeros((n_points, point_words), np.uint64),
        np.zeros((n_points, point_words), np.uint64),
        np.arange(n_points),
        np.zeros((n_points, words), np.uint64),
        np.zeros((words, rows), np.uint64),
        np.zeros(n_edges, np.int32),
        np.full(rows, -1, np.int32),
        np.arange(rows - 1, -1, -1),
        np.arange(words * WORD - 1, -1, -1),
        np.zeros(words * WORD),
        np.full(words * WORD, -1, np.int64),
        np.zeros(words, np.uint64),
        np.zeros(point_words, np.uint64),
        np.zeros(n_points, np.int64),
        np.array([rows, 0, words * WORD, 0, 0]),
        np.zeros(1),
    )


@_compiled
def _words(state: Any) -> int:
    """Return how many words of classes are in use."""
    return (state.counts[CLASSES] + WORD - 1) // WORD


@_compiled
def _take_class(state: State, value: float, age: int) -> int:
    """Return a new class, alive from ``value`` on, or -1 when there is no room."""
    if state.counts[FREE_CLASSES] == 0:
        return -1
    state.counts[FREE_CLASSES] -= 1
    new = state.free_classes[state.counts[FREE_CLASSES]]
    state.birth[new] = value
    state.age[new] = age
    state.counts[CLASSES] = max(state.counts[CLASSES], new + 1)
    state.counts[ALIVE] += 1
    return new


@_compiled
def _set_potentials(state: State, b: int, c: int) -> None:
    """Set the relation to the sum of two potentials; for b = c, to nothing."""
    for w in range(_words(state)):
        state.relation[w] = state.potential[b, w] ^ state.potential[c, w]


@_compiled
def _add_residue(state: State, b: int, c: int) -> None:
    """Add the residue of an edge to the relation."""
    if _holds(state.nonzero, b, c):
        row = state.row_of[_edge(len(state.present), b, c)]
        for w in range(_words(state)):
            state.relation[w] ^= state.residue[w, row]


@_compiled
def _is_zero(state: State) -> bool:
    """Return whether the relation is satisfied already."""
    for w in range(_words(state)):
        if state.relation[w] != 0:
            return False
    return True


@_compiled
def _store_residue(state: State, b: int, c: int, edge: int) -> bool:
    """Make the relation the residue of an edge; return False when there is no room."""
    if state.counts[FREE_ROWS] == 0:
        return False
    state.counts[FREE_ROWS] -= 1
    row = state.free_rows[state.counts[FREE_ROWS]]
    state.counts[ROWS] = max(state.counts[ROWS], row + 1)
    state.row_of[edge] = row
    state.edge_of[row] = edge
    for w in range(_words(state)):
        state.residue[w, row] = state.relation[w]
    state.nonzero[b, c >> 6] |= _bit(c)
    state.nonzero[c, b >> 6] |= _bit(b)
    return True


@_compiled
def _youngest(state: State) -> int:
    """Return the class of the relation that was born last."""
    youngest = -1
    for w in range(_words(state)):
        word = state.relation[w]
        while word != 0:
            candidate = w * WORD + _lowest(word)
            word &= word - ONE
            if youngest < 0 or state.age[candidate] > state.age[youngest]:
                youngest = candidate
    return youngest


@_compiled
def _make_zero(shape: Complex, state: State, value: float) -> None:
    """Let the youngest class of the relation die at ``value``, and replace it by the others everywhere."""
    dying = _youngest(state)
    words, word, bit = _words(state), dying >> 6, _bit(dying)
    state.total[0] += value - state.birth[dying]
    for point in range(shape.n_points):
        if state.potential[point, word] & bit:
            for w in range(words):
                state.potential[point, w] ^= state.relation[w]
    for row in range(state.counts[ROWS]):
        if state.residue[word, row] & bit:
            left = False
            for w in range(words):
                state.residue[w, row] ^= state.relation[w]
                left |= state.residue[w, row] != 0
            if not left:
                b, c = shape.tail[state.edge_of[row]], shape.head[state.edge_of[row]]
                state.nonzero[b, c >> 6] &= ~_bit(c)
                state.nonzero[c, b >> 6] &= ~_bit(b)
                state.edge_of[row] = -1
                state.free_rows[state.counts[FREE_ROWS]] = row
                state.counts[FREE_ROWS] += 1
    while state.counts[ROWS] > 0 and state.edge_of[state.counts[ROWS] - 1] < 0:
        state.counts[ROWS] -= 1
    state.age[dying] = -1
    state.free_classes[state.counts[FREE_CLASSES]] = dying
    state.counts[FREE_CLASSES] += 1
    while state.counts[CLASSES] > 0 and state.age[state.counts[CLASSES] - 1] < 0:
        state.counts[CLASSES] -= 1
    state.counts[ALIVE] -= 1


@_compiled
def _join(shape: Complex, state: State, b: int, c: int, new: int) -> None:
    """Join two components, so that the class of the edge bc is ``new``, or zero when ``new`` is negative."""
    _set_potentials(state, b, c)
    if new >= 0:
        state.relation[new >> 6] ^= _bit(new)
    joined, into = state.component[c], state.component[b]
    for point in range(shape.n_points):
        if state.component[point] == joined:
            state.component[point] = into
            for w in range(_words(state)):
                state.potential[point, w] ^= state.relation[w]


@_compiled
def _open_edge(shape: Complex, state: State, edge: int, value: float, age: int) -> bool:
    """Add an edge that closes no triangle with earlier ones; return False when there is no room."""
    b, c = shape.tail[edge], shape.head[edge]
    new = -1
    if shape.first[edge] > shape.second[edge]:
        new = _take_class(state, value, age)
        if new < 0:
            return False
    if state.component[b] != state.component[c]:
        _join(shape, state, b, c, new)
        return True
    # Without a new class the loop through the apex is filled at once: its residue cancels the potentials.
    _set_potentials(state, b, b if new >= 0 else c)
    if new >= 0:
        state.relation[new >> 6] = _bit(new)
    return _is_zero(state) or _store_residue(state, b, c, edge)


@_compiled
def _close_apex(shape: Complex, state: State, edge: int, value: float) -> None:
    """Add the triangle of the apex and an edge that is there already."""
    b, c = shape.tail[edge], shape.head[edge]
    _set_potentials(state, b, c)
    _add_residue(state, b, c)
    if not _is_zero(state):
        _make_zero(shape, state, value)


@_compiled
def _remove_component(present: Any, link: Any, stack: Any, start: int) -> None:
    """Take the points that can be reached from ``start`` within the link out of it."""
    link[start >> 6] &= ~_bit(start)
    stack[0], height = start, 1
    while height > 0:
        height -= 1
        point = stack[height]
        left = False
        for w in range(len(link)):
            reached = link[w] & present[point, w]
            link[w] &= ~reached
            left |= link[w] != 0
            while reached != 0:
                stack[height] = w * WORD + _lowest(reached)
                height += 1
                reached &= reached - ONE
        if not left:
            return


@_compiled
def _candidate(state: State, b: int, c: int, nonzero: bool) -> int:
    """Return a point of the link whose two edges to b and c have a non-zero residue, or none has; -1 for no point."""
    for w in range(len(state.link)):
        residual = state.nonzero[b, w] | state.nonzero[c, w]
        found = state.link[w] & (residual if nonzero else ~residual)
        if found != 0:
            return w * WORD + _lowest(found)
    return -1


@_compiled
def _close_edge(shape: Complex, state: State, edge: int, value: float) -> bool:
    """Add an edge with all triangles that it is the last edge of; return False when there is no room.

    Triangles bcd and bcd' of points that are joined themselves say the same: with bdd' and cdd', which are there
    already, they bound a tetrahedron. So one point of each component of the link is enough.
    """
    b, c = shape.tail[edge], shape.head[edge]
    for w in range(len(state.link)):
        state.link[w] = state.present[b, w] & state.present[c, w]
    # The first triangle says what the residue of the edge is: zero wherever the other two have none.
    point = _candidate(state, b, c, False)
    if point < 0:
        point = _candidate(state, b, c, True)
        _set_potentials(state, b, b)
        _add_residue(state, b, point)
        _add_residue(state, c, point)
        if not _is_zero(state) and not _store_residue(state, b, c, edge):
            return False
    while True:
        _remove_component(state.present, state.link, state.stack, point)
        point = _candidate(state, b, c, True)
        if point < 0 and _holds(state.nonzero, b, c):
            point = _candidate(state, b, c, False)
        if point < 0:
            return True
        _set_potentials(state, b, b)
        _add_residue(state, b, c)
        _add_residue(state, b, point)
        _add_residue(state, c, point)
        if not _is_zero(state):
            _make_zero(shape, state, value)


@_compiled
def _triangles(present: Any, nonzero: Any, b: int, c: int) -> int:
    """Return 0 when an edge closes no triangle, 1 when all it closes have zero residues, else 2."""
    found = 0
    for w in range(present.shape[1]):
        common = present[b, w] & present[c, w]
        if common != 0:
            found = 1
            if common & (nonzero[b, w] | nonzero[c, w]):
                return 2
    return found


@_compiled
def _is_loop(potential: Any, nonzero: Any, words: int, b: int, c: int) -> bool:
    """Return whether the class of an edge may be other than zero."""
    if _holds(nonzero, b, c):
        return True
    for w in range(words):
        if potential[b, w] != potential[c, w]:
            return True
    return False


@_compiled
def _run(shape: Complex, state: State, order: Any, first_order: Any, zero_below: float) -> bool:
    """Add everything in the order of its value; return False when there is no room.

    Only what changes a class leaves this loop: passing the state on costs more than looking at a usual edge.
    """
    first, second, tail, head = shape.first, shape.second, shape.tail, shape.head
    present, nonzero, potential, counts = state.present, state.nonzero, state.potential, state.counts
    n_edges, next_apex = len(order), 0
    for age in range(n_edges + 1):
        edge = order[age] if age < n_edges else -1
        value = min(first[edge], second[edge]) if age < n_edges else np.inf
        # The triangles with the apex that come later than their edge.
        while next_apex < n_edges and first[first_order[next_apex]] <= value:
            apex = first_order[next_apex]
            next_apex += 1
            b, c, words = tail[apex], head[apex], (counts[CLASSES] + WORD - 1) // WORD
            if counts[ALIVE] > 0 and first[apex] > second[apex] and _is_loop(potential, nonzero, words, b, c):
                _close_apex(shape, state, apex, _level(first[apex], zero_below))
        if edge < 0:
            break
        b, c = tail[edge], head[edge]
        triangles = _triangles(present, nonzero, b, c)
        room = True
        if triangles == 0:
            room = _open_edge(shape, state, edge, _level(value, zero_below), age)
        elif triangles == 2:
            room = _close_edge(shape, state, edge, _level(value, zero_below))
        if not room:
            return False
        if triangles != 0 and counts[ALIVE] > 0 and first[edge] <= second[edge]:
            if _is_loop(potential, nonzero, (counts[CLASSES] + WORD - 1) // WORD, b, c):
                _close_apex(shape, state, edge, _level(value, zero_below))
        present[b, c >> 6] |= _bit(c)
        present[c, b >> 6] |= _bit(b)
    return True


@_compiled
def _level(value: float, zero_below: float) -> float:
    return value if value >= zero_below else 0.0


@_compiled
def total_bar_length(shape: Complex, order: Any, first_order: Any, zero_below: float) -> float:
    """Return the summed length of the bars of first homology of the cross complex, in the units of the distances.

    Parameters
    ----------
    shape : Complex
        The distances; ``first`` is the one that the apex triangles come at.
    order : array of shape (n_edges,), int32
        Edges by ``min(first, second)``, see :func:`merged_order`.
    first_order : array of shape (n_edges,), int32
        Edges by ``first``.
    zero_below : float
        Smaller values count as 0.
    """
    words, rows = FIRST_WORDS, FIRST_ROWS
    while True:
        state = _start(shape.n_points, words, rows)
        if _run(shape, state, order, first_order, zero_below):
            return state.total[0]
        words *= 2
        rows *= 2
