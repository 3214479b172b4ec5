"""Decoded images that are kept: the same pixels, files that are whole or made again, and what is said."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

import resi
from resi.cli.main import run_command
from resi.domains.vision import kept as kept_file
from resi.domains.vision.cache import ImageCache, kept_bytes
from resi.domains.vision.domain import VisionDomain
from resi.domains.vision.images import Chosen, Decoded, Images, OnDisk, Split
from resi.domains.vision.inputs import EpochBatches, Inputs, Loader, TrainingInputs
from resi.domains.vision.kept import KeptFile, KeptImages
from resi.domains.vision.settings import alteration
from resi.specs import DatasetSpec, ProbeSpec
from resi.store.root import wait_for_lock
from tests.domains.vision.conftest import spec_of

if TYPE_CHECKING:
    from collections.abc import Callable

SIDE = 224


def write_all_kinds(folder: Path) -> list[str]:
    """Write images as files hold them: JPEG in colour, grey, of four inks, turned by a note; PNG, with a palette."""
    draws = np.random.default_rng(0)
    sizes = {"tall": (120, 301), "wide": (260, 90), "large": (500, 375), "small": (30, 20), "square": (SIDE, SIDE)}
    names = []
    for name, (width, height) in sizes.items():
        smooth = Image.fromarray(draws.integers(0, 256, (9, 9, 3), np.uint8)).resize((width, height))
        pixels = np.clip(np.asarray(smooth) + draws.normal(0, 12, (height, width, 3)), 0, 255).astype(np.uint8)
        images = {"RGB.JPEG": "RGB", "L.JPEG": "L", "CMYK.JPEG": "CMYK", "RGBA.png": "RGBA", "P.png": "P"}
        for suffix, mode in images.items() if name == "tall" else [("RGB.JPEG", "RGB"), ("L.png", "L")]:
            names.append(f"{name}-{suffix}")
            Image.fromarray(pixels).convert(mode).save(folder / names[-1])
    turned = Image.Exif()
    turned[0x0112] = 6
    names.append("turned.JPEG")
    Image.fromarray(pixels[:90]).save(folder / names[-1], exif=turned)
    return names


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Images:
    """Return images that are decoded whenever they are read."""
    folder = tmp_path_factory.mktemp("images")
    names = write_all_kinds(folder)
    split = Split(names, np.arange(len(names)) % 5, OnDisk(folder, names))
    return Images(split, split, split, classes=5, side=SIDE, dot_diameter=5)


@pytest.fixture(scope="module")
def dataset(plain: Images, tmp_path_factory: pytest.TempPathFactory) -> DatasetSpec:
    """Return the dataset with a folder in which decoded images are kept."""
    return DatasetSpec("imagenet100", plain.train.source.folder, "content", tmp_path_factory.mktemp("root") / "cache")


@pytest.fixture(scope="module")
def kept(plain: Images, dataset: DatasetSpec) -> Images:
    """Return the same images, kept decoded."""
    return replace(plain, cache=ImageCache(dataset))


@pytest.mark.parametrize(
    "setting", ["standard", "label_randomization_50", "augmentation_0", "augmentation_100", "shortcut_75"]
)
def test_trainings_see_the_same_bytes(plain: Images, kept: Images, setting: str) -> None:
    spec = spec_of("resnet18", setting, seed=3, dataset="imagenet100")
    both = [TrainingInputs(images, spec, alteration(setting)) for images in (plain, kept)]
    items = [(epoch, index) for epoch in range(3) for index in range(len(plain.train))]
    (expected, labels), (found, same_labels) = (inputs.__getitems__(items) for inputs in both)
    assert torch.equal(found, expected)
    assert torch.equal(same_labels, labels)
    assert torch.equal(found[7], torch.from_numpy(both[1].pixels(*items[7])).permute(2, 0, 1))


def test_the_bytes_are_those_of_torchvisions_transforms(kept: Images) -> None:
    spec = spec_of("resnet18", "standard", seed=1, dataset="imagenet100")
    found = TrainingInputs(kept, spec, alteration("standard"))
    from resi.randomness import forked_torch

    steps = v2.Compose(
        [v2.RandomResizedCrop(SIDE), v2.RandomHorizontalFlip(), v2.AutoAugment(v2.AutoAugmentPolicy.IMAGENET, fill=128)]
    )
    for index, name in enumerate(kept.train.ids):
        image = Image.open(kept.train.source.folder / name).convert("RGB")
        for epoch in range(8):
            with forked_torch(torch.device("cpu"), 1, "augmentation", epoch, name):
                expected = np.asarray(steps(image))
            assert np.array_equal(found.pixels(epoch, index), expected), (name, epoch)


@pytest.mark.parametrize("dots", [None, 0.0, 1.0])
def test_models_are_evaluated_on_the_same_bytes(plain: Images, kept: Images, dots: float | None) -> None:
    first, second = (Inputs(images, images.test, SIDE, dots) for images in (plain, kept))
    for index, name in enumerate(plain.test.ids):
        assert np.array_equal(first.pixels(0, index), second.pixels(0, index)), name
    some = Split(plain.test.ids[2:4], plain.test.labels[2:4], Chosen(plain.test.source, np.array([2, 3])))
    for which in range(2):
        assert np.array_equal(Inputs(kept, some, SIDE, dots).pixels(0, which), first_of(plain, 2 + which, dots))


def first_of(images: Images, index: int, dots: float | None) -> np.ndarray:
    return Inputs(images, images.test, SIDE, dots).pixels(0, index)


def test_processes_that_read_map_the_files_themselves(plain: Images, kept: Images) -> None:
    inputs = Inputs(kept, kept.test, SIDE)
    inputs.pixels(0, 0)
    assert len(pickle.dumps(inputs)) < 100_000  # one of the images alone takes more
    batches = EpochBatches(len(inputs), 4)
    read = [images for images, _ in Loader(inputs, batches, torch.device("cpu"), workers=1)]
    expected = [
        images for images, _ in Loader(Inputs(plain, plain.test, SIDE), batches, torch.device("cpu"), workers=0)
    ]
    assert torch.equal(torch.cat(read), torch.cat(expected))


def test_augmentation_goes_to_other_processes(kept: Images) -> None:
    """As where processes that read are not forked, so that everything is pickled."""
    spec = spec_of("resnet18", "standard", seed=3, dataset="imagenet100")
    inputs = TrainingInputs(kept, spec, alteration("standard"))
    items = [(epoch, index) for epoch in range(3) for index in range(len(kept.train))]
    expected, _ = inputs.__getitems__(items)
    found, _ = pickle.loads(pickle.dumps(inputs)).__getitems__(items)
    assert torch.equal(found, expected)


@pytest.fixture
def file(plain: Images, tmp_path: Path) -> KeptFile:
    """Return where some of the images are to be kept."""
    source = plain.train.source
    return KeptFile.of(tmp_path / "cache", "content", OnDisk(source.folder, source.names[:4]), None)


def source_of(file: KeptFile) -> object:
    """Return where a new process reads the images from."""
    dataset = DatasetSpec("", None, "content", file.path.parent.parent)
    cache = ImageCache(dataset)
    cache._folder = file.path.parent
    return cache.source(file.source, file.side)


def flip_a_byte(file: KeptFile) -> None:
    content = bytearray(file.path.read_bytes())
    content[len(content) // 2] ^= 1
    file.path.write_bytes(content)


def cut_short(file: KeptFile) -> None:
    file.path.write_bytes(file.path.read_bytes()[:-1])


def lose_the_pixels(file: KeptFile) -> None:
    file.path.unlink()


def garble_the_seal(file: KeptFile) -> None:
    file.seal.write_text(file.seal.read_text()[:-10])


def seal_of_others(file: KeptFile) -> None:
    file.seal.write_text(json.dumps({**json.loads(file.seal.read_text()), "key": "another"}))


@pytest.mark.parametrize("damage", [flip_a_byte, cut_short, lose_the_pixels, garble_the_seal, seal_of_others])
def test_what_is_damaged_is_made_again(
    file: KeptFile, damage: Callable[[KeptFile], None], capsys: pytest.CaptureFixture[str]
) -> None:
    assert isinstance(source_of(file), KeptImages)
    before = file.path.read_bytes()
    capsys.readouterr()
    assert isinstance(source_of(file), KeptImages)
    assert capsys.readouterr().err == ""
    damage(file)
    assert isinstance(source_of(file), KeptImages)
    assert capsys.readouterr().err.count("it is made again") == 1
    assert file.path.read_bytes() == before


def test_a_copied_file_is_checked_once(file: KeptFile, capsys: pytest.CaptureFixture[str]) -> None:
    source_of(file)
    content = file.path.read_bytes()
    file.path.unlink()
    file.path.write_bytes(content)
    capsys.readouterr()
    for said in (1, 0):
        assert isinstance(source_of(file), KeptImages)
        assert capsys.readouterr().err.count("has been copied or written to") == said


def test_pixels_of_another_decoder_are_not_used(file: KeptFile, capsys: pytest.CaptureFixture[str]) -> None:
    source_of(file)
    seal = json.loads(file.seal.read_text())
    flip_a_byte(file)
    file.path.write_bytes(bytes(len(file.path.read_bytes())))
    import hashlib

    from resi.fingerprints import file_state

    seal |= {"sha256": hashlib.sha256(file.path.read_bytes()).hexdigest(), "state": list(file_state(file.path))}
    file.seal.write_text(json.dumps(seal))
    capsys.readouterr()
    assert np.array_equal(source_of(file).decoded(0).image(), file.source[0])
    assert "has other pixels than" in capsys.readouterr().err


def test_a_stopped_process_leaves_nothing_that_is_read(file: KeptFile, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as changed:
        changed.setattr(KeptFile, "_write_seal", stop)  # all is written but the seal
        with pytest.raises(KeyboardInterrupt):
            file.make()
    assert file.path.is_file()
    assert file.open() is None
    file.path.write_bytes(b"half")
    assert isinstance(source_of(file), KeptImages)
    assert file.path.stat().st_size > 4
    with monkeypatch.context() as changed:
        changed.setattr(kept_file, "_pixels", stop)
        with pytest.raises(KeyboardInterrupt):
            file.make()
    assert [path.name for path in file.path.parent.iterdir() if path.suffix == ".tmp"] == []


def test_two_that_need_it_make_it_once(
    file: KeptFile, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import threading

    file.path.parent.mkdir(parents=True)
    made = []
    make = KeptFile.make
    monkeypatch.setattr(KeptFile, "make", lambda self: made.append(1) or make(self))
    with wait_for_lock(file.path.with_suffix(".lock"), "is a test"):
        waiting = threading.Thread(target=source_of, args=(file,))
        waiting.start()
        waiting.join(0.5)
        assert waiting.is_alive()
        make(file)
    waiting.join()
    assert made == []
    assert "which is decoding the same images" in capsys.readouterr().err


def test_where_nothing_can_be_kept_images_are_decoded(
    file: KeptFile, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as changed:
        changed.setattr(kept_file.shutil, "disk_usage", lambda _path: type("Usage", (), {"free": 1000}))
        assert source_of(file) is file.source
    said = capsys.readouterr().err
    assert "4 decoded images take 433 kB in" in said
    assert "1 kB are free. Images are decoded each time they are read." in said
    blocked = replace(file, path=file.source.folder / file.source.names[0] / "cache" / "x.pixels")
    assert source_of(blocked) is blocked.source
    assert "Images are decoded each time they are read." in capsys.readouterr().err


def test_a_plan_says_how_much_is_kept(imagenet100: Path, tmp_path: Path) -> None:
    domain = VisionDomain()
    found = replace(domain.locate("imagenet100", imagenet100, tmp_path), cache=tmp_path / "cache")
    standard = spec_of("resnet18", dataset="imagenet100")
    dotted = spec_of("resnet18", "shortcut_100", dataset="imagenet100")
    square = SIDE * SIDE * 3
    from resi.domains.vision.loading import load_images

    load_images.cache_clear()
    images = load_images(found)
    decoded = sum(np.asarray(images.train.source[i]).size for i in range(18))
    assert kept_bytes(found, [], [(standard, ProbeSpec("test", ("9",)))]) == (10 * square, 0)
    assert kept_bytes(found, [standard], []) == (decoded + 12 * square, 0)
    assert kept_bytes(found, [dotted], []) == (30 * square, 0)
    Inputs(images, images.test, SIDE).pixels(0, 0)
    assert domain.cache_bytes(found, [standard, dotted], []) == (decoded + 30 * square, 10 * square)
    digits = replace(domain.locate("digits", None, tmp_path), cache=tmp_path / "cache")
    assert domain.cache_bytes(digits, [spec_of("tiny_vgg")], []) is None


def test_an_image_is_turned_back_and_resized_by_any_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    from resi.domains.vision import resampling

    pixels = np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)
    image = Decoded.of(pixels)
    assert np.array_equal(image.image(), pixels)
    box = resampling.Box(3, 2, 20, 30)
    fast = [image.resized(17, box, mirrored) for mirrored in (False, True)]
    monkeypatch.setattr(resampling, "is_as_pillow", lambda: False)
    assert all(np.array_equal(image.resized(17, box, mirrored), fast[mirrored]) for mirrored in (False, True))


def test_a_plan_and_a_run_say_where_there_is_nothing_to_keep(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["dataset.cache=true", f"root={tmp_path}", "seeds=[0,1]", "groups=2", "measure=cka"]
    line = "dataset.cache=true keeps nothing: dataset={} has no image files to decode"
    assert run_command(["plan", "domain=vision", "model=tiny_vgg", *words]) == 0
    assert " ".join(capsys.readouterr().out.split()).count(line.format("digits")) == 1
    for said in (1, 0):  # nothing is left to be read the second time
        resi.run(["model=gcn", "model.gcn.epochs=1", "stage=representations", *words])
        assert capsys.readouterr().err.count(line.format("digits_knn")) == said
