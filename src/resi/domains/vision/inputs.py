"""Batches of images as inputs of a model.

Every draw is keyed by the image, its epoch and the model's seed, so batches do not depend on the number of workers
or on interruptions.
"""

from __future__ import annotations

import functools
import itertools
import os
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from resi.domains.vision.images import Decoded, InMemory, Split, decoded
from resi.domains.vision.labels import randomize
from resi.domains.vision.lookup import image_dataset, statistics
from resi.domains.vision.shortcuts import choose_dot, draw_dot, palette
from resi.domains.vision.transforms import add_noise, as_image, as_pixels
from resi.errors import ResiError
from resi.machine.resources import job_cores
from resi.randomness import generator, seed_torch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL.Image import Image
    from torch import Tensor

    from resi.domains.vision.datasets.base import Statistics
    from resi.domains.vision.images import Images, Pixels
    from resi.domains.vision.settings import Alteration
    from resi.domains.vision.shortcuts import Dot
    from resi.specs import ModelSpec

    Batch = tuple[Tensor, Tensor]

MAX_WORKERS = 8
# Work on smaller sets in memory is done before workers have started.
IMAGES_WORTH_WORKERS = 10_000


class Inputs(Dataset["Batch"]):
    """Images of a split as fed to a model, without augmentation.

    Parameters
    ----------
    images : Images
        The dataset, whose classes and size they have.
    split : Split
    image_size : int
        Height and width that the model takes.
    dots : float or None
        Probability that an image's dot has its class's colour; None: no dots.
    """

    def __init__(self, images: Images, split: Split, image_size: int, dots: float | None = None) -> None:
        self.split = split
        self.labels = split.labels
        self._images = images
        self._image_size = image_size
        self._dots = dots
        self._colours = palette(images.classes)
        self._source = images.source(split, self._first_size())
        # Those that are few and in memory are prepared once, not in every epoch.
        self._prepared: dict[int, Pixels] | None = {} if _is_small(split) else None

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.split)

    def __getitems__(self, items: list[tuple[int, int]]) -> Batch | ResiError:
        """Return the images, uint8 of shape (n_images, 3, height, width), and labels of (epoch, index) pairs.

        The images have channels last in memory. One that cannot be read is returned as its error: raised in a worker,
        it would become a traceback.
        """
        try:
            with torch.random.fork_rng(devices=[]):
                pixels = np.stack([self._seen(epoch, index) for epoch, index in items])
        except ResiError as error:
            return error
        labels = self.labels[[index for _, index in items]]
        return torch.from_numpy(pixels).permute(0, 3, 1, 2), torch.from_numpy(labels)

    def pixels(self, epoch: int, index: int) -> Pixels:
        """Return one image as seen in an epoch, shape (height, width, 3)."""
        with torch.random.fork_rng(devices=[]):
            return self._seen(epoch, index)

    def colour_classes(self) -> Tensor:
        """Return the class whose colour each image's dot has, shape (n_images,)."""
        return torch.tensor([self._dot(index).colour_class for index in range(len(self))])

    def _first_size(self) -> int | None:
        """Return the height and width that images are brought to before anything else; None: to none."""
        return self._image_size if self._dots is None else self._images.side

    def _seen(self, epoch: int, index: int) -> Pixels:
        """Return one image as seen in an epoch; torch's own generator may be seeded here."""
        del epoch
        return self._unchanged(index)

    def _unchanged(self, index: int) -> Pixels:
        """Return the pixels of one image that is not augmented."""
        if self._prepared is None:
            return as_pixels(self._read(index), self._image_size)
        if index not in self._prepared:
            self._prepared[index] = as_pixels(self._read(index), self._image_size)
        return self._prepared[index]

    def _read(self, index: int) -> Image | Decoded | Pixels:
        image = decoded(self._source, index)
        if self._dots is None:
            return image
        return draw_dot(as_pixels(image, self._images.side), self._dot(index), self._colours)

    def _dot(self, index: int) -> Dot:
        label = int(self.split.labels[index])
        return choose_dot(self.split.ids[index], label, self._images, self._dots or 0.0)


