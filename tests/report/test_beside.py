"""One's own scores beside others of the same models."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import torch

import resi
from resi.errors import UsageError
from resi.report.beside import as_tables, baseline_tables, beside, with_baseline
from resi.results.embedded import MODELS, MODELS_FILE, RUNS, RUNS_FILE, embedded_results, models_of
from resi.results.manifests import MERGED
from resi.results.shards import Shard
from resi.results.tables import write_table
from resi.store.tensors import hash_tensors, write_tensors
from tests.report.rows import finish, frame, score
from tests.results.rows import comparison

INFLUENCES = "[0.02, 0.03, 0.02]"
VALUES = {"cka": 0.9, "rsa": 0.5, "gulp": 0.1}


def others(folder: Path, rows: list[dict] | None = None, comparisons: list[dict] | None = None) -> Shard:
    """Write merged tables with the scores of three measures."""
    known = [score(name, value, influences=INFLUENCES) for name, value in VALUES.items()]
    finish(folder, known if rows is None else rows, comparisons or [comparison("a")], kind=MERGED, shards={})
    return Shard(folder)


def test_measures_are_ranked_as_if_all_had_been_run_at_once(tmp_path: Path) -> None:
    own = score("mine", 0.7, influences=INFLUENCES)
    found = beside(frame([own]), others(tmp_path / "others"))
    at_once = frame([own, *(score(name, value, influences=INFLUENCES) for name, value in VALUES.items())])
    assert resi.ranks(found.scores).table.equals(resi.ranks(at_once).table)
    assert resi.ranks(found.scores).table["measure"].to_list() == ["cka", "mine *", "rsa", "gulp"]
    assert sorted(found.added["measure"]) == ["cka", "gulp", "rsa"]
    assert found.notes == [
        "Added from others: the scores of 3 measures (cka, gulp and rsa) on models trained alike in 1 test (gcn on "
        "cora: augmentation)."
    ]


def test_of_a_measure_in_both_the_own_score_stays_and_the_difference_is_said(tmp_path: Path) -> None:
    own = [score("cka", 0.8, key="a"), score("rsa", 0.51, key="b")]
    found = beside(frame(own), others(tmp_path / "others"))
    values = dict(found.scores.select("measure", "value").iter_rows())
    assert values == {"cka": 0.8, "rsa": 0.51, "gulp": 0.1}
    assert found.notes[1] == (
        "In both: 2 measures (cka and rsa), 2 scores; your own are shown. They differ from those of others by 0.100 at "
        "most (cka), 0.055 on average."
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"domain": "vision"}, "which lacks the domain vision (it has graph): gcn on cora: augmentation."),
        ({"dataset": "flickr"}, "which lacks the dataset flickr (it has cora): gcn on flickr: augmentation."),
        ({"architecture": "gat"}, "which lacks the architecture gat (it has gcn): gat on cora: augmentation."),
        (
            {"test": "shortcut"},
            "which lacks the test shortcut (it has augmentation): gcn on cora: shortcut.",
        ),
        ({"compared": None}, "as your scores do not record their models: gcn on cora: augmentation."),
        (
            {"protocol": "published"},
            "as the protocol differs: published instead of corrected: gcn on cora: augmentation.",
        ),
        ({"groups": 2}, "as groups differ: 2 instead of 3: gcn on cora: augmentation."),
        (
            {"compared": "others"},
            "as the models differ: in settings, seeds, hyperparameters, data or the version of their training: "
            "gcn on cora: augmentation.",
        ),
    ],
)
def test_scores_of_other_models_are_not_compared_and_it_is_said_why(tmp_path: Path, changes: dict, reason: str) -> None:
    own = frame([{**score("mine", 0.7), **changes}])
    found = beside(own, others(tmp_path / "others"))
    assert found.scores.equals(own)
    assert found.notes == [
        "No test here is on models trained as those of a test in others; nothing is added.",
        f"Not compared with others, {reason}",
    ]


def test_numbers_of_earlier_versions_are_said(tmp_path: Path) -> None:
    rows = [comparison("a", measure="cka", measure_version=0), comparison("b", measure="gulp", measure_version=0)]
    tables = others(tmp_path / "others", comparisons=rows)
    manifest = {"schema_version": 6, "kind": "run", "versions": {"scores": 1}}
    write_table(tables.folder / RUNS_FILE, pl.DataFrame([("a", json.dumps(manifest))], schema=RUNS, orient="row"))
    found = beside(frame([score("mine", 0.7)]), tables)
    (said,) = (note for note in found.notes if note.startswith("Computed by earlier"))
    assert "computed by version 0 of cka, which is now at" in said
    assert "computed by version 1 of the tests, which is now at" in said
    # What is one's own is not of the others' versions.
    own = frame([score("mine", 0.7), score("gulp", 0.2, key="own")])
    assert not any("gulp, which is now" in note for note in beside(own, tables).notes)


def write_model(root: Path, fingerprint: str, weight: float, **spec) -> Path:
    where = {"domain": "graph", "dataset": "cora", "architecture": "gcn", "setting": "standard", "seed": 0}
    about = {"dataset_content": "data", "hyperparameters": {"epochs": 5}, "training_version": 2}
    path = root / "models" / "graph" / "cora" / "gcn" / f"{fingerprint}.safetensors"
    metadata = {"spec": {**where, **about, **spec}, "fingerprint": fingerprint, "seconds": weight}
    write_tensors(path, {"w": torch.full((3,), weight)}, metadata)
    return path


def noted(tables: Shard, weights: dict[str, str]) -> Shard:
    """Note models with some weights beside tables."""
    about = {"domain": "graph", "dataset": "cora", "architecture": "gcn", "setting": "standard", "seed": 0}
    about |= {"dataset_content": "data", "hyperparameters": '{"epochs": 5}', "training_version": 2}
    rows = [{**dict.fromkeys(MODELS), **about, "fingerprint": name, "weights": of} for name, of in weights.items()]
    write_table(tables.folder / MODELS_FILE, pl.DataFrame(rows, schema=MODELS, orient="row"))
    return tables


def test_models_made_in_the_same_way_are_compared_by_their_weights(tmp_path: Path) -> None:
    same, other = (write_model(tmp_path / "root", name, weight) for name, weight in (("a", 1.0), ("b", 2.0)))
    again = write_model(tmp_path / "elsewhere", "a", 1.0, rules="noted otherwise")
    assert hash_tensors(again) == hash_tensors(same) != hash_tensors(other)
    own = frame([score("mine", 0.7)])
    tables = noted(others(tmp_path / "others"), {"a": hash_tensors(same)})
    assert "All 1 model have the same weights" not in " ".join(beside(own, tables).notes)  # without a data root
    assert (
        beside(own, tables, tmp_path / "root").notes[1]
        == "The one model has the same weights in both, to the last bit."
    )
    noted(tables, {"a": hash_tensors(other), "b": hash_tensors(same)})
    told = "All 2 models have other weights than there, though trained alike: rounding differs between machines"
    assert beside(own, tables, tmp_path / "root").notes[1].startswith(told)
    noted(tables, {"a": hash_tensors(same), "b": hash_tensors(same)})
    assert beside(own, tables, tmp_path / "root").notes[1].startswith("Of 2 models 1 has other weights than there, ")


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"hyperparameters": {"epochs": 9}}, "epochs=9 instead of 5"),
        ({"dataset_content": "more"}, "different data under the same name"),
        ({"training_version": 3}, "training version 3 instead of 2"),
        ({"seed": 7}, "in settings, seeds, hyperparameters, data or the version of their training"),
    ],
)
def test_it_is_said_what_has_shaped_other_models(tmp_path: Path, spec: dict, said: str) -> None:
    write_model(tmp_path / "root", "mine", 1.0, **spec)
    tables = noted(others(tmp_path / "others"), {"a": ""})
    found = beside(frame([score("mine", 0.7, compared="own")]), tables, tmp_path / "root")
    assert found.notes[1] == f"Not compared with others, as the models differ: {said}: gcn on cora: augmentation."


def test_where_others_have_no_more_measures_it_is_said(tmp_path: Path) -> None:
    own = frame([score("cka", 0.9, key="own"), score("rsa", 0.7)])
    found = beside(own, others(tmp_path / "others", [score("cka", 0.9)]))
    assert found.scores.equals(own)
    assert found.notes[0] == (
        "others has no more measures on models trained alike in 1 test (gcn on cora: augmentation); nothing is added."
    )


def test_tables_have_the_scores_of_both_for_a_while(tmp_path: Path) -> None:
    tables = finish(tmp_path / "run", [score("mine", 0.7)], [comparison("own")], config={"seeds": [0]})
    noted(tables, {"a": "weights"})
    found = beside(tables.scores(), others(tmp_path / "others"))
    with as_tables(tables, found.scores) as shown:
        assert shown.scores().equals(found.scores)
        assert shown.comparisons().equals(tables.comparisons())
        assert shown.manifest()["config"] == {"seeds": [0]}
        assert models_of(shown.folder)["fingerprint"].to_list() == ["a"]
    assert not shown.folder.exists()
    assert tables.verify()


def test_results_that_are_nowhere_are_named() -> None:
    with pytest.raises(UsageError, match=r"basline is neither a folder of results nor results .*: baseline"):
        baseline_tables("basline")


def test_a_table_that_does_not_say_what_it_is_about_is_refused() -> None:
    with pytest.raises(UsageError, match="lacks the columns compared"):
        with_baseline(frame([score("mine", 0.7)]).drop("compared"))


def test_a_page_ranks_measures_among_those_of_others(
    tmp_path: Path, said: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resi.report.page.domain_figures", lambda scores: [])
    finish(tmp_path / "run", [score("mine", 0.7, influences=INFLUENCES)], [comparison("own")])
    others(tmp_path / "others" / "results")
    out = tmp_path / "page.html"
    words = ["report", str(tmp_path / "run"), "--out", str(out), "--with", str(tmp_path / "others")]
    words += ["--against", "baseline"]
    code, _, messages = said(*words)
    assert code == 0
    assert "Added from others: the scores of 3 measures" in messages
    page = out.read_text(encoding="utf-8")
    assert all(f">{name}</a>" in page for name in (*VALUES, "mine"))
    assert "Compared with baseline: 0 scores are in both" in page


@pytest.fixture(scope="module")
def baseline() -> pl.DataFrame:
    return embedded_results("baseline").scores()


def test_scores_of_one_measure_and_those_of_the_baseline_are_the_whole(baseline: pl.DataFrame) -> None:
    found = with_baseline(baseline.filter(measure="procrustes"))
    assert found.scores.equals(baseline)
    assert found.notes[0].startswith("Added from baseline: the scores of 23 measures on models trained alike in ")
    assert not any(note.startswith("Not compared") for note in found.notes)


def test_only_the_tests_that_were_run_are_filled(baseline: pl.DataFrame) -> None:
    run = (pl.col("test") == "shortcut") & (pl.col("architecture") == "gcn")
    assert with_baseline(baseline.filter(run, measure="rsa")).scores.equals(baseline.filter(run))
