"""The published models of images by their names: the level of a setting is part of what a model was trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resi.domains.groups import STANDARD, split_setting
from resi.domains.published_models import SEEDS, STANDARD_SEEDS, OwnModel, PublishedModel
from resi.domains.vision.lookup import DOMAIN, image_architectures, image_datasets
from resi.domains.vision.published import FOLDER_NAMES, NOISE_LEVELS
from resi.domains.vision.settings import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PREFIX = "VISION"
ALL_SETTINGS = tuple(dict.fromkeys(setting for sets in SETTINGS.values() for setting in sets[max(sets)]))


def published_models() -> Iterator[PublishedModel]:
    """Yield all published models on the datasets that resi has."""
    architectures = [known for known in image_architectures() if known.published_name]
    for dataset in image_datasets():
        if dataset.published is None:
            continue
        for architecture in architectures:
            for setting in ALL_SETTINGS:
                identifier, trained_on = published_setting(dataset.published.names, setting)
                for seed in STANDARD_SEEDS if setting == STANDARD else SEEDS:
                    own = OwnModel(DOMAIN, dataset.name, architecture.name, setting, seed)
                    yield PublishedModel(PREFIX, architecture.published_name, trained_on, identifier, seed, None, own)


def published_setting(names: Mapping[str, str], setting: str) -> tuple[str, str]:
    """Return the identifier of a setting, and what its models were trained on.

    Parameters
    ----------
    names : mapping from kind of setting to str
        What stands for the dataset.
    """
    kind, level = split_setting(setting)
    called = NOISE_LEVELS[level] if kind == "augmentation" else level
    identifier, _, trained_on = FOLDER_NAMES[kind].format(level=called, dataset=names[kind]).partition("__")
    return identifier, trained_on
