"""Datasets: found, checked, split; what is missing is named."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from resi.cli.prepare import main as prepare
from resi.domains.vision.datasets import cifar100 as cifar100_file
from resi.domains.vision.datasets.imagenet100 import WNIDS
from resi.domains.vision.domain import VisionDomain
from resi.domains.vision.inputs import EpochBatches, Inputs, Loader
from resi.domains.vision.loading import load_images
from resi.errors import DatasetError, UsageError
from tests.domains.vision.conftest import CLASSES

DOMAIN = VisionDomain()


@pytest.fixture(autouse=True)
def forget_images():
    """Forget what was loaded: the small datasets all have the same content."""
    load_images.cache_clear()


def test_the_classes_are_the_published_ones() -> None:
    digest = hashlib.sha256("\n".join(WNIDS).encode()).hexdigest()
    assert digest == "82b5291afc035d04ed39f71647029c404ad9f5ec9589b3a83d6261abb5c00ba7"
    assert list(WNIDS) == sorted(WNIDS)


def test_digits_have_a_fixed_split_without_overlap() -> None:
    images = load_images(DOMAIN.locate("digits", None, Path("unused")))
    splits = (images.train, images.validation, images.test)
    assert [len(split) for split in splits] == [1097, 200, 500]
    assert len({name for split in splits for name in split.ids}) == 1797
    from sklearn.datasets import load_digits

    grey, labels = load_digits(return_X_y=True)
    index = int(images.test.ids[7].split()[1])
    assert images.test.labels[7] == labels[index]
    pixels = np.asarray(images.test.source[7])
    assert pixels.shape == (12, 12, 3)
    # Enlarged, so that the mean brightness stays.
    assert pixels.mean() == pytest.approx(grey[index].mean() * 40 / 16, rel=0.05)


def test_cifar100_is_read_as_torchvision_has_it(cifar100: Path) -> None:
    images = load_images(DOMAIN.locate("cifar100", cifar100, Path("unused")))
    assert [len(split) for split in (images.train, images.validation, images.test)] == [80, 20, 30]
    raw = pickle.loads((cifar100 / "cifar-100-python" / "train").read_bytes())
    expected = raw["data"].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    for split, start in ((images.train, 0), (images.validation, 80)):
        assert split.labels.tolist() == raw["fine_labels"][start : start + len(split)]
        assert (np.asarray(split.source[3]) == expected[start + 3]).all()
    assert images.train.ids[3] == "train 3"
    assert images.validation.ids[3] == "train 83"


def test_the_folder_of_the_archive_itself_will_do(cifar100: Path) -> None:
    inner = DOMAIN.locate("cifar100", cifar100 / "cifar-100-python", Path("unused"))
    assert inner == DOMAIN.locate("cifar100", cifar100, Path("unused"))


def test_a_missing_or_changed_file_of_cifar100_is_named(cifar100: Path) -> None:
    path = cifar100 / "cifar-100-python" / "test"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DatasetError, match=r"cifar-100-python/test is damaged: it differs from the official release"):
        DOMAIN.locate("cifar100", cifar100, Path("unused"))
    path.unlink()
    with pytest.raises(DatasetError, match=r"cifar-100-python/test is missing; unpack cifar-100-python.tar.gz again"):
        DOMAIN.locate("cifar100", cifar100, Path("unused"))
    with pytest.raises(DatasetError, match=r"CIFAR-100 is not in .*elsewhere: expected the folder cifar-100-python"):
        DOMAIN.locate("cifar100", cifar100 / "elsewhere", Path("unused"))


def test_imagenet100_is_read_from_the_layout_of_the_archive(imagenet100: Path) -> None:
    images = load_images(DOMAIN.locate("imagenet100", imagenet100, Path("unused")))
    assert images.classes == 2
    assert [len(split) for split in (images.train, images.validation, images.test)] == [18, 2, 10]
    for split in (images.train, images.validation, images.test):
        assert all(CLASSES[label] in name for label, name in zip(split.labels, split.ids, strict=True))
    assert not set(images.train.ids) & set(images.validation.ids)
    # Shuffled, so that a part of the test set holds all classes.
    assert images.test.labels.tolist() != sorted(images.test.labels)
    pixels = Inputs(images, images.test, 224).pixels(0, 0)
    assert pixels.shape == (224, 224, 3)
    dotted = Inputs(images, images.test, 224, dots=1.0).pixels(0, 0)
    assert int((pixels != dotted).any(2).sum()) in range(30, 38)


def test_what_imagenet100_lacks_is_said(kaggle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    next((kaggle / "val.X" / CLASSES[0]).iterdir()).unlink()
    for path in sorted((kaggle / "train.X2").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    (kaggle / "train.X2").rmdir()
    target = tmp_path / "Imagenet100"
    assert prepare(["imagenet100", str(kaggle), "--to", str(target), "--how", "copy"]) == 1
    said = capsys.readouterr()
    assert "lacks train.X2 of the archive ambityga/imagenet100" in said.err
    assert f"train/{CLASSES[1]} is missing" in said.err
    assert f"val/{CLASSES[0]} holds 4 images instead of 5" in said.err
    assert "2 problems" in said.out
    with pytest.raises(
        DatasetError, match=f"is not ImageNet100: train/{CLASSES[1]} is missing; val/{CLASSES[0]} holds 4"
    ):
        DOMAIN.locate("imagenet100", target, Path("unused"))
    with pytest.raises(DatasetError, match=r"ImageNet100 is not in .*resi prepare imagenet100 ARCHIVE_FOLDER"):
        DOMAIN.locate("imagenet100", tmp_path, Path("unused"))


def test_preparing_goes_on_where_it_stopped(kaggle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match="Imagenet100 is not there; name the unpacked archive"):
        prepare(["imagenet100", "--to", str(tmp_path / "Imagenet100")])
    target = tmp_path / "Imagenet100"
    assert prepare(["imagenet100", str(kaggle), "--to", str(target)]) == 0
    lost = next((target / "train" / CLASSES[0]).iterdir())
    lost.unlink()
    assert prepare(["imagenet100", "--to", str(target)]) == 1
    assert prepare(["imagenet100", str(kaggle), "--to", str(target)]) == 0
    assert "30 images placed" in (said := capsys.readouterr().out)
    assert "1 images placed" in said
    assert lost.is_file()


def test_images_that_are_replaced_after_they_were_found_are_not_used(cifar100: Path, imagenet100: Path) -> None:
    found = DOMAIN.locate("imagenet100", imagenet100, Path("unused"))
    image = next((imagenet100 / "train" / CLASSES[0]).iterdir())
    image.unlink()  # a link to the archive's
    image.write_bytes(b"another")
    with pytest.raises(DatasetError, match=r"files of imagenet100 in .* changed after the run began"):
        load_images(found)
    found = DOMAIN.locate("cifar100", cifar100, Path("unused"))
    batch = cifar100 / cifar100_file.FOLDER / "test"
    batch.write_bytes(batch.read_bytes() + b"more")
    with pytest.raises(DatasetError, match=r"CIFAR-100 in .* cannot be read"):
        load_images(found)


def test_the_content_of_imagenet100_is_that_of_its_files(imagenet100: Path) -> None:
    before = DOMAIN.locate("imagenet100", imagenet100, Path("unused"))
    path = next((imagenet100 / "val" / CLASSES[0]).iterdir())
    data = path.read_bytes()
    path.unlink()  # not the linked original
    path.write_bytes(data + b"\0")
    assert DOMAIN.locate("imagenet100", imagenet100, Path("unused")).content != before.content


def test_an_unreadable_image_is_named(imagenet100: Path) -> None:
    images = load_images(DOMAIN.locate("imagenet100", imagenet100, Path("unused")))
    path = imagenet100 / images.test.ids[2]
    path.unlink()
    path.write_bytes(b"no image")
    with pytest.raises(DatasetError, match=f"{path.name} cannot be read as an image"):
        images.test.source[2]
    for workers in (0, 1):
        with pytest.raises(DatasetError, match=f"^[^\n]*{path.name} cannot be read as an image[^\n]*$"):
            list(Loader(Inputs(images, images.test, 224), EpochBatches(4, 2), torch.device("cpu"), workers))
