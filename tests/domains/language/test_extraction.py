"""Hidden states as transformers gives them for one sentence alone, whatever it is batched with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from resi.domains.language import LanguageDomain
from resi.domains.language.alterations import probe_texts
from resi.domains.language.building import initial_network, weights
from resi.domains.language.extraction import POOLINGS, States, extract, run_network
from resi.domains.language.lookup import text_network
from resi.domains.language.tokenization import (
    PROBE_LENGTH,
    STATE_KEY,
    Inputs,
    answer_ids,
    encode,
    make_tokenizer,
    to_tensor,
)
from resi.errors import UsageError
from resi.randomness import forked_torch
from resi.specs import DatasetSpec, ModelSpec, ProbeSpec
from resi.store.representations import RepresentationStore
from resi.store.root import Store
from tests.domains.passes import extracted

from .conftest import CPU, spec_of

TINY = ("bert_tiny", "albert_tiny", "smollm2_tiny")
TOLERANCE = {"rtol": 1e-5, "atol": 1e-5}


class Sample:
    """A network with random weights, and what it is fed."""

    def __init__(self, architecture: str, dataset: DatasetSpec) -> None:
        self.spec: ModelSpec = spec_of(dataset, architecture)
        self.tokenizer = make_tokenizer(self.spec, dataset)
        with forked_torch(CPU, 0, "test"):
            self.network = initial_network(self.spec, self.tokenizer.get_vocab_size(), 2).eval()
        texts = probe_texts(dataset, "validation")
        # Of very different lengths.
        texts = replace(texts, columns=(tuple(text * (1 + row % 5) for row, text in enumerate(texts.columns[0])),))
        self.inputs = encode(self.tokenizer, texts, self.spec, PROBE_LENGTH)
        self.answers = answer_ids(self.tokenizer, "sst2")[:2] if architecture == "smollm2_tiny" else None

    def run(self, inputs: Inputs | None = None, batch_tokens: int = 8192) -> States:
        return run_network(self.network, inputs or self.inputs, answers=self.answers, batch_tokens=batch_tokens)

    @property
    def state(self) -> dict[str, torch.Tensor]:
        return {**weights(text_network(self.spec.architecture), self.network), STATE_KEY: to_tensor(self.tokenizer)}


@pytest.fixture(scope="module", params=TINY)
def sample(request: pytest.FixtureRequest, small_sst2: DatasetSpec) -> Sample:
    return Sample(request.param, small_sst2)


def assert_same(found: States, expected: States, rows: list[int] | None = None) -> None:
    pick = slice(None) if rows is None else rows
    assert found.pooled.keys() == expected.pooled.keys()
    for key, value in found.pooled.items():
        torch.testing.assert_close(value, expected.pooled[key][pick], **TOLERANCE)
    torch.testing.assert_close(found.logits, expected.logits[pick], **TOLERANCE)


@pytest.mark.parametrize("batch_tokens", [1, 150, 700])
def test_batch_size_leaves_representations_unchanged(sample: Sample, batch_tokens: int) -> None:
    assert_same(sample.run(batch_tokens=batch_tokens), sample.run())


def test_a_network_in_training_gives_the_same_and_stays_so(sample: Sample) -> None:
    expected = sample.run()
    sample.network.train()
    sample.network.get_input_embeddings().eval()
    try:
        assert_same(sample.run(), expected)
        assert sample.network.training
        assert not sample.network.get_input_embeddings().training
    finally:
        sample.network.eval()


def test_order_of_rows_leaves_representations_unchanged(sample: Sample) -> None:
    rows = np.random.default_rng(0).permutation(len(sample.inputs)).tolist()
    shuffled = Inputs(
        [sample.inputs.ids[row] for row in rows],
        [sample.inputs.types[row] for row in rows],
        sample.inputs.targets[rows],
    )
    assert_same(sample.run(shuffled), sample.run(), rows)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_device_leaves_representations_unchanged(sample: Sample) -> None:
    expected = sample.run()
    sample.network.to("cuda")
    try:
        assert_same(sample.run(), expected)
    finally:
        sample.network.to("cpu")


def test_states_are_those_of_one_sentence_at_a_time_padded_to_128(sample: Sample) -> None:
    """The published way, by transformers alone."""
    found = sample.run()
    for row in (0, 4, 13):
        ids, types = sample.inputs.ids[row], sample.inputs.types[row]
        pad = [0] * (PROBE_LENGTH - len(ids))
        arguments = {
            "input_ids": torch.tensor([ids + pad]),
            "attention_mask": torch.tensor([[1] * len(ids) + pad]),
            "output_hidden_states": True,
        }
        if sample.answers is None:
            arguments["token_type_ids"] = torch.tensor([types + pad])
        with torch.no_grad():
            output = sample.network(**arguments)
        assert len(output.hidden_states) == 5
        for layer, state in enumerate(output.hidden_states):
            tokens = state[0, : len(ids)]
            for pooling, expected in (("cls", tokens[0]), ("last", tokens[-1]), ("mean", tokens.mean(0))):
                torch.testing.assert_close(found.pooled[layer, pooling][row], expected, **TOLERANCE)
        logits = output.logits[0] if sample.answers is None else output.logits[0, len(ids) - 1][sample.answers]
        torch.testing.assert_close(found.logits[row], logits, **TOLERANCE)


def test_logits_of_a_prompt_are_those_with_which_generation_goes_on(small_sst2: DatasetSpec) -> None:
    sample = Sample("smollm2_tiny", small_sst2)
    output = sample.network.generate(
        input_ids=torch.tensor([sample.inputs.ids[0]]),
        attention_mask=torch.ones(1, len(sample.inputs.ids[0]), dtype=torch.long),
        max_new_tokens=1,
        do_sample=False,
        pad_token_id=0,
        return_dict_in_generate=True,
        output_scores=True,
    )
    torch.testing.assert_close(sample.run().logits[0], output.scores[0][0][sample.answers], **TOLERANCE)


def test_stored_weights_and_tokenizer_give_what_the_network_gave(sample: Sample, small_sst2: DatasetSpec) -> None:
    texts = encode(sample.tokenizer, probe_texts(small_sst2, "validation"), sample.spec, PROBE_LENGTH)
    expected = sample.run(texts)
    for pooling in POOLINGS:
        probe = ProbeSpec("validation", ("0", "4"), pooling)
        found = extracted(extract, sample.spec, sample.state, small_sst2, probe)
        for layer in (0, 4):
            torch.testing.assert_close(found.representations[str(layer)], expected.pooled[layer, pooling], **TOLERANCE)
    assert found.samples[20] == f"{small_sst2.content} validation 20"
    labels = torch.arange(21) % 2
    assert found.accuracy == pytest.approx(float((expected.logits.argmax(1) == labels).double().mean()))


def test_what_was_computed_in_half_precision_is_said_to_be(
    sample: Sample, small_sst2: DatasetSpec, tmp_path: Path
) -> None:
    """Rounded to bfloat16 in between, states differ from those in float32; embeddings that are looked up do not."""
    halved = spec_of(small_sst2, sample.spec.architecture, precision="bfloat16")
    probe = ProbeSpec("validation", ("0", "1", "4"), "mean")
    whole, found = (extracted(extract, spec, sample.state, small_sst2, probe) for spec in (sample.spec, halved))
    store = RepresentationStore(Store(tmp_path))
    store.save(halved, probe, [found])
    store.save(sample.spec, probe, [whole])
    for layer in probe.layers:
        same = torch.equal(found.representations[layer], whole.representations[layer])
        assert store.open(halved, probe, layer).dtype == ("float32" if same else "bfloat16")
        assert same is (layer == "0" and sample.spec.architecture != "albert_tiny")
        assert store.open(sample.spec, probe, layer).dtype == "float32"
    published = replace(halved, checkpoint="its hash")  # which is read in full precision
    assert extracted(extract, published, sample.state, small_sst2, probe).precision["4"] == torch.float32


def test_embeddings_of_the_first_token_are_left_out_of_layer_tests_as_they_are_constant(
    sample: Sample, small_sst2: DatasetSpec
) -> None:
    pooling = "last" if sample.answers else "cls"
    constant = sample.run().pooled[0, pooling]
    assert torch.equal(constant, constant[:1].expand_as(constant))
    name = sample.spec.architecture
    assert LanguageDomain().probe(name, "sst2", {}, "layer_monotonicity").layers == ("1", "2", "3", "4")
    assert LanguageDomain("published").probe(name, "sst2", {}, "layer_monotonicity").layers[0] == "0"
    assert LanguageDomain(representation="mean").probe(name, "sst2", {}, "layer_monotonicity").layers[0] == "0"


def test_pooling_is_part_of_the_identity() -> None:
    poolings = {LanguageDomain(representation=name).probe("bert", "sst2", {}, "shortcut") for name in ("cls", "mean")}
    assert {probe.pooling for probe in poolings} == {"cls", "mean"}
    assert LanguageDomain().probe("bert", "sst2", {}, "shortcut").pooling == "cls"
    assert LanguageDomain().probe("smollm2", "sst2", {}, "shortcut") == ProbeSpec(
        "validation_shortcut", ("24",), "last"
    )
    with pytest.raises(UsageError, match="representation=cls"):
        LanguageDomain(representation="cls").probe("smollm2", "sst2", {}, "shortcut")
