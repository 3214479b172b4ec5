"""What a domain of given representations has to keep: it states its facts, and refuses to train and run models."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from resi.domains.given import Chosen
from resi.errors import UsageError
from resi.groundings import GROUNDINGS
from resi.specs import ForwardPass, ModelSpec, ProbeSpec
from resi.testing.facts import NONE_SUCH, check_stated

if TYPE_CHECKING:
    from resi.domains.given import GivenDomain
    from resi.testing.expectations import Expectations


def check_given(expect: Expectations, domain: type[GivenDomain]) -> None:
    """Check facts of a domain, and what it refuses."""
    check_stated(expect, domain)
    made = domain()
    for test in GROUNDINGS.values():
        for root in (None, Path(NONE_SUCH)):
            chosen = Chosen(test.name, test.kind, test.needs, root, made.default_dataset)
            expect.refused(
                f"test={test.name} without representations (dataset.root={root}) to be refused with UsageError",
                functools.partial(made.bound, chosen),
                UsageError,
            )
    for architecture in made.default_models:
        _check_refusals(expect, made, architecture)


def _check_refusals(expect: Expectations, domain: GivenDomain, architecture: str) -> None:
    """Check that no model is trained or run."""
    import torch

    name, version = domain.default_dataset, domain.training_version()
    spec = ModelSpec(domain.name, name, "", architecture, "standard", 0, {}, version)
    dataset = domain.locate(name, None, Path(NONE_SUCH), may_download=False)
    run = ForwardPass(spec, {}, dataset, ProbeSpec("given", ("0",)), torch.device("cpu"), 10**9)
    expect.refused("train to be refused with UsageError", lambda: domain.train(spec, dataset, run.device), UsageError)
    expect.refused("extract to be refused with UsageError", lambda: domain.extract(run), UsageError)
    expect.refused(
        f"override {NONE_SUCH} to be refused with UsageError",
        lambda: domain.hyperparameters(architecture, name, spec.setting, {NONE_SUCH: 1}),
        UsageError,
    )
