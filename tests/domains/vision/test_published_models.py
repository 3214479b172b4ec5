"""The published checkpoints: where they lie, and what their networks are built from."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from resi.domains.vision.domain import VisionDomain
from resi.domains.vision.networks.vgg import VGG
from resi.domains.vision.published import as_built, published_folder
from resi.errors import ArtifactError, CheckpointError, DatasetError, UsageError
from tests.domains.vision.conftest import spec_of

CPU = torch.device("cpu")
DOMAIN = VisionDomain()


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    """Return a folder with one published checkpoint as the archives have it, of random weights."""
    folder = tmp_path / "zoo" / "unpacked" / "Shortcut__ColorDot_75_C100DataModule__VGG11" / "groupid_3"
    (folder / "checkpoints").mkdir(parents=True)
    torch.manual_seed(0)
    state = VGG().build("vgg11", {}, 100).state_dict()
    published = {name.replace("head.fc.", "classifier."): tensor for name, tensor in state.items()}
    torch.save(published, folder / "checkpoints" / "final.ckpt")
    (folder / "output.json").write_text(json.dumps({"n_cls": 100, "early_downsampling": False}))
    return tmp_path / "zoo"


def test_a_published_model_is_found_and_read(zoo: Path) -> None:
    spec = spec_of("vgg11", "shortcut_75", 3, "cifar100")
    path = DOMAIN.checkpoint(zoo, spec)
    assert path.parts[-4:-1] == ("Shortcut__ColorDot_75_C100DataModule__VGG11", "groupid_3", "checkpoints")
    trained = DOMAIN.read_checkpoint(path.read_bytes(), replace(spec, checkpoint="x"), None, CPU)  # type: ignore[arg-type]
    model = VGG().build("vgg11", {}, 100)
    model.load_state_dict(trained.state)
    torch.manual_seed(0)
    assert torch.equal(model.head.fc.weight, VGG().build("vgg11", {}, 100).head.fc.weight)
    with pytest.raises(DatasetError, match=r"VGG11/groupid_4/checkpoints/final.ckpt is missing: .*vision_cifar100"):
        DOMAIN.checkpoint(zoo, replace(spec, seed=4))
    with pytest.raises(UsageError, match="no tiny_vgg on dataset=digits is published, but resnet18"):
        DOMAIN.checkpoint(zoo, spec_of("tiny_vgg"))
    for content in (b"", path.read_bytes()[:1000]):
        with pytest.raises(ArtifactError, match="cannot be read as a checkpoint"):
            DOMAIN.read_checkpoint(content, spec, None, CPU)  # type: ignore[arg-type]
    (path.parents[1] / "output.json").write_text(json.dumps({"n_cls": 10}))
    with pytest.raises(CheckpointError, match=r"output.json has n_cls=10; published networks on cifar100 have 100"):
        DOMAIN.checkpoint(zoo, spec)
    for content, message in (("[]", "does not say what the published vgg11"), ("{", "cannot be read")):
        (path.parents[1] / "output.json").write_text(content)
        with pytest.raises(CheckpointError, match=rf"output.json {message}"):
            DOMAIN.checkpoint(zoo, spec)


def test_published_resnets_pool_a_corner_on_imagenet100_alone() -> None:
    for dataset, pooling, statistics in (("imagenet100", "corner", "imagenet"), ("cifar100", "global", "cifar10")):
        own = spec_of("resnet18", dataset=dataset)
        assert as_built(own)["head_pooling"] == "global"
        built = as_built(replace(own, checkpoint="x"))
        assert (built["head_pooling"], built["normalization"]) == (pooling, statistics)


@pytest.mark.parametrize(
    ("setting", "dataset", "folder"),
    [
        ("standard", "imagenet100", "Normal__ImageNet100__ResNet18"),
        ("augmentation_100", "imagenet100", "GaussNoise__Gauss_Max_ImageNet100DataModule__ResNet18"),
        ("augmentation_25", "cifar100", "GaussNoise__Gauss_S_CIFAR100DataModule__ResNet18"),
        ("augmentation_0", "cifar100", "GaussNoise__Gauss_Off_CIFAR100DataModule__ResNet18"),
        ("shortcut_0", "imagenet100", "Shortcut__ColorDot_0_ImageNet100DataModule__ResNet18"),
        ("label_randomization_50", "imagenet100", "Randomlabel__RandomLabel_50_IN100_DataModule__ResNet18"),
        ("label_randomization_75", "cifar100", "Randomlabel__RandomLabel_75_C100_DataModule__ResNet18"),
    ],
)
def test_published_folders_have_the_published_names(setting: str, dataset: str, folder: str) -> None:
    assert published_folder(spec_of("resnet18", setting, 7, dataset)) == f"{folder}/groupid_7"
