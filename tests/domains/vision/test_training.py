"""Training: models learn what they are given, their seed decides them, and a stopped training goes on."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from resi.domains.vision import training
from resi.domains.vision.domain import VisionDomain
from resi.domains.vision.loading import load_images
from resi.domains.vision.lookup import image_network
from resi.domains.vision.training import initial_model, learning_rate, train
from resi.errors import ArtifactError, DatasetError, TrainingError, UsageError
from resi.specs import ModelSpec, ProbeSpec, Trained
from tests.domains.passes import extracted
from tests.domains.vision.conftest import spec_of
from tests.faults.running import LONG

REPOSITORY = Path(__file__).parents[3]
CPU = torch.device("cpu")
DOMAIN = VisionDomain()


@pytest.fixture(scope="module")
def digits():
    return DOMAIN.locate("digits", None, Path("unused"))


@pytest.fixture
def every_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the state after every epoch, however short."""
    monkeypatch.setattr("resi.domains.vision.unfinished.SAVE_SECONDS", 0.0)


def test_a_model_learns(digits) -> None:
    found = train(spec_of("tiny_vgg", "augmentation_25", epochs=3), digits, CPU)
    assert found.accuracies["test"] > 0.85  # ten classes, three epochs
    assert set(found.accuracies) == {"train", "validation", "test"}


def test_a_model_with_a_perfect_shortcut_follows_the_dot(digits) -> None:
    follows = train(spec_of("tiny_vgg", "shortcut_100", epochs=5), digits, CPU).accuracies
    assert follows["test"] > 0.95
    assert follows["test_dots_followed"] > 0.7
    ignores = train(spec_of("tiny_vgg", "shortcut_0", epochs=6), digits, CPU).accuracies
    assert ignores["test_dots"] > 0.5  # chance is 0.1
    assert ignores["test_dots_followed"] < 0.2


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_stopped_training_ends_with_the_same_weights(
    digits, tmp_path: Path, every_epoch: None, optimizer: str
) -> None:
    architecture = {"sgd": "tiny_vgg", "adamw": "tiny_vit"}[optimizer]
    changes = {"epochs": 3, "batch_size": 128, "optimizer": optimizer, "warmup_epochs": 1, "learning_rate": 1e-3}
    spec = spec_of(architecture, "augmentation_50", **changes)
    whole = train(spec, digits, CPU)
    unfinished = tmp_path / "unfinished.safetensors"

    def stop(_report: object, epoch: int, _loss: float) -> None:
        if epoch == 2:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(training._Report, "__call__", stop)
        train(spec, digits, CPU, unfinished)
    epochs: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training._Report, "__call__", lambda _self, epoch, _loss: epochs.append(epoch))
        resumed = train(spec, digits, CPU, unfinished)
    assert epochs == [2]
    assert resumed.accuracies == whole.accuracies
    for name, tensor in whole.state.items():
        assert torch.equal(tensor, resumed.state[name]), name


@pytest.fixture(scope="module")
def states(digits, tmp_path_factory: pytest.TempPathFactory) -> tuple[ModelSpec, Trained, bytes, bytes]:
    """Return a model, how its training ends, the state before its end, and that of another model's training."""
    folder = tmp_path_factory.mktemp("states")
    spec = spec_of("tiny_vgg", epochs=2, batch_size=128)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("resi.domains.vision.unfinished.SAVE_SECONDS", 0.0)
        whole = train(spec, digits, CPU, folder / "unfinished")
        train(spec_of("tiny_vgg", seed=1, epochs=1, batch_size=128), digits, CPU, folder / "other")
    return spec, whole, (folder / "unfinished").read_bytes(), (folder / "other").read_bytes()


@pytest.mark.parametrize("damage", ["a flipped bit", "cut short", "another model's"])
def test_a_state_that_is_not_as_it_was_written_is_set_aside_and_training_begins_again(
    damage: str,
    digits,
    states: tuple[ModelSpec, Trained, bytes, bytes],
    tmp_path: Path,
    every_epoch: None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    spec, whole, unfinished, other = states
    content = bytearray(unfinished)
    if damage == "a flipped bit":
        content[-100] ^= 1
    elif damage == "cut short":
        del content[-100:]
    else:
        content = bytearray(other)
    (tmp_path / "unfinished.safetensors").write_bytes(content)
    epochs: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training._Report, "__call__", lambda _self, epoch, _loss: epochs.append(epoch))
        again = train(spec, digits, CPU, tmp_path / "unfinished.safetensors")
    assert epochs == [0, 1]
    assert again.accuracies == whole.accuracies
    assert all(torch.equal(tensor, again.state[name]) for name, tensor in whole.state.items())
    assert (tmp_path / "unfinished.safetensors.damaged").read_bytes() == content
    assert "It is set aside, and the training starts again." in capsys.readouterr().err


