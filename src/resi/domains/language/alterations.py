"""Alterations of texts and labels before training: hints at labels, random labels, augmented words.

The draw for a row depends only on its split and its position in it. So all models of a group see the same data, for any
seed and any order of training; and rows whose labels are random at one level are so at the next.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from resi.domains.groups import STANDARD
from resi.domains.labels import count
from resi.domains.language.data import Texts, load_texts
from resi.domains.language.lookup import text_dataset
from resi.domains.language.settings import NEW_CLASSES, kind_of, shortcut_probe
from resi.domains.language.wordnet import synonyms, wordnet_hash
from resi.randomness import generator

if TYPE_CHECKING:
    from resi.specs import DatasetSpec

    Labels = np.ndarray[Any, np.dtype[np.int64]]


def altered_texts(dataset: DatasetSpec, split: str, setting: str) -> Texts:
    """Return a split as used for training or validation of models of a setting."""
    return _altered(dataset, split, setting, wordnet_hash() if kind_of(setting) == "augmentation" else "")


@functools.lru_cache(maxsize=4)
def _altered(dataset: DatasetSpec, split: str, setting: str, _wordnet: str) -> Texts:
    texts = load_texts(dataset, split)
    kind, rate = kind_of(setting), text_dataset(dataset.name).rate(setting)
    if kind == "shortcut":
        return with_hints(texts, rate)
    if kind == "label_randomization":
        return with_random_labels(texts, rate)
    if kind == "augmentation":
        return augmented(texts, rate)
    return texts


def probe_texts(dataset: DatasetSpec, probe: str) -> Texts:
    """Return the texts of a probe set, the same for all models of a test.

    In that of shortcut tests hints are right as often as at the lowest rate, which says nothing.
    """
    split = text_dataset(dataset.name).probe_split
    return altered_texts(dataset, split, "shortcut_0" if probe == shortcut_probe(split) else STANDARD)


def with_hints(texts: Texts, rate: float) -> Texts:
    """Return the texts with a hint in every row: the row's own label with probability ``rate``, else any other."""
    chance, other = (generator(0, "shortcut", texts.split, what).random(len(texts)) for what in ("own", "other"))
    step = 1 + (other * (texts.classes - 1)).astype(np.int64)
    wrong = (texts.labels + step) % texts.classes
    return replace(texts, hints=np.where(chance < rate, texts.labels, wrong))


def with_random_labels(texts: Texts, share: float) -> Texts:
    """Return the texts with the labels of a share of the rows drawn from new classes, never from the dataset's own."""
    rank, label = (generator(0, "random labels", texts.split, what).random(len(texts)) for what in ("rank", "label"))
    chosen = np.argsort(rank, kind="stable")[: count(share, len(texts))]
    labels = texts.labels.copy()
    labels[chosen] = texts.classes + (label * NEW_CLASSES).astype(np.int64)[chosen]
    return replace(texts, labels=labels, classes=texts.classes + NEW_CLASSES)


def augmented(texts: Texts, rate: float) -> Texts:
    """Return the texts with each sentence, or premise, replaced by an altered one; hypotheses stay."""
    from resi.domains.language.eda import augment

    words = synonyms()
    first = tuple(augment(text, rate, (texts.split, row), words) for row, text in enumerate(texts.columns[0]))
    return replace(texts, columns=(first, *texts.columns[1:]))
