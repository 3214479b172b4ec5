"""Representations: what the layers compute, batch by batch within a limit of memory; published models; whole runs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import resi
from resi.config import compose
from resi.domains.base import Extraction, ModelSpec, ProbeSpec
from resi.domains.vision.architectures import build_model
from resi.domains.vision.designs import DESIGNS, layer_names
from resi.domains.vision.domain import VisionDomain
from resi.domains.vision.images import load_images
from resi.domains.vision.inputs import Inputs
from resi.domains.vision.transforms import normalize
from resi.errors import ArtifactError, BudgetError, DatasetError, UsageError
from resi.groundings import GROUNDINGS
from resi.representations.store import RepresentationStore
from resi.store import Store, TensorStream

CPU = torch.device("cpu")
DOMAIN = VisionDomain()
TINY_NAMES = tuple(name for name in DESIGNS if name.startswith("tiny_"))


@pytest.fixture(scope="module")
def digits():
    return DOMAIN.locate("digits", None, Path("unused"))


def spec_of(architecture: str, setting: str = "standard", dataset: str = "digits", seed: int = 0) -> ModelSpec:
    values = DOMAIN.hyperparameters(architecture, dataset, setting, {})
    return ModelSpec("vision", dataset, "content", architecture, setting, seed, values, 1)


def weights(spec: ModelSpec) -> dict[str, torch.Tensor]:
    """Return weights, and running statistics of batch norm, drawn at random: 1-d ones positive."""
    draws = torch.Generator().manual_seed(0)
    state = build_model(spec.architecture, spec.hyperparameters, 10).state_dict()
    for tensor in state.values():
        if tensor.ndim == 1:
            tensor.uniform_(0.5, 1.5, generator=draws)
        elif tensor.ndim > 1:
            tensor.normal_(std=0.1, generator=draws)
    return state


@pytest.mark.parametrize("architecture", TINY_NAMES)
@torch.no_grad()
def test_one_pass_gives_layers_logits_and_accuracy(digits, architecture: str) -> None:
    spec = spec_of(architecture)
    state = weights(spec)
    probe = ProbeSpec("test", layer_names(architecture))
    found = DOMAIN.extract(spec, state, digits, probe, CPU)
    images = load_images(digits)
    model = build_model(architecture, spec.hyperparameters, 10)
    model.load_state_dict(state)
    model.eval()
    pixels, labels = Inputs(images, images.test, 12).__getitems__([(0, i) for i in range(500)])
    logits = model(normalize(pixels, "digits"))
    torch.testing.assert_close(found.logits, logits, rtol=1e-4, atol=1e-4)
    assert found.accuracy == float((logits.argmax(1) == labels).double().mean())
    assert len(set(found.samples)) == 500
    # The last layer is what the classifier sees.
    last = found.representations[probe.layers[-1]].flatten(1)
    head = model.get_classifier()
    torch.testing.assert_close(head(last), logits, rtol=1e-4, atol=1e-4)
    assert all(tensor.shape[0] == 500 for tensor in found.representations.values())


def test_batches_come_one_by_one_and_are_as_small_as_memory_asks(digits) -> None:
    spec = spec_of("tiny_vgg")
    state = weights(spec)
    probe = ProbeSpec("test", ("0", "4"))
    sizes = {}
    for memory in (10**9, 3 * 10**6):
        pieces = list(DOMAIN.extract_batches(spec, state, digits, probe, CPU, memory))
        sizes[memory] = [len(piece.samples) for piece in pieces]
        assert sum(sizes[memory]) == 500
        joined = torch.cat([piece.representations["0"] for piece in pieces])
        if memory == 10**9:
            whole = joined
        else:
            torch.testing.assert_close(joined, whole, rtol=1e-4, atol=1e-5)
    assert sizes[10**9] == [256, 244]
    assert max(sizes[3 * 10**6]) < 100
    with pytest.raises(BudgetError, match=r"one image takes about .* kB in a forward pass, compare.memory is 1 kB"):
        next(DOMAIN.extract_batches(spec, state, digits, probe, CPU, 1000))


def test_layers_are_stored_as_they_come(digits, tmp_path: Path) -> None:
    spec = spec_of("tiny_vgg")
    state = weights(spec)
    probe = ProbeSpec("test", ("0", "3", "4"))
    store = RepresentationStore(Store(tmp_path))
    load_images(digits)
    store.save(spec, probe, DOMAIN.extract_batches(spec, state, digits, probe, CPU, 2 * 10**6))
    assert store.has(spec, probe)
    whole = DOMAIN.extract(spec, state, digits, probe, CPU)
    for layer in probe.layers:
        opened = store.open(spec, probe, layer)
        assert opened.layout == "nchw"
        torch.testing.assert_close(opened.load(), whole.representations[layer], rtol=1e-4, atol=1e-5)
    logits, about = store.outputs(spec, probe)
    torch.testing.assert_close(logits, whole.logits, rtol=1e-4, atol=1e-4)
    assert about["accuracy"] == pytest.approx(whole.accuracy)


def test_a_batch_is_written_before_the_next_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, probe = spec_of("tiny_vgg"), ProbeSpec("test", ("0",))
    made = 0
    made_when_written: list[int] = []

    def pieces() -> Iterator[Extraction]:
        nonlocal made
        for number in range(5):
            made += 1
            yield Extraction({"0": torch.ones(10, 2)}, torch.zeros(10, 3), 0.5, [f"{number} {i}" for i in range(10)])

    append = TensorStream.append
    monkeypatch.setattr(TensorStream, "append", lambda self, rows: (made_when_written.append(made), append(self, rows)))
    store = RepresentationStore(Store(tmp_path))
    store.save(spec, probe, pieces())
    assert made_when_written == [1, 2, 3, 4, 5]
    assert store.open(spec, probe, "0").size == (50, 2)


EXTRACT = """
import resource, sys
from pathlib import Path
import numpy as np, torch
from resi.domains.base import ProbeSpec
from resi.domains.vision import designs, extraction
from resi.domains.vision.images import Images, InMemory, Split
from resi.representations.store import RepresentationStore
from resi.store import Store
from tests.domains.vision.test_extraction import CPU, DOMAIN, spec_of, weights