TRAIN = """
import sys, torch
from pathlib import Path
from resi.domains.vision import unfinished
from resi.domains.vision.datasets import imagenet100
from tests.domains.vision.conftest import CLASSES, COUNTS
from tests.domains.vision.test_training import CPU, DOMAIN, full_size
imagenet100.WNIDS, imagenet100.IMAGES_PER_CLASS = CLASSES, COUNTS
unfinished.SAVE_SECONDS = 0.0
torch.set_num_threads(int(sys.argv[3]))
dataset = DOMAIN.locate("imagenet100", Path(sys.argv[1]), Path("unused"))
DOMAIN.train(full_size(), dataset, CPU, Path(sys.argv[2]))
"""


def full_size() -> ModelSpec:
    return spec_of("resnet18", dataset="imagenet100", epochs=2, batch_size=9)


@LONG
def test_a_killed_training_of_a_full_size_network_goes_on_to_the_weights_of_an_uninterrupted_one(
    imagenet100: Path, tmp_path: Path, every_epoch: None
) -> None:
    unfinished = tmp_path / "unfinished.safetensors"
    words = [sys.executable, "-c", TRAIN, str(imagenet100), str(unfinished), str(torch.get_num_threads())]
    job = subprocess.Popen(words, cwd=REPOSITORY)
    deadline = time.monotonic() + 300
    while not unfinished.is_file() and time.monotonic() < deadline and job.poll() is None:
        time.sleep(0.05)
    job.send_signal(signal.SIGKILL)  # in the middle of the second epoch
    assert job.wait() == -signal.SIGKILL
    # The state was renamed into place as a whole; what the kill interrupted has another name.
    assert len(list(tmp_path.glob("*.safetensors"))) == 1
    load_images.cache_clear()
    dataset = DOMAIN.locate("imagenet100", imagenet100, Path("unused"))
    losses: dict[int, float] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training._Report, "__call__", lambda _self, epoch, loss: losses.update({epoch: loss}))
        resumed = train(full_size(), dataset, CPU, unfinished)
    assert list(losses) == [1]
    # Without a stop, and with the images read in this process.
    whole = train(full_size(), dataset, CPU, workers=0)
    assert resumed.accuracies == whole.accuracies
    for name, tensor in whole.state.items():
        assert torch.equal(tensor, resumed.state[name]), name
    probe = ProbeSpec("test", tuple(image_network("resnet18").layers("resnet18")))
    found = extracted(DOMAIN.extract, full_size(), resumed.state, dataset, probe)
    sizes = [tuple(found.representations[layer].shape) for layer in probe.layers]
    assert sizes[0] == (10, 64, 7, 7)
    assert sizes[-1] == (10, 512, 1, 1)
    assert found.accuracy == resumed.accuracies["test"]


def test_the_schedule_rises_over_the_warm_up_and_falls_to_zero() -> None:
    values = {"learning_rate": 3e-3, "warmup_epochs": 35, "epochs": 300}
    rates = [learning_rate(epoch, values) for epoch in range(301)]
    assert rates[0] == 0
    assert rates[1] == pytest.approx(3e-3 / 34)
    assert rates[34] == rates[35] == pytest.approx(3e-3)
    assert rates[300] == pytest.approx(0)
    torch_schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
        torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1), T_max=200
    )
    plain = {"learning_rate": 0.1, "warmup_epochs": 0, "epochs": 200}
    for epoch in range(200):
        assert learning_rate(epoch, plain) == pytest.approx(torch_schedule.get_last_lr()[0], rel=1e-6, abs=1e-9)
        torch_schedule.optimizer.step()
        torch_schedule.step()


def test_accumulated_batches_make_the_step_of_one_large_batch(digits) -> None:
    # Without batch norm, whose statistics are those of the small batches.
    common = {"epochs": 1, "optimizer": "sgd", "warmup_epochs": 0}
    large = train(spec_of("tiny_vit", batch_size=1097, **common), digits, CPU)
    small = train(spec_of("tiny_vit", batch_size=549, accumulation=2, **common), digits, CPU)
    for name, tensor in large.state.items():
        # 549 and 548 images count alike, where one large batch weighs every image the same.
        torch.testing.assert_close(small.state[name], tensor, rtol=1e-2, atol=1e-3, msg=name)


def test_label_smoothing_and_clipping_are_off_unless_asked_for(digits) -> None:
    plain = spec_of("tiny_vgg", epochs=1)
    assert plain.hyperparameters["label_smoothing"] == plain.hyperparameters["clip_gradient_norm"] == 0
    states = [train(plain, digits, CPU).state] + [
        train(spec_of("tiny_vgg", epochs=1, **{name: 0.1}), digits, CPU).state
        for name in ("label_smoothing", "clip_gradient_norm")
    ]
    weights = [state["features.0.weight"] for state in states]
    assert not torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_a_loss_that_is_no_number_ends_the_training(digits) -> None:
    with pytest.raises(
        TrainingError, match=r"tiny_vgg on digits, standard, seed 0 failed in epoch 1: its loss is (nan|inf)"
    ):
        train(spec_of("tiny_vgg", epochs=2, learning_rate=1e30), digits, CPU)


