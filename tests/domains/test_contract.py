"""Every registered domain keeps the contract of domains."""

from __future__ import annotations

import random
from abc import abstractmethod
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
import torch

from resi import registry
from resi.domains.graph import GraphDomain
from resi.errors import UsageError
from resi.testing import DomainCheckError, check_domain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from resi.specs import DatasetSpec, Extraction, ForwardPass, ModelSpec

SHORT: dict[str, dict[str, Any]] = {
    "graph": {"epochs": 4},
    "language": {"max_steps": 4, "checkpoint_every": 2},
    "vision": {"epochs": 2, "batch_size": 256},
}


# Where models train in no time, each is checked in every way.
ALONE = [("graph", (model,)) for model in GraphDomain.default_models]


@pytest.mark.parametrize(
    ("name", "models"), [*((name, None) for name in registry.domains() if name != "graph"), *ALONE]
)
def test_a_registered_domain_keeps_its_contract(
    name: str, models: tuple[str, ...] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resi.domains.vision.unfinished.SAVE_SECONDS", 0.0)  # so that a stop leaves something
    check_domain(registry.domains().get(name), SHORT.get(name), models)


class Dropping(GraphDomain):
    """Loses the last row of a layer."""

    def extract(self, run: ForwardPass) -> Iterator[Extraction]:
        for piece in super().extract(run):
            yield replace(piece, representations={name: rows[:-1] for name, rows in piece.representations.items()})


class Wavering(GraphDomain):
    """Gives other numbers every time."""

    def extract(self, run: ForwardPass) -> Iterator[Extraction]:
        for piece in super().extract(run):
            yield replace(piece, logits=piece.logits + torch.rand(1))


class Crowded(GraphDomain):
    """Gives other numbers in little memory."""

    def extract(self, run: ForwardPass) -> Iterator[Extraction]:
        for piece in super().extract(run):
            yield piece if run.memory == 10**9 else replace(piece, logits=piece.logits * 1.1)


class Renaming(GraphDomain):
    """Gives each model's samples ids of their own."""

    def extract(self, run: ForwardPass) -> Iterator[Extraction]:
        for piece in super().extract(run):
            yield replace(piece, samples=[f"{run.model.seed} {sample}" for sample in piece.samples])


class Repeating(GraphDomain):
    """Gives two samples one id."""

    def extract(self, run: ForwardPass) -> Iterator[Extraction]:
        for piece in super().extract(run):
            yield replace(piece, samples=[piece.samples[1], *piece.samples[1:]])


class Lacking(GraphDomain):
    """Leaves the first layer out."""

    def extract(self, run: ForwardPass) -> Iterator[Extraction]:
        for piece in super().extract(run):
            yield replace(piece, representations=dict(list(piece.representations.items())[1:]))


class Misjudging(GraphDomain):
    """Plans with another size than layers have."""

    def representation_size(self, architecture: str, dataset: str, hyperparameters: Mapping[str, Any]):
        rows, width = super().representation_size(architecture, dataset, hyperparameters)
        return rows, width + 1


class Training(GraphDomain):
    """A domain whose trained weights are altered by one number."""

    def train(self, spec: ModelSpec, dataset: DatasetSpec, device: torch.device, unfinished: Path | None = None):
        trained = super().train(spec, dataset, device, unfinished)
        name = "convs.0.bias"
        return replace(trained, state={**trained.state, name: trained.state[name] + self.added(unfinished)})

    @abstractmethod
    def added(self, unfinished: Path | None) -> float:
        """Return what is added to it."""


class AskingForTheSeed(Training):
    def added(self, unfinished: Path | None) -> float:
        return float(torch.initial_seed() % 1000)


class Drawing(Training):
    def added(self, unfinished: Path | None) -> float:
        return random.random()


class Breaking(Training):
    def added(self, unfinished: Path | None) -> float:
        return float("nan")


class ContinuingElsewhere(Training):
    def added(self, unfinished: Path | None) -> float:
        return 0.0 if unfinished is None else 1.0


class SwitchingFlags(Training):
    def added(self, unfinished: Path | None) -> float:
        torch.set_float32_matmul_precision("medium")
        return 0.0


class Seedless(GraphDomain):
    """Trains the same model whatever the seed."""

    def train(self, spec: ModelSpec, dataset: DatasetSpec, device: torch.device, unfinished: Path | None = None):
        return super().train(replace(spec, seed=0), dataset, device, unfinished)


class Deaf(GraphDomain):
    """Ignores an override."""

    def hyperparameters(self, architecture: str, dataset: str, setting: str, overrides: Mapping[str, Any]):
        given = {name: value for name, value in overrides.items() if value != 0.25}
        return super().hyperparameters(architecture, dataset, setting, given)


class Tolerant(GraphDomain):
    """Takes every key."""

    def hyperparameters(self, architecture: str, dataset: str, setting: str, overrides: Mapping[str, Any]):
        known = {"layers", "hidden_channels", "dropout", "activation", "learning_rate", "weight_decay", "epochs"}
        given = {name: value for name, value in overrides.items() if name in known}
        return super().hyperparameters(architecture, dataset, setting, given)


class Untidy(GraphDomain):
    """Has hyperparameters that JSON does not keep."""

    def hyperparameters(self, architecture: str, dataset: str, setting: str, overrides: Mapping[str, Any]):
        return {**super().hyperparameters(architecture, dataset, setting, overrides), "shape": (1, 2)}


class Moving(GraphDomain):
    """Finds other content every time."""

    def locate(self, dataset: str, root: Path | None, downloads: Path, may_download: bool = True):
        return replace(super().locate(dataset, root, downloads, may_download), content=str(random.random()))


class Shallow(GraphDomain):
    """Looks at one layer in the test of layers."""

    def probe(self, architecture: str, dataset: str, hyperparameters: Mapping[str, Any], test: str):
        return super().probe(architecture, dataset, hyperparameters, "augmentation")


class Elsewhere(GraphDomain):
    default_dataset = "cora"


class Twice(GraphDomain):
    default_models = ("gcn", "gcn")


class Unknown(GraphDomain):
    default_models = ("gcn", "mlp")


class Halved(GraphDomain):
    settings_by_test: ClassVar = {**GraphDomain.settings_by_test, "shortcut": {3: ("shortcut_0", "shortcut_100")}}


class Silent(GraphDomain):
    def check_installed(self) -> None:
        pass


BROKEN = [
    (Dropping, r"1000 rows of layer 0, one a sample, found 999"),
    (Wavering, "the same bits again, found logits apart by"),
    (Crowded, "the same within 1000000 bytes, found logits apart by"),
    (Renaming, "the samples of other models, in their order, found other ids"),
    (Repeating, "unique ids of samples, found 1 repeated"),
    (Lacking, "the layers 0, 1, 2, 3, 4, found 1, 2, 3, 4"),
    (Misjudging, r"layer 0 of layer_size \(1000, 9\), found \(1000, 8\)"),
    (
        AskingForTheSeed,
        "the same training twice, independently of the global generators, found other weights convs",
    ),
    (Drawing, "a training that leaves the process as it was, found that it changes the generator of Python"),
    (Breaking, "finite weights convs.0.bias of gcn on digits_knn, six_layers, seed 0, found NaN or infinity"),
    (ContinuingElsewhere, "stopped and continued to end as one that is not, found other weights convs.0.bias"),
    (SwitchingFlags, "leaves the process as it was, found that it changes torch's precision of products"),
    (Seedless, "other weights for another seed, found the same for seeds 0 and 1"),
    (Deaf, r"override model.gcn.dropout=0.25 to be taken, found dropout=0.5"),
    (Tolerant, r"override model.gcn.heads=1 to be refused with UsageError, found no error"),
    (Untidy, r"to be plain JSON, found .*\(1, 2\).* read back as"),
    (Moving, "locate to give dataset=digits_knn with the same content twice, found"),
    (Shallow, "the probe of gcn for test=layer_monotonicity with several layers, found 4"),
    (Elsewhere, "default_dataset=cora to be an embedded dataset, found embedded ones: digits_knn"),
    (Twice, "default_models to be unique names, found twice: gcn"),
    (Unknown, "default_models to be architectures of the domain, found also mlp"),
    (Halved, "test=shortcut groups=3: as many settings as groups, or one, found shortcut_0, shortcut_100"),
    (Silent, "check_installed to raise UsageError for a missing package, found no error"),
]


@pytest.mark.parametrize(("domain", "message"), BROKEN, ids=[domain.__name__ for domain, _ in BROKEN])
def test_what_a_domain_does_not_keep_is_named(domain: type[GraphDomain], message: str) -> None:
    precision = torch.get_float32_matmul_precision()
    with pytest.raises(DomainCheckError, match=f"^graph: expected .*{message}") as error:
        check_domain(domain, {"epochs": 2, "hidden_channels": 8}, models=("gcn",))
    torch.set_float32_matmul_precision(precision)
    assert "\n" not in str(error.value)


def test_an_override_that_no_model_has_is_named() -> None:
    with pytest.raises(DomainCheckError, match=r"overrides=epocs to be a hyperparameter of a model, found only "):
        check_domain(GraphDomain, {"epocs": 2})
    with pytest.raises(DomainCheckError, match=r"UsageError: model.gcn.epochs='many': expected a whole number$"):
        check_domain(GraphDomain, {"epochs": "many"})


@pytest.mark.parametrize(
    ("model", "override", "message"),
    [
        ("gcn", {"epochs": "many"}, "model.gcn.epochs='many': expected a whole number"),
        ("gcn", {"epochs": 1.5}, "model.gcn.epochs=1.5: expected a whole number"),
        ("gcn", {"layers": True}, "model.gcn.layers=True: expected a whole number"),
        ("gcn", {"dropout": "0.5"}, "model.gcn.dropout='0.5': expected a number"),
        ("bert_tiny", {"warmup": [0.1]}, r"model.bert_tiny.warmup=\[0.1\]: expected a number"),
        ("bert", {"tokenizer": 3}, "model.bert.tokenizer=3: expected a text"),
        ("tiny_resnet", {"learning_rate": {}}, "model.tiny_resnet.learning_rate={}: expected a number"),
    ],
)
def test_an_override_of_another_type_is_refused_with_what_is_expected(model: str, override, message: str) -> None:
    (domain,) = (found for found in registry.usable_domains() if model in {info.name for info in found.architectures()})
    setting = domain.settings("augmentation", 3)[0]
    with pytest.raises(UsageError, match=rf"^{message}$"):
        domain.hyperparameters(model, domain.default_dataset, setting, override)
