"""The correlation tests and the layer test end to end on embedded data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import resi
from resi.cli import tables
from resi.store.tensors import read_tensors

SMALL = ["model=gcn", "model.gcn.epochs=2", "model.gcn.hidden_channels=8"]
PREDICTION = [*SMALL, "seeds=[0,1,2,3]", "measure=[cka,pwcca]"]


@pytest.fixture(scope="module")
def correlated(tmp_path_factory: pytest.TempPathFactory):
    """Return one finished run of a correlation test and its data root."""
    root = tmp_path_factory.mktemp("correlated")
    return root, resi.run([*PREDICTION, "test=output_correlation", f"root={root}"])


def test_outputs_are_compared_as_rows_of_their_own(correlated) -> None:
    from scipy.special import rel_entr, softmax

    root, result = correlated
    rows = result.comparisons.filter(measure="jsd")
    assert rows.height == result.comparisons.filter(measure="disagreement").height == 6
    assert set(rows["layer_a"]) == set(rows["layer_b"]) == {""}
    assert set(rows["parameters"]) == {"{}"}
    row = rows.row(2, named=True)
    sides = []
    for side in "ab":
        folder = root / "representations" / "graph" / "digits_knn" / "gcn" / f"standard-s{row[f'seed_{side}']}"
        (path,) = folder.glob("test-outputs-*.safetensors")
        sides.append(softmax(read_tensors(path)[0]["logits"].double().numpy(), axis=1))
    mean = sum(sides) / 2
    divergence = sum(rel_entr(side, mean).sum(axis=1) for side in sides) / 2 / np.log(2)
    assert row["value"] == pytest.approx(divergence.mean(), rel=1e-9)


def test_correlation_scores_are_those_of_the_table_alone(correlated) -> None:
    from scipy.stats import spearmanr

    _, result = correlated
    order = ["seed_a", "seed_b"]
    similarity, divergence = (
        result.comparisons.filter(measure=name).sort(order)["value"].to_numpy() for name in ("cka", "jsd")
    )
    score = result.scores.filter(measure="cka", functional="jsd", metric="spearman")
    assert score["value"].item() == pytest.approx(spearmanr(-similarity, divergence).statistic, abs=1e-12)
    assert resi.score_table(result.comparisons, "output_correlation").equals(result.scores)
    assert result.scores.height == 2 * 2 * 3
    assert set(result.scores["pairs"]) == {6}


def test_outputs_are_compared_once_and_again_on_request(correlated, monkeypatch: pytest.MonkeyPatch) -> None:
    from resi.measures import functional

    root, result = correlated
    words = [*PREDICTION, "test=output_correlation", f"root={root}"]
    assert resi.run(words).reused
    # Another measure takes over what is there.
    with monkeypatch.context() as patch:
        patch.setitem(functional.FUNCTIONAL, "jsd", lambda *_: pytest.fail("it was compared again"))
        more = resi.run([*words[:-3], "measure=rsa", *words[-2:]])
    jsd = pl.col("measure") == "jsd"
    assert more.comparisons.filter(jsd).equals(result.comparisons.filter(jsd))
    # Accuracies are another function of the same models.
    assert resi.run([*PREDICTION, "test=accuracy_correlation", f"root={root}"]).count("ok") == 6 + 12 + 6


def test_outputs_that_cannot_be_compared_are_recorded_as_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from resi.measures import functional

    words = [*PREDICTION, "test=output_correlation", f"root={tmp_path}"]
    with monkeypatch.context() as patch:
        patch.setitem(functional.FUNCTIONAL, "jsd", lambda *_: 1 / 0)
        result = resi.run(words)
        assert result.comparisons.filter(measure="jsd")["error"].unique().to_list() == [
            "ZeroDivisionError: division by zero"
        ]
        scores = result.scores.filter(functional="jsd")
        assert scores["value"].null_count() == scores.height == 6
        assert scores["failed_pairs"].to_list() == [6] * 6
        assert set(scores["reason"]) == {"fewer than two pairs of models have values"}
        assert result.scores.filter(functional="disagreement")["value"].null_count() == 0
        with pytest.raises(ZeroDivisionError):
            resi.run([*words, "on_error=raise", "compare.overwrite=failed"])
    assert resi.run([*words, "compare.overwrite=failed"]).scores["value"].null_count() == 0


def test_a_subsample_is_of_representations_and_not_of_outputs(correlated) -> None:
    root, result = correlated
    smaller = resi.run([*PREDICTION, "test=output_correlation", f"root={root}", "compare.subsample=100"])
    jsd = pl.col("measure") == "jsd"
    assert smaller.comparisons.filter(jsd).equals(result.comparisons.filter(jsd))
    assert smaller.scores["value"].null_count() == 0


def test_the_layer_test_scores_every_model_and_their_mean(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from resi.config.compose import compose

    words = [*SMALL, "seeds=[0,1,2]", "measure=cka", "test=layer_monotonicity", f"root={tmp_path}"]
    result = resi.run(words)
    assert result.comparisons.height == 3 * 10
    assert result.comparisons.filter(pl.col("seed_a") != pl.col("seed_b")).height == 0
    spearman = result.scores.filter(metric="spearman").sort("seed")
    assert spearman["seed"].to_list() == [None, 0, 1, 2]
    assert spearman["value"][0] == pytest.approx(spearman["value"][1:].mean())
    assert resi.score_table(result.comparisons, "layer_monotonicity").equals(result.scores)
    again = resi.run(words)
    assert again.reused
    tables.print_result(compose(words), again)
    shown = capsys.readouterr().out
    assert "Spearman" in shown
    assert shown.count("cka") == 1  # of single models nothing is printed
