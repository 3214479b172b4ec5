"""The results of a run as Python and a notebook show them."""

from __future__ import annotations

import re
import traceback
from pathlib import Path

import polars as pl
import pytest

import resi
from resi.api.running import RunResult
from resi.errors import ResiError, UsageError
from resi.pipeline import run as pipeline
from resi.store.tensors import read_metadata, read_tensors
from tests.conftest import TINY


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    return resi.run([*TINY, "measure=[cka,rsa]", f"root={tmp_path_factory.mktemp('root')}"])


def test_the_table_holds_the_scores_the_best_first(result: RunResult) -> None:
    table = result.table()
    auprc = result.scores.filter(metric="auprc")
    by_measure = dict(auprc.select("measure", "value").iter_rows())
    assert dict(table.select("measure", "auprc").iter_rows()) == by_measure
    assert table["auprc"].is_sorted(descending=True)
    assert table.columns[:4] == ["architecture", "measure", "best", "auprc"]
    assert {"violation_rate", "chance", "low", "high", "p_value", "models"} < set(table.columns)


def test_models_have_their_accuracies_and_times(result: RunResult) -> None:
    root = result.plan.config.root
    stored = [read_metadata(path) for path in (root / "models").rglob("*.safetensors")]
    expected = sorted(
        (about["spec"]["setting"], about["spec"]["seed"], about["accuracies"]["test"], about["seconds"])
        for about in stored
    )
    assert sorted(result.models.select("setting", "seed", "accuracy_test", "seconds").rows()) == expected
    assert result.models["accuracy_probe"].null_count() == 0
    for path in (root / "models").rglob("*.safetensors"):
        path.rename(path.with_suffix(".away"))
    try:
        assert RunResult.of(result).models["seconds"].null_count() == 4
    finally:
        for path in (root / "models").rglob("*.away"):
            path.rename(path.with_suffix(".safetensors"))


def test_representations_are_read_when_they_are_used(result: RunResult) -> None:
    root = result.plan.config.root
    (path,) = (root / "representations").rglob("standard-s1/test-1-*.safetensors")
    layers = result.representations["gcn", "standard", 1]
    assert list(layers) == ["1"]
    assert "1" in layers
    assert layers["1"].equal(read_tensors(path)[0]["representation"])
    assert layers.layers["1"].samples == read_metadata(path)["samples"]
    with pytest.raises(UsageError, match="unknown layer '7'"):
        layers["7"]
    assert len(result.representations) == 4
    value = resi.compare(layers["1"], result.representations["gcn", "standard", 0]["1"], measure="cka")
    row = result.comparisons.filter(measure="cka", setting_a="standard", setting_b="standard")
    assert value == pytest.approx(row["value"][0], rel=1e-6)


def test_a_notebook_shows_a_small_table_in_which_all_texts_are_escaped(result: RunResult) -> None:
    page = result._repr_html_()
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", row)[1] for row in re.findall(r"<tr>(.*?)</tr>", page)[1:]]
    assert rows == result.table()["measure"].to_list()
    assert "no p-value can be below" in page
    assert result.shard.name in page
    hostile = "<script>alert(1)</script>&\"'"
    changed = [
        pl.lit(hostile).alias(name) for name in ("architecture", "dataset", "measure", "note", "reason", "setting")
    ]
    other = RunResult(result.scores.with_columns(changed), result.comparisons, Path(hostile), reused=False)
    page = other._repr_html_()
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    nothing = RunResult(result.scores.clear(), result.comparisons, Path("shard"), reused=False)
    assert nothing._repr_html_() == f"<p>{result.comparisons.height} comparisons in shard; no scores</p>"
    with pytest.raises(UsageError, match="was not made by a run"):
        _ = nothing.models


def test_a_prompt_shows_a_small_table(result: RunResult) -> None:
    first, header, *lines = repr(result).splitlines()
    assert first == f"augmentation: {result.scores.height} scores of {result.comparisons.height} comparisons"
    assert header.split()[0] == "measure"
    measures = result.table()["measure"].to_list()
    assert [line.split()[0] for line in lines[: len(measures)]] == measures
    nothing = RunResult(result.scores.clear(), result.comparisons.clear(), Path("shard"), reused=False)
    assert repr(nothing) == "0 scores of 0 comparisons"


def test_the_plot_is_that_of_the_scores(result: RunResult) -> None:
    figure = result.plot()
    texts = [text.get_text() for ax in figure.axes for text in ax.get_yticklabels()]
    assert texts == result.table()["measure"].to_list()


@pytest.mark.parametrize(
    "words",
    [
        ["mesure=cka"],
        ["measure=ckaa"],
        ["measure"],
        ["measure=[cka"],
        ["seeds=abc"],
        ["stage=foo"],
        ["protocol=12"],
        ["device=gpux"],
        ["compare.memory=x"],
        ["measure.jaccard.k=abc"],
        "measure=cka",
    ],
)
def test_a_wrong_word_is_one_short_error(words: list[str], tmp_path: Path) -> None:
    given = words if isinstance(words, str) else [*words, f"root={tmp_path}"]
    with pytest.raises(ResiError) as caught:
        resi.run(given)
    text = "".join(traceback.format_exception(caught.value))
    assert "During handling" not in text
    assert "direct cause" not in text
    assert len(traceback.extract_tb(caught.value.__traceback__)) <= 3
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, UsageError)
    assert pipeline.RunResult in RunResult.__mro__
