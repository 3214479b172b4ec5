"""Token ids do not depend on what a tokenizer.json was saved with: padding, truncation, special tokens, dropout."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, processors

from resi.domains.language import LanguageDomain
from resi.domains.language.alterations import probe_texts
from resi.domains.language.extraction import extract
from resi.domains.language.lookup import text_architecture, text_network
from resi.domains.language.tokenization import (
    PROBE_LENGTH,
    STATE_KEY,
    answer_ids,
    encode,
    from_json,
    make_tokenizer,
    plain,
    to_tensor,
)
from resi.domains.language.training import train
from resi.errors import ArtifactError, UsageError
from resi.specs import ProbeSpec
from tests.domains.passes import extracted

from .conftest import CPU, spec_of

if TYPE_CHECKING:
    from resi.domains.language import TextNetwork
    from resi.specs import DatasetSpec

TINY = ("bert_tiny", "albert_tiny", "smollm2_tiny")


def pad(tokenizer: Tokenizer) -> None:
    tokenizer.enable_padding(length=PROBE_LENGTH, pad_token="x")


def pad_to_longest(tokenizer: Tokenizer) -> None:
    tokenizer.enable_padding(direction="left", pad_token="x")


def cut(tokenizer: Tokenizer) -> None:
    tokenizer.enable_truncation(1, direction="left")


def frame(tokenizer: Tokenizer) -> None:
    tokenizer.add_special_tokens(["<odd>"])
    number = tokenizer.token_to_id("<odd>")
    tokenizer.post_processor = processors.TemplateProcessing(single="$A <odd>", special_tokens=[("<odd>", number)])


def frame_not(tokenizer: Tokenizer) -> None:
    tokenizer.post_processor = None


def skip_merges(tokenizer: Tokenizer) -> None:
    if isinstance(tokenizer.model, models.BPE):
        tokenizer.model.dropout = 0.5


@pytest.mark.parametrize("architecture", TINY)
@pytest.mark.parametrize("setting", [pad, pad_to_longest, cut, frame, frame_not, skip_merges])
def test_what_a_file_was_saved_with_changes_no_token_ids(architecture, setting, small_sst2: DatasetSpec) -> None:
    spec = spec_of(small_sst2, architecture)
    tokenizer = make_tokenizer(spec, small_sst2)
    texts = probe_texts(small_sst2, "validation")
    expected = encode(tokenizer, texts, spec, PROBE_LENGTH)
    saved = from_json(tokenizer.to_str())
    setting(saved)
    before = saved.to_str()
    found = encode(saved, texts, spec, PROBE_LENGTH)
    assert (found.ids, found.types, found.targets.tolist()) == (expected.ids, expected.types, expected.targets.tolist())
    assert saved.to_str() == before
    if architecture == "smollm2_tiny":
        assert answer_ids(saved, "sst2") == answer_ids(tokenizer, "sst2")


def test_a_padded_tokenizer_file_trains_the_same_weights_and_gives_the_same_representations(
    small_sst2: DatasetSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = text_architecture("bert_tiny")
    monkeypatch.setattr(text_network("bert"), "architectures", (tiny, replace(tiny, name="bert", hub="hub")))
    monkeypatch.setattr("resi.domains.language.building._pretrained", fresh_network)
    tokenizer = make_tokenizer(spec_of(small_sst2, "bert_tiny"), small_sst2)
    probe = ProbeSpec("validation", ("4",), "mean")
    found = []
    for setting in (lambda _: None, pad):
        setting(tokenizer)
        tokenizer.save(str(tmp_path / "tokenizer.json"))
        spec = spec_of(small_sst2, "bert", tokenizer=str(tmp_path), max_steps=2, max_length=64)
        state = train(spec, small_sst2, CPU).state
        found.append((state, extracted(extract, spec, state, small_sst2, probe)))
    (state, expected), (other, padded) = found
    assert all(torch.equal(tensor, other[name]) for name, tensor in state.items())
    assert torch.equal(padded.representations["4"], expected.representations["4"])

    # As earlier versions stored models that were trained on padded texts.
    padding = from_json(bytes(state[STATE_KEY].numpy()).decode())
    pad(padding)
    stored = torch.from_numpy(np.frombuffer(padding.to_str().encode(), np.uint8).copy())
    with pytest.raises(ArtifactError, match="earlier version of resi on texts to which the tokenizer had added"):
        extracted(extract, spec, {**state, STATE_KEY: stored}, small_sst2, probe)


def fresh_network(family: TextNetwork, architecture: str, _source: str, classes: int):
    return family.build(family.config(architecture, text_architecture(architecture).vocabulary, classes))


def test_a_tokenizer_without_the_tokens_around_texts_is_refused() -> None:
    tokenizer = Tokenizer(models.BPE(vocab={"a": 0, "[CLS]": 1}, merges=[]))
    with pytest.raises(UsageError, match=r"has no token \[SEP\]"):
        plain(tokenizer, "bert")


def test_a_stored_tokenizer_neither_pads_nor_cuts(small_sst2: DatasetSpec) -> None:
    tokenizer = make_tokenizer(spec_of(small_sst2, "bert_tiny"), small_sst2)
    expected = to_tensor(tokenizer)
    pad(tokenizer)
    cut(tokenizer)
    assert torch.equal(to_tensor(tokenizer), expected)


def test_folders_by_seed_may_have_any_name(tmp_path: Path) -> None:
    for name in ("[a]_0", "[a]_1", "a_0", "b_0"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "tokenizer.json").touch()
    values = LanguageDomain().hyperparameters("bert", "sst2", "standard", {"tokenizer": f"{tmp_path}/[a]_{{seed}}"})
    assert set(values["tokenizer_sha256"]) == {"[a]_0", "[a]_1"}
