"""Models trained and representations extracted, each only once for all jobs."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, TypeVar

from resi.console import progress
from resi.errors import ArtifactError, UsageError
from resi.machine.devices import resolve_device, torch_threads
from resi.specs import ForwardPass
from resi.store.root import Waiting

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

    from resi.pipeline.plan import Plan
    from resi.specs import ModelSpec, ProbeSpec, Trained
    from resi.store.root import Store

T = TypeVar("T")


def train_models(plan: Plan) -> int:
    """Train every model that is not in the store, or read it if it is a published one; return how many there were."""
    missing = plan.missing_models()
    if not missing:
        return 0
    _check_dataset(plan)
    device = resolve_device(plan.config.device)
    from resi.domains.arithmetic import plain_networks  # which needs torch

    def train(spec: ModelSpec) -> None:
        start = time.perf_counter()
        unfinished = plan.model_store.unfinished_path(spec)
        with plain_networks(device):  # a plugin's domain, too
            if spec.checkpoint:
                trained = _read_published(plan, spec, device)
            else:
                trained = plan.config.domain.train(spec, plan.dataset, device, unfinished)
        plan.model_store.save(spec, trained, time.perf_counter() - start)
        unfinished.unlink(missing_ok=True)

    names = {spec: spec.fingerprint for spec in missing}
    title = "training models" if plan.config.models.root is None else "reading published models"
    with torch_threads(plan.config.compare.threads), progress(title, len(missing)) as advance:
        _make_each(plan.store, names, plan.model_store.has, train, advance)
    return len(missing)


def _check_dataset(plan: Plan) -> None:
    """Raise the error that names the files if something has to be made from a dataset that is not there."""
    if plan.absent is not None:
        raise plan.absent


def _read_published(plan: Plan, spec: ModelSpec, device: torch.device) -> Trained:
    """Read a published model; its file has to be the one that was planned with."""
    root = plan.config.models.root
    if root is None:
        raise UsageError(f"{spec.label} is a published model, but models.source=train")
    path = plan.config.domain.checkpoint(root, spec)
    try:
        return plan.config.domain.read_published(path, spec, plan.dataset, device)
    except ArtifactError as error:
        raise ArtifactError(f"{path} {error}") from error


def extract_representations(plan: Plan) -> int:
    """Extract every representation that is not in the store; return how many models there were to run."""
    missing = plan.missing_representations()
    if not missing:
        return 0
    _check_dataset(plan)
    device = resolve_device(plan.config.device)

    def is_there(item: tuple[ModelSpec, ProbeSpec]) -> bool:
        return plan.representations.has(*item)

    def extract(item: tuple[ModelSpec, ProbeSpec]) -> None:
        _extract(plan, *item, device)

    names = {item: f"{item[0].fingerprint}-{item[1].probe}" for item in missing}
    with torch_threads(plan.config.compare.threads), progress("extracting representations", len(missing)) as advance:
        _make_each(plan.store, names, is_there, extract, advance)
    return len(missing)


def _extract(plan: Plan, model: ModelSpec, probe: ProbeSpec, device: torch.device) -> None:
    from resi.domains.arithmetic import plain_networks

    state = plan.model_store.load(model)
    memory = plan.config.compare.budget(device)
    with plain_networks(device):
        pieces = plan.config.domain.extract(ForwardPass(model, state, plan.dataset, probe, device, memory))
        plan.representation_store.save(model, probe, pieces)


def _make_each(
    store: Store,
    names: dict[T, str],
    is_there: Callable[[T], bool],
    make: Callable[[T], None],
    advance: Callable[[], None],
) -> None:
    """Make each item that is not there, under its lock.

    An item that another process is making is put off, so that several jobs share the work instead of queueing. Where
    nothing else is left to do, the process that this one waits for is named once.
    """
    pending = deque(names)
    put_off = 0
    waiting = Waiting("is making what is left here")
    while pending:
        item = pending.popleft()
        with store.try_lock(names[item]) as held:
            if held and not is_there(item):
                make(item)
        if held:
            put_off = 0
            advance()
            continue
        pending.append(item)
        put_off += 1
        if put_off >= len(pending):
            waiting.wait_for(store.holder(names[item]))
