"""Representations: what the layers compute, batch by batch within a limit of memory."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from resi.domains.vision.domain import VisionDomain
from resi.domains.vision.inputs import Inputs, normalize
from resi.domains.vision.loading import load_images
from resi.domains.vision.lookup import image_network
from resi.errors import BudgetError
from resi.specs import Extraction, ForwardPass, ModelSpec, ProbeSpec
from resi.store.representations import RepresentationStore
from resi.store.root import Store
from resi.store.streams import TensorStream
from tests.domains.passes import extracted
from tests.domains.vision.conftest import spec_of

CPU = torch.device("cpu")
DOMAIN = VisionDomain()
TINY_NAMES = tuple(item.name for item in DOMAIN.architectures() if item.name.startswith("tiny_"))


@pytest.fixture(scope="module")
def digits():
    return DOMAIN.locate("digits", None, Path("unused"))


def weights(spec: ModelSpec) -> dict[str, torch.Tensor]:
    """Return weights, and running statistics of batch norm, drawn at random: 1-d ones positive."""
    draws = torch.Generator().manual_seed(0)
    state = image_network(spec.architecture).build(spec.architecture, spec.hyperparameters, 10).state_dict()
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
    probe = ProbeSpec("test", tuple(image_network(architecture).layers(architecture)))
    found = extracted(DOMAIN.extract, spec, state, digits, probe)
    images = load_images(digits)
    model = image_network(architecture).build(architecture, spec.hyperparameters, 10)
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
        pieces = list(DOMAIN.extract(ForwardPass(spec, state, digits, probe, CPU, memory)))
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
        next(DOMAIN.extract(ForwardPass(spec, state, digits, probe, CPU, 1000)))


def test_layers_are_stored_as_they_come(digits, tmp_path: Path) -> None:
    spec = spec_of("tiny_vgg")
    state = weights(spec)
    probe = ProbeSpec("test", ("0", "3", "4"))
    store = RepresentationStore(Store(tmp_path))
    load_images(digits)
    store.save(spec, probe, DOMAIN.extract(ForwardPass(spec, state, digits, probe, CPU, 2 * 10**6)))
    assert store.has(spec, probe)
    whole = extracted(DOMAIN.extract, spec, state, digits, probe)
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


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_the_precision_of_the_forward_pass_is_stored(tmp_path: Path, dtype: torch.dtype) -> None:
    spec, probe = spec_of("tiny_vgg"), ProbeSpec("test", ("0",))
    store = RepresentationStore(Store(tmp_path))
    batch = torch.ones(2, 3, dtype=dtype)
    store.save(spec, probe, [Extraction({"0": batch}, torch.zeros(2, 3), 0.5, ["a", "b"])])
    opened = store.open(spec, probe, "0")
    assert opened.dtype == str(dtype).removeprefix("torch.")
    assert opened.load().dtype == torch.float32


EXTRACT = """
import resource, sys
from pathlib import Path
import numpy as np, torch
from resi.specs import ForwardPass, ProbeSpec
from resi.domains.vision import extraction
from resi.domains.vision.images import Images, InMemory, Split
from resi.domains.vision.networks.resnet import ResNet, ResNetArchitecture
from resi.store.representations import RepresentationStore
from resi.store.root import Store
from tests.domains.vision.conftest import spec_of
from tests.domains.vision.test_extraction import CPU, DOMAIN, weights

# Ten layers, as resnet18 has, narrow enough for a test.
ResNet.architectures = (
    ResNetArchitecture("tiny_resnet", "", "", "", blocks=(2, 2, 2, 2), channels=(16,) * 4, stem=16, largest_image=16),
)
torch.set_num_threads(1)
probe = ProbeSpec("test", tuple(map(str, range(10))))
assert probe.layers == tuple(ResNet().layers("tiny_resnet"))
for count in map(int, sys.argv[2:]):
    pixels = np.zeros((count, 12, 12, 3), dtype=np.uint8)
    split = Split([str(i) for i in range(count)], np.zeros(count, dtype=np.int64), InMemory(pixels))
    extraction.load_images = lambda _dataset: Images(split, split, split, classes=10, side=12, dot_diameter=3)
    spec = spec_of("tiny_resnet", seed=count)
    store = RepresentationStore(Store(Path(sys.argv[1])))
    dataset = DOMAIN.locate("digits", None, Path("unused"))
    store.save(spec, probe, DOMAIN.extract(ForwardPass(spec, weights(spec), dataset, probe, CPU, 10**9)))
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
    plain = extracted(DOMAIN.extract, spec, state, digits, DOMAIN.probe("tiny_vgg", "digits", {}, "augmentation"))
    dotted = extracted(DOMAIN.extract, spec, state, digits, DOMAIN.probe("tiny_vgg", "digits", {}, "shortcut"))
    assert not torch.equal(plain.logits, dotted.logits)
    images = load_images(digits)
    colours = Inputs(images, images.test, 12, dots=0.0).colour_classes()
    assert abs(float((colours == torch.from_numpy(images.test.labels)).double().mean()) - 0.1) < 0.07


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
