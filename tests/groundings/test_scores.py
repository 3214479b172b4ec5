"""Scoring tables of comparisons: the published ones against the published scores, and small ones of our own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import combinations, permutations

import polars as pl
import pytest

import resi
from resi.errors import UsageError
from resi.groundings.scores import score_table
from resi.measures.base import Measure
from resi.results.schema import SCORES
from tests.groundings import published


def rows_between(models, value, measure="cka", layer="1", symmetric=True, **changes) -> list[dict]:
    """Return comparisons of all pairs of models, given as (setting, seed)."""
    return [
        {
            "domain": "graph",
            "dataset": "data",
            "architecture": "gcn",
            "setting_a": a[0],
            "seed_a": a[1],
            "layer_a": layer,
            "setting_b": b[0],
            "seed_b": b[1],
            "layer_b": layer,
            "measure": measure,
            "parameters": "{}",
            "value": value(a, b),
            "key": f"{a} {b} {measure} {layer}",
            **changes,
        }
        for a, b in (combinations if symmetric else permutations)(models, 2)
    ]


def models(*settings: str, seeds: int = 3) -> list[tuple[str, int]]:
    return [(setting, seed) for setting in settings for seed in range(seeds)]


def separated(a, b) -> float:
    return 0.9 - 0.01 * a[1] if a[0] == b[0] else 0.2 + 0.01 * b[1]


def spread(a, b) -> float:
    """Return a number that is different for each pair."""
    return ((a[1] * 7 + b[1] * 13) % 17 + a[1] / 10 + b[1] / 100) / 20


def compared(rows: list[dict]) -> str | None:
    (found,) = set(score_table(pl.DataFrame(rows, infer_schema_length=None), "augmentation")["compared"])
    return found


def test_scores_say_what_was_compared() -> None:
    members = models("standard", "augmentation_50")
    trained = [{**row, "pair": row["key"][:-6]} for row in rows_between(members, separated)]
    unknown = [{**row, "pair": None} for row in trained]
    assert compared(trained) == compared([{**row, "measure": "rsa", "value": 0.1} for row in trained])
    assert compared(trained) != compared([{**row, "pair": f"other {row['pair']}"} for row in trained])
    assert compared([*trained[1:], unknown[0]]) is None
    assert compared(rows_between(members, separated)) is None


def test_published_models_are_the_same_whoever_has_compared_them() -> None:
    members = models("standard", "augmentation_50")
    ours = rows_between(members, separated, pair="x", model_source="published", layer="conv_1")
    imported = rows_between(members, separated, model_source="published", origin="published")
    fewer = rows_between(members[1:], separated, model_source="published")
    assert compared(ours) == compared(imported) is not None
    assert compared(fewer) != compared(ours)


# Published results


def test_published_augmentation_scores_are_met_for_all_measures_and_architectures(published_cora) -> None:
    ours = score_table(published.comparisons(published_cora, "augmentation"), "augmentation", "published")
    theirs = published.scores(published_cora, "augmentation")
    both = ours.join(theirs, on=["architecture", "measure", "metric"], suffix="_published")
    assert ours.height == theirs.height == both.height == 21 * 3 * 2
    assert (both["value"] - both["value_published"]).abs().max() <= 1e-12


def test_published_layer_scores_are_met_for_all_measures_and_models(published_cora) -> None:
    ours = score_table(published.comparisons(published_cora, "layer_GAT"), "layer_monotonicity", "published")
    theirs = published.scores(published_cora, "layer_GAT")
    both = ours.join(theirs, on=["seed", "measure", "metric"], suffix="_published")
    assert theirs.height == both.height == 21 * 5 * 2
    assert (both["value"] - both["value_published"]).abs().max() <= 1e-12
    means = theirs.group_by("measure", "metric").agg(pl.col("value").mean())
    both = ours.filter(pl.col("seed").is_null()).join(means, on=["measure", "metric"], suffix="_published")
    assert both.height == 21 * 2
    assert (both["value"] - both["value_published"]).abs().max() <= 1e-12


def test_published_correlations_are_met_and_their_p_values_within_sampling_error(published_cora) -> None:
    comparisons = published.comparisons(published_cora, "output_GAT")
    tests = ("output_correlation", "accuracy_correlation")
    ours = pl.concat([score_table(comparisons, test, "published") for test in tests])
    theirs = published.scores(published_cora, "output_GAT")
    both = ours.join(theirs, on=["functional", "measure", "metric"], suffix="_published")
    assert ours.height == theirs.height == both.height == 21 * 3 * 3
    assert (both["value"] - both["value_published"]).abs().max() <= 1e-12
    # Both are twice a share of 9999 draws; all measures share ours, so that errors are far from independent.
    share = both["pval"] / 2
    error = (8 * share * (1 - share) / 9999).sqrt()
    assert ((both["p_value"] - both["pval"]).abs() / error).max() < 4.5


def test_published_comparisons_have_corrected_scores_with_intervals_and_p_values(published_cora) -> None:
    published_scores = score_table(published.comparisons(published_cora, "augmentation"), "augmentation", "published")
    scores = score_table(published.comparisons(published_cora, "augmentation"), "augmentation")
    assert scores["low"].null_count() == scores["p_value"].null_count() == 0
    assert (scores["low"] <= scores["high"]).all()
    assert ((scores["p_value"] > 0) & (scores["p_value"] <= 1)).all()
    assert set(scores["pairs"]) == {105}
    auprc = scores.filter(metric="auprc")
    # 10 pairs within and 50 across a group, by the mean over all random orders.
    assert auprc["chance"].to_numpy() == pytest.approx(0.218642, abs=1e-6)
    # Without ties, symmetric measures score the same under both protocols.
    both = scores.join(published_scores, on=["architecture", "measure", "metric"], suffix="_published")
    both = both.filter(~pl.col("measure").is_in(["pwcca", "linear_regression"]))
    assert (both["value"] - both["value_published"]).abs().max() <= 1e-12


# What belongs to a test


def test_a_table_is_scored_by_the_columns_alone() -> None:
    frame = pl.DataFrame(rows_between(models("standard", "augmentation_25", "augmentation_100"), separated))
    scores = score_table(frame, "augmentation")
    assert dict(scores.schema) == SCORES
    assert scores["value"].to_list() == [1, 0]
    assert scores.select("groups", "models", "pairs", "failed_pairs").row(0) == (3, 9, 36, 0)
    assert scores["normalised"].to_list() == [1, 1]
    assert resi.score_table(frame, "augmentation").equals(scores)


@pytest.mark.parametrize("test", ["label_randomization", "shortcut", "augmentation"])
def test_group_tests_pick_the_settings_named_after_them(test: str) -> None:
    settings = (f"{test}_0", f"{test}_50", f"{test}_100")
    frame = pl.DataFrame(
        rows_between(models(*settings), separated) + rows_between(models("other_0", "other_100"), spread)
    )
    scores = score_table(frame, test)
    assert scores["groups"].unique().to_list() == [3]
    assert scores["value"].to_list() == [1, 0]
    two = score_table(frame, test, settings=settings[:2])
    assert two["groups"].unique().to_list() == [2]
    assert set(two["key"]).isdisjoint(scores["key"])
    with pytest.raises(UsageError, match=r"unknown setting among the comparisons 'missing'.*Known: "):
        score_table(frame, test, settings=["missing"])


def test_models_that_only_another_test_compares_are_left_out() -> None:
    compared = rows_between(models("standard", "augmentation_100"), separated)
    # Ten models of the correlation tests, three of which are those above.
    more = [row for row in rows_between(models("standard", seeds=10), separated) if row["seed_b"] > 2]
    outputs = rows_between(models("standard", seeds=10), spread, measure="jsd", layer="")
    together = pl.DataFrame(compared + more + outputs)
    alone = score_table(pl.DataFrame(compared), "augmentation")
    assert score_table(together, "augmentation").equals(alone)
    assert score_table(together, "output_correlation")["models"].unique().to_list() == [10]
    with pytest.raises(UsageError, match="belongs to test=accuracy_correlation: it needs pairs of models of one"):
        score_table(together, "accuracy_correlation")


def test_trained_and_published_models_are_scored_apart() -> None:
    names = models("standard", "augmentation_25", "augmentation_100")
    sources = {"trained": separated, "published": spread, None: lambda a, b: spread(b, a)}
    tables = {
        source: pl.DataFrame(rows_between(names, value, key=f"{source}")).with_columns(
            pl.lit(source, pl.String).alias("model_source"), key=pl.format("{} {}", "key", pl.int_range(pl.len()))
        )
        for source, value in sources.items()
    }
    alone = {source: score_table(table, "augmentation") for source, table in tables.items()}
    together = score_table(pl.concat(tables.values()), "augmentation")
    assert together.height == 6
    for source, scores in alone.items():
        of_source = together.filter(pl.col("model_source").eq_missing(source))
        assert of_source.equals(scores)
    assert len({tuple(scores["value"]) for scores in alone.values()}) == 3


def test_layers_are_ordered_by_number_or_as_told() -> None:
    names = [f"block.{number}" for number in (0, 1, 2, 9, 10, 11)]
    rows = [
        {**row, "layer_a": a, "layer_b": b, "value": 1 - abs(names.index(a) - names.index(b)) / 10}
        for a, b in combinations(names, 2)
        for row in rows_between([("standard", 0), ("standard", 0)], spread, key=f"{a} {b}")
    ]
    frame = pl.DataFrame(rows)
    scores = score_table(frame, "layer_monotonicity").filter(seed=0)
    assert dict(scores.select("metric", "value").iter_rows()) == pytest.approx({"spearman": 1, "violation_rate": 0})
    mixed = {"gcn": [names[place] for place in (3, 0, 5, 1, 4, 2)]}
    told = score_table(frame, "layer_monotonicity", layers=mixed).filter(seed=0, metric="spearman")
    assert told["value"].item() < 0.5
    with pytest.raises(UsageError, match=r"the layers block.11 are missing from layers="):
        score_table(frame, "layer_monotonicity", layers={"gcn": names[:-1]})


# What a table may hold


def test_either_order_of_a_symmetric_pair_will_do_and_missing_values_count_as_failed() -> None:
    rows = rows_between(models("standard", "augmentation_100"), separated)
    turned = [
        {**row, **{f"{name}_{x}": row[f"{name}_{y}"] for name in ("setting", "seed", "layer") for x, y in ("ab", "ba")}}
        for row in rows
    ]
    forward = score_table(pl.DataFrame(rows), "augmentation")
    assert score_table(pl.DataFrame(turned), "augmentation").equals(forward)
    assert score_table(pl.DataFrame(rows + turned), "augmentation").drop("key").equals(forward.drop("key"))
    rows[3]["value"] = None
    rows[4]["value"] = float("nan")
    scores = score_table(pl.DataFrame(rows), "augmentation")
    assert scores["failed_pairs"].to_list() == [2, 2]
    assert scores["pairs"].to_list() == [13, 13]
    # A row that has the value counts, wherever it stands.
    turned[3]["value"] = 0.2
    mended = score_table(pl.DataFrame([turned[3], *rows]), "augmentation")
    assert mended["failed_pairs"].to_list() == [1, 1]


def test_two_values_for_one_pair_are_refused() -> None:
    rows = rows_between(models("standard", "augmentation_100"), separated)
    frame = pl.DataFrame([*rows, {**rows[0], "value": 0.5, "key": "another"}])
    with pytest.raises(UsageError, match=r"cka: 1 pairs have two different values, first .*keep those of"):
        score_table(frame, "augmentation")


def test_models_at_several_layers_are_refused() -> None:
    of = models("standard", "augmentation_100")
    frame = pl.DataFrame(rows_between(of, separated) + rows_between(of, separated, layer="2"))
    with pytest.raises(UsageError, match=r"comparisons between models have the layers 1, 2;.*keep the rows of one"):
        score_table(frame, "augmentation")


def test_a_measure_that_is_not_installed_is_named_unless_its_class_is_given() -> None:
    @dataclass
    class Mine(resi.Measure):
        name = "mine"
        larger_is_more_similar = False

        def compare(self, a, b) -> float:
            return 0.0

    of = models("standard", "augmentation_100")
    frame = pl.DataFrame(rows_between(of, separated) + rows_between(of, lambda a, b: -separated(a, b), measure="mine"))
    with pytest.raises(UsageError, match=r"unknown measure among the comparisons 'mine'.*Install its plugin"):
        score_table(frame, "augmentation")
    scores = score_table(frame, "augmentation", measures={"mine": Mine})
    assert scores.filter(metric="auprc")["value"].to_list() == [1, 1]


def test_measures_with_other_parameters_are_scored_apart() -> None:
    of = models("standard", "augmentation_100")
    more = rows_between(of, lambda a, b: 1 - separated(a, b), measure="jaccard", parameters='{"k":20}', key="x")
    frame = pl.DataFrame(rows_between(of, separated, measure="jaccard", parameters='{"k":10}') + more)
    scores = score_table(frame, "augmentation").filter(metric="violation_rate")
    assert dict(scores.select("parameters", "value").iter_rows()) == {'{"k":10}': 0, '{"k":20}': 1}


def test_wrong_names_and_tables_are_one_clear_error() -> None:
    frame = pl.DataFrame(rows_between(models("standard", "augmentation_100"), separated))
    with pytest.raises(UsageError, match="unknown test 'augment'; did you mean augmentation"):
        score_table(frame, "augment")
    with pytest.raises(UsageError, match="unknown protocol 'strict'"):
        score_table(frame, "augmentation", "strict")
    with pytest.raises(UsageError, match="the table lacks the columns measure, value"):
        score_table(frame.drop("measure", "value"), "augmentation")
    with pytest.raises(UsageError, match=r"none of the 15 comparisons belongs to test=shortcut: it needs pairs of"):
        score_table(frame, "shortcut")


def test_a_score_counts_the_notes_of_its_comparisons_and_says_what_each_model_adds() -> None:
    of = models("standard", "augmentation_100", seeds=5)
    rows = rows_between(of, lambda a, b: spread(a, b) + 0.1 * separated(a, b))
    for row in rows:
        row["note"] = "few samples" if row["seed_a"] == 0 else ""
    rows[-1]["note"] = "another"
    scores = score_table(pl.DataFrame(rows), "augmentation")
    noted = sum(row["note"] == "few samples" for row in rows)
    expected = f"{noted + 1} of 45 comparisons carry a note: few samples (and 1 other notes)"
    assert set(scores["note"]) == {expected}
    for row in scores.iter_rows(named=True):
        assert len(json.loads(row["influences"])) == 10
    without = score_table(pl.DataFrame(rows).drop("note"), "augmentation", protocol="published")
    assert set(without["note"]) == {""}
    assert set(without["influences"]) == {""}


def test_values_within_a_measures_resolution_are_ties() -> None:
    @dataclass(frozen=True)
    class Coarse(Measure):
        name = "coarse"
        larger_is_more_similar = True
        resolution = 1e-3

    of = models("standard", "augmentation_100", seeds=3)
    frame = pl.DataFrame(rows_between(of, lambda a, b: 1 + spread(a, b) * 1e-5, measure="coarse"))
    scores = score_table(frame, "augmentation", measures={"coarse": Coarse})
    found = dict(scores.select("metric", "value").iter_rows())
    assert found == {"auprc": 0.25, "violation_rate": 0.5}
    assert scores["normalised"].to_list() == pytest.approx([0, 0])


def test_draws_depend_on_the_seed_alone() -> None:
    of = models("standard", "augmentation_50", "augmentation_100", seeds=5)
    frame = pl.DataFrame(rows_between(of, lambda a, b: spread(a, b) + 0.1 * separated(a, b)))
    scores = score_table(frame, "augmentation")
    assert score_table(frame.sample(fraction=1, shuffle=True, seed=1), "augmentation").equals(scores)
    other = score_table(frame, "augmentation", seed=1)
    assert other["value"].equals(scores["value"])
    assert not other["p_value"].equals(scores["p_value"])
    assert set(other["key"]).isdisjoint(scores["key"])
    # Another measure beside it changes nothing.
    with_more = pl.concat([frame, pl.DataFrame(rows_between(of, spread, measure="rsa"))])
    assert score_table(with_more, "augmentation").filter(measure="cka").equals(scores)


def test_a_score_of_nothing_is_undefined_and_says_why() -> None:
    of = models("standard", "augmentation_100")
    frame = pl.DataFrame(rows_between(of, lambda a, b: None if a[0] == b[0] == "standard" else separated(a, b)))
    scores = score_table(frame, "augmentation")
    empty = scores.select("value", "low", "high", "p_value", "chance", "normalised")
    assert empty.null_count().row(0) == (2,) * 6
    assert scores["reason"].unique().to_list() == ["no pair of two models of standard has a value"]
    assert scores["failed_pairs"].to_list() == [3, 3]
