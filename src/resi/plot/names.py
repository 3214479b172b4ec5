"""Names beside dots, placed to overlap as little as possible."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    Array = np.ndarray[Any, np.dtype[np.float64]]

ANGLES = (0.0, 180.0, 90.0, 270.0, 45.0, 315.0, 135.0, 225.0, 20.0, 340.0, 160.0, 200.0, 70.0, 290.0, 110.0, 250.0)
DISTANCES = (5.0, 11.0, 19.0, 28.0, 40.0, 55.0, 75.0)
STEPS = 17
"""Points at which a line is looked at."""
LEADER: dict[str, Any] = {"arrowstyle": "-", "linewidth": 0.4, "color": "#888888", "shrinkA": 0, "shrinkB": 2}


def name_dots(ax: Axes, x: Array, y: Array, names: Sequence[str], size: float) -> None:
    """Write a name beside each dot where it overlaps least; names farther away are joined to their dot by a line.

    Parameters
    ----------
    x, y : array of shape (n,)
        Positions of the dots in data coordinates; the limits and scales of the axes must be set.
    size : float
        Font size in points.
    """
    figure: Any = ax.figure
    figure.draw_without_rendering()  # fixes the positions of the axes
    points = ax.transData.transform(np.column_stack([x, y]))
    scale = figure.dpi / 72
    taken = [np.array([px - 3 * scale, py - 3 * scale, px + 3 * scale, py + 3 * scale]) for px, py in points]
    frame = np.array(ax.bbox.extents)
    texts = [
        ax.annotate(name, at, xytext=(0, 0), textcoords="offset points", fontsize=size, va="center", parse_math=False,
                    annotation_clip=False)
        for at, name in zip(zip(x, y, strict=True), names, strict=True)
    ]  # fmt: skip
    for point, text in zip(points, texts, strict=True):
        text.set_in_layout(False)
        extent = np.array(text.get_window_extent().size) + scale
        offset = min(
            _offsets(),
            key=lambda one: (
                _cost(_box(point, one, extent, scale), taken, frame, one)
                + _struck(_leader(point, one, scale), taken, extent)
            ),
        )
        taken.append(_box(point, offset, extent, scale))
        taken += [np.array([x - scale, y - scale, x + scale, y + scale]) for x, y in _leader(point, offset, scale)]
        text.set_position(tuple(offset))
        text.set_horizontalalignment("left" if offset[0] > 1 else "right" if offset[0] < -1 else "center")
        if _has_leader(offset):
            end = _edge(offset, float(extent[1]) / scale)
            line = ax.annotate("", text.xy, xytext=tuple(end), textcoords="offset points", arrowprops=LEADER)
            line.set_in_layout(False)


def _offsets() -> list[Array]:
    return [
        distance * np.array([np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))])
        for distance in DISTANCES
        for angle in ANGLES
    ]


def _box(point: Array, offset: Array, extent: Array, scale: float) -> Array:
    """Return the left, bottom, right and top of a text at an offset, in points."""
    x, y = point + offset * scale
    width, height = extent
    left = x if offset[0] > 1 else x - width if offset[0] < -1 else x - width / 2
    return np.array([left, y - height / 2, left + width, y + height / 2])


def _has_leader(offset: Array) -> bool:
    return float(np.hypot(*offset)) > DISTANCES[1]


def _edge(offset: Array, height: float) -> Array:
    """Return where the line to a name ends: at its side, or below or above it, so that it is not struck through."""
    if abs(offset[0]) > 1:
        return offset
    return np.array([offset[0], offset[1] - np.sign(offset[1]) * height / 2])


def _leader(point: Array, offset: Array, scale: float) -> Array:
    """Return points of the line between a dot and its name, without those at the dot; none for a name beside it."""
    if not _has_leader(offset):
        return np.empty((0, 2))
    return np.array(point + np.linspace(0.15, 1, STEPS)[:, None] * offset * scale)


def _struck(line: Array, taken: Sequence[Array], extent: Array) -> float:
    """Return what it costs that a line strikes through names, dots and lines: as much as covering half of a name."""
    boxes = np.array(taken)
    x, y = line[:, :1], line[:, 1:]
    inside = (x > boxes[:, 0]) & (x < boxes[:, 2]) & (y > boxes[:, 1]) & (y < boxes[:, 3])
    return float(inside.any(axis=0).sum() * extent.prod() / 2)


def _cost(box: Array, taken: Sequence[Array], frame: Array, offset: Array) -> float:
    """Return the area a text would cover, plus a small penalty for distance and a large one for leaving the axes."""
    others = np.array(taken)
    width = np.minimum(box[2], others[:, 2]) - np.maximum(box[0], others[:, 0])
    height = np.minimum(box[3], others[:, 3]) - np.maximum(box[1], others[:, 1])
    covered = float((width.clip(0) * height.clip(0)).sum())
    outside = max(0.0, frame[0] - box[0], box[2] - frame[2], frame[1] - box[1], box[3] - frame[3])
    return covered + 40 * outside + 0.5 * float(np.hypot(*offset))
