"""Compiled steps on pixels: the very bytes that Pillow, torchvision and numpy give."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from resi.domains.vision import augmentation, noise, resampling
from resi.domains.vision.augmentation import AutoAugment
from resi.domains.vision.compiled import equalized, looked_up
from resi.domains.vision.resampling import Box, is_as_pillow, resample, turned
from resi.domains.vision.transforms import add_noise, as_image

DRAWS = np.random.default_rng(0)


def random_pixels(height: int, width: int) -> np.ndarray:
    return DRAWS.integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize("side", [1, 7, 32, 60, 224])
def test_parts_are_resized_as_pillow_does(side: int) -> None:
    assert is_as_pillow()
    for _ in range(60):
        width, height = DRAWS.integers(1, 300, 2).tolist()
        # Black and white are where sums are largest.
        pixels = random_pixels(height, width) if side % 2 else random_pixels(height, width) // 128 * 255
        left, top = int(DRAWS.integers(width)), int(DRAWS.integers(height))
        box = Box(left, top, int(DRAWS.integers(1, width - left + 1)), int(DRAWS.integers(1, height - top + 1)))
        part = Image.fromarray(pixels).crop((left, top, left + box.width, top + box.height))
        expected = np.asarray(part.resize((side, side), Image.Resampling.BILINEAR))
        assert np.array_equal(resample(turned(pixels), box, side), expected), (width, height, box)
        assert np.array_equal(resample(turned(pixels), box, side, mirrored=True), expected[:, ::-1])


def test_a_pillow_that_resizes_otherwise_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    resize = Image.Image.resize

    def other(image: Image.Image, size: tuple[int, int], _: object) -> Image.Image:
        return resize(image, size, Image.Resampling.HAMMING)

    resampling._order.cache_clear()
    monkeypatch.setattr(Image.Image, "resize", other)
    assert not is_as_pillow()
    with pytest.raises(LookupError):
        resample(turned(random_pixels(5, 5)), Box(0, 0, 5, 5), 3)
    resampling._order.cache_clear()


def test_noise_is_numpys() -> None:
    for seed, shape in enumerate([(224, 224, 3), (12, 12, 3), (1, 1, 3), (5, 7, 3)] * 3):
        pixels = random_pixels(*shape[:2])
        draws = np.random.default_rng(seed)
        deviation = np.float32(np.sqrt(draws.uniform(0, 4000)))
        noisy = pixels + deviation * draws.standard_normal(shape, dtype=np.float32)
        expected = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
        assert np.array_equal(add_noise(pixels, 4000, np.random.default_rng(seed)), expected)


@pytest.mark.parametrize("count", [0, 1, 200, 500_001])
def test_normal_numbers_are_numpys(count: int) -> None:
    assert noise._is_as_numpy()
    expected = np.random.default_rng(5).standard_normal(count, dtype=np.float32)
    assert np.array_equal(noise.normals(np.random.default_rng(5), count), expected)


def test_too_few_bits_or_another_numpy_leave_it_to_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = np.random.default_rng(5).standard_normal(30_000, dtype=np.float32)
    with monkeypatch.context() as changed:
        changed.setattr(noise, "SPARE", 10**9)
        assert np.array_equal(noise.normals(np.random.default_rng(5), 30_000), expected)
    monkeypatch.setattr(noise, "_is_as_numpy", lambda: False)
    assert np.array_equal(noise.normals(np.random.default_rng(5), 30_000), expected)


@pytest.mark.parametrize("levels", [1, 2, 9, 256])
def test_images_are_equalized_as_pillow_does(levels: int) -> None:
    from PIL import ImageOps

    for height, width in ((1, 1), (16, 16), (40, 31), (224, 224)):
        pixels = (random_pixels(height, width).astype(int) % levels * (255 // levels)).astype(np.uint8)
        pixels[..., 2] = 255 - pixels[..., 2] // 3
        assert np.array_equal(equalized(pixels), ImageOps.equalize(Image.fromarray(pixels)))


def test_brightnesses_are_looked_up() -> None:
    pixels, table = random_pixels(9, 11), DRAWS.permutation(256).astype(np.uint8)
    assert np.array_equal(looked_up(pixels, table), table[pixels])


@pytest.mark.parametrize("policy", ["IMAGENET", "CIFAR10"])
def test_autoaugment_is_torchvisions(policy: str) -> None:
    ours, theirs = AutoAugment(policy, 128), v2.AutoAugment(v2.AutoAugmentPolicy[policy], fill=128)
    assert augmentation._is_as_torchvision(policy, 128)
    pixels = [random_pixels(31, 40) // 2 + 20 for _ in range(4)]
    for seed in range(150):
        image = pixels[seed % 4]
        results = []
        for augment, given in ((ours, image), (ours, as_image(image)), (theirs, as_image(image))):
            with torch.random.fork_rng(devices=[]):
                torch.default_generator.manual_seed(seed)
                results.append(np.asarray(augment(given)))
        assert np.array_equal(results[0], results[2]), seed
        assert np.array_equal(results[1], results[2]), seed


def without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(v2.AutoAugment, "_AUGMENTATION_SPACE")
    monkeypatch.setattr(v2.AutoAugment, "forward", lambda _self, image: image)


def with_other_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    forward = v2.AutoAugment.forward
    monkeypatch.setattr(v2.AutoAugment, "forward", lambda self, image: (torch.rand(()), forward(self, image))[1])


@pytest.mark.parametrize("change", [without_a_name, with_other_draws])
def test_another_torchvision_does_the_work_itself(
    change: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    augmentation._is_as_torchvision.cache_clear()
    change(monkeypatch)
    ours, theirs = AutoAugment("IMAGENET", 128), v2.AutoAugment(v2.AutoAugmentPolicy.IMAGENET, fill=128)
    pixels = random_pixels(31, 40)
    for seed in range(20):
        results = []
        for augment, given in ((ours, pixels), (theirs, as_image(pixels))):
            with torch.random.fork_rng(devices=[]):
                torch.default_generator.manual_seed(seed)
                results.append(np.asarray(augment(given)))
        assert np.array_equal(*results), seed
    assert not augmentation._is_as_torchvision("IMAGENET", 128)
    augmentation._is_as_torchvision.cache_clear()
