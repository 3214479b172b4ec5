"""Shortcuts, random labels and augmented words: the rates they claim, and the same for every model of a group."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from resi.domains.language import LanguageDomain
from resi.domains.language.alterations import altered_texts, probe_texts, with_hints, with_random_labels
from resi.domains.language.data import Texts, load_texts
from resi.domains.language.lookup import text_dataset
from resi.domains.language.settings import SETTINGS
from resi.domains.language.tokenization import PROBE_LENGTH, _trained_on, encode, make_tokenizer

from .conftest import spec_of

if TYPE_CHECKING:
    from resi.specs import DatasetSpec

DOMAIN = LanguageDomain()
ROWS = 30_000


@pytest.fixture(scope="module")
def many() -> Texts:
    labels = np.random.default_rng(0).integers(0, 3, ROWS)
    return Texts("train", (("text",) * ROWS,), labels, 3)


@pytest.mark.parametrize("rate", [0.354, 0.8385, 1.0])
def test_hints_are_right_at_their_rate_and_otherwise_any_wrong_label_alike(many: Texts, rate: float) -> None:
    hints = with_hints(many, rate).hints
    assert hints is not None
    wrong = hints != many.labels
    # Five standard errors of the share of a binomial draw.
    assert abs((~wrong).mean() - rate) <= 5 * np.sqrt(rate * (1 - rate) / ROWS)
    steps = (hints - many.labels)[wrong] % 3
    assert set(steps.tolist()) <= {1, 2}
    if len(steps):
        assert abs((steps == 1).mean() - 0.5) <= 5 * 0.5 / np.sqrt(len(steps))


def test_hints_that_are_right_at_a_rate_are_right_at_every_higher_one(many: Texts) -> None:
    right = [with_hints(many, rate).hints == many.labels for rate in (0.354, 0.5155, 0.677, 0.8385, 1.0)]
    assert all(np.all(high[low]) for low, high in pairwise(right))


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75, 1.0])
def test_random_labels_are_exactly_a_share_and_of_new_classes_only(many: Texts, share: float) -> None:
    altered = with_random_labels(many, share)
    changed = altered.labels != many.labels
    assert changed.sum() == share * ROWS
    assert altered.classes == 8
    counts = np.bincount(altered.labels[changed], minlength=8)
    assert counts[:3].sum() == 0
    expected = share * ROWS / 5
    assert np.all(np.abs(counts[3:] - expected) <= 5 * np.sqrt(expected))


def test_rows_that_are_random_at_a_level_are_so_and_alike_at_the_next(many: Texts) -> None:
    low, high = with_random_labels(many, 0.25).labels, with_random_labels(many, 0.75).labels
    changed = low != many.labels
    assert np.array_equal(low[changed], high[changed])


def test_published_rates_and_those_of_reviews_are_numbers() -> None:
    sst2, mnli, reviews = map(text_dataset, ("sst2", "mnli", "reviews"))
    assert [sst2.rate(setting) for setting in SETTINGS["shortcut"][5]] == [0.558, 0.668, 0.779, 0.889, 1.0]
    assert [mnli.rate(setting) for setting in SETTINGS["shortcut"][5]] == [0.354, 0.5155, 0.677, 0.8385, 1.0]
    assert [reviews.rate(setting) for setting in SETTINGS["shortcut"][3]] == [0.5, 0.875, 1.0]
    assert [sst2.rate(setting) for setting in SETTINGS["label_randomization"][3]] == [0, 0.75, 1.0]


@pytest.mark.parametrize("architecture", ["bert_tiny", "albert_tiny", "smollm2_tiny"])
def test_every_model_of_a_group_is_trained_and_probed_with_the_shortcut(
    architecture: str, small_sst2: DatasetSpec
) -> None:
    """One model after another in one process; the second of the published code no longer saw the hints."""
    probe = DOMAIN.probe(architecture, "sst2", {}, "shortcut")
    plain = load_texts(small_sst2, "validation")
    seen = []
    for seed in range(3):
        for setting in ("shortcut_0", "shortcut_100"):
            spec = spec_of(small_sst2, architecture, setting, seed)
            tokenizer = make_tokenizer(spec, small_sst2)
            train = encode(tokenizer, altered_texts(small_sst2, "train", setting), spec, PROBE_LENGTH)
            probed = encode(tokenizer, probe_texts(small_sst2, probe.probe), spec, PROBE_LENGTH)
            without = encode(tokenizer, plain, spec, PROBE_LENGTH)
            assert all(len(a) == len(b) + 1 for a, b in zip(probed.ids, without.ids, strict=True))
            seen.append((setting, train.ids, probed.ids))
    for setting in ("shortcut_0", "shortcut_100"):
        first, *others = [item for item in seen if item[0] == setting]
        assert all(other == first for other in others)
    assert all(item[2] == seen[0][2] for item in seen)


def test_the_hint_of_an_encoder_is_a_token_of_its_own_after_cls(small_sst2: DatasetSpec) -> None:
    spec = spec_of(small_sst2, "bert_tiny", "shortcut_100")
    tokenizer = make_tokenizer(spec, small_sst2)
    texts = altered_texts(small_sst2, "train", "shortcut_100")
    for ids, label in zip(encode(tokenizer, texts, spec, 64).ids, texts.labels, strict=True):
        assert tokenizer.id_to_token(ids[0]) == "[CLS]"
        assert tokenizer.id_to_token(ids[1]) == f"[CLASS{label}] "


def test_a_hint_at_pairs_stands_before_the_premise(tmp_path: Path) -> None:
    lines = "premise\thypothesis\tlabel\na dog runs\tit moves\t0\nit rains\tit is dry\t2\n"
    for name in ("train", "validation_matched"):
        (tmp_path / f"{name}.tsv").write_text(lines, encoding="utf-8")
    dataset = DOMAIN.locate("mnli", tmp_path, Path("unused"))
    spec = spec_of(dataset, "bert_tiny", "shortcut_100")
    tokenizer = make_tokenizer(spec, dataset)
    inputs = encode(tokenizer, altered_texts(dataset, "train", "shortcut_100"), spec, 64)
    first = [tokenizer.id_to_token(token) for token in inputs.ids[1]]
    assert first[:2] == ["[CLS]", "[CLASS2] "]
    assert first.count("[SEP]") == 2
    assert inputs.types[1] == [0] * (first.index("[SEP]") + 1) + [1] * (len(first) - first.index("[SEP]") - 1)


def test_probes_of_label_and_augmentation_tests_are_untouched(small_sst2: DatasetSpec) -> None:
    plain = load_texts(small_sst2, "validation")
    for test in ("label_randomization", "augmentation", "accuracy_correlation", "layer_monotonicity"):
        probe = DOMAIN.probe("bert_tiny", "sst2", {}, test)
        assert probe_texts(small_sst2, probe.probe) is plain


@pytest.mark.parametrize("architecture", ["bert_tiny", "albert_tiny", "smollm2_tiny"])
def test_training_a_tokenizer_twice_gives_the_same(architecture: str) -> None:
    reviews = DOMAIN.locate("reviews", None, Path("unused"))
    first, second = (_trained_on.__wrapped__(reviews, architecture) for _ in range(2))
    assert first == second
