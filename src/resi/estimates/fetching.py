"""Missing inputs of runs: datasets, published models, pretrained weights; and how they are downloaded."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from resi.domains.groups import split_setting
from resi.pipeline.plan import READS_NO_DATASET

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from resi.domains.releases import Release
    from resi.estimates.work import Work
    from resi.pipeline.plan import Plan
    from resi.specs import ModelSpec

REPOSITORY = "repository"
BY_RUN, BY_COMMAND, BY_HAND = "the run", "a command", "hand"


class Needed(NamedTuple):
    """Something that has to be downloaded.

    Attributes
    ----------
    what : str
        Such as ``dataset cora``.
    by : {"the run", "a command", "hand"}
        Who downloads it.
    size : int or None
        Bytes, where they are known.
    how : str
        The command, or what to do.
    """

    what: str
    by: str
    size: int | None
    how: str

    @property
    def is_below_root(self) -> bool:
        """Whether it goes to the data root, and not to the cache of the hub or a folder that the user has named."""
        return not self.what.startswith(REPOSITORY) and self.by != BY_HAND


def needed(plans: Sequence[Plan], works: Sequence[Work]) -> list[Needed]:
    """Return what has to be downloaded for runs, each once.

    Parameters
    ----------
    works : sequence of Work
        What the plans need.
    """
    found = [*_datasets(plans), *_models(plans), *_repositories(plans, works)]
    return list({item.what: item for item in reversed(found)}.values())[::-1]


def _datasets(plans: Iterable[Plan]) -> Iterator[Needed]:
    for plan in plans:
        config = plan.config
        if config.stage in READS_NO_DATASET:
            continue
        known = {item.name: item for item in config.domain.datasets()}
        for name, absent in plan.absent_datasets.items():
            info = known.get(name)
            size = (info.size or None) if info else None
            by_hand = info.by_hand if info else ""
            if by_hand or (config.dataset_root is not None and name == config.dataset):
                yield Needed(f"dataset {name}", BY_HAND, size, by_hand or str(absent))
            else:
                yield Needed(f"dataset {name}", BY_RUN, size, "the first run that reads it")


def _models(plans: Iterable[Plan]) -> Iterator[Needed]:
    for plan in plans:
        if plan.absent_models is None:
            continue
        models = [model for model, _ in plan.models]
        releases = list(_releases(plan, models))
        if not releases:
            name = f"published models of {', '.join(plan.config.architectures)} on {plan.config.dataset}"
            yield Needed(name, BY_HAND, None, str(plan.absent_models))
        for name, release in releases:
            how, by = f"resi download {name}", BY_COMMAND
            if not release.record:
                how, by = f"{release.place}; then {how} --archives FOLDER", BY_HAND
            yield Needed(f"published models: {release.title}", by, release.size or None, how)


def _releases(plan: Plan, models: Sequence[ModelSpec]) -> Iterator[tuple[str, Release]]:
    """Yield the archives that hold some of the models, with their names for ``resi download``."""
    wanted = {(model.architecture, model.dataset, split_setting(model.setting)[0]) for model in models}
    for name, releases in plan.config.domain.releases().items():
        for release in releases:
            if any(_holds(release, *each) for each in wanted):
                yield name, release


def _holds(release: Release, architecture: str, dataset: str, kind: str) -> bool:
    holds = any(architecture in held.architectures and dataset in held.datasets for held in release.holdings)
    return holds and (not release.kinds or kind in release.kinds)


def _repositories(plans: Iterable[Plan], works: Iterable[Work]) -> Iterator[Needed]:
    """Yield repositories of the hub that models still to be made start from."""
    domains = {plan.config.domain.name: plan.config.domain for plan in plans}
    names = (
        name for work in works for model in work.models_left for name in domains[work.place.domain].repositories(model)
    )
    for name in dict.fromkeys(names):
        if not _is_here(name):
            yield Needed(f"{REPOSITORY} {name}", BY_RUN, None, "the first run, from the hub")


def _is_here(name: str) -> bool:
    """Return whether a repository is a folder, or lies in the hub's cache."""
    if Path(name).expanduser().is_dir():
        return True
    return (hub_cache() / f"models--{name.replace('/', '--')}").is_dir()


def hub_cache() -> Path:
    """Return where ``huggingface_hub`` keeps what it has fetched, without importing it."""
    environment = os.environ
    home = environment.get("HF_HOME") or Path(environment.get("XDG_CACHE_HOME", "~/.cache"), "huggingface")
    return Path(environment.get("HF_HUB_CACHE") or Path(home, "hub")).expanduser()
