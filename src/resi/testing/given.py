"""What a domain of given representations has to keep: it states its facts, and refuses to train and run models."""

from __future__ import annotations

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
    import torch

    check_stated(expect, domain)
    made = domain()
    for test in GROUNDINGS.values():
        for root in (None, Path(NONE_SUCH)):
            chosen = Chosen(test.name, test.kind, test.needs, root, made.default_dataset)
            expect.refused(
                f"test={test.name} without representations (dataset.root={root}) to be refused with UsageError",
                lambda chosen=chosen: made.bound(chosen),  # type: ignore[misc]
                UsageError,
            )
    for architecture in made.default_models:
        spec = ModelSpec(made.name, made.default_dataset, "", architecture, "standard", 0, {}, made.training_version())
        dataset = made.locate(made.default_dataset, None, Path(NONE_SUCH), may_download=False)
        run = ForwardPass(spec, {}, dataset, ProbeSpec("given", ("0",)), torch.device("cpu"), 10**9)
        expect.refused("train to be refused with UsageError", lambda: made.train(spec, dataset, run.device), UsageError)  # noqa: B023
        expect.refused("extract to be refused with UsageError", lambda: made.extract(run), UsageError)  # noqa: B023
        expect.refused(
            f"override {NONE_SUCH} to be refused with UsageError",
            lambda: made.hyperparameters(spec.architecture, spec.dataset, spec.setting, {NONE_SUCH: 1}),  # noqa: B023
            UsageError,
        )