def no_network(_repository: str, _name: str) -> str:
    raise OSError("no network")


def test_a_vit_starts_from_the_weights_of_a_local_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from safetensors.torch import save_file

    transformers = pytest.importorskip("transformers")
    config = transformers.ViTConfig(
        hidden_size=48, num_hidden_layers=4, num_attention_heads=4, intermediate_size=192, image_size=12, patch_size=4,
    )  # fmt: skip
    plain = transformers.ViTModel(config)  # with a pooler, as the published weights
    save_file(
        {name: tensor.contiguous() for name, tensor in plain.state_dict().items()}, tmp_path / "model.safetensors"
    )
    spec = spec_of("tiny_vit", pretrained=str(tmp_path))
    assert spec.hyperparameters["pretrained_sha256"]
    model = initial_model(spec, 10)
    query = dict(plain.named_parameters())[
        next(n for n, _ in plain.named_parameters() if "q_proj.weight" in n or "query.weight" in n)
    ]
    assert torch.equal(model.blocks[0].attn.qkv.weight[:48], query)
    scratch = initial_model(spec_of("tiny_vit"), 10)
    assert torch.equal(model.head.weight, scratch.head.weight)
    with pytest.raises(UsageError, match=r"holds no weights: expected model.safetensors or pytorch_model.bin"):
        spec_of("tiny_vit", pretrained=str(tmp_path.parent))
    save_file({name: tensor + 1 for name, tensor in plain.state_dict().items()}, tmp_path / "model.safetensors")
    with pytest.raises(
        ArtifactError, match=r"model.safetensors cannot be used: it changed after the run began; run again"
    ):
        initial_model(spec, 10)
    (tmp_path / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(ArtifactError, match=r"the pre-trained weights .*model.safetensors cannot be used: "):
        initial_model(spec, 10)
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(ArtifactError, match=r"pytorch_model.bin cannot be used: cannot be read as a checkpoint"):
        initial_model(spec, 10)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", no_network)
    with pytest.raises(DatasetError, match=r"nobody/nothing cannot be downloaded .*put model.safetensors"):
        initial_model(spec_of("tiny_vit", pretrained="nobody/nothing"), 10)


@pytest.mark.parametrize(
    ("architecture", "dataset", "changes", "message"),
    [
        ("tiny_vgg", "cifar100", {}, "model=tiny_vgg is for dataset=digits; on cifar100 choose from resnet18"),
        ("vit_b32", "digits", {}, "model=vit_b32 does not take images of dataset=digits; choose tiny_vit"),
        ("vgg11", "digits", {}, "vgg11 halves images five times"),
        ("resnet18", "cifar100", {"head_pooling": "corner"}, "only models of dataset=imagenet100 have it"),
        ("resnet18", "cifar100", {"pretrained": "x"}, "model.resnet18.pretrained: unknown; resnet18 has epochs"),
        ("resnet18", "cifar100", {"optimizer": "adam"}, "unknown optimizer of resnet18 'adam'; did you mean adamw"),
        ("resnet18", "cifar100", {"batch_size": 1}, "model.resnet18.batch_size=1: expected a number from 2"),
        ("resnet18", "cifar100", {"label_smoothing": 1.0}, "expected a number from 0 to below 1"),
    ],
)
def test_what_does_not_fit_is_said(architecture: str, dataset: str, changes: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        spec_of(architecture, dataset=dataset, **changes)


def test_recipes_are_the_published_ones() -> None:
    cnn = DOMAIN.hyperparameters("resnet34", "imagenet100", "standard", {})
    assert (cnn["epochs"], cnn["learning_rate"], cnn["weight_decay"], cnn["optimizer"]) == (200, 0.1, 4e-5, "sgd")
    assert cnn["early_downsampling"]
    assert cnn["head_pooling"] == "global"
    vit = DOMAIN.hyperparameters("vit_b32", "imagenet100", "standard", {})
    assert (vit["epochs"], vit["learning_rate"], vit["weight_decay"], vit["optimizer"]) == (300, 3e-3, 0.1, "adamw")
    assert vit["batch_size"] * vit["accumulation"] == 512
    assert vit["pretrained"] == "google/vit-base-patch32-224-in21k"
    small = DOMAIN.hyperparameters("vit_l32", "cifar100", "standard", {})
    assert (small["optimizer"], small["weight_decay"], small["image_size"]) == ("sgd", 5e-4, 224)
    assert small["normalization"] == "cifar100"
    published = VisionDomain("published")
    assert published.hyperparameters("vgg11", "cifar100", "standard", {})["normalization"] == "cifar10"
    assert published.hyperparameters("vgg11", "cifar100", "shortcut_75", {})["shortcut_coins"] == 2
