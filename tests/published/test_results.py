"""Imported results of the published benchmark: names, keys, mirrored rows, what is left out, and their scores."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import polars as pl
import pytest

from resi import registry
from resi.cli.main import run_command
from resi.errors import UsageError
from resi.groundings.scores import score_table
from resi.published.names import FUNCTIONAL, PublishedNames
from resi.published.results import import_published
from resi.results.merge import merge_shards
from resi.results.schema import COMPARISONS, SCORES
from resi.results.shards import Shard, find_shards
from resi.results.tables import read_table, table
from tests.results.rows import MANIFEST, comparison

NAMES = PublishedNames()
METRICS = {
    "AUPRC": "auprc",
    "violation_rate": "violation_rate",
    "correlation": "spearman",
    "pearsonr": "pearson",
    "spearmanr": "spearman",
    "kendalltau": "kendall",
}


def write(path: Path, rows: list[tuple[str, str, str, float]]) -> Path:
    columns = {
        "id": [f"{a}___{b}___{metric}" for a, b, metric, _ in rows],
        "metric": [metric for _, _, metric, _ in rows],
        "metric_value": [value for *_, value in rows],
        "runtime": [math.nan if math.isnan(value) else 0.25 for *_, value in rows],
    }
    pl.DataFrame(columns).write_parquet(path)
    return path


def layer(seed: int, setting: str = "Normal", architecture: str = "GCN", trained_on: str = "cora", **other) -> str:
    probe, number = other.get("probe", trained_on), other.get("layer", 1)
    return f"{setting}__{architecture}__{trained_on}__{seed}__{probe}__{number}"


def comparisons(shard: Shard) -> list[dict]:
    return shard.comparisons().to_dicts()


@pytest.mark.parametrize("name", ["augmentation", "layer_GAT", "output_GAT"])
def test_imported_results_score_as_published(published_cora: Path, tmp_path: Path, name: str) -> None:
    imported = import_published(published_cora / f"results_{name}.parquet", tmp_path / "shards")
    assert imported.problems == []
    scores = imported.scores.filter(protocol="published")
    found = {
        (row["architecture"], row["measure"], row["functional"], row["metric"], row["seed"]): row["value"]
        for row in scores.iter_rows(named=True)
    }
    names = {registry.measures().get(name).published_name: name for name in registry.measures()}
    with (published_cora / f"scores_{name}.csv").open(encoding="utf-8") as file:
        expected = list(csv.DictReader(file))
    for row in expected:
        key = (
            row["architecture"].lower(),
            names[row["similarity_measure"]],
            FUNCTIONAL.get(row.get("functional_similarity_measure", ""), ""),
            METRICS[row["quality_measure"]],
            int(row["model"].rpartition("_")[2]) if "model" in row else None,
        )
        assert found[key] == pytest.approx(float(row.get("value") or row["corr"]), abs=1e-12), key
    assert len(expected) == {"augmentation": 126, "layer_GAT": 210, "output_GAT": 189}[name]


def test_merged_tables_of_all_imported_files_score_the_same(published_cora: Path, tmp_path: Path) -> None:
    for name in ("augmentation", "layer_GAT", "output_GAT"):
        import_published(published_cora / f"results_{name}.parquet", tmp_path / "shards")
    merged = merge_shards([tmp_path], tmp_path / "results")
    assert (merged.shards, merged.problems) == (3, [])
    rows = read_table(tmp_path / "results" / "comparisons.parquet", COMPARISONS)
    scores = read_table(tmp_path / "results" / "scores.parquet", SCORES)
    again = score_table(rows, "augmentation", "published")
    before = scores.filter(test="augmentation", protocol="published")
    assert dict(zip(again["key"], again["value"], strict=True)) == dict(
        zip(before["key"], before["value"], strict=True)
    )


def test_a_measure_of_ones_own_ranks_beside_imported_ones(tmp_path: Path) -> None:
    settings = [
        ("Normal", "standard"),
        ("Augmentation_25", "augmentation_25"),
        ("Augmentation_100", "augmentation_100"),
    ]
    models = [(published, own, seed) for published, own in settings for seed in range(3)]
    pairs = [(a, b) for i, a in enumerate(models) for b in models[i + 1 :]]
    alike = {pair: float(pair[0][0] == pair[1][0]) for pair in pairs}
    rows = [(layer(a[2], a[0]), layer(b[2], b[0]), "CKA", 1 - alike[a, b]) for a, b in pairs]
    import_published(write(tmp_path / "results.parquet", rows), tmp_path / "shards")
    own = [
        comparison(
            f"{a}{b}", alike[a, b], domain="graph", dataset="cora", architecture="gcn", measure="rsa", parameters="{}",
            setting_a=a[1], seed_a=a[2], setting_b=b[1], seed_b=b[2], layer_a="1", layer_b="1", origin="resi",
            pooling="none", probe="test",
        )
        for a, b in pairs
    ]  # fmt: skip
    mine = table(own, COMPARISONS, ["key"])
    Shard(tmp_path / "shards" / "mine").finish(mine, score_table(mine, "augmentation", "published"), MANIFEST)
    merge_shards([tmp_path], tmp_path / "results")
    scores = read_table(tmp_path / "results" / "scores.parquet", SCORES)
    ranked = scores.filter(metric="auprc", protocol="published", test="augmentation").sort("value", descending=True)
    assert ranked.select("measure", "origin").rows() == [("rsa", "resi"), ("cka", "published")]
    assert ranked["value"][0] == 1
    together = read_table(tmp_path / "results" / "comparisons.parquet", COMPARISONS)
    again = score_table(together, "augmentation", "published").filter(metric="auprc")
    assert sorted(again["value"]) == sorted(ranked["value"])


def test_the_two_rows_of_a_symmetric_measure_are_one_and_of_an_asymmetric_one_two(tmp_path: Path) -> None:
    a, b = layer(0), layer(1)
    rows = [(a, b, "CKA", 0.5), (b, a, "CKA", 0.5), (a, b, "PWCCA", 0.5), (b, a, "PWCCA", 0.6)]
    imported = import_published(write(tmp_path / "r.parquet", rows), tmp_path)
    found = [(row["measure"], row["seed_a"], row["seed_b"], row["value"]) for row in comparisons(imported.shard)]
    assert found == [("cka", 0, 1, 0.5), ("pwcca", 0, 1, 0.5), ("pwcca", 1, 0, 0.6)]
    assert imported.problems == []


def test_mirrored_rows_that_differ_are_reported_kept_and_neither_is_chosen(tmp_path: Path) -> None:
    path = write(tmp_path / "r.parquet", [(layer(0), layer(1), "CKA", 0.5), (layer(1), layer(0), "CKA", 0.6)])
    imported = import_published(path, tmp_path / "shards")
    assert imported.problems == [f"{path}: 1 comparison has different values in it; none of them is chosen"]
    (row,) = comparisons(imported.shard)
    assert (row["value"], row["status"]) == (None, "failed")
    assert "from 0.5 to 0.6" in row["error"]
    merged = merge_shards([tmp_path], tmp_path / "results")
    assert "1 comparison has different values" in merged.problems[0]
    assert pl.read_parquet(tmp_path / "results" / "conflicts.parquet")["value"].to_list() == [0.5, 0.6]


def test_a_value_is_kept_where_its_mirrored_row_has_none(tmp_path: Path) -> None:
    path = write(tmp_path / "r.parquet", [(layer(0), layer(1), "CKA", math.nan), (layer(1), layer(0), "CKA", 0.6)])
    (row,) = comparisons(import_published(path, tmp_path).shard)
    assert (row["value"], row["status"], row["seconds"]) == (0.6, "ok", 0.25)


def test_values_that_are_not_finite_are_failures_that_say_what_the_file_holds(tmp_path: Path) -> None:
    rows = [(layer(0), layer(1), "CKA", math.nan), (layer(0), layer(2), "CKA", math.inf)]
    nan, inf = comparisons(import_published(write(tmp_path / "r{0}.parquet", rows), tmp_path).shard)
    assert (nan["value"], nan["status"], nan["seconds"]) == (None, "failed", None)
    assert nan["error"] == "no value in r{0}.parquet, which keeps no reasons"
    assert (inf["value"], inf["status"], inf["error"]) == (None, "failed", "inf in r{0}.parquet")


def test_keys_are_the_same_in_every_file_and_differ_between_comparisons(tmp_path: Path) -> None:
    rows = [(layer(0), layer(1), "CKA", 0.5), (layer(0), layer(1), "RSA", 0.5), (layer(0), layer(2), "CKA", 0.5)]
    first = import_published(write(tmp_path / "a.parquet", rows), tmp_path / "shards")
    second = import_published(
        write(tmp_path / "b.parquet", [*reversed(rows), (layer(3), layer(4), "CKA", 1.0)]), tmp_path
    )
    keys = set(first.shard.comparisons()["key"])
    assert len(keys) == 3
    assert keys < set(second.shard.comparisons()["key"])


def test_importing_again_changes_nothing_and_the_manifest_names_the_source(tmp_path: Path) -> None:
    path = write(
        tmp_path / "r.parquet", [(layer(0), layer(1), "CKA", 0.5), (layer(0), layer(1, "Augmentation_25"), "CKA", 1.0)]
    )
    first = import_published(path, tmp_path / "shards")
    content = (first.shard.folder / "comparisons.parquet").read_bytes()
    second = import_published(path, tmp_path / "shards")
    assert [shard.folder for shard in find_shards(tmp_path)] == [first.shard.folder] == [second.shard.folder]
    assert (first.shard.folder / "comparisons.parquet").read_bytes() == content
    manifest = first.shard.verify()
    assert manifest["source"]["file"] == "r.parquet"
    assert len(manifest["source"]["sha256"]) == 64
    assert (manifest["kind"], manifest["domain"], manifest["dataset"]) == ("published", "graph", "cora")
    assert manifest["counts"] == {"ok": 2, "undefined": 0, "failed": 0}


def test_measures_with_a_published_variant_are_imported_as_that_variant(tmp_path: Path) -> None:
    rows = [(layer(0), layer(1), name, 0.5) for name in ("SVCCA", "JaccardSimilarity", "CKA")]
    imported = import_published(write(tmp_path / "r.parquet", rows), tmp_path)
    found = {row["measure"]: row["parameters"] for row in comparisons(imported.shard)}
    assert found == {"svcca": '{"variant":"published"}', "jaccard": '{"k":10,"variant":"published"}', "cka": "{}"}


def test_rows_that_are_not_understood_are_counted_named_and_left_out(tmp_path: Path) -> None:
    rows = [
        (layer(0), layer(1), "CKA", 0.5),
        (layer(0), layer(1), "Unheard", 0.5),
        (layer(0), layer(1, architecture="GIN"), "CKA", 0.5),
        (layer(0), layer(1, trained_on="flickr"), "CKA", 0.5),
        ("nothing", layer(1), "CKA", 0.5),
    ]
    path = write(tmp_path / "r.parquet", rows)
    imported = import_published(path, tmp_path)
    assert imported.comparisons == 1
    assert imported.problems == [
        f"{path}: left out: 2 rows with ids of an unknown form: {rows[2][1]}: unknown architecture 'GIN'",
        f"{path}: left out: 1 row comparing models of different data: {rows[3][0]}___{rows[3][1]}___CKA",
        f"{path}: left out: 1 row of Unheard: no installed measure has this published_name",
    ]


def test_pooled_language_models_need_a_pooling_which_keeps_their_rows_apart(tmp_path: Path) -> None:
    a, b = (layer(seed, architecture="BERT-L", trained_on="sst2", layer=12) for seed in (0, 1))
    outputs = [f"NLP_BERT-L_sst2_Normal_{seed}_None__sst2__output" for seed in (0, 1)]
    path = write(tmp_path / "r.parquet", [(a, b, "CKA", 0.5), (*outputs, "JSD", 0.1)])
    with pytest.raises(UsageError, match=r"holds comparisons of bert.*give --pooling cls or --pooling mean"):
        import_published(path, tmp_path)
    with pytest.raises(UsageError, match="unknown pooling 'max'"):
        import_published(path, tmp_path, "max")
    cls, mean = (import_published(path, tmp_path / "shards", pooling).shard for pooling in ("cls", "mean"))
    assert cls.comparisons()["pooling"].to_list() == ["cls", "cls"]
    assert set(cls.comparisons()["key"]).isdisjoint(mean.comparisons()["key"])
    assert merge_shards([tmp_path], tmp_path / "results").comparisons == 4


def test_without_a_pooling_the_other_models_of_a_file_are_imported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bert = [layer(seed, architecture="BERT-L", trained_on="sst2", layer=12) for seed in (0, 1)]
    smollm = [layer(seed, architecture="smollm2-1.7b", trained_on="sst2", layer=24) for seed in (0, 1)]
    path = write(tmp_path / "r.parquet", [(*bert, "CKA", 0.5), (layer(0), layer(1), "CKA", 0.5), (*smollm, "CKA", 0.1)])
    imported = import_published(path, tmp_path / "shards")
    assert [row["architecture"] for row in comparisons(imported.shard)] == ["gcn", "smollm2"]
    assert imported.problems == [
        f"{path}: left out: 1 row of bert, since the file does not say how their tokens were pooled: give "
        "--pooling cls or --pooling mean"
    ]


def test_a_merge_into_a_new_root_says_why_a_file_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bert = [layer(seed, architecture="BERT-L", trained_on="sst2", layer=12) for seed in (0, 1)]
    path = write(tmp_path / "r.parquet", [(*bert, "CKA", 0.5)])
    assert run_command(["merge", str(tmp_path / "new"), "--published", str(path)]) != 0
    first = capsys.readouterr().err.splitlines()[0]
    assert first.startswith(f"resi-merge: left out: {path} holds comparisons of bert")
    assert first.endswith("give --pooling cls or --pooling mean")


def test_one_model_under_several_names_is_one_row(tmp_path: Path) -> None:
    names = {"Normal": "sst2", "RandomLabels_0": "sst2_mem_rate0", "Augmentation_0": "sst2_aug_rate0"}
    rows = [
        (*(layer(seed, name, "albert-base-v2", "sst2", probe=probe, layer=12) for seed in (123, 124)), "CKA", 0.5)
        for name, probe in names.items()
    ]
    imported = import_published(write(tmp_path / "r.parquet", rows), tmp_path, "mean")
    assert [(row["setting_a"], row["probe"]) for row in comparisons(imported.shard)] == [("standard", "sst2")]


def test_vision_results_are_scored_by_their_tests(tmp_path: Path) -> None:
    settings = [
        *(
            (setting, f"Gauss_{level}_ImageNet100DataModule")
            for level in ("S", "M", "Max")
            for setting in ["GaussNoise"]
        ),
        *(("Shortcut", f"ColorDot_{level}_ImageNet100DataModule") for level in (0, 75, 100)),
        *(("Randomlabel", f"RandomLabel_{level}_IN100_DataModule") for level in (50, 75)),
        ("Normal", "ImageNet100"),
    ]
    models = [
        (setting, layer(seed, setting, "VGG11", trained_on, probe=setting, layer=8))
        for setting, trained_on in settings
        for seed in range(2)
    ]
    rows = [
        (a[1], b[1].replace(f"__{b[0]}__8", f"__{a[0]}__8"), "CKA", float(a[1].split("__")[2] == b[1].split("__")[2]))
        for i, a in enumerate(models)
        for b in models[i + 1 :]
        if a[0] == b[0] or {a[0], b[0]} == {"Randomlabel", "Normal"}
    ]
    imported = import_published(write(tmp_path / "r.parquet", rows), tmp_path)
    scores = imported.scores.filter(protocol="published", metric="auprc")
    assert {row["test"]: (row["groups"], row["value"]) for row in scores.iter_rows(named=True)} == {
        "augmentation": (3, 1.0),
        "shortcut": (3, 1.0),
        "label_randomization": (3, 1.0),
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Normal__GCN__cora__0__cora__1", "graph cora gcn standard 0 1 cora"),
        ("MultiLayer__GAT__ogbn-arxiv__3__ogbn-arxiv__4", "graph ogbn_arxiv gat six_layers 3 4 ogbn-arxiv"),
        ("RandomLabels_25__PGNN__cora__2__cora__0", "graph cora pgnn label_randomization_25 2 0 cora"),
        ("Shortcut_50__GraphSAGE__flickr__2__flickr__1", "graph flickr graphsage shortcut_50 2 1 flickr"),
        ("GRAPHS_GAT_cora_Augmentation_25_0__cora__output", "graph cora gat augmentation_25 0  cora"),
        (
            "Shortcut__ViT_B32__ColorDot_75_ImageNet100DataModule__3__ColorDot_0_ImageNet100DataModule__12",
            "vision imagenet100 vit_b32 shortcut_75 3 12 ColorDot_0_ImageNet100DataModule",
        ),
        (
            "GaussNoise__VGG19__Gauss_L_CIFAR100DataModule__0__Gauss_Off_CIFAR100DataModule__16",
            "vision cifar100 vgg19 augmentation_75 0 16 Gauss_Off_CIFAR100DataModule",
        ),
        (
            "Randomlabel__ResNet18__RandomLabel_75_C100_DataModule__0__CIFAR100__9",
            "vision cifar100 resnet18 label_randomization_75 0 9 CIFAR100",
        ),
        (
            "VISION_ViT_L32_ColorDot_0_C100DataModule_Shortcut_7__CIFAR100__accuracy",
            "vision cifar100 vit_l32 shortcut_0 7  CIFAR100",
        ),
        ("NLP_BERT-L_sst2_Normal_0_{'token_pos': 'mean'}__sst2__output", "language sst2 bert standard 0  sst2"),
        ("Shortcut_0558__BERT-L__sst2_sc_rate0558__1__p__12", "language sst2 bert shortcut_0 1 12 p"),
        ("Shortcut_08385__albert-base-v2__mnli_sc_rate08385__1__p__0", "language mnli albert shortcut_75 1 0 p"),
        ("Shortcut_1__BERT-L__mnli_sc_rate1__1__p__12", "language mnli bert shortcut_100 1 12 p"),
        ("Shortcut_10__smollm2-1.7b__sst2_sft_sc_rate10__1__p__24", "language sst2 smollm2 shortcut_100 1 24 p"),
        (
            "RandomLabels_75__BERT-L__sst2_mem_rate075__1__sst2_mem_rate0__12",
            "language sst2 bert label_randomization_75 1 12 sst2",
        ),
    ],
)  # fmt: skip
def test_published_ids_become_our_names(text: str, expected: str) -> None:
    side = NAMES.side(text)
    names = (side.domain, side.dataset, side.architecture, side.setting, side.seed, side.layer, side.probe)
    assert " ".join(map(str, names)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "", "__", "Normal__GCN__cora__0__cora", "Normal__GCN__cora__x__cora__1", "Normal__GCN__reddit__0__cora__1",
        "Twisted__GCN__cora__0__cora__1", "Normal__VGG11__Gauss_S_CIFAR100DataModule__0__x__1__2",
        "GaussNoise__VGG11__CIFAR100__0__x__8", "Shortcut__VGG11__Gauss_S_CIFAR100DataModule__0__x__8",
        "GRAPHS_GAT_cora_Normal_x__cora__output", "GRAPHS_GAT_cora_Normal_0__cora__logits",
    ],
)  # fmt: skip
def test_ids_that_are_not_published_ones_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"unknown|does not go with|is not a layer|must be numbers"):
        NAMES.side(text)
