"""Checks of a domain's contract: its facts without a model, and how its default models train and run."""

from __future__ import annotations

import dataclasses
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resi.domains.given import GivenDomain
from resi.errors import UsageError
from resi.specs import ForwardPass, ModelSpec
from resi.testing.expectations import Expectations
from resi.testing.extractions import MEMORY, check_extraction, check_repeated, check_same_samples
from resi.testing.facts import check_facts
from resi.testing.given import check_given
from resi.testing.planning import check_fingerprint, check_hyperparameters, check_nothing_published, check_probes
from resi.testing.trainings import check_trained, check_training

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import torch

    from resi.domains.base import Domain
    from resi.specs import DatasetSpec, Extraction, ProbeSpec

SHORT = {"epochs": 2}


def check_domain(
    domain: type[Domain],
    overrides: Mapping[str, Any] | None = None,
    models: Sequence[str] | None = None,
    relative: float = 1e-4,
    dataset: str | None = None,
    root: str | Path | None = None,
) -> None:
    """Check a domain class against the contract of :class:`resi.domains.base.Domain`.

    Its default models, or others, are trained on its default dataset, or another, on the CPU. Checked are

    - names, titles and settings: complete, unique, and refused with ``UsageError`` where they do not exist;
    - hyperparameters: plain JSON, changed by overrides, wrong ones refused; the identity of a model;
    - ``locate``: the same content twice, nothing downloaded;
    - probes: layers and sizes for every test;
    - ``train``: the seed alone decides the weights; a training that is stopped and continued ends with the same ones;
      generators and flags of the process are left alone; weights are finite, accuracies are in [0, 1];
    - ``extract``: layers, rows, samples and logits fit each other, the declared sizes and every other model; the same
      bits when repeated, and the same numbers with less memory.

    A :class:`resi.domains.given.GivenDomain` does not train or run models; its facts are checked, and that it refuses
    to train and run.

    Parameters
    ----------
    domain : type
        The domain class. Its datasets and architectures are those that plugins have registered for its name.
    overrides : mapping, optional
        Hyperparameters that keep trainings short, by default ``{"epochs": 2}``; those that an architecture does not
        have are left out for it. A training should have two or more steps of its optimizer, so that it can be stopped
        in the middle.
    models : sequence of str, optional
        The architectures to train; the domain's default models if not given. The first one is checked in most detail.
    relative : float
        How far outputs may be apart that were computed in batches of different size, relative to the largest.
    dataset : str, optional
        The dataset; the domain's default dataset if not given.
    root : str or Path, optional
        The folder of the dataset, as ``dataset.root`` of a run. Without it, the dataset has to be embedded: nothing is
        downloaded.

    Raises
    ------
    DomainCheckError
        With the first expectation that does not hold.
    """
    expect = Expectations(str(getattr(domain, "name", domain.__qualname__)))
    if issubclass(domain, GivenDomain):
        check_given(expect, domain)
        return
    check_facts(expect, domain)
    made = domain()
    chosen = tuple(domain.default_models if models is None else models)
    case = _Case(expect, made, chosen, overrides or SHORT, dataset or domain.default_dataset)
    with tempfile.TemporaryDirectory() as folder:
        found = check_dataset(expect, made, case.dataset, root, Path(folder, "downloads"))
        values = [case.values(model, test) for model in case.models for test in domain.settings_by_test]
        for name in case.overrides if overrides else ():
            known = sorted({key for of_model in values for key in of_model})
            expect.that(
                name in known, f"overrides={name} to be a hyperparameter of a model", f"only {', '.join(known)}"
            )
        check_hyperparameters(expect, made, case.models, case.dataset)
        check_probes(expect, made, case.models, case.dataset)
        spec = case.spec(case.models[0], next(iter(domain.settings_by_test)), found)
        check_fingerprint(expect, spec)
        _check_workers(expect, made, spec, found)
        check_nothing_published(expect, made, spec, Path(folder))
        _check_models(case, found, Path(folder), relative)


