"""Architectures, and datasets that models were trained on, against each other as groups."""

from __future__ import annotations

from itertools import combinations, product
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import resi
from resi.cli.main import run_command
from resi.config.compose import compose
from resi.errors import UsageError
from resi.estimates.fetching import needed
from resi.groundings.against import join
from resi.groundings.scores import score_table
from resi.pipeline.planner import Planner, make_plan
from resi.report.leaderboard import leaderboards
from resi.results.merge import merge_shards

SHORT = ["model.gcn.epochs=1", "model.gat.epochs=1", "measure=[cka,linear_regression]", "seeds=[0,1,2]", "workers=1"]
BY = ["model=[gcn,gat]", "by=architecture", *SHORT]
PLAIN = ["model=gcn", "test=label_randomization", "groups=2", *SHORT[:1], *SHORT[2:]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, Any]:
    """A root with a run of one architecture in a test, and of two against each other."""
    root = tmp_path_factory.mktemp("against")
    return root, resi.run([*PLAIN, f"root={root}"]), resi.run([*BY, f"root={root}"])


def cka(a: Any, b: Any) -> float:
    """Linear CKA of two arrays of the same rows."""
    x, y = (np.asarray(array, float) - np.asarray(array, float).mean(0) for array in (a, b))
    return float((x.T @ y).__pow__(2).sum() / np.sqrt((x.T @ x).__pow__(2).sum() * (y.T @ y).__pow__(2).sum()))


def average_precision(within: list[float], across: list[float]) -> float:
    """Mean, over pairs within, of the share of such pairs among all that are at least as similar."""
    shares = []
    for value in within:
        inside, outside = (sum(other >= value for other in others) for others in (within, across))
        shares.append(inside / (inside + outside))
    return sum(shares) / len(shares)


def test_the_score_is_the_average_precision_of_finding_pairs_of_one_architecture(made) -> None:
    _, _, result = made
    arrays = {key[:1] + key[2:]: next(iter(layers.values())) for key, layers in result.representations.items()}
    assert sorted(arrays) == [(name, seed) for name in ("gat", "gcn") for seed in (0, 1, 2)]
    expected = []
    for name, other in (("gat", "gcn"), ("gcn", "gat")):
        within = [cka(arrays[name, a], arrays[name, b]) for a, b in combinations(range(3), 2)]
        across = [cka(arrays[name, a], arrays[other, b]) for a, b in product(range(3), repeat=2)]
        expected.append(average_precision(within, across))
    score = result.scores.filter(measure="cka", metric="auprc").row(0, named=True)
    assert score["value"] == pytest.approx(np.mean(expected), abs=1e-9)
    named = {
        name: score[name] for name in ("test", "architecture", "dataset", "setting", "settings", "groups", "pairs")
    }
    assert named == {
        "test": "architecture",
        "architecture": "gat+gcn",
        "dataset": "digits_knn",
        "setting": "standard",
        "settings": "gat, gcn",
        "groups": 2,
        "pairs": 15,
    }
    assert result.scores["failed_pairs"].to_list() == [0] * result.scores.height


def test_models_are_shared_with_other_tests_and_pairs_within_a_group_as_well(made) -> None:
    root, plain, against = made
    assert against.shard.name.startswith("graph-digits_knn-architecture-")
    within = [frame.filter(architecture="gcn", setting_a="standard", setting_b="standard") for frame in
              (plain.comparisons, against.comparisons)]  # fmt: skip
    assert within[0].height == 3 + 6
    # The same rows to the last bit, times included: they were not made again.
    assert within[0].equals(within[1])
    across = against.comparisons.filter(architecture="gat+gcn")
    assert across.filter(measure="cka").height == 9
    assert across.filter(measure="linear_regression").height == 18
    assert {*across["setting_a"], *across["setting_b"]} == {"gat/standard", "gcn/standard"}
    assert resi.run([*BY, f"root={root}"]).reused
    turned = [word.replace("[gcn,gat]", "[gat,gcn]") for word in BY]
    again = resi.run([*turned, f"root={root}", "compare.overwrite=only_missing"])
    assert again.scores.select("value").equals(against.scores.select("value"))


def test_a_merged_table_is_scored_as_each_run_was(made, tmp_path: Path) -> None:
    root, plain, against = made
    merge_shards([root], tmp_path / "merged")
    merged = pl.read_parquet(tmp_path / "merged" / "comparisons.parquet")
    for test, expected in (("architecture", against.scores), ("label_randomization", plain.scores)):
        found = score_table(merged, test)
        assert found.drop("influences").equals(expected.drop("influences"))
    assert (
        score_table(merged, "architecture", settings=["gcn", "gat"])["key"].to_list() == against.scores["key"].to_list()
    )
    with pytest.raises(UsageError, match="unknown architecture among the comparisons between groups: 'pgnn'"):
        score_table(merged, "architecture", settings=["gcn", "pgnn"])
    with pytest.raises(UsageError, match=r"none of the \d+ comparisons belongs to test=dataset: .* by=dataset makes"):
        score_table(merged, "dataset")
    boards = {board.test: board for board in leaderboards(pl.read_parquet(tmp_path / "merged" / "scores.parquet"))}
    assert boards["architecture"].columns == [["gat+gcn", "digits_knn"]]
    assert boards["label_randomization"].columns == [["gcn", "digits_knn"]]


