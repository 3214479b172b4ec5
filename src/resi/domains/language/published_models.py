"""The published models of texts by their names: what was done to the texts follows the name of the dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resi import registry
from resi.domains.groups import STANDARD, split_setting
from resi.domains.language.lookup import text_architecture, text_dataset, text_network
from resi.domains.published_models import SEEDS, OwnModel, PublishedModel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from resi.domains.language.datasets.base import TextDataset
    from resi.domains.language.networks.base import TextNetwork

DOMAIN = "language"
PREFIX = "NLP"
TUNED = "_sft"
"""Follows the name of a dataset whose rows are prompts."""
KINDS = {
    "shortcut": ("sc", "Shortcut"),
    "label_randomization": ("mem", "RandomLabels"),
    "augmentation": ("aug", "Augmentation"),
}
"""How what was done to the texts is called in names of training sets, and of settings."""
# Token positions of encoders and of causal models, and what is said for them here.
ENCODER_TOKENS: tuple[tuple[int | str, str | None], ...] = ((0, None), ("mean", "mean"))
CAUSAL_TOKENS: tuple[tuple[int | str, str | None], ...] = ((-1, None),)


def published_models() -> Iterator[PublishedModel]:
    """Yield all published models, encoders once for each way to pool tokens."""
    for name in registry.networks(DOMAIN).in_names():
        published = text_architecture(name).published_name
        if not published:
            continue
        for dataset in map(text_dataset, registry.datasets(DOMAIN).in_names()):
            if not dataset.published_name:
                continue
            for trained_on, identifier, setting, seeds in _settings(text_network(name), dataset):
                for seed, published_seed in seeds.items():
                    for token, representation in CAUSAL_TOKENS if text_network(name).is_causal else ENCODER_TOKENS:
                        own = OwnModel(DOMAIN, dataset.name, name, setting, seed, representation)
                        yield PublishedModel(PREFIX, published, trained_on, identifier, published_seed, token, own)


def _settings(family: TextNetwork, dataset: TextDataset) -> Iterator[tuple[str, str, str, dict[int, int]]]:
    """Yield what models were trained on, the identifier, our setting, and their seeds: ours, and the published one."""
    base = f"{dataset.published_name}{TUNED if family.is_causal else ''}"
    standard = family.published_seeds(dataset, STANDARD)
    yield base, "Normal", STANDARD, standard
    for kind, levels in family.published_levels.items():
        abbreviation, title = KINDS[kind]
        if 0 not in levels:  # the same models, as the unaltered group of a test
            yield base, f"{title}_0", STANDARD, {seed: standard[seed] for seed in SEEDS}
        for level in levels:
            setting = f"{kind}_{level}"
            rate = family.published_rate(dataset, setting)
            identifier = f"{title}_{rate if kind == 'shortcut' else split_setting(setting)[1]}"
            yield f"{base}_{abbreviation}_rate{rate}", identifier, setting, family.published_seeds(dataset, setting)
