"""Scores from tables of pairs: what a test needs to know of what was compared, and no more."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

import resi
from resi.errors import UsageError
from resi.extraction.collection import Representations
from resi.measures.functional import disagreement, jsd
from resi.results.schema import SCORES

RNG = np.random.default_rng(4)
BASES = {group: RNG.normal(size=(40, 5)) for group in ("clean", "noisy")}
NAMES = [f"{group}{seed}" for group in BASES for seed in range(3)]
ARRAYS = {name: BASES[name[:-1]] + 0.2 * RNG.normal(size=(40, 5)) for name in NAMES}
MODELS = {name: {"setting": name[:-1], "seed": int(name[-1])} for name in NAMES}
TABLE = resi.pairwise(ARRAYS, ["cka", "linear_regression"])


def joined(table: pl.DataFrame, **columns) -> pl.DataFrame:
    """Return a table with the columns of a run's comparisons, written out by hand."""
    sides = {
        f"{part}_{side}": [MODELS[name].get(part, "") for name in table[end]]
        for side, end in (("a", "source"), ("b", "target"))
        for part in ("setting", "seed", "layer")
    }
    filled = {"domain": "custom", "dataset": "", "architecture": "", "parameters": "{}", **columns}
    return table.with_columns(**{name: pl.Series(column) for name, column in sides.items()}).with_columns(
        **{name: pl.lit(text) for name, text in filled.items()},
        key=pl.int_range(pl.len()).cast(pl.String),
    )


def same(scores: pl.DataFrame, expected: pl.DataFrame) -> bool:
    assert dict(scores.schema) == dict(expected.schema) == SCORES
    return scores.drop("key").equals(expected.drop("key"))


def test_a_pairwise_table_and_what_its_names_are_suffice() -> None:
    scores = resi.score_table(TABLE, "augmentation", models=MODELS)
    expected = resi.score_table(joined(TABLE), "augmentation", settings=["clean", "noisy"])
    assert same(scores, expected)
    assert scores["value"].to_list() == [1, 0, 1, 0]
    assert scores.select("groups", "models", "pairs", "failed_pairs").row(0) == (2, 6, 15, 0)
    as_tables = [
        frame([{"name": name, **about} for name, about in MODELS.items()]) for frame in (pl.DataFrame, pd.DataFrame)
    ]
    for models in as_tables:
        assert resi.score_table(TABLE, "augmentation", models=models).equals(scores)
    needed = joined(TABLE).select("setting_a", "seed_a", "setting_b", "seed_b", "measure", "value")
    assert same(resi.score_table(needed, "augmentation", settings=["clean", "noisy"]), expected)
    # A key names what was computed from what.
    assert set(
        resi.score_table(TABLE.with_columns(pl.col("value") / 2), "augmentation", models=MODELS)["key"]
    ).isdisjoint(scores["key"])


def test_settings_named_after_the_test_may_be_chosen() -> None:
    renamed = {name: {**about, "setting": f"augmentation_{about['setting']}"} for name, about in MODELS.items()}
    three = {**ARRAYS, "other": RNG.normal(size=(40, 5))}
    models = {**renamed, "other": {"setting": "other", "seed": 0}}
    scores = resi.score_table(resi.pairwise(three), "augmentation", models=models)
    assert set(scores["groups"]) == {3}
    chosen = resi.score_table(
        resi.pairwise(three), "augmentation", models=models, settings=list({m["setting"] for m in renamed.values()})
    )
    assert set(chosen["groups"]) == {2}


def test_layers_of_collections_are_named_by_their_model() -> None:
    layers = [np.eye(30)[:, :4] + 0.1 * RNG.normal(size=(30, 4))]
    for _ in range(4):
        layers.append(layers[-1] + 0.4 * RNG.normal(size=(30, 4)))
    names = ["stem", "b2", "b10", "a", "head"]
    nets = {
        f"net{seed}": Representations.from_tensors(
            {name: torch.from_numpy(layer + 0.01 * seed) for name, layer in zip(names, layers, strict=True)}
        )
        for seed in range(2)
    }
    table = resi.pairwise(nets, "cka")
    models = {f"net{seed}": {"seed": seed} for seed in range(2)}
    scores = resi.score_table(table, "layer_monotonicity", models=models, layers=names)
    alone = resi.pairwise(nets["net0"], "cka").rename({"source": "layer_a", "target": "layer_b"})
    expected = resi.score_table(alone, "layer_monotonicity", layers={"": names})
    both = scores.filter(seed=0).select("metric", "value")
    assert both.equals(expected.filter(seed=0).select("metric", "value"))
    assert scores.filter(seed=1).height
    with pytest.raises(UsageError, match="the layers a, b10, b2 are missing from layers="):
        resi.score_table(table, "layer_monotonicity", models=models, layers=["stem", "head"])


