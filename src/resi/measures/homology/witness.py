"""Loops of relaxed witness complexes, compiled with numba.

A few rows, the landmarks, are the vertices; all rows are witnesses. A simplex is there from the value on at which some
witness has all of its landmarks among its nearest up to that slack, and not before its own faces:

    f(simplex) = min over witnesses w of max(0, max over v in the simplex of d(w, v) - min over v outside of d(w, v)).

Only values up to a limit count, a small share of the largest distance, so that a witness has a say in the few simplices
of landmarks at its side alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from resi.machine.compiling import compiled

ONE = np.uint64(1)


@compiled
def _edge(u: int, v: int) -> int:
    """Return the number of an edge; those of the first n landmarks are the first n (n - 1) / 2."""
    if u < v:
        u, v = v, u
    return u * (u - 1) // 2 + v


@compiled
def _triangle(u: int, v: int, w: int) -> int:
    """Return the number of a triangle; those of the first n landmarks are the first n (n - 1) (n - 2) / 6."""
    if u < v:
        u, v = v, u
    if u < w:
        u, w = w, u
    return u * (u - 1) * (u - 2) // 6 + _edge(v, w)


@compiled
def _near(distances: Any, limit: float, near: Any) -> int:
    """Set ``near`` to the landmarks that a witness can have in a simplex, nearest first; return how many they are.

    A triangle of the three nearest leaves out the fourth, so nothing beyond its distance plus the limit is in any.
    """
    first = np.full(4, np.inf)
    for value in distances:
        if value < first[3]:
            place = 3
            while place > 0 and first[place - 1] > value:
                first[place] = first[place - 1]
                place -= 1
            first[place] = value
    count = 0
    for landmark in range(len(distances)):
        if distances[landmark] <= first[3] + limit:
            place = count
            while place > 0 and distances[near[place - 1]] > distances[landmark]:
                near[place] = near[place - 1]
                place -= 1
            near[place] = landmark
            count += 1
    return count


@compiled
def _testify(distances: Any, limit: float, near: Any, edges: Any, triangles: Any) -> None:
    """Lower the values of the edges and triangles that one witness has something to say about."""
    count = _near(distances, limit, near)
    for i in range(count):
        for j in range(i + 1, count):
            # The nearest landmark left out, by place.
            out = 0 if i > 0 else (1 if j > 1 else 2)
            nearest = distances[near[out]] if out < count else np.inf
            if i > 0 and distances[near[j]] - nearest > limit:
                break
            edge = _edge(near[i], near[j])
            edges[edge] = min(edges[edge], max(0.0, distances[near[j]] - nearest))
            for k in range(j + 1, count):
                out = 0 if i > 0 else (1 if j > 1 else (2 if k > 2 else 3))
                nearest = distances[near[out]] if out < count else np.inf
                if distances[near[k]] - nearest > limit:
                    break
                triangle = _triangle(near[i], near[j], near[k])
                triangles[triangle] = min(triangles[triangle], max(0.0, distances[near[k]] - nearest))


@compiled
def witness_filtration(table: Any, landmarks: Any, limit: float) -> tuple[Any, Any]:
    """Return the values of all edges and of all triangles; inf for those beyond the limit.

    Parameters
    ----------
    table : array of shape (n_rows, n_witnesses)
        Distances.
    landmarks : array of shape (n_landmarks,)
        Rows of the table.
    limit : float
        Largest value that counts.
    """
    count = len(landmarks)
    edges = np.full(count * (count - 1) // 2, np.inf)
    triangles = np.full(count * (count - 1) * (count - 2) // 6, np.inf)
    near = np.empty(count, np.int64)
    tile = np.empty((64, count))
    for start in range(0, table.shape[1], len(tile)):
        size = min(len(tile), table.shape[1] - start)
        for landmark in range(count):
            for witness in range(size):
                tile[witness, landmark] = table[landmarks[landmark], start + witness]
        for witness in range(size):
            _testify(tile[witness], limit, near, edges, triangles)
    for u in range(count):
        for v in range(u):
            for w in range(v):
                sides = max(edges[_edge(u, v)], edges[_edge(u, w)], edges[_edge(v, w)])
                number = _triangle(u, v, w)
                triangles[number] = max(triangles[number], sides)
    edges[edges > limit] = np.inf
    triangles[triangles > limit] = np.inf
    return edges, triangles


@compiled
def _loop_edges(edges: Any, order: Any, count: int) -> Any:
    """Return, for the edges in order, whether each closes a loop."""
    root = np.arange(count)
    closes = np.zeros(len(order), np.bool_)
    tail, head = np.empty(len(edges), np.int64), np.empty(len(edges), np.int64)
    for u in range(count):
        for v in range(u):
            tail[_edge(u, v)], head[_edge(u, v)] = u, v
    for place in range(len(order)):
        a, b = root[tail[order[place]]], root[head[order[place]]]
        closes[place] = a == b
        for point in range(count):
            if root[point] == b:
                root[point] = a
    return closes


@compiled
def _last(column: Any) -> int:
    """Return the position of the highest bit set; -1 where none is."""
    for w in range(len(column) - 1, -1, -1):
        if column[w] != 0:
            position = 63
            while (column[w] >> np.uint64(position)) & ONE == 0:
                position -= 1
            return w * 64 + position
    return -1


@compiled
def bars(edges: Any, triangles: Any, count: int, limit: float) -> Any:
    """Return births and deaths of the loops, shape (n_bars, 2); the limit stands for no death.

    Triangles are reduced one by one over Z/2 until every loop is filled.
    """
    order = np.argsort(edges)[: np.sum(edges <= limit)]
    place = np.full(len(edges), -1, np.int64)
    place[order] = np.arange(len(order))
    closes = _loop_edges(edges, order, count)
    death = np.full(len(order), limit)
    columns = np.zeros((len(order), (len(order) + 63) // 64), np.uint64)
    corners = np.empty((len(triangles), 3), np.int64)
    for u in range(count):
        for v in range(u):
            for w in range(v):
                corners[_triangle(u, v, w)] = _edge(u, v), _edge(u, w), _edge(v, w)
    column = np.zeros(columns.shape[1], np.uint64)
    left = np.sum(closes)
    present = np.flatnonzero(triangles <= limit)
    for triangle in present[np.argsort(triangles[present])]:
        if left == 0:
            break
        column[:] = 0
        for side in corners[triangle]:
            column[place[side] >> 6] ^= ONE << np.uint64(place[side] & 63)
        last = _last(column)
        while last >= 0 and (columns[last, last >> 6] >> np.uint64(last & 63)) & ONE:
            column ^= columns[last]
            last = _last(column)
        if last >= 0:
            columns[last] = column
            death[last] = triangles[triangle]
            left -= 1
    births = edges[order]
    kept = closes & (death > births)
    return np.stack((births[kept], death[kept]), 1)


@compiled
def living_times(table: Any, landmarks: Any, share: float, holes: int) -> Any:
    """Return for how long, as a share, the complex has exactly 0, 1, ... ``holes - 1`` loops, shape (holes,).

    Values run from 0 to ``share`` of the largest distance between a landmark and a witness.
    """
    largest = 0.0
    for landmark in landmarks:
        largest = max(largest, table[landmark].max())
    limit = share * largest
    edges, triangles = witness_filtration(table, landmarks, limit)
    found = bars(edges, triangles, len(landmarks), limit)
    births, deaths = np.sort(found[:, 0]), np.sort(found[:, 1])
    result = np.zeros(holes)
    now, born, dead = 0.0, 0, 0
    while dead < len(deaths):
        # As many have been born as have died when the next birth comes first.
        until = deaths[dead]
        if born < len(births):
            until = min(until, births[born])
        if born - dead < holes:
            result[born - dead] += until - now
        now = until
        if born < len(births) and births[born] <= until:
            born += 1
        else:
            dead += 1
    if holes > 0:
        result[0] += limit - now
    return result / limit
