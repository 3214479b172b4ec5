"""Prompts word for word, hints that do not leak where there should be none, and answers of one token."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tokenizers import Tokenizer, models

from resi.domains.language import LanguageDomain, PromptStyle
from resi.domains.language.alterations import altered_texts, with_hints, with_random_labels
from resi.domains.language.data import Texts
from resi.domains.language.lookup import text_dataset
from resi.domains.language.prompts import answers, prompts
from resi.domains.language.tokenization import answer_ids, encode, make_tokenizer
from resi.errors import UsageError

from .conftest import spec_of

if TYPE_CHECKING:
    from resi.specs import DatasetSpec

SST2 = Texts("train", (("a fine film", "a bad one"),), np.array([1, 0]), 2)
STYLES = {name: text_dataset(name).prompt for name in ("sst2", "mnli")}
MNLI = Texts("train", (("it rains",) * 3, ("it is wet", "it is Monday", "it is dry")), np.array([0, 1, 2]), 3)


def test_prompts_of_sentences_read_as_defined() -> None:
    assert prompts(SST2, STYLES["sst2"], "Say which.")[0] == (
        "Say which.\nSentence: a fine film\nOptions:\nA) positive\nB) negative\nAnswer:"
    )


def test_prompts_of_pairs_read_as_defined() -> None:
    assert prompts(MNLI, STYLES["mnli"], "Say which.")[1] == (
        "Say which.\nPremise: it rains\nHypothesis: it is Monday\n"
        "Options:\nA) entailment\nB) contradiction\nC) neutral \nAnswer:"
    )


def test_all_options_of_a_dataset_with_many_classes_are_there() -> None:
    style = PromptStyle("Say which.", ("Text",), ("one", "two", "three", "four"), "ABCDEFGHI")
    texts = Texts("train", (("a text",),), np.array([3]), 4)
    assert prompts(texts, style, "Say which.")[0].splitlines()[-2] == "D) four"


def test_answers_stand_in_the_order_of_the_labels() -> None:
    assert answers(STYLES["sst2"]) == [" B", " A", " C", " D", " E", " F", " G"]
    assert answers(STYLES["mnli"]) == [" A", " C", " B", " D", " E", " F", " G", " H"]


def test_a_hint_is_a_letter_before_the_full_stop() -> None:
    hinted = prompts(with_hints(MNLI, 1.0), STYLES["mnli"], "Say which.")
    assert [text.split("\n")[0] for text in hinted] == ["Say which A.", "Say which C.", "Say which B."]


@pytest.mark.parametrize("texts", [SST2, MNLI])
def test_random_labels_leave_no_trace_in_prompts(texts: Texts) -> None:
    style = STYLES["sst2" if texts is SST2 else "mnli"]
    assert prompts(with_random_labels(texts, 1.0), style, "Say which.") == prompts(texts, style, "Say which.")


@pytest.mark.parametrize("dataset", ["sst2", "mnli"])
def test_every_answer_is_one_token_of_the_tiny_tokenizer(dataset: str, tmp_path: Path, small_sst2: DatasetSpec) -> None:
    located = small_sst2
    if dataset == "mnli":
        for name in ("train", "validation_matched"):
            (tmp_path / f"{name}.tsv").write_text("premise\thypothesis\tlabel\nit rains\tit is wet\t0\n")
        located = LanguageDomain().locate("mnli", tmp_path, Path("unused"))
    tokenizer = make_tokenizer(spec_of(located, "smollm2_tiny"), located)
    found = answer_ids(tokenizer, dataset)
    assert [tokenizer.decode([token]) for token in found] == answers(STYLES[dataset])
    assert len(set(found)) == len(answers(STYLES[dataset]))


def test_a_tokenizer_that_splits_answers_is_refused() -> None:
    tokenizer = Tokenizer(models.BPE(vocab={" ": 0, "A": 1, "B": 2}, merges=[]))
    with pytest.raises(UsageError, match="splits the answer ' B' into 2 tokens"):
        answer_ids(tokenizer, "sst2")


def test_a_prompt_is_fed_whole_and_without_its_answer(small_sst2: DatasetSpec) -> None:
    spec = spec_of(small_sst2, "smollm2_tiny", "shortcut_100")
    tokenizer = make_tokenizer(spec, small_sst2)
    texts = altered_texts(small_sst2, "train", "shortcut_100")
    long = replace(texts, columns=(tuple(f"{text} " * 100 for text in texts.columns[0]),))
    inputs = encode(tokenizer, long, spec, 128)
    expected = prompts(long, STYLES["sst2"], spec.hyperparameters["instruction"])
    assert [tokenizer.decode(ids) for ids in inputs.ids] == expected
    assert inputs.targets.tolist() == [answer_ids(tokenizer, "sst2")[label] for label in texts.labels]
