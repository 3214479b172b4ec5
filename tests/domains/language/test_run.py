"""Whole runs: all six tests on the three kinds of tiny models, trained and compared once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import resi
from resi.errors import UsageError
from tests.conftest import changed

if TYPE_CHECKING:
    from resi.specs import DatasetSpec

TESTS = (
    "accuracy_correlation",
    "output_correlation",
    "label_randomization",
    "shortcut",
    "augmentation",
    "layer_monotonicity",
)


def words(dataset: DatasetSpec, test: str, model: str = "bert_tiny") -> list[str]:
    return [
        "domain=language", "dataset=sst2", f"dataset.root={dataset.folder}", f"test={test}", f"model={model}",
        f"model.{model}.epochs=1", "seeds=[0,1,2]" if "correlation" in test else "seeds=[0,1]", "groups=2",
        "measure=[cka,procrustes]",
    ]  # fmt: skip


def test_all_six_tests_run_and_a_finished_run_does_nothing(root: Path, small_sst2: DatasetSpec) -> None:
    for test in TESTS:
        result = resi.run(words(small_sst2, test))
        assert set(result.comparisons["status"]) == {"ok"}, test
        assert len(result.scores) > 0
    trained = sorted((root / "models").rglob("*.safetensors"))
    # Three standard ones; two of random labels, of augmented texts, and of each of two shortcut levels.
    assert len(trained) == 3 + 2 + 2 + 4
    assert resi.run(words(small_sst2, "shortcut")).reused


@pytest.mark.parametrize("model", ["albert_tiny", "smollm2_tiny"])
def test_other_families_run(model: str, root: Path, small_sst2: DatasetSpec) -> None:
    result = resi.run(words(small_sst2, "shortcut", model))
    assert set(result.comparisons["status"]) == {"ok"}


def test_poolings_give_comparisons_of_their_own(root: Path, small_sst2: DatasetSpec) -> None:
    first = resi.run(words(small_sst2, "shortcut"))
    mean = resi.run([*words(small_sst2, "shortcut"), "representation=mean"])
    assert not mean.reused
    assert first.shard != mean.shard
    assert first.comparisons["value"].to_list() != mean.comparisons["value"].to_list()


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("representation=max", "representation of domain=language"),
        ("model.bert_tiny.lora_rank=2", "lora_rank: unknown; bert_tiny has epochs"),
        ("model.bert_tiny.schedule=step", "schedule of bert_tiny"),
        ("model.bert_tiny.epochs=0", "expected a number from 1"),
        ("model.bert_tiny.max_length=200", "bert_tiny has 128 positions"),
        ("model.bert_tiny.tokenizer=x", "tokenizer: unknown; bert_tiny has epochs"),
    ],
)
def test_wrong_words_are_refused_with_what_there_is(
    word: str, message: str, root: Path, small_sst2: DatasetSpec
) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        resi.run(changed(words(small_sst2, "shortcut"), word))
    assert "\n" not in str(caught.value)