@dataclass(frozen=True)
class _Case:
    """The models that are checked."""

    expect: Expectations
    domain: Domain
    models: tuple[str, ...]
    overrides: Mapping[str, Any]
    dataset: str

    def values(self, model: str, test: str) -> dict[str, Any]:
        """Return the hyperparameters of a model of a test, with those overrides that it has."""
        arguments = (model, self.dataset, self.setting(test))
        with self.expect.works(f"hyperparameters of {' '.join(arguments)}"):
            benchmark = self.domain.hyperparameters(*arguments, {})
            given = {name: value for name, value in self.overrides.items() if name in benchmark}
            return self.domain.hyperparameters(*arguments, given)

    def setting(self, test: str) -> str:
        """Return the most altered setting of a test."""
        by_groups = self.domain.settings_by_test[test]
        return by_groups[max(by_groups)][-1]

    def spec(self, model: str, test: str, dataset: DatasetSpec) -> ModelSpec:
        """Return a model of a test."""
        setting = self.setting(test)
        return ModelSpec(
            domain=self.domain.name,
            dataset=dataset.name,
            dataset_content=dataset.content,
            architecture=model,
            setting=setting,
            seed=0,
            hyperparameters=self.values(model, test),
            training_version=self.domain.training_version(),
            rules=self.domain.rules(setting),
        )

    def probe(self, model: str, test: str) -> ProbeSpec:
        """Return the probe of a model of a test."""
        return self.domain.probe(model, self.dataset, self.values(model, test), test)

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Yield models with tests, until every model and every probe set is there; tests of all layers come first."""
        tests = sorted(self.domain.settings_by_test, key=lambda test: -len(self.probe(self.models[0], test).layers))
        by_probe: dict[str, str] = {}
        for test in tests:
            by_probe.setdefault(self.probe(self.models[0], test).probe, test)
        chosen = list(by_probe.values())
        for number in range(max(len(self.models), len(chosen))):
            yield self.models[number % len(self.models)], chosen[number % len(chosen)]


def check_dataset(
    expect: Expectations, domain: Domain, name: str, root: str | Path | None, downloads: Path
) -> DatasetSpec:
    """Check that a dataset is found without a download, with the same content twice; return it."""
    folder = None if root is None else Path(root)
    with expect.works(f"locate to find dataset={name} without a download"):
        found, again = (domain.locate(name, folder, downloads, may_download=False) for _ in range(2))
    expect.that(found.name == name, f"locate to name dataset={name}", repr(found.name))
    expect.that(isinstance(found.content, str) and found.content != "", "a content hash", repr(found.content))
    expect.that(found == again, f"locate to give dataset={name} with the same content twice", f"{found} and {again}")
    expect.that(not downloads.exists(), f"nothing downloaded for dataset={name}", f"{downloads.name} was made")
    return found


def _check_workers(expect: Expectations, domain: Domain, spec: ModelSpec, dataset: DatasetSpec) -> None:
    """Check what workers ask of a domain: whether a model is small, and to import what they need."""
    with expect.works("is_small"):
        is_small = domain.is_small(spec)
    expect.that(isinstance(is_small, bool), f"is_small of {spec.label} to be True or False", repr(is_small))
    with expect.works("warm_up"):
        domain.warm_up(dataset, (spec.architecture,))


def _check_models(case: _Case, dataset: DatasetSpec, folder: Path, relative: float) -> None:
    """Train models and run them over their probe sets: the first one in every way, each of the others once."""
    first: dict[str, Extraction] = {}
    for number, (model, test) in enumerate(case.pairs()):
        spec, probe = case.spec(model, test, dataset), case.probe(model, test)
        if number:
            trained = [check_trained(case.expect, case.domain, spec, dataset)]
        else:
            trained = list(check_training(case.expect, case.domain, spec, dataset, folder))
        for seed, one in enumerate(trained):
            run = ForwardPass(dataclasses.replace(spec, seed=seed), one.state, dataset, probe, _cpu(), MEMORY)
            found = check_extraction(case.expect, case.domain, run)
            check_same_samples(case.expect, run, first.setdefault(probe.probe, found), found)
            if number == seed == 0:
                check_repeated(case.expect, case.domain, run, found, relative)
                _check_other_representations(case, run, test)


def _cpu() -> torch.device:
    import torch

    return torch.device("cpu")


def _check_other_representations(case: _Case, run: ForwardPass, test: str) -> None:
    """Run a model under each representation other than the default that it has."""
    model = run.model
    for name in case.domain.representations[1:]:
        with case.expect.works(f"representation={name}"):
            domain = type(case.domain)(representation=name)
            try:
                probe = domain.probe(model.architecture, model.dataset, model.hyperparameters, test)
            except UsageError:  # not every architecture has it
                continue
        check_extraction(case.expect, domain, dataclasses.replace(run, probe=probe))
