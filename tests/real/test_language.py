"""Layers of a real MiniLM over real sentences: those of a forward pass by hand, and what they should look like."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

import resi
from resi.cli.main import run_command
from tests.real.conftest import REAL, show

pytestmark = REAL
BATCH = 50
LAYERS = ["embeddings", *(f"encoder.layer.{number}" for number in range(6))]
SHORT = ["emb", *(f"layer.{number}" for number in range(6))]


@pytest.fixture(scope="module")
def real(minilm: Path, reviews: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> resi.Representations:
    out = tmp_path_factory.mktemp("real") / "minilm"
    return resi.extract(f"hf:{minilm}", reviews, LAYERS, "mean", BATCH, "cpu", out, column="sentence")


@pytest.fixture(scope="module")
def random(minilm: Path, reviews: pl.DataFrame) -> resi.Representations:
    model = f"hf:{minilm}?pretrained=false"
    return resi.extract(model, reviews, LAYERS, "mean", BATCH, "cpu", column="sentence")


def by_hand(folder: Path, texts: list[str]) -> list[torch.Tensor]:
    """Return what transformers itself computes: embeddings and all blocks, the mean over tokens that do not pad."""
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    found = []
    for start in range(0, len(texts), BATCH):
        inputs = tokenizer(texts[start : start + BATCH], padding=True, return_tensors="pt")
        with torch.no_grad():
            states = model(**inputs, output_hidden_states=True).hidden_states
        mask = inputs["attention_mask"][:, :, None]
        found.append([(state * mask).sum(1) / mask.sum(1) for state in states])
    return [torch.cat(parts) for parts in zip(*found, strict=True)]


def test_layers_are_those_of_a_forward_pass_by_hand(
    minilm: Path, reviews: pl.DataFrame, real: resi.Representations
) -> None:
    expected = by_hand(minilm, reviews["sentence"].to_list())
    assert real.layers.keys() == set(LAYERS)
    for layer, rows in zip(LAYERS, expected, strict=True):
        assert real[layer].dtype == torch.float32
        assert torch.equal(real[layer], rows), layer


def test_the_last_layer_embeds_sentences(minilm: Path) -> None:
    texts = [
        "The film is a delight from beginning to end.",
        "I enjoyed every minute of this wonderful movie.",
        "Interest rates were raised by a quarter of a percent.",
        "The central bank has increased the cost of borrowing.",
    ]

    def cosines(model: str) -> np.ndarray[Any, Any]:
        rows = resi.extract(model, texts, "encoder.layer.5", "mean", device="cpu")["encoder.layer.5"].double()
        rows = torch.nn.functional.normalize(rows)
        return (rows @ rows.T).numpy()

    found = cosines(f"hf:{minilm}")
    across = found[:2, 2:].max()
    assert min(found[0, 1], found[2, 3]) > across + 0.3
    other = cosines(f"hf:{minilm}?pretrained=false")
    assert min(other[0, 1], other[2, 3]) < other[:2, 2:].max() + 0.3


def test_blocks_are_more_like_their_neighbours_than_like_others(real: resi.Representations) -> None:
    found = show("CKA of MiniLM's layers", resi.pairwise(real, measures="cka", diagonal=True), LAYERS, SHORT)
    assert np.diag(found) == pytest.approx(1, abs=1e-9)
    by_distance = [np.diagonal(found, distance).mean() for distance in range(len(LAYERS))]
    assert by_distance == sorted(by_distance, reverse=True)


def test_a_random_copy_has_the_same_samples_and_other_layers(
    real: resi.Representations, random: resi.Representations
) -> None:
    assert random.samples == real.samples
    assert random.about["embeddings"]["weights"] != real.about["embeddings"]["weights"]
    own = show("CKA of a random MiniLM's layers", resi.pairwise(random, measures="cka", diagonal=True), LAYERS, SHORT)
    across = show("CKA of MiniLM (rows) with a random one (columns)", resi.pairwise(real, random), LAYERS, SHORT)
    within = resi.matrix(resi.pairwise(real, measures="cka", diagonal=True), "cka")
    # Random blocks hardly change what they are given; trained ones do, each a little.
    assert np.diagonal(own, 1).min() > np.diagonal(within, 1).mean()
    assert (np.diagonal(within, 1) > across[1:].max(1)).all()
    assert across[-1].max() < 0.5


def test_sentiment_can_be_read_from_trained_layers_alone(
    real: resi.Representations, random: resi.Representations, reviews: pl.DataFrame
) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    labels = reviews["label"].to_numpy()

    def accuracy(representations: resi.Representations) -> float:
        probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
        return float(cross_val_score(probe, representations["encoder.layer.5"].numpy(), labels, cv=4).mean())

    trained, untrained = accuracy(real), accuracy(random)
    print(f"accuracy of a linear probe for sentiment: {trained:.3f} trained, {untrained:.3f} random")
    assert trained > untrained + 0.05


def test_the_command_line_extracts_and_compares(
    minilm: Path,
    reviews: pl.DataFrame,
    real: resi.Representations,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    reviews.write_csv("sentences.csv")
    common = ["data=sentences.csv", "column=sentence", "pooling=mean", f"batch_size={BATCH}", "device=cpu"]
    for name, option in (("real", ""), ("random", "?pretrained=false")):
        layers = f"layers=[{','.join(LAYERS)}]"
        assert run_command(["extract", f"model=hf:{minilm}{option}", *common, layers, f"out={name}"]) == 0
    written = resi.load("real")
    assert written.samples == real.samples
    assert all(torch.equal(written[layer], real[layer]) for layer in LAYERS)
    capsys.readouterr()
    assert run_command(["compare", "real", "random", "--out", "table.csv", "--plot", "layers.png"]) == 0
    assert "encoder.layer.5" in capsys.readouterr().out
    table = pl.read_csv("table.csv")
    assert table.height == len(LAYERS) ** 2
    expected = resi.pairwise(real, resi.load("random"))
    assert table["value"].to_list() == pytest.approx(expected["value"].to_list(), abs=1e-12)
    assert Path("layers.png").stat().st_size > 10_000
