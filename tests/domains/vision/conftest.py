"""Small datasets in the formats of the real ones, made on the spot."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest

from resi.domains.vision import VisionDomain
from resi.domains.vision.datasets import cifar100 as cifar100_file
from resi.domains.vision.datasets import imagenet100 as imagenet100_file
from resi.specs import ModelSpec

CLASSES = ("n01440764", "n01443537")
COUNTS = {"train": 10, "val": 5}


def spec_of(
    architecture: str, setting: str = "standard", seed: int = 0, dataset: str = "digits", **changes
) -> ModelSpec:
    """Return a model with the benchmark's hyperparameters but for ``changes``."""
    values = VisionDomain().hyperparameters(architecture, dataset, setting, changes)
    return ModelSpec("vision", dataset, "content", architecture, setting, seed, values, 1)


def write_jpeg(path: Path, label: int, seed: int) -> None:
    """Write a photo-like image: a colour of the class, a gradient, noise."""
    from PIL import Image

    draws = np.random.default_rng([label, seed])
    height, width = draws.integers(40, 90, size=2)
    base = np.linspace(0, 60, width)[None, :, None] + 60 * np.eye(3)[label % 3]
    pixels = np.clip(base + draws.normal(40, 20, (height, width, 3)), 0, 255).astype(np.uint8)
    image = Image.fromarray(pixels)
    path.parent.mkdir(parents=True, exist_ok=True)
    (image.convert("L") if seed == 0 else image).save(path, "JPEG")  # ImageNet has some in grey


@pytest.fixture
def small_imagenet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ImageNet100 have two classes of a few images."""
    monkeypatch.setattr(imagenet100_file, "WNIDS", CLASSES)
    monkeypatch.setattr(imagenet100_file, "IMAGES_PER_CLASS", COUNTS)


@pytest.fixture
def kaggle(tmp_path: Path, small_imagenet: None) -> Path:
    """Return a folder in the layout of the archive: training images in four parts, two of them empty."""
    root = tmp_path / "archive"
    for label, wnid in enumerate(CLASSES):
        for i in range(COUNTS["train"]):
            write_jpeg(root / f"train.X{label + 1}" / wnid / f"{wnid}_{i}.JPEG", label, i)
        for i in range(COUNTS["val"]):
            write_jpeg(root / "val.X" / wnid / f"ILSVRC2012_val_{label}{i}.JPEG", label, 100 + i)
    for part in ("train.X3", "train.X4"):
        (root / part).mkdir()
    (root / "Labels.json").write_text("{}")
    return root


@pytest.fixture
def imagenet100(kaggle: Path, tmp_path: Path) -> Path:
    """Return ImageNet100 as ``resi prepare`` lays it out."""
    from resi.cli.prepare import main

    assert main(["imagenet100", str(kaggle), "--to", str(tmp_path / "Imagenet100")]) == 0
    return tmp_path / "Imagenet100"


@pytest.fixture
def cifar100(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a small CIFAR-100: the official files' format, their hashes put in place of the official."""
    from torchvision.datasets import CIFAR100

    root = tmp_path / "CIFAR100"
    folder = root / cifar100_file.FOLDER
    folder.mkdir(parents=True)
    draws = np.random.default_rng(0)
    names = [f"class {i}" for i in range(100)]
    contents = {"meta": {"fine_label_names": names, "coarse_label_names": names[:20]}}
    for part, count in (("train", 100), ("test", 30)):
        pixels = draws.integers(0, 256, (count, 3 * 32 * 32), dtype=np.uint8)
        fine = [i % 100 for i in range(count)]
        coarse = [label // 5 for label in fine]
        contents[part] = {
            "data": pixels,
            "fine_labels": fine,
            "coarse_labels": coarse,
            "filenames": list(map(str, fine)),
        }
    hashes = {}
    for part, content in contents.items():
        data = pickle.dumps(content)
        (folder / part).write_bytes(data)
        hashes[part] = hashlib.md5(data).hexdigest()
    monkeypatch.setattr(cifar100_file, "FILES", hashes)
    monkeypatch.setattr(CIFAR100, "train_list", [["train", hashes["train"]]])
    monkeypatch.setattr(CIFAR100, "test_list", [["test", hashes["test"]]])
    monkeypatch.setattr(CIFAR100, "meta", {**CIFAR100.meta, "md5": hashes["meta"]})
    return root