# Ten layers, as resnet18 has, narrow enough for a test.
designs.DESIGNS["tiny_resnet"] = designs.ResNetDesign((2, 2, 2, 2), channels=(16,) * 4, stem=16)
torch.set_num_threads(1)
probe = ProbeSpec("test", designs.layer_names("tiny_resnet"))
assert len(probe.layers) == 10
for count in map(int, sys.argv[2:]):
    pixels = np.zeros((count, 12, 12, 3), dtype=np.uint8)
    split = Split([str(i) for i in range(count)], np.zeros(count, dtype=np.int64), InMemory(pixels))
    extraction.load_images = lambda _dataset: Images(split, split, split, classes=10, side=12)
    spec = spec_of("tiny_resnet", seed=count)
    store = RepresentationStore(Store(Path(sys.argv[1])))
    dataset = DOMAIN.locate("digits", None, Path("unused"))
    store.save(spec, probe, DOMAIN.extract_batches(spec, weights(spec), dataset, probe, CPU, 10**9))
    sizes = [store.open(spec, probe, layer).size for layer in probe.layers]
    written = 4 * sum(int(np.prod(size)) for size in sizes)
    print(count, written, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def test_memory_does_not_grow_with_the_number_of_images(tmp_path: Path) -> None:
    words = [sys.executable, "-c", EXTRACT, str(tmp_path), "1000", "10000"]
    done = subprocess.run(words, cwd=Path(__file__).parents[3], check=True, capture_output=True, text=True)
    (few, _, before), (many, written, after) = (map(int, line.split()) for line in done.stdout.splitlines())
    assert (few, many) == (1000, 10_000)
    assert written > 150e6
    assert after - before < written / 5


def test_dots_of_the_probe_set_tell_nothing(digits) -> None:
    spec = spec_of("tiny_vgg", "shortcut_100")
    state = weights(spec)
    plain = DOMAIN.extract(spec, state, digits, DOMAIN.probe("tiny_vgg", "digits", {}, "augmentation"), CPU)
    dotted = DOMAIN.extract(spec, state, digits, DOMAIN.probe("tiny_vgg", "digits", {}, "shortcut"), CPU)
    assert not torch.equal(plain.logits, dotted.logits)
    images = load_images(digits)
    colours = Inputs(images, images.test, 12, dots=0.0).colour_classes()
    assert abs(float((colours == torch.from_numpy(images.test.labels)).double().mean()) - 0.1) < 0.07


def test_seeds_are_those_of_the_benchmark() -> None:
    for protocol in ("corrected", "published"):
        for test in GROUNDINGS:
            ten = test in ("accuracy_correlation", "output_correlation", "layer_monotonicity")
            config = compose(["domain=vision", f"test={test}", "measure=cka", f"protocol={protocol}"])
            assert config.seeds == tuple(range(10 if ten else 5)), test
    assert compose(["domain=vision", "test=layer_monotonicity", "measure=cka", "seeds=[3,1]"]).seeds == (3, 1)
    assert compose(["domain=graph", "test=layer_monotonicity", "measure=cka"]).seeds == tuple(range(5))


def test_layers_are_those_of_the_benchmark() -> None:
    def layers(domain: VisionDomain, architecture: str, test: str) -> tuple[str, ...]:
        return domain.probe(architecture, "imagenet100", {}, test).layers

    published = VisionDomain("published")
    windows = {"resnet18": (5, 9), "resnet34": (12, 17), "resnet101": (29, 34), "vgg11": (4, 8), "vgg19": (11, 16)}
    windows["vit_b32"] = (7, 12)
    for architecture, (first, last) in windows.items():
        expected = tuple(str(number) for number in range(first, last + 1))
        for domain in (DOMAIN, published):
            assert layers(domain, architecture, "layer_monotonicity") == expected
            assert layers(domain, architecture, "augmentation") == expected[-1:]
    assert layers(DOMAIN, "vit_l32", "augmentation") == ("24",)
    assert layers(published, "vit_l32", "augmentation") == ("12",)
    assert layers(published, "vit_l32", "layer_monotonicity") == ("7", "8", "9", "10", "11", "12")


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    """Return a folder with one published checkpoint as the archives have it, of random weights."""
    folder = tmp_path / "zoo" / "unpacked" / "Shortcut__ColorDot_75_C100DataModule__VGG11" / "groupid_3"
    (folder / "checkpoints").mkdir(parents=True)
    torch.manual_seed(0)
    state = build_model("vgg11", {}, 100).state_dict()
    published = {name.replace("head.fc.", "classifier."): tensor for name, tensor in state.items()}
    torch.save(published, folder / "checkpoints" / "final.ckpt")
    (folder / "output.json").write_text(json.dumps({"n_cls": 100, "early_downsampling": False}))
    return tmp_path / "zoo"


def test_a_published_model_is_found_and_read(zoo: Path) -> None:
    spec = spec_of("vgg11", "shortcut_75", "cifar100", seed=3)
    path = DOMAIN.checkpoint(zoo, spec)
    assert path.parts[-4:-1] == ("Shortcut__ColorDot_75_C100DataModule__VGG11", "groupid_3", "checkpoints")
    trained = DOMAIN.read_checkpoint(path.read_bytes(), replace(spec, checkpoint="x"), None, CPU)  # type: ignore[arg-type]
    model = build_model("vgg11", {}, 100)
    model.load_state_dict(trained.state)
    torch.manual_seed(0)
    assert torch.equal(model.head.fc.weight, build_model("vgg11", {}, 100).head.fc.weight)
    with pytest.raises(DatasetError, match=r"VGG11/groupid_4/checkpoints/final.ckpt is missing: .*vision_cifar100"):
        DOMAIN.checkpoint(zoo, replace(spec, seed=4))
    with pytest.raises(UsageError, match="no tiny_vgg on dataset=digits is published, but resnet18"):
        DOMAIN.checkpoint(zoo, spec_of("tiny_vgg"))
    for content in (b"", path.read_bytes()[:1000]):
        with pytest.raises(ArtifactError, match="cannot be read as a checkpoint"):
            DOMAIN.read_checkpoint(content, spec, None, CPU)  # type: ignore[arg-type]
    (path.parents[1] / "output.json").write_text(json.dumps({"n_cls": 10}))
    with pytest.raises(DatasetError, match=r"output.json has n_cls=10; published networks on cifar100 have 100"):
        DOMAIN.checkpoint(zoo, spec)


def test_published_resnets_pool_a_corner_on_imagenet100_alone() -> None:
    from resi.domains.vision.published import as_built

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
    from resi.domains.vision.published import published_folder

    assert published_folder(spec_of("resnet18", setting, dataset, seed=7), "ResNet18") == f"{folder}/groupid_7"


QUICK = [
    "domain=vision",
    "model=tiny_vgg",
    "model.tiny_vgg.epochs=1",
    "seeds=[0,1]",
    "groups=2",
    "measure=[cka,jaccard]",
]


@pytest.mark.parametrize(
    ("test", "metric"),
    [
        ("augmentation", "auprc"),
        ("shortcut", "auprc"),
        ("label_randomization", "auprc"),
        ("layer_monotonicity", "spearman"),
    ],
)
def test_a_run_trains_compares_and_scores(tmp_path: Path, test: str, metric: str) -> None:
    result = resi.run([*QUICK, f"test={test}", f"root={tmp_path}", "compare.threads=1"])
    assert set(result.comparisons["status"]) == {"ok"}
    assert metric in set(result.scores["metric"])
    again = resi.run([*QUICK, f"test={test}", f"root={tmp_path}", "compare.threads=1"])
    assert again.reused


def test_the_output_test_needs_three_models(tmp_path: Path) -> None:
    words = [*QUICK, "seeds=[0,1,2]", "test=output_correlation", f"root={tmp_path}", "compare.threads=1"]
    result = resi.run(words)
    assert set(result.comparisons["status"]) == {"ok"}
    assert {"cka", "jsd", "disagreement"} <= set(result.comparisons["measure"])


def test_the_published_protocol_compares_the_published_rows() -> None:
    words = ["domain=vision", "model=tiny_vgg", "measure=[cka,jaccard]"]
    from resi.steps.plan import make_plan

    own, published = (make_plan(compose([*words, f"protocol={name}"])) for name in ("corrected", "published"))
    assert (own.sampling, published.sampling) == ("spread", "strided")
    keys = [{c.measure: c.key for c in plan.comparisons[:1] + plan.comparisons[-1:]} for plan in (own, published)]
    assert keys[0]["cka"] == keys[1]["cka"]  # one row a sample, whatever the cells
    assert keys[0]["jaccard"] != keys[1]["jaccard"]