def test_groups_that_were_not_all_compared_with_each_other_are_no_design(made) -> None:
    _, _, against = made
    other = against.comparisons.with_columns(
        pl.col("architecture").str.replace("gcn", "graphsage", literal=True),
        pl.col("setting_a").str.replace("gcn", "graphsage", literal=True),
        pl.col("setting_b").str.replace("gcn", "graphsage", literal=True),
        key=pl.col("key") + "x",
    )
    both = pl.concat([against.comparisons, other]).unique(
        ["architecture", "measure", "setting_a", "seed_a", "setting_b", "seed_b"]
    )
    with pytest.raises(UsageError, match="the table has no comparisons of gcn with graphsage"):
        score_table(both, "architecture")
    chosen = score_table(both, "architecture", settings=["gat", "gcn"])
    assert chosen["value"].to_list() == against.scores["value"].to_list()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["by=architecture", "model=gcn"], r"model=\[gcn\]: name several to compare, each once"),
        (["by=architecture", "test=layer_monotonicity"], "by=architecture: test=layer_monotonicity compares no groups"),
        (["by=model"], "unknown by 'model'"),
        (["by=[architecture,dataset]"], "a run has one by"),
        (["by=dataset"], r"trained_on=\[\]: name several to compare"),
        (["by=dataset", "trained_on=[cora]"], r"trained_on=\[cora\]: name several to compare"),
        (["by=dataset", "trained_on=[cora,citeseer]"], "trained_on: dataset of domain=graph:.*'citeseer'"),
        (["trained_on=[cora,flickr]"], r"trained_on=\[cora,flickr\]: datasets are compared with by=dataset"),
        (["dataset=[cora,flickr]"], r"dataset=\[cora,flickr\]: a run has one dataset"),
        (["by=dataset", "trained_on=[cora,flickr]", "dataset=[cora,flickr]"], "a run has one dataset"),
        (["by=architecture", "groups=[six_layers]"], "unknown group of test=augmentation: 'six_layers'"),
    ],
)
def test_designs_that_do_not_fit_are_one_line(words: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        compose(words)
    assert "\n" not in str(caught.value)


def test_without_a_design_the_config_has_no_word_of_it() -> None:
    config = compose(["model=gcn"])
    assert not {"by", "trained_on"} & set(config.composed)
    assert compose(["model=gcn", "by=setting"]).settings == ()
    against = compose(BY)
    assert against.composed["by"] == "architecture"
    assert (against.test.name, against.settings) == ("architecture", ("standard",))


def test_settings_are_experiments_of_their_own() -> None:
    plan = make_plan(compose([*BY, "test=shortcut"]), may_download=False)
    (only,) = plan.experiments
    assert {item.model.setting for item in only.items} == {"shortcut_0"}
    assert {only.probe_of(item).probe for item in only.items} == {"test_without_shortcut"}
    assert [only.probe_of(item).layers for item in (only.items[0], only.items[-1])] == [("1",), ("0",)]
    plan = make_plan(compose([*BY, "groups=[standard,augmentation_60]"]), may_download=False)
    found = [{item.model.setting for item in experiment.items} for experiment in plan.experiments]
    assert found == [{"standard"}, {"augmentation_60"}]
    numbered = make_plan(compose([*BY, "groups=3"]), may_download=False)
    assert len(numbered.experiments) == 3
    assert {experiment.groups for experiment in numbered.experiments} == {("gcn", "gat")}


def test_a_plan_says_what_is_compared(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["plan", *BY]) == 0
    shown = capsys.readouterr().out
    assert "architecture on digits_knn" in shown
    assert "gat+gcn: gcn, gat; seeds 0, 1, 2; layer 1, 0" in shown


def test_graph_models_of_one_dataset_do_not_read_another(root: Path) -> None:
    config = compose(["by=dataset", "trained_on=[digits_knn,cora]", "model=gcn", f"root={root}"])
    with pytest.raises(UsageError, match="gcn trained on cora cannot read the nodes of digits_knn"):
        Planner(may_download=False, needs_datasets=False).plan(config)


def test_every_dataset_that_is_missing_is_named(root: Path) -> None:
    words = ["domain=language", "model=bert", "by=dataset", "trained_on=[sst2,mnli]", "dataset=sst2", f"root={root}"]
    plan = Planner(may_download=False, needs_datasets=False).plan(compose(words))
    assert list(plan.absent_datasets) == ["sst2", "mnli"]
    assert "mnli is not in" in str(plan.absent_datasets["mnli"])
    assert [item.what for item in needed([plan], [])] == ["dataset sst2", "dataset mnli"]


def test_joined_names_do_not_depend_on_the_order() -> None:
    assert join(["b", "a", "c"]) == join(["c", "b", "a"]) == "a+b+c"
    assert join(["b", "a"], "b") == "a+b@b"