def test_tests_of_predictions_take_accuracies_and_logits() -> None:
    names = NAMES[:3]
    logits = {name: RNG.normal(size=(40, 3)) for name in names}
    accuracies = dict(zip(names, (0.9, 0.7, 0.85), strict=True))
    arrays = {name: ARRAYS[name] for name in names}
    table = resi.pairwise(arrays)
    models = {
        name: {"seed": seed, "accuracy": accuracies[name], "logits": logits[name]} for seed, name in enumerate(names)
    }
    rows = [
        {"measure": name, "source": a, "target": b, "value": value}
        for a, b in itertools.combinations(names, 2)
        for name, value in (
            ("jsd", jsd(logits[a], logits[b])),
            ("disagreement", disagreement(logits[a], logits[b])),
            ("accuracy_difference", abs(accuracies[a] - accuracies[b])),
        )
    ]
    by_hand = joined(pl.concat([table, pl.DataFrame(rows)], how="diagonal")).with_columns(
        setting_a=pl.lit("standard"), setting_b=pl.lit("standard")
    )
    for test in ("output_correlation", "accuracy_correlation"):
        assert same(resi.score_table(table, test, models=models), resi.score_table(by_hand, test))
    without = {**models, names[1]: {"seed": 1}}
    with pytest.raises(
        UsageError, match="test=accuracy_correlation needs the accuracy of every model; models= lacks it for 'clean1'"
    ):
        resi.score_table(table, "accuracy_correlation", models=without)
    wrong = {**models, names[1]: {"seed": 1, "accuracy": 70.0}}
    with pytest.raises(
        UsageError, match=r"models\['clean0'\] and models\['clean1'\]: .*expected an accuracy from 0 to 1"
    ):
        resi.score_table(table, "accuracy_correlation", models=wrong)


def test_the_table_says_the_direction_of_measures_that_nobody_registered() -> None:
    def distance(R, S):
        return float((R - S).norm())

    declared = resi.as_measure(lambda R, S, shape: distance(R, S), name="distance", larger_is_more_similar=False)
    for table in (
        resi.pairwise(ARRAYS, [declared]),
        resi.pairwise(ARRAYS, [distance]).with_columns(larger_is_more_similar=pl.lit(value=False)),
    ):
        assert resi.score_table(table, "augmentation", models=MODELS)["value"].to_list() == [1, 0]
    undeclared = resi.pairwise(ARRAYS, [distance])
    with pytest.raises(
        UsageError, match=r"it is not known whether larger values of distance mean more similar; .*as_measure"
    ):
        resi.score_table(undeclared, "augmentation", models=MODELS)
    assert resi.score_table(undeclared, "augmentation", models=MODELS, measures={"distance": declared}).height == 2
    both = pl.concat([undeclared.with_columns(larger_is_more_similar=pl.lit(value=way)) for way in (True, False)])
    with pytest.raises(UsageError, match="is both true and false for distance"):
        resi.score_table(both, "augmentation", models=MODELS)


@pytest.mark.parametrize(
    ("test", "message"),
    [
        (
            "augmentation",
            r"lacks the columns setting_a, seed_a, setting_b, seed_b, which test=augmentation needs; "
            r"describe its names: models={'clean0': {'setting': 'standard', 'seed': 0}, ...}$",
        ),
        ("layer_monotonicity", r"lacks the columns layer_a, layer_b, which test=layer_monotonicity needs"),
        ("output_correlation", r"lacks the columns seed_a, seed_b, which"),
    ],
)
def test_errors_name_the_columns_that_the_test_needs_alone(test: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        resi.score_table(TABLE, test)


@pytest.mark.parametrize(
    ("models", "message"),
    [
        ({"clean0": MODELS["clean0"]}, "does not name 'clean1', 'clean2', 'noisy0', 'noisy1', 'noisy2'; add"),
        ({name: {"setting": "x"} for name in NAMES}, r"models\['clean0'\] lacks its seed, which test=augm"),
        (
            {name: {"setting": "x", "seed": 0} for name in NAMES},
            "models= is the same for 'clean0' and 'clean1': setting=x seed=0; give each",
        ),
        ({**MODELS, "clean0": {"group": "x"}}, r"models\['clean0'\] has 'group'; known keys: setting, seed"),
        ({**MODELS, "clean0": {"setting": "x", "seed": "one"}}, "seed='one': expected a whole number"),
        (["clean0"], "models= expects facts by name"),
        (pl.DataFrame({"model": ["clean0"]}), "models= needs a column 'name'; it has model"),
    ],
)
def test_what_models_does_not_say_is_named(models, message: str) -> None:
    with pytest.raises(UsageError, match=message) as error:
        resi.score_table(TABLE, "augmentation", models=models)
    assert "\n" not in str(error.value)


def test_columns_of_the_wrong_kind_are_named() -> None:
    texts = joined(TABLE).with_columns(seed_a=pl.col("seed_a").cast(pl.String))
    with pytest.raises(UsageError, match="the column seed_a holds String; seeds must be whole numbers"):
        resi.score_table(texts, "augmentation")
    with pytest.raises(UsageError, match="models= names what is compared, but the table lacks the columns source"):
        resi.score_table(joined(TABLE).drop("source"), "augmentation", models=MODELS)
