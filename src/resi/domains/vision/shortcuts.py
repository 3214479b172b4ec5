"""Colour dots: a shortcut that reveals the class of an image without its content."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from resi.randomness import generator

if TYPE_CHECKING:
    from resi.domains.vision.images import Images

    Pixels = np.ndarray[Any, np.dtype[np.uint8]]


@dataclass(frozen=True)
class Dot:
    """A filled disk on an image.

    Attributes
    ----------
    row, column : int
        Its centre.
    colour_class : int
        The class whose colour it has.
    diameter : int
        Nominal, in pixels; a dot is about two pixels wider.
    """

    row: int
    column: int
    colour_class: int
    diameter: int


def palette(classes: int) -> Pixels:
    """Return one colour per class, shape (classes, 3): hues evenly spaced, saturated and bright."""
    rows = [colorsys.hsv_to_rgb(number / classes, 1.0, 1.0) for number in range(classes)]
    return (np.array(rows) * 255).astype(np.uint8)


def choose_dot(image: str, label: int, images: Images, probability: float) -> Dot:
    """Return the dot of an image: the same in every epoch and for every model.

    It has the colour of the image's class with ``probability``, else that of any class, the image's own included. An
    image's place, chance and other colour are the same at every probability.

    Parameters
    ----------
    image : str
        Id of the image, which keys the draws.
    images : Images
        The dataset, whose classes, size of images and size of dots count.
    """
    draws = generator(0, "colour dot", image)
    is_class = draws.random() < probability
    other = int(draws.integers(images.classes))
    margin = images.dot_diameter // 2
    row, column = draws.integers(margin, images.side - margin, size=2).tolist()
    return Dot(row, column, label if is_class else other, images.dot_diameter)


def draw_dot(pixels: Pixels, dot: Dot, colours: Pixels) -> Pixels:
    """Return a copy of an image of shape (height, width, 3) with a dot on it; dots end at the border."""
    height, width = pixels.shape[:2]
    radius = dot.diameter // 2 + 1.5
    reach = int(radius)
    top, left = max(0, dot.row - reach), max(0, dot.column - reach)
    bottom, right = min(height, dot.row + reach + 1), min(width, dot.column + reach + 1)
    rows, columns = np.ogrid[top:bottom, left:right]
    inside = (rows - dot.row) ** 2 + (columns - dot.column) ** 2 <= radius**2
    result = pixels.copy()
    result[top:bottom, left:right][inside] = colours[dot.colour_class]
    return result