class TrainingInputs(Inputs):
    """Training images with a setting's dots, labels, augmentation and noise."""

    def __init__(self, images: Images, spec: ModelSpec, alteration: Alteration) -> None:
        image_size = spec.hyperparameters["image_size"]
        self._transform = image_dataset(spec.dataset).augment(image_size, alteration)
        super().__init__(images, images.train, image_size, alteration.dots)
        self.labels = randomize(self.labels, self.split.ids, images.classes, alteration.random_labels)
        self._noise = alteration.noise
        self._seed = spec.seed

    def _seen(self, epoch: int, index: int) -> Pixels:
        name = self.split.ids[index]
        pixels = self._unchanged(index) if self._transform is None else self._augmented(epoch, index, name)
        if self._noise:
            pixels = add_noise(pixels, self._noise, generator(self._seed, "noise", epoch, name))
        return pixels

    def _first_size(self) -> int | None:
        return super()._first_size() if self._transform is None or self._dots is not None else None

    def _augmented(self, epoch: int, index: int, name: str) -> Pixels:
        image = self._read(index)
        if not getattr(self._transform, "take_decoded", False):
            image = as_image(image)
        elif isinstance(image, np.ndarray):
            image = Decoded.of(image)
        seed_torch(self._seed, "augmentation", epoch, name)
        return as_pixels(self._transform(image), self._image_size)


class EpochBatches:
    """Batches of (epoch, index): shuffled again in each epoch by the model's seed, or in order where there is none.

    A last batch of a single image, of which batch norm can make nothing, joins the one before.
    """

    def __init__(self, count: int, batch_size: int, seed: int | None = None) -> None:
        self.epoch = 0
        self._count = count
        self._batch_size = batch_size
        self._seed = seed

    def __len__(self) -> int:
        """Return the number of batches."""
        return len(self._bounds()) - 1

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        """Yield the batches of the current epoch."""
        order = np.arange(self._count)
        if self._seed is not None:
            order = generator(self._seed, "training order", self.epoch).permutation(self._count)
        bounds = self._bounds()
        for start, stop in itertools.pairwise(bounds):
            yield [(self.epoch, int(index)) for index in order[start:stop]]

    def _bounds(self) -> list[int]:
        starts = list(range(0, self._count, self._batch_size))
        if len(starts) > 1 and self._count - starts[-1] == 1:
            starts.pop()
        return [*starts, self._count]


class Loader:
    """Batches of images and labels, read by worker processes if that is faster.

    Parameters
    ----------
    inputs : Inputs
    batches : EpochBatches
    device : torch.device
        Where the batches go.
    workers : int, optional
        How many processes read.
    """

    def __init__(self, inputs: Inputs, batches: EpochBatches, device: torch.device, workers: int | None = None) -> None:
        count = suitable_workers(inputs.split) if workers is None else workers
        self._loader = DataLoader(
            inputs,
            batch_sampler=batches,
            collate_fn=_as_it_is,
            num_workers=count,
            persistent_workers=count > 0,
            pin_memory=device.type == "cuda",
            generator=torch.Generator(),  # not torch's own, from which a loader otherwise takes a number
        )

    def __len__(self) -> int:
        """Return the number of batches."""
        return len(self._loader)

    def __iter__(self) -> Iterator[Batch]:
        """Yield the batches of the current epoch."""
        for batch in self._loader:
            if isinstance(batch, ResiError):
                raise batch
            yield batch


def normalize(images: Tensor, normalization: str) -> Tensor:
    """Return float images, shape (n_images, 3, height, width), from bytes: minus the mean, by the deviation.

    Parameters
    ----------
    normalization : str
        Name of the statistics.
    """
    mean, deviation = _statistics(statistics()[normalization], images.device)
    return (images.float() / 255 - mean) / deviation


@functools.lru_cache(maxsize=8)
def _statistics(values: Statistics, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return mean and deviation of the pixels on a device, cached: creating them waits for pending work there."""
    mean, deviation = (
        torch.tensor(numbers, dtype=torch.float32, device=device).view(1, 3, 1, 1)
        for numbers in (values.mean, values.deviation)
    )
    return mean, deviation


def suitable_workers(split: Split) -> int:
    """Return the number of worker processes: none for few images in memory, else one per core, up to eight."""
    return 0 if _is_small(split) else min(job_cores(os.environ), MAX_WORKERS)


def _is_small(split: Split) -> bool:
    return isinstance(split.source, InMemory) and len(split) < IMAGES_WORTH_WORKERS


def _as_it_is(batch: Any) -> Any:
    return batch
