"""What a caller's program has switched on changes no weight and no representation, and is as it was afterwards."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from resi.domains.arithmetic import SWITCHES, plain_networks
from resi.domains.graph import GraphDomain
from resi.domains.graph.loading import load_graph
from resi.domains.language import LanguageDomain
from resi.domains.vision import VisionDomain
from resi.specs import DatasetSpec, Extraction, ForwardPass, ModelSpec, ProbeSpec

from .language.conftest import small_sst2  # noqa: F401 - a fixture

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from resi.domains.base import Domain

CPU = torch.device("cpu")


class Case:
    """A model that is trained and looked at in a fresh process; its numbers there."""

    def __init__(self, domain: Domain, dataset: DatasetSpec, architecture: str, setting: str, **changes: Any) -> None:
        self.domain, self.dataset = domain, dataset
        values = domain.hyperparameters(architecture, dataset.name, setting, changes)
        self.spec = ModelSpec(domain.name, dataset.name, dataset.content, architecture, setting, 0, values, 1)
        self.probe: ProbeSpec = domain.probe(architecture, dataset.name, values, "layer_monotonicity")
        self.weights, self.piece = self.run()

    def run(self) -> tuple[dict[str, torch.Tensor], Extraction]:
        trained = self.domain.train(self.spec, self.dataset, CPU)
        pieces = self.domain.extract(ForwardPass(self.spec, trained.state, self.dataset, self.probe, CPU, 10**9))
        return dict(trained.state), next(iter(pieces))

    def check(self) -> None:
        weights, piece = self.run()
        for name, tensor in self.weights.items():
            assert torch.equal(weights[name], tensor), name
            assert weights[name].dtype == tensor.dtype
        for layer, tensor in self.piece.representations.items():
            assert torch.equal(piece.representations[layer], tensor), layer
        assert torch.equal(piece.logits, self.piece.logits)
        assert piece.accuracy == self.piece.accuracy


@pytest.fixture(scope="module")
def graph() -> Case:
    domain = GraphDomain()
    # A shortcut, whose features are made when it is trained.
    return Case(domain, domain.locate("digits_knn", None, Path()), "gcn", "shortcut_50", epochs=2)


@pytest.fixture(scope="module")
def vision() -> Case:
    domain = VisionDomain()
    dataset = domain.locate("digits", None, Path())
    return Case(domain, dataset, "tiny_vit", "standard", epochs=1, batch_size=512)


@pytest.fixture(scope="module")
def language(small_sst2: DatasetSpec) -> Case:  # noqa: F811 - the fixture
    return Case(LanguageDomain(), small_sst2, "bert_tiny", "standard", max_steps=2, batch_size=8)


def products_in_half_precision() -> None:
    torch.set_float32_matmul_precision("medium")


def convolutions() -> Any:
    """Return the switch of convolutions, which older versions of torch lack."""
    return getattr(torch.backends.mkldnn, "conv", SimpleNamespace(fp32_precision=""))


def convolutions_in_half_precision() -> None:
    convolutions().fp32_precision = "bf16"


def everything_of_the_process() -> None:
    torch.set_default_dtype(torch.float64)
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.deterministic = torch.backends.cudnn.benchmark = True
    torch.backends.mkldnn.enabled = False
    torch.backends.cuda.enable_flash_sdp(False)
    torch.backends.cuda.enable_mem_efficient_sdp(False)


SWITCHED = {
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "default_device": lambda: torch.device("meta"),
    "numpy": lambda: np.errstate(all="raise"),
    "products": lambda: of_process(products_in_half_precision),
    "convolutions": lambda: of_process(convolutions_in_half_precision),
    "process": lambda: of_process(everything_of_the_process),
}


@contextlib.contextmanager
def of_process(turn: Callable[[], None]) -> Iterator[None]:
    before = [switch.read() for switch in SWITCHES]
    turn()
    try:
        yield
    finally:
        torch.set_float32_matmul_precision("highest")
        convolutions().fp32_precision = "none"
        for switch, value in zip(SWITCHES, before, strict=True):
            switch.turn(value)


def states() -> list[object]:
    return [
        *(switch.read() for switch in SWITCHES),
        torch.is_autocast_enabled("cpu"),
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.get_default_device(),
        torch.get_num_threads(),
        torch.get_float32_matmul_precision(),
        convolutions().fp32_precision,
        torch.default_generator.get_state().numpy().tobytes(),
        np.geterr(),
        np.random.get_state()[1].tobytes(),
    ]


@pytest.mark.parametrize("switched", SWITCHED)
def test_what_is_switched_on_changes_no_weights_and_no_representations(switched: str, graph: Case) -> None:
    with SWITCHED[switched]():
        before = states()
        graph.check()
        assert states() == before


@pytest.mark.parametrize("domain", ["graph", "vision", "language"])
def test_what_is_switched_on_together_changes_nothing(domain: str, request: pytest.FixtureRequest) -> None:
    case: Case = request.getfixturevalue(domain)
    with contextlib.ExitStack() as stack:
        for switched in SWITCHED.values():
            stack.enter_context(switched())
        before = states()
        load_graph.cache_clear()
        case.check()
        assert states() == before


def test_the_state_is_the_callers_own_between_pieces(vision: Case) -> None:
    with torch.autocast("cpu", torch.bfloat16), torch.inference_mode(), of_process(everything_of_the_process):
        before = states()
        pieces = vision.domain.extract(
            ForwardPass(vision.spec, vision.weights, vision.dataset, vision.probe, CPU, 10**6)
        )
        for _ in zip(pieces, range(3), strict=False):
            assert states() == before


def test_accelerate_is_as_it_was_and_chooses_no_precision(language: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    AcceleratorState._reset_state(reset_partial_state=True)
    try:
        mine = Accelerator(cpu=True)
        language.check()
        assert mine.mixed_precision == "bf16"
        assert mine.state.device.type == "cpu"
        assert os.environ["ACCELERATE_MIXED_PRECISION"] == "bf16"
    finally:
        AcceleratorState._reset_state(reset_partial_state=True)


def test_the_last_of_several_threads_puts_things_back() -> None:
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with plain_networks(CPU):
            entered.set()
            leave.wait(10)

    with of_process(everything_of_the_process):
        thread = threading.Thread(target=hold)
        with plain_networks(CPU):
            thread.start()
            entered.wait(10)
        assert torch.get_default_dtype() == torch.float32
        leave.set()
        thread.join()
        assert torch.get_default_dtype() == torch.float64
        assert torch.are_deterministic_algorithms_enabled()
