"""Whether a training depends only on its model, can be stopped, and does not change the process."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from resi.specs import Trained
from resi.testing.process import changes, draw_from_generators, generators_put_back, process_state

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import torch

    from resi.domains.base import Domain
    from resi.specs import DatasetSpec, ModelSpec
    from resi.testing.expectations import Expectations
else:
    from resi.lazy import torch


class _Stop(KeyboardInterrupt):
    """Ends a training in the middle, as a user would."""


def check_training(
    expect: Expectations, domain: Domain, spec: ModelSpec, dataset: DatasetSpec, folder: Path
) -> tuple[Trained, Trained]:
    """Check everything about trainings; return the model, and that of the next seed.

    Parameters
    ----------
    folder : Path
        For what a training keeps to continue after a stop.
    """
    with generators_put_back():
        with _steps_of_optimizers() as steps:
            whole = check_trained(expect, domain, spec, dataset)
        draw_from_generators()
        unfinished = folder / "unfinished.safetensors"
        if len(steps) > 1:
            with _steps_of_optimizers(stop_at=len(steps) - len(steps) // 4), contextlib.suppress(_Stop):
                check_trained(expect, domain, spec, dataset, unfinished)
        with _steps_of_optimizers() as later:
            continued = check_trained(expect, domain, spec, dataset, unfinished)
        expect.that(
            len(later) <= len(steps),
            f"at most {len(steps)} steps in a training that is continued",
            f"{len(later)} steps",
        )
        if difference := _difference(whole, continued):
            again = _difference(whole, check_trained(expect, domain, spec, dataset))
            what = "a training that is stopped and continued to end as one that is not"
            if again:
                what = "the same training twice, independently of the global generators"
            raise expect.failure(what, again or difference)
        other = check_trained(expect, domain, replace(spec, seed=spec.seed + 1), dataset)
        expect.that(
            bool(_difference(whole, replace(other, accuracies=whole.accuracies))),
            "other weights for another seed",
            f"the same for seeds {spec.seed} and {spec.seed + 1}",
        )
        return whole, other


def check_trained(
    expect: Expectations, domain: Domain, spec: ModelSpec, dataset: DatasetSpec, unfinished: Path | None = None
) -> Trained:
    """Train a model; check that its numbers are finite, and that the process is not changed."""
    trained, changed, loaded = _watched(expect, domain, spec, dataset, unfinished)
    if changed and loaded:  # packages may draw numbers when they are imported, which is not a fault of a training
        trained, changed, _ = _watched(expect, domain, spec, dataset, unfinished)
    expect.that(not changed, "a training that leaves the process as it was", f"that it changes {', '.join(changed)}")
    expect.that(isinstance(trained, Trained) and len(trained.state) > 0, "a Trained with weights", repr(trained)[:200])
    for name, tensor in trained.state.items():
        expect.that(isinstance(tensor, torch.Tensor), f"weights {name} to be a tensor", type(tensor).__name__)
        finite = bool(torch.isfinite(tensor).all())
        expect.that(finite, f"finite weights {name} of {spec.label}", "NaN or infinity")
    expect.that(len(trained.accuracies) > 0, "accuracies of a trained model", "none")
    for split, accuracy in trained.accuracies.items():
        expect.that(0 <= accuracy <= 1, f"an accuracy on {split} from 0 to 1", repr(accuracy))
    return trained


def _watched(
    expect: Expectations, domain: Domain, spec: ModelSpec, dataset: DatasetSpec, unfinished: Path | None
) -> tuple[Trained, list[str], bool]:
    """Train a model; return it, what of the process has changed, and whether modules were loaded meanwhile."""
    before, modules = process_state(), len(sys.modules)
    with expect.works(f"training {spec.label}"):
        trained = domain.train(spec, dataset, torch.device("cpu"), unfinished)
    after = process_state()
    return trained, changes(before, after), len(sys.modules) > modules


def _difference(one: Trained, other: Trained) -> str:
    """Return what differs first between two trained models; empty if they are the same."""
    if one.state.keys() != other.state.keys():
        return f"weights of other names: {', '.join(sorted(one.state.keys() ^ other.state.keys()))}"
    for name, tensor in one.state.items():
        if not torch.equal(tensor, other.state[name]):
            return f"other weights {name}"
    return "" if one.accuracies == other.accuracies else f"accuracies {other.accuracies} instead of {one.accuracies}"


@contextlib.contextmanager
def _steps_of_optimizers(stop_at: int | None = None) -> Iterator[list[int]]:
    """Record the steps of torch's optimizers, and stop before one of them."""
    from torch.optim.optimizer import register_optimizer_step_pre_hook

    steps: list[int] = []

    def count(*_: object) -> None:
        steps.append(len(steps))
        if len(steps) == stop_at:
            raise _Stop

    handle = register_optimizer_step_pre_hook(count)
    try:
        yield steps
    finally:
        handle.remove()
