"""The embedded reviews: balanced, all different, and with labels that their words confirm."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from resi.domains.language import LanguageDomain
from resi.domains.language.data import load_texts

SIZES = {"train": 1000, "validation": 150, "test": 350}


@pytest.fixture(scope="module")
def splits():
    dataset = LanguageDomain().locate("reviews", None, Path("unused"))
    return {name: load_texts(dataset, name) for name in SIZES}


def test_splits_have_fixed_sizes_and_are_balanced(splits) -> None:
    assert {name: len(texts) for name, texts in splits.items()} == SIZES
    assert all(texts.labels.mean() == 0.5 for texts in splits.values())


def test_no_two_sentences_of_a_label_share_half_of_their_words(splits) -> None:
    for label in (0, 1):
        bags = [
            frozenset(re.findall(r"[a-z']+", text.lower()))
            for texts in splits.values()
            for text, own in zip(texts.columns[0], texts.labels, strict=True)
            if own == label
        ]
        assert len(bags) == 750
        overlaps = [len(a & b) / len(a | b) for a, b in combinations(bags, 2)]
        assert max(overlaps) <= 0.5


def test_sentences_are_short_and_vary_in_length(splits) -> None:
    lengths = np.array([len(text.split()) for texts in splits.values() for text in texts.columns[0]])
    assert lengths.min() == 1
    assert lengths.max() == 33
    assert np.percentile(lengths, [25, 75]).tolist() == [8, 13]


def test_words_tell_the_label_of_sentences_not_seen(splits) -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    words = TfidfVectorizer(sublinear_tf=True, token_pattern=r"[\w']+")
    model = LogisticRegression(C=10).fit(words.fit_transform(splits["train"].columns[0]), splits["train"].labels)
    accuracy = model.score(words.transform(splits["test"].columns[0]), splits["test"].labels)
    assert 0.70 < accuracy < 0.80
