"""All six tests on given representations: the same numbers from files and from memory, and those of slow formulas."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy import stats

import resi
from resi.groundings import GROUNDINGS
from resi.results.schema import COMPARISONS, SCORES
from tests.domains.custom.conftest import LAYERS, SIZES, Planted

MEASURES = ["cka", "procrustes"]
BETWEEN = ("shortcut", "augmentation", "label_randomization")


def cka(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(0), b - b.mean(0)
    return float(np.linalg.norm(a.T @ b) ** 2 / np.linalg.norm(a.T @ a) / np.linalg.norm(b.T @ b))


def models_of(planted: Planted) -> list[resi.Model]:
    return [
        resi.Model(
            arrays, setting=model[0], seed=model[1], accuracy=planted.accuracy[model], logits=planted.logits[model]
        )
        for model, arrays in planted.layers.items()
    ]


@pytest.fixture(scope="module")
def results(planted: Planted, tmp_path_factory: pytest.TempPathFactory):
    """Return the result of every test from files, and from memory."""
    root = tmp_path_factory.mktemp("root")
    words = ["domain=custom", f"dataset.root={planted.manifest}", f"measure=[{','.join(MEASURES)}]", f"root={root}"]
    models = models_of(planted)
    return {
        test: (resi.run([*words, f"test={test}"]), resi.evaluate(models, test=test, measures=MEASURES))
        for test in GROUNDINGS
    }


@pytest.mark.parametrize("test", GROUNDINGS)
def test_a_result_shows_each_measure_once_for_what_it_is_scored_on_and_the_best_first(results, test: str) -> None:
    evaluated = results[test][1]
    scores = evaluated.scores.filter(pl.col("seed").is_null(), metric=GROUNDINGS[test].headline)
    sign = -1 if GROUNDINGS[test].headline == "violation_rate" else 1
    expected: list[float] = []
    for _, part in scores.group_by("setting", "functional", maintain_order=True):
        expected += sorted(part["value"], key=lambda value: -sign * value)
    table = evaluated.table()
    assert table[GROUNDINGS[test].headline].to_list() == pytest.approx(expected, nan_ok=True)
    title, header, *lines = repr(evaluated).splitlines()
    lines = lines[: table.height]  # then remarks
    assert title == f"{test}: {evaluated.scores.height} scores of {evaluated.comparisons.height} comparisons"
    assert "measure" in header.split()
    assert [line.split().count("cka") + line.split().count("procrustes") for line in lines] == [1] * table.height


@pytest.mark.parametrize("test", GROUNDINGS)
def test_memory_and_files_give_the_same_numbers(results, test: str) -> None:
    run, evaluated = results[test]
    assert dict(evaluated.comparisons.schema) == COMPARISONS
    assert dict(evaluated.scores.schema) == SCORES
    names = ["dataset", "key", "pair", "compared", "seconds", "prepare_seconds"]  # the file names the dataset
    for table in ("comparisons", "scores"):
        ours, theirs = (getattr(result, table).drop(names, strict=False) for result in (run, evaluated))
        assert ours.height == theirs.height > 0
        order = [name for name in ours.columns if ours[name].dtype != pl.Float64]
        assert ours.sort(order).equals(theirs.sort(order))
    assert set(run.comparisons["dataset"]) == {"mine"}
    assert set(run.comparisons["model_source"]) == {"own"}
    assert evaluated.shard is None


@pytest.mark.parametrize("test", BETWEEN)
def test_values_are_those_of_the_last_layers_in_float64(results, planted: Planted, test: str) -> None:
    rows = results[test][0].comparisons.filter(measure="cka")
    models = {model: arrays[LAYERS[-1]] for model, arrays in planted.layers.items()}
    assert rows.height == len(list(combinations(models, 2)))
    for row in rows.iter_rows(named=True):
        a, b = (models[row[f"setting_{side}"], row[f"seed_{side}"]] for side in "ab")
        assert row["value"] == pytest.approx(cka(a, b), rel=1e-10)
    rounded = cka(*(array.astype(np.float32).astype(float) for array in list(models.values())[:2]))
    assert rounded != pytest.approx(cka(*list(models.values())[:2]), rel=1e-8)  # what a copy in float32 would give


def test_groups_are_scored_as_the_definition_says(results, planted: Planted) -> None:
    models = {model: arrays[LAYERS[-1]] for model, arrays in planted.layers.items()}
    by_group = []
    for group in SIZES:
        pairs = [pair for pair in combinations(models, 2) if any(model[0] == group for model in pair)]
        values = sorted(((cka(models[a], models[b]), a[0] == b[0]) for a, b in pairs), reverse=True)
        hits, precision = 0, []
        for rank, (_, is_within) in enumerate(values, 1):
            hits += is_within
            precision += [hits / rank] * is_within
        by_group.append(np.mean(precision))
    (found,) = results["shortcut"][0].scores.filter(measure="cka", metric="auprc").to_dicts()
    assert found["value"] == pytest.approx(np.mean(by_group), rel=1e-12)
    assert (found["groups"], found["models"], found["pairs"]) == (2, 9, 36)


def test_correlations_are_of_every_setting_by_itself(results, planted: Planted) -> None:
    scores = results["accuracy_correlation"][0].scores.filter(measure="cka")
    assert scores["setting"].unique().sort().to_list() == sorted(SIZES)
    for setting, size in SIZES.items():
        pairs = list(combinations(range(size), 2))
        last = [planted.layers[setting, seed][LAYERS[-1]] for seed in range(size)]
        accuracy = [planted.accuracy[setting, seed] for seed in range(size)]
        unlike = [-cka(last[a], last[b]) for a, b in pairs]
        differences = [abs(accuracy[a] - accuracy[b]) for a, b in pairs]
        for metric, function in (
            ("spearman", stats.spearmanr),
            ("pearson", stats.pearsonr),
            ("kendall", stats.kendalltau),
        ):
            (value,) = scores.filter(setting=setting, metric=metric)["value"]
            assert value == pytest.approx(function(unlike, differences)[0], rel=1e-9)


def test_outputs_are_compared_by_the_given_logits(results, planted: Planted) -> None:
    rows = results["output_correlation"][0].comparisons.filter(measure="disagreement")
    assert rows.height == 6 + 10
    for row in rows.iter_rows(named=True):
        a, b = (planted.logits[row[f"setting_{side}"], row[f"seed_{side}"]].argmax(1) for side in "ab")
        assert row["value"] == np.mean(a != b)
    assert set(rows["shape_a"]) == {"40x3"}


def test_layers_are_in_the_order_of_the_table(results, planted: Planted) -> None:
    scores = results["layer_monotonicity"][0].scores.filter(measure="cka", metric="spearman")
    for (setting, seed), arrays in planted.layers.items():
        matrix = np.array([[cka(arrays[a], arrays[b]) for b in LAYERS] for a in LAYERS])
        parts = []
        for layer in range(len(LAYERS)):
            for ahead in (range(layer + 1, len(LAYERS)), range(layer - 1, -1, -1)):
                if len(ahead) > 1:
                    parts.append(stats.spearmanr(-matrix[layer, list(ahead)], range(len(ahead)))[0])
        (value,) = scores.filter(setting=setting, seed=seed)["value"]
        assert value == pytest.approx(np.mean(parts), rel=1e-9)


def test_what_is_shown_first_are_the_scores(results) -> None:
    between, layers = (results[test][1] for test in ("shortcut", "layer_monotonicity"))
    assert repr(between).startswith("shortcut: 4 scores of 72 comparisons\n")
    assert "seed" not in repr(between)
    assert "seed" not in layers._repr_html_()  # of single models: in .scores
    assert "layer_monotonicity on " in layers._repr_html_()
    assert ">setting</th>" in layers._repr_html_()
    assert "<div>108 comparisons" in layers._repr_html_()
    assert between.plot().axes


def test_what_is_left_out_is_counted_and_said(results, planted: Planted, capsys: pytest.CaptureFixture[str]) -> None:
    models = models_of(planted)
    found = resi.evaluate(models, "shortcut", "cka", layer="block1")
    line = "left out of test=shortcut: 27 representations of other layers than block1"
    assert found.left_out == (line,)
    assert line in capsys.readouterr().err
    last = results["shortcut"][1].left_out
    choose = "the last; if that is an output, choose a hidden layer: layer=block2"
    assert last == (f"{line.removesuffix('1')}3, {choose}",)
    assert results["layer_monotonicity"][1].left_out == ()
    first = planted.layers["plain", 0]["block1"], planted.layers["plain", 1]["block1"]
    (row,) = found.comparisons.filter(setting_a="plain", setting_b="plain", seed_a=0, seed_b=1).to_dicts()
    assert row["value"] == pytest.approx(cka(*first), rel=1e-10)
    assert (row["layer_a"], row["layer_b"]) == ("block1", "block1")


def test_any_table_gives_the_same(planted: Planted, tmp_path: Path, results) -> None:
    import pandas as pd

    folder = planted.manifest.parent
    records = [{**record, "file": str(folder / record["file"])} for record in planted.records]
    frame = pl.DataFrame(records).drop("logits")
    frame.write_parquet(tmp_path / "mine.parquet")
    # As pandas has whole numbers where a column has gaps.
    gaps = pd.DataFrame([*records, {"file": str(folder / "none.npy"), "setting": "plain", "layer": "block3"}])
    expected = results["shortcut"][1].scores["value"]
    for models in (planted.manifest, str(tmp_path / "mine.parquet"), frame, frame.to_dicts(), gaps):
        found = resi.evaluate(models, test="shortcut", measures=MEASURES)
        assert found.scores["value"].equals(expected), type(models)
    assert "left out of test=shortcut: 1 row without seed" in found.left_out


def test_files_with_several_layers_and_folders_name_their_layers(planted: Planted, tmp_path: Path, results) -> None:
    records = []
    for (setting, seed), arrays in planted.layers.items():
        if seed % 2:
            name = f"{setting}{seed}.npz"
            np.savez(tmp_path / name, **arrays)
        else:
            name = f"{setting}{seed}"
            resi.save(tmp_path / name, arrays)
        records.append({"file": str(tmp_path / name), "setting": setting, "seed": seed})
    for test in ("layer_monotonicity", "shortcut"):
        found = resi.evaluate(records, test, MEASURES)
        assert found.scores["value"].equals(results[test][1].scores["value"])
        loaded = [
            resi.Model(resi.load(record["file"]), setting=record["setting"], seed=record["seed"]) for record in records
        ]
        assert resi.evaluate(loaded, test, MEASURES).scores["value"].equals(found.scores["value"])
    named = [{**record, "layer": "block2"} for record in records]
    assert set(resi.evaluate(named, "shortcut", "cka").comparisons["layer_a"]) == {"block2"}


def test_groups_and_seeds_are_chosen(planted: Planted) -> None:
    models = models_of(planted)
    third = [
        resi.Model({"block3": 10.0 * planted.layers["plain", seed]["embed"]}, setting="third", seed=seed)
        for seed in (0, 1)
    ]
    found = resi.evaluate([*models, *third], "augmentation", "cka", groups=["third", "plain"], seeds=[0, 1])
    assert set(found.comparisons["setting_a"]) == {"third", "plain"}
    assert found.scores["models"].to_list() == [4, 4]
    assert "left out of test=augmentation: 5 models of other settings than third, plain" in found.left_out
    assert "left out of test=augmentation: 2 models of other seeds than 0, 1" in found.left_out


def test_models_without_names_are_of_one_setting_and_numbered(planted: Planted) -> None:
    models = [
        resi.Model(planted.layers["altered", seed]["block3"], accuracy=planted.accuracy["altered", seed])
        for seed in range(5)
    ]
    found = resi.evaluate(models, "accuracy_correlation", "cka")
    assert found.scores["setting"].unique().to_list() == ["standard"]
    named = resi.evaluate(models_of(planted), "accuracy_correlation", "cka", groups=["altered"])
    assert found.scores["value"].equals(named.scores["value"])
    layers = [resi.Model(planted.layers["altered", seed]) for seed in range(5)]
    ordered = resi.evaluate(layers, "layer_monotonicity", "cka").scores
    expected = resi.evaluate(models_of(planted), "layer_monotonicity", "cka", groups=["altered"]).scores
    assert ordered["value"].equals(expected["value"])


def test_a_layer_that_some_models_lack_has_its_place_between_those_of_the_others(planted: Planted) -> None:
    layers = planted.layers["plain", 0]
    fewer = {layer: array for layer, array in layers.items() if layer != "block1"}
    found = resi.evaluate([resi.Model(fewer, seed=0), resi.Model(layers, seed=1)], "layer_monotonicity", "cka")
    assert found.comparisons.filter(seed_a=0).height == 3
    alone = resi.evaluate([resi.Model(layers, seed=1)], "layer_monotonicity", "cka").scores
    for metric in ("spearman", "violation_rate"):
        ours, theirs = (scores.filter(metric=metric, seed=1)["value"] for scores in (found.scores, alone))
        assert ours.equals(theirs)


def test_models_without_seeds_beside_others_are_left_out(planted: Planted) -> None:
    models = [
        resi.Model(planted.layers["altered", seed]["block3"], seed=seed or None, accuracy=0.1 * seed)
        for seed in range(5)
    ]
    found = resi.evaluate(models, "accuracy_correlation", "cka")
    assert found.left_out == ("left out of test=accuracy_correlation: 1 model without seed",)
    assert found.scores["models"].to_list() == [4, 4, 4]
