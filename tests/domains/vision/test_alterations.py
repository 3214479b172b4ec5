"""What settings do to images and labels: the dot, the noise, the shares, all keyed by the image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from resi.domains.vision.domain import VisionDomain
from resi.domains.vision.images import Images
from resi.domains.vision.inputs import EpochBatches, Inputs, Loader, TrainingInputs, normalize
from resi.domains.vision.labels import randomize
from resi.domains.vision.loading import load_images
from resi.domains.vision.lookup import image_dataset
from resi.domains.vision.settings import SETTINGS, alteration
from resi.domains.vision.shortcuts import Dot, choose_dot, draw_dot, palette
from resi.domains.vision.transforms import Cutout, add_noise
from resi.specs import ModelSpec

DOMAIN = VisionDomain()
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def digits():
    return load_images(DOMAIN.locate("digits", None, Path("unused")))


def spec_of(setting: str, seed: int = 0) -> ModelSpec:
    values = DOMAIN.hyperparameters("tiny_vgg", "digits", setting, {})
    return ModelSpec("vision", "digits", "content", "tiny_vgg", setting, seed, values, 1)


def test_the_palette_is_the_published_one() -> None:
    colours = palette(100)
    assert colours[[0, 1, 50]].tolist() == [[255, 0, 0], [255, 15, 0], [0, 255, 255]]
    assert len(np.unique(colours, axis=0)) == 100


@pytest.mark.parametrize(("side", "width", "area"), [(224, 7, 37), (32, 5, 21), (12, 5, 21)])
def test_a_dot_is_a_filled_disk_of_the_stated_size(side: int, width: int, area: int) -> None:
    colours = palette(10)
    image = np.full((side, side, 3), 7, dtype=np.uint8)
    found = draw_dot(image, Dot(side // 2, side // 2 - 1, 3, 5 if side == 224 else 3), colours)
    changed = (found != image).any(2)
    assert (image == 7).all()
    assert int(changed.sum()) == area
    rows, columns = np.nonzero(changed)
    assert rows.max() - rows.min() + 1 == columns.max() - columns.min() + 1 == width
    assert (rows.max() + rows.min()) // 2 == side // 2
    assert (columns.max() + columns.min()) // 2 == side // 2 - 1
    assert (found[changed] == colours[3]).all()


@pytest.mark.parametrize("corner", [(0, 0), (11, 11), (0, 11)])
def test_a_dot_at_the_border_is_cut_off(corner: tuple[int, int]) -> None:
    found = draw_dot(np.zeros((12, 12, 3), dtype=np.uint8), Dot(*corner, 0, diameter=3), palette(10))
    assert int(found.any(2).sum()) == 8  # a quarter, with its two edges


@pytest.mark.parametrize("probability", [0.0, 0.25, 0.75, 1.0])
def test_dots_have_the_colour_of_their_class_as_often_as_stated(probability: float) -> None:
    images = Images(*(None,) * 3, classes=10, side=32, dot_diameter=3)  # type: ignore[arg-type]
    dots = [choose_dot(f"image {i}", i % 10, images, probability) for i in range(4000)]
    share = np.mean([dot.colour_class == i % 10 for i, dot in enumerate(dots)])
    expected = probability + (1 - probability) / 10
    assert abs(share - expected) <= 5 * np.sqrt(expected * (1 - expected) / 4000)
    places = np.array([(dot.row, dot.column) for dot in dots])
    assert places.min() == 1
    assert places.max() == 30
    # In place, only the colour depends on the probability.
    assert [(d.row, d.column) for d in dots] == [
        (d.row, d.column) for d in (choose_dot(f"image {i}", 0, images, 0.5) for i in range(4000))
    ]


@pytest.mark.parametrize("share", [0.25, 0.5, 1.0])
def test_random_labels_are_uniform_on_the_stated_share(share: float) -> None:
    labels = np.arange(5000) % 10
    images = [f"train {i}" for i in range(5000)]
    found = randomize(labels, images, 10, share)
    expected = share * 0.9  # a tenth of those drawn is the true label
    assert abs(np.mean(found != labels) - expected) <= 5 * np.sqrt(expected * (1 - expected) / 5000)
    counts = np.bincount(found[found != labels], minlength=10)
    assert np.abs(counts - counts.mean()).max() <= 5 * np.sqrt(counts.mean())
    assert (randomize(labels[::-1], images[::-1], 10, share)[::-1] == found).all()


def test_models_of_a_setting_learn_the_same_labels_and_of_another_setting_others(digits) -> None:
    half, again, more = (
        TrainingInputs(digits, spec_of(setting, seed), alteration(setting)).labels
        for setting, seed in (
            ("label_randomization_50", 0),
            ("label_randomization_50", 1),
            ("label_randomization_75", 0),
        )
    )
    assert (half == again).all()
    both = (half != digits.train.labels) & (more != digits.train.labels)
    assert np.mean(half[both] == more[both]) < 0.3  # one in nine by chance


def test_noise_has_the_stated_variance_and_stays_within_bytes() -> None:
    grey = np.full((64, 64, 3), 128, dtype=np.uint8)
    deviations = [
        float((add_noise(grey, 400.0, np.random.default_rng(i)).astype(float) - 128).std()) for i in range(400)
    ]
    # The variance is uniform between 0 and 400.
    assert np.mean(np.square(deviations)) == pytest.approx(200, rel=0.1)
    assert max(deviations) < 21
    assert min(deviations) < 3
    white = np.full((64, 64, 3), 250, dtype=np.uint8)
    noisy = add_noise(white, 4000.0, np.random.default_rng(0))
    assert noisy.max() == 255
    assert noisy.dtype == np.uint8


def test_noise_is_drawn_anew_by_epoch_and_model_and_image(digits) -> None:
    inputs = TrainingInputs(digits, spec_of("augmentation_100"), alteration("augmentation_100"))
    other = TrainingInputs(digits, spec_of("augmentation_100", 1), alteration("augmentation_100"))
    first = inputs.pixels(0, 5)
    assert (first == inputs.pixels(0, 5)).all()
    assert (first != inputs.pixels(1, 5)).any()
    assert (first != other.pixels(0, 5)).any()
    assert (
        TrainingInputs(digits, spec_of("standard"), alteration("standard")).pixels(0, 5)
        == inputs.split.source.pixels[5]
    ).all()


def test_batches_do_not_depend_on_the_number_of_workers(digits) -> None:
    setting = "augmentation_50"
    inputs = TrainingInputs(digits, spec_of(setting), alteration(setting))
    state = torch.get_rng_state()
    found = []
    for workers in (0, 2):
        batches = EpochBatches(200, 64, seed=3)
        batches.epoch = 4
        found.append(list(Loader(inputs, batches, CPU, workers)))
    assert torch.equal(torch.get_rng_state(), state)
    for (images, labels), (others, other_labels) in zip(*found, strict=True):
        assert images.dtype == torch.uint8
        assert torch.equal(images, others)
        assert torch.equal(labels, other_labels)


def test_every_epoch_goes_over_all_images_in_another_order() -> None:
    batches = EpochBatches(129, 64, seed=0)
    first = [item for batch in batches for item in batch]
    batches.epoch = 1
    second = [item for batch in batches for item in batch]
    assert sorted(first) == [(0, i) for i in range(129)]
    assert sorted(second) == [(1, i) for i in range(129)]
    assert [i for _, i in first] != [i for _, i in second]
    # No batch of a single image, of which batch norm can make nothing.
    assert [len(batch) for batch in batches] == [64, 65]


def test_a_cutout_is_a_square_of_sixteen_pixels_cut_off_at_the_border() -> None:
    from PIL import Image

    torch.manual_seed(0)
    image = Image.new("RGB", (32, 32), (9, 9, 9))
    areas = []
    for _ in range(200):
        changed = (np.asarray(Cutout()(image)) != 9).any(2)
        rows, columns = np.nonzero(changed)
        height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert changed.sum() == height * width
        areas.append((height, width))
    assert max(areas) == (16, 16)
    assert min(min(area) for area in areas) >= 8


@pytest.mark.parametrize(("dataset", "size"), [("cifar100", 32), ("cifar100", 224), ("imagenet100", 224)])
@pytest.mark.parametrize("setting", ["standard", "shortcut_75", "augmentation_100"])
def test_augmentation_gives_images_of_the_size_models_take(dataset: str, size: int, setting: str) -> None:
    from PIL import Image

    transform = image_dataset(dataset).augment(size, alteration(setting))
    side = (32, 32) if dataset == "cifar100" else (300, 200)
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (*side, 3), dtype=np.uint8))
    torch.manual_seed(0)
    found = [transform(image) for _ in range(5)]
    assert {result.size for result in found} == {(size, size)}
    assert any((np.asarray(result) != np.asarray(found[0])).any() for result in found)


def test_normalized_images_have_the_stated_mean_and_deviation(digits) -> None:
    inputs = Inputs(digits, digits.train, 12)
    images, _ = inputs.__getitems__([(0, index) for index in range(len(inputs))])
    assert images.shape == (len(digits.train), 3, 12, 12)
    found = normalize(images, "digits")
    assert float(found.mean()) == pytest.approx(0, abs=0.02)
    assert float(found.std()) == pytest.approx(1, abs=0.02)
    grey = torch.full((1, 3, 2, 2), 128, dtype=torch.uint8)
    expected = [(128 / 255 - mean) / deviation for mean, deviation in ((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))]
    assert normalize(grey, "imagenet")[0, :, 0, 0].tolist() == pytest.approx(expected, rel=1e-5)


def test_every_setting_of_every_test_is_known() -> None:
    for settings in (setting for groups in SETTINGS.values() for setting in groups.values()):
        for name in settings:
            alteration(name)
    assert alteration("shortcut_75").dots == 0.75
    assert alteration("shortcut_75", coins=2).dots == 0.75**2
    assert alteration("augmentation_75").noise == 3000
    assert not alteration("augmentation_0").strong
    assert alteration("label_randomization_25").random_labels == 0.25
