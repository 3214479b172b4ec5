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
left still spans the image of every earlier time, so births and deaths are those of persistent homology. Ties need no
care: in any order of equal values, only bars of length zero differ.

Classes are stored as ``potential(b) + potential(c) + residue(bc)``, all of them bit sets over the alive classes. Going
around a triangle the potentials cancel, so the many classes that only say which points are not joined in R yet (as many
as points, when S collapses what R spreads out) cost nothing; the residue is zero for almost every edge.

What makes it fast
------------------
- A class is born with an edge that closes no triangle with earlier ones. Such an edge of m closes none in the order of
  its own side either, d_R or d_S, where these edges are found once for each representation: a few for each point.
- After the last of them, and once all residues are zero, only triangles of the apex can change a class. In 64
  dimensions that is so after 20 to 50 % of the edges; the rest is neither brought into order nor looked at.
- Until then an edge changes something only if it is one of those, if a residue is at one of its ends, or if its loop is
  filled while it has a class. All else is passed over with a few operations on bits.
- Both directions go through the same order of edges.

One file holds all of the compiled loop, since numba's cache of compiled code notices changes in the file of a function
only; what brings the edges into order is in :mod:`~resi.measures.homology.windows`.

References
----------
.. [1] Barannikov et al., Representation Topology Divergence, ICML 2022.
.. [2] Edelsbrunner, Harer, Computational Topology, AMS 2010 (elder rule, incremental algorithm).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from resi.machine.compiling import NO_REFERENCES_COUNTED, compiled
from resi.measures.homology.windows import (
    FIRST_READY,
    OPENING,
    SECOND_READY,
    Side,
    Window,
    count_openings,
    count_until,
    ends,
    lean,
    place_of,
    value_at,
    window_up_to,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    Array = np.ndarray[Any, Any]

ZERO, ONE = np.uint64(0), np.uint64(1)
WORD = 64
# So many words are looked at together.
BLOCK = 16
# How many words of alive classes, and how many edges of non-zero residue, there is room for at first. Both double, and
# the computation starts again, when they run out.
FIRST_WORDS = 8
FIRST_ROWS = 1024
# Edges are brought into order by so many at a time, as a share of all.
WINDOW = 1 / 8


def _inlined(function: Callable[..., Any]) -> Any:
    """Compile a small function into those that call it for every edge."""
    return compiled(function, **NO_REFERENCES_COUNTED, forceinline=True)


class State(NamedTuple):
    """What the kernel knows at one time. ``words`` are uint64 sets of 64 bits each."""

    present: Array  # (n_points, words of points): c in present[b] when the edge bc is there
    nonzero: Array  # (n_points, words of points): c in nonzero[b] when the residue of bc is not zero
    residues: Array  # (n_points,) how many edges of a point have one
    component: Array  # (n_points,) one point of the connected component of the edges present
    following: Array  # (n_points,) the next point of the component, in a ring
    sizes: Array  # (n_points,) points in the component, at the point that stands for it
    potential: Array  # (words of classes, n_points)
    residue: Array  # (words of classes, rows): one column for each edge of non-zero residue
    row_of: Array  # (n_edges,) its column, where there is one
    edge_of: Array  # (rows,) and back; -1 where the column is free
    free_rows: Array  # (rows,) stack of free columns
    free_classes: Array  # (classes,) stack of free classes
    birth: Array  # (classes,) value at which the class was born
    age: Array  # (classes,) how many were born before; -1 when it is not alive
    relation: Array  # (words of classes,) scratch: what is to become zero
    link: Array  # (words of points,) scratch: points that both ends of an edge are joined to
    stack: Array  # (n_points,) scratch
    counts: Array  # (8,) see the names below
    sums: Array  # (2,) sum of bar lengths so far, and the value that has been reached


# Positions in State.counts: free columns, columns to look at, free classes, classes to look at, classes alive, classes
# ever born, opening edges that are still to come, and whether no more edge can change a class.
FREE_ROWS, ROWS, FREE_CLASSES, CLASSES, ALIVE, BORN, OPENINGS, IS_DONE = range(8)
TOTAL, REACHED = range(2)


@lean
def _lowest(word: Any) -> int:
    """Return the position of the lowest bit of a word that is not zero."""
    position = 0
    for width in (32, 16, 8, 4, 2, 1):
        if word & ((ONE << np.uint64(width)) - ONE) == 0:
            position += width
            word >>= np.uint64(width)
    return position


@lean
def _bit(position: int) -> Any:
    return ONE << np.uint64(position & 63)


@lean
def _holds(sets: Any, b: int, c: int) -> bool:
    return (sets[b, c >> 6] & _bit(c)) != 0


@compiled
def _start(n_points: int, openings: int, words: int, rows: int) -> State:
    """Return the state before all edges, with room for so many words of classes and so many residues."""
    point_words, points = (n_points + WORD - 1) // WORD, np.arange(n_points)
    counts = np.zeros(8, np.int64)
    counts[FREE_ROWS], counts[FREE_CLASSES], counts[OPENINGS] = rows, words * WORD, openings
    return State(
        np.zeros((n_points, point_words), np.uint64),
        np.zeros((n_points, point_words), np.uint64),
        np.zeros(n_points, np.int64),
        points,
        points.copy(),
        np.zeros(n_points, np.int64) + 1,
        np.zeros((words, n_points), np.uint64),
        np.zeros((words, rows), np.uint64),
        np.zeros(n_points * (n_points - 1) // 2, np.int64),
        np.zeros(rows, np.int64) - 1,
        rows - 1 - np.arange(rows),
        words * WORD - 1 - np.arange(words * WORD),
        np.zeros(words * WORD),
        np.zeros(words * WORD, np.int64) - 1,
        np.zeros(words, np.uint64),
        np.zeros(point_words, np.uint64),
        points.copy(),
        counts,
        np.zeros(2),
    )


@lean
def _words(state: Any) -> int:
    """Return how many words of classes are in use."""
    return (state.counts[CLASSES] + WORD - 1) // WORD


@lean
def _take_class(state: State, value: float) -> int:
    """Return a new class, alive from ``value`` on."""
    state.counts[FREE_CLASSES] -= 1
    new = state.free_classes[state.counts[FREE_CLASSES]]
    state.birth[new] = value
    state.age[new] = state.counts[BORN]
    state.counts[BORN] += 1
    state.counts[CLASSES] = max(state.counts[CLASSES], new + 1)
    state.counts[ALIVE] += 1
    return new


@lean
def _set_potentials(state: State, b: int, c: int) -> None:
    """Set the relation to the sum of two potentials; for b = c, to nothing."""
    for w in range(_words(state)):
        state.relation[w] = state.potential[w, b] ^ state.potential[w, c]


@lean
def _add_residue(state: State, b: int, c: int) -> None:
    """Add the residue of an edge to the relation."""
    if _holds(state.nonzero, b, c):
        row = state.row_of[place_of(len(state.present), b, c)]
        for w in range(_words(state)):
            state.relation[w] ^= state.residue[w, row]


@lean
def _is_zero(state: State) -> bool:
    """Return whether the relation is satisfied already."""
    for w in range(_words(state)):
        if state.relation[w] != 0:
            return False
    return True


@_inlined
def _mark(sets: Any, b: int, c: int) -> None:
    """Put two points into one another's set, or take them out."""
    sets[b, c >> 6] ^= _bit(c)
    sets[c, b >> 6] ^= _bit(b)


@lean
def _store_residue(state: State, b: int, c: int) -> None:
    """Make the relation the residue of an edge."""
    state.counts[FREE_ROWS] -= 1
    row = state.free_rows[state.counts[FREE_ROWS]]
    state.counts[ROWS] = max(state.counts[ROWS], row + 1)
    state.row_of[place_of(len(state.present), b, c)] = row
    state.edge_of[row] = np.int64(b) << 16 | np.int64(c)
    for w in range(_words(state)):
        state.residue[w, row] = state.relation[w]
    _mark(state.nonzero, b, c)
    state.residues[b] += 1
    state.residues[c] += 1


@lean
def _clear_residue(state: State, row: int) -> None:
    b, c = ends(state.edge_of[row])
    _mark(state.nonzero, b, c)
    state.residues[b] -= 1
    state.residues[c] -= 1
    state.edge_of[row] = -1
    state.free_rows[state.counts[FREE_ROWS]] = row
    state.counts[FREE_ROWS] += 1


@lean
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


@lean
def _any(sets: Any, word: int, start: int, stop: int) -> Any:
    """Return the union of some words."""
    union = ZERO
    for one in sets[word, start:stop]:
        union |= one
    return union


@lean
def _replace_in_potentials(state: State, dying: int) -> None:
    """Add the relation to every potential that the dying class is in."""
    words, word, bit, n_points = _words(state), dying >> 6, _bit(dying), state.potential.shape[1]
    for start in range(0, n_points, BLOCK):
        stop = min(start + BLOCK, n_points)
        if _any(state.potential, word, start, stop) & bit:
            for point in range(start, stop):
                if state.potential[word, point] & bit:
                    for w in range(words):
                        state.potential[w, point] ^= state.relation[w]


@lean
def _replace_in_residues(state: State, dying: int) -> None:
    """Add the relation to every residue that the dying class is in."""
    words, word, bit, rows = _words(state), dying >> 6, _bit(dying), state.counts[ROWS]
    for start in range(0, rows, BLOCK):
        stop = min(start + BLOCK, rows)
        if _any(state.residue, word, start, stop) & bit:
            for row in range(start, stop):
                if state.residue[word, row] & bit:
                    left = ZERO
                    for w in range(words):
                        state.residue[w, row] ^= state.relation[w]
                        left |= state.residue[w, row]
                    if left == 0:
                        _clear_residue(state, row)
    while state.counts[ROWS] > 0 and state.edge_of[state.counts[ROWS] - 1] < 0:
        state.counts[ROWS] -= 1


@lean
def _make_zero(state: State, value: float) -> None:
    """Let the youngest class of the relation die at ``value``, and replace it by the others everywhere."""
    dying = _youngest(state)
    state.sums[TOTAL] += value - state.birth[dying]
    _replace_in_potentials(state, dying)
    _replace_in_residues(state, dying)
    state.age[dying] = -1
    state.free_classes[state.counts[FREE_CLASSES]] = dying
    state.counts[FREE_CLASSES] += 1
    while state.counts[CLASSES] > 0 and state.age[state.counts[CLASSES] - 1] < 0:
        state.counts[CLASSES] -= 1
    state.counts[ALIVE] -= 1


@lean
def _join(state: State, b: int, c: int, new: int) -> None:
    """Join two components, so that the class of the edge bc is ``new``, or zero when ``new`` is negative."""
    _set_potentials(state, b, c)
    if new >= 0:
        state.relation[new >> 6] ^= _bit(new)
    # The smaller component changes.
    into, joined = state.component[b], state.component[c]
    if state.sizes[into] < state.sizes[joined]:
        into, joined = joined, into
    point = joined
    for _ in range(state.sizes[joined]):
        state.component[point] = into
        for w in range(_words(state)):
            state.potential[w, point] ^= state.relation[w]
        point = state.following[point]
    state.sizes[into] += state.sizes[joined]
    state.following[into], state.following[joined] = state.following[joined], state.following[into]


@lean
def _open_edge(state: State, b: int, c: int, value: float, is_filled: bool) -> None:
    """Add an edge that closes no triangle with earlier ones, or only that with the apex."""
    new = -1 if is_filled else _take_class(state, value)
    if state.component[b] != state.component[c]:
        _join(state, b, c, new)
        return
    # Without a new class the loop through the apex is filled at once: its residue cancels the potentials.
    _set_potentials(state, b, b if new >= 0 else c)
    if new >= 0:
        state.relation[new >> 6] = _bit(new)
    if not _is_zero(state):
        _store_residue(state, b, c)


@lean
def _close_apex(state: State, b: int, c: int, value: float) -> None:
    """Add the triangle of the apex and an edge that is there already."""
    _set_potentials(state, b, c)
    _add_residue(state, b, c)
    if not _is_zero(state):
        _make_zero(state, value)


@lean
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


@lean
def _candidate(state: State, b: int, c: int, nonzero: bool) -> int:
    """Return a point of the link whose two edges to b and c have a non-zero residue, or none has; -1 for no point."""
    for w in range(len(state.link)):
        residual = state.nonzero[b, w] | state.nonzero[c, w]
        found = state.link[w] & (residual if nonzero else ~residual)
        if found != 0:
            return w * WORD + _lowest(found)
    return -1


@lean
def _close_edge(state: State, b: int, c: int, value: float) -> None:
    """Add an edge with all triangles that it is the last edge of.

    Triangles bcd and bcd' of points that are joined themselves say the same: with bdd' and cdd', which are there
    already, they bound a tetrahedron. So one point of each component of the link is enough.
    """
    for w in range(len(state.link)):
        state.link[w] = state.present[b, w] & state.present[c, w]
    # The first triangle says what the residue of the edge is: zero wherever the other two have none.
    point = _candidate(state, b, c, False)
    if point < 0:
        point = _candidate(state, b, c, True)
        _set_potentials(state, b, b)
        _add_residue(state, b, point)
        _add_residue(state, c, point)
        if not _is_zero(state):
            _store_residue(state, b, c)
    while True:
        _remove_component(state.present, state.link, state.stack, point)
        point = _candidate(state, b, c, True)
        if point < 0 and _holds(state.nonzero, b, c):
            point = _candidate(state, b, c, False)
        if point < 0:
            return
        _set_potentials(state, b, b)
        _add_residue(state, b, c)
        _add_residue(state, b, point)
        _add_residue(state, c, point)
        if not _is_zero(state):
            _make_zero(state, value)


@lean
def _closes_none(present: Any, b: int, c: int) -> bool:
    """Return whether two points have no neighbour in common."""
    for w in range(present.shape[1]):
        if present[b, w] & present[c, w]:
            return False
    return True


@lean
def _meets_residue(present: Any, nonzero: Any, b: int, c: int) -> bool:
    """Return whether one of the triangles that an edge closes has an edge of non-zero residue."""
    found = np.uint64(0)
    for w in range(present.shape[1]):
        found |= present[b, w] & present[c, w] & (nonzero[b, w] | nonzero[c, w])
    return found != 0


@_inlined
def _is_loop(potential: Any, nonzero: Any, words: int, b: int, c: int) -> bool:
    """Return whether the class of an edge may be other than zero."""
    found = nonzero[b, c >> 6] & _bit(c)
    for w in range(words):
        found |= potential[w, b] ^ potential[w, c]
    return found != 0


@lean
def _level(value: float, zero_below: float) -> float:
    return value if value >= zero_below else 0.0


@lean
def _change(state: State, edge: int, ready: int, value: float) -> bool:
    """Add an edge that may change a class; return False when there is no room."""
    b, c = ends(edge)
    is_ready = edge & ready != 0
    is_open = edge & OPENING != 0 and _closes_none(state.present, b, c)
    is_met = not is_open and _meets_residue(state.present, state.nonzero, b, c)
    if (is_open or is_met) and (state.counts[FREE_ROWS] == 0 or state.counts[FREE_CLASSES] == 0):
        return False
    if is_open:
        _open_edge(state, b, c, value, is_ready)
    elif is_met:
        _close_edge(state, b, c, value)
    if is_ready and not is_open:
        _close_apex(state, b, c, value)
    return True


@lean
def _run(state: State, window: Window, side: Side, ready: int) -> bool:
    """Add what a window has for one direction; return False when there is no room.

    Only what may change a class leaves this loop: passing the state on costs more than looking at a usual edge.
    """
    edges, values, zero_below = window.edges, window.values, side.zero_below
    late, late_values, next_late = window.first_late, window.first_late_values, 0
    if ready == SECOND_READY:
        late, late_values = window.second_late, window.second_late_values
    present, nonzero, potential = state.present, state.nonzero, state.potential
    residues, counts = state.residues, state.counts
    for k in range(len(edges) + 1):
        value = values[k] if k < len(edges) else np.inf
        # The triangles with the apex that come later than their edge.
        while next_late < len(late) and late_values[next_late] <= value:
            b, c = ends(late[next_late])
            if _is_loop(potential, nonzero, (counts[CLASSES] + WORD - 1) // WORD, b, c):
                _close_apex(state, b, c, _level(late_values[next_late], zero_below))
            next_late += 1
        if k == len(edges):
            break
        edge = edges[k]
        b, c = ends(edge)
        # All three are looked at, without a branch: the last is true or false at random.
        is_loop = (edge & ready != 0) & _is_loop(potential, nonzero, (counts[CLASSES] + WORD - 1) // WORD, b, c)
        if (edge & OPENING != 0) | (residues[b] + residues[c] > 0) | is_loop:
            if not _change(state, edge, ready, _level(value, zero_below)):
                return False
        _mark(present, b, c)
        counts[OPENINGS] -= edge & OPENING != 0
        if (counts[OPENINGS] == 0) & (counts[ROWS] == 0):
            counts[IS_DONE], state.sums[REACHED] = 1, value
            break
    return True


@lean
def _finished(n_points: int, state: State, first: Side, position: int) -> float:
    """Return the sum of bar lengths, after adding the triangles of the apex that are left, from a position on.

    By now all residues are zero and no class can be born. What is alive says which points are not joined in R yet.
    """
    while state.counts[ALIVE] > 0:
        b, c = ends(np.int64(first.order[position]))
        words = (state.counts[CLASSES] + WORD - 1) // WORD
        if _is_loop(state.potential, state.nonzero, words, b, c):
            value = first.values[place_of(n_points, b, c)]
            _close_apex(state, b, c, _level(value, first.zero_below))
        position += 1
    return state.sums[TOTAL]


def _both(n_points: int, first: Side, second: Side, words: int, rows: int) -> tuple[float, float]:
    """Return the summed lengths for both directions, or a negative number where there is too little room."""
    n_edges, reach = len(first.order), 0
    openings = count_openings(n_points, first, second, FIRST_READY)
    openings += count_openings(n_points, second, first, SECOND_READY)
    there, back = _start(n_points, openings, words, rows), _start(n_points, openings, words, rows)
    sides, states, at = (first, second), (there, back), np.zeros((2, 2), np.int64)
    while there.counts[IS_DONE] + back.counts[IS_DONE] < 2:
        reach += int(n_edges * WINDOW) + WORD
        limit = np.inf
        if reach < n_edges:
            limit = min(value_at(n_points, first, reach), value_at(n_points, second, reach))
        window = window_up_to(n_points, first, second, at, limit)
        for direction in range(2):
            side, state, ready = sides[direction], states[direction], FIRST_READY << direction
            if state.counts[IS_DONE] == 0 and not _run(state, window, side, ready):
                return -1.0, -1.0
    left = [count_until(n_points, side, state.sums[REACHED], -1.0) for side, state in zip(sides, states, strict=True)]
    return _finished(n_points, there, first, left[0]), _finished(n_points, back, second, left[1])


def total_bar_lengths(n_points: int, first: Side, second: Side) -> tuple[float, float]:
    """Return the summed lengths of the bars of first homology of the cross complexes of both directions.

    In the units of the distances; in the first, the apex triangles come at the distances of ``first``.
    """
    words, rows = FIRST_WORDS, FIRST_ROWS
    while (found := _both(n_points, first, second, words, rows))[0] < 0:
        words, rows = 2 * words, 2 * rows
    return found
