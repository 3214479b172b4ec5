"""What reading an image costs, with images decoded whenever they are read and with decoded ones kept on disk.

The images are parts of scikit-learn's two photos as JPEG of 500 x 375 pixels and 110 kB, as ImageNet has them, and go
through everything that happens to one of ImageNet100 before a batch is on its device. Prints a table.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image
from rich.table import Table
from sklearn.datasets import load_sample_images

from common import CONSOLE
from resi.domains.vision.cache import ImageCache
from resi.domains.vision.domain import VisionDomain
from resi.domains.vision.images import Images, OnDisk, Split
from resi.domains.vision.inputs import Inputs, TrainingInputs
from resi.domains.vision.settings import alteration
from resi.specs import DatasetSpec, ModelSpec

if TYPE_CHECKING:
    from collections.abc import Callable

WIDTH, HEIGHT, JPEG_BYTES = 500, 375, 110_000
SETTINGS = ("standard", "shortcut_100", "augmentation_100")
REPEATS = 5


class Way(NamedTuple):
    """One way through images, and what it costs without and with decoded ones."""

    name: str
    plain: float
    kept: float


def main() -> None:
    """Make the images, time each way in turns, and print milliseconds of the processor for each image."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=64)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        show(time_all(write_images(Path(folder), arguments.images), Path(folder)))


def write_images(folder: Path, count: int) -> list[str]:
    """Write JPEGs, every third of them upright; return their names."""
    photos = [Image.fromarray(photo) for photo in load_sample_images().images]
    draws = np.random.default_rng(0)
    names = []
    for number in range(count):
        photo = photos[number % 2]
        left, top = (int(draws.integers(0, most + 1)) for most in (photo.width - WIDTH, photo.height - HEIGHT))
        part = photo.crop((left, top, left + WIDTH, top + HEIGHT))
        names.append(f"{number}.JPEG")
        (folder / names[-1]).write_bytes(_jpeg(part.transpose(Image.Transpose.ROTATE_90) if number % 3 == 0 else part))
    return names


def _jpeg(image: Image.Image) -> bytes:
    """Return an image as JPEG of the quality that takes about as many bytes as wanted."""
    found = []
    for quality in range(60, 101, 2):
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality)
        found.append(file.getvalue())
    return min(found, key=lambda content: abs(len(content) - JPEG_BYTES))


def time_all(names: list[str], folder: Path) -> list[Way]:
    """Return what each way costs, the best of some turns."""
    labels = np.arange(len(names)) % 100
    split = Split(names, labels, OnDisk(folder, names))
    plain = Images(split, split, split, classes=100, side=224, dot_diameter=5)
    dataset = DatasetSpec("imagenet100", folder, "made for a benchmark", folder / "cache")
    kept = Images(split, split, split, classes=100, side=224, dot_diameter=5, cache=ImageCache(dataset))
    ways = []
    for setting in SETTINGS:
        values = VisionDomain().hyperparameters("resnet18", "imagenet100", setting, {})
        spec = ModelSpec("vision", "imagenet100", "", "resnet18", setting, 0, values, 1)
        inputs = [TrainingInputs(images, spec, alteration(setting)) for images in (plain, kept)]
        ways.append(Way(f"training, {setting}", *_time_pair(*inputs)))
    for name, dots in (("evaluation, extraction", None), ("the same with dots", 0.0)):
        ways.append(Way(name, *_time_pair(*(Inputs(images, split, 224, dots) for images in (plain, kept)))))
    return ways


def _time_pair(first: Inputs, second: Inputs) -> tuple[float, float]:
    items = [(1, index) for index in range(len(first))]
    reads: list[Callable[[], object]] = [lambda: first.__getitems__(items), lambda: second.__getitems__(items)]
    best = [float("inf"), float("inf")]
    for _ in range(REPEATS):
        for number, read in enumerate(reads):
            start = time.process_time()
            read()
            best[number] = min(best[number], (time.process_time() - start) / len(items))
    return best[0], best[1]


def show(ways: list[Way]) -> None:
    """Print the table."""
    title = f"reading an image of {WIDTH} x {HEIGHT} pixels: milliseconds of one core"
    table = Table(title=title, title_justify="left")
    for column in ("for", "decoded when read", "dataset.cache=true", "ratio"):
        table.add_column(column, justify="left" if column == "for" else "right")
    for way in ways:
        table.add_row(
            way.name, f"{way.plain * 1e3:.2f}", f"{way.kept * 1e3:.3f}", f"{way.plain / way.kept:.1f} (goal: 4)"
        )
    CONSOLE.print(table)


if __name__ == "__main__":
    main()
