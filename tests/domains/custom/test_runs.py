"""Runs about given representations: resumed, merged, planned, swept; files known by content and by state."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from safetensors.torch import save_file

import resi
from resi.cli.main import run_command
from resi.config.compose import compose
from resi.config.many import compose_all, open_configs
from resi.domains.custom.origins import FileOrigin, MemoryOrigin
from resi.errors import ArtifactError
from resi.measures.kernel import CKA
from resi.pipeline import compare
from resi.pipeline.compare import compare_representations
from resi.pipeline.keys import measure_code
from resi.pipeline.planner import make_plan
from resi.results.merge import merge_shards
from resi.store import known_files
from tests.conftest import changed
from tests.domains.custom.conftest import write_csv
from tests.results.rows import comparison, finish


@pytest.fixture
def words(tmp_path: Path, small) -> list[str]:
    write_csv(tmp_path / "mine.csv", small)
    return ["domain=custom", f"dataset.root={tmp_path / 'mine.csv'}", "test=shortcut", f"root={tmp_path / 'root'}"]


def made_by(words: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    """Return how many comparisons a run computes."""
    made: list[object] = []
    original = compare._compare
    with monkeypatch.context() as patch:
        patch.setattr(compare, "_compare", lambda plan, missing: made.extend(missing) or original(plan, missing))
        resi.run(words)
    return len(made)


def test_a_finished_run_is_read_from_its_shard(words, monkeypatch: pytest.MonkeyPatch) -> None:
    first = resi.run([*words, "measure=cka"])
    again = resi.run([*words, "measure=cka"])
    assert (first.reused, again.reused) == (False, True)
    assert again.scores.equals(first.scores)
    assert made_by([*words, "measure=[cka,procrustes]"], monkeypatch) == 6
    assert made_by(changed(words, "measure=cka", "test=augmentation"), monkeypatch) == 0
    root = first.shard.parents[1]
    assert not list(root.rglob("*.safetensors"))  # nothing is copied


def test_comparisons_are_known_by_content_and_by_name(words, small, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    resi.run([*words, "measure=cka"])
    more = [*small, {**small[0], "file": "more.npy", "seed": 2}]
    np.save(tmp_path / "more.npy", np.random.default_rng(3).normal(size=(40, 4)))
    write_csv(tmp_path / "mine.csv", more)
    assert made_by([*words, "measure=cka"], monkeypatch) == 4
    renamed = [{**record, "setting": record["setting"].upper()} for record in more]
    write_csv(tmp_path / "mine.csv", renamed)
    assert set(resi.run([*words, "measure=cka"]).comparisons["setting_a"]) == {"PLAIN", "ALTERED"}
    np.save(tmp_path / "more.npy", np.random.default_rng(4).normal(size=(40, 4)))
    assert made_by([*words, "measure=cka"], monkeypatch) == 4


def test_outputs_are_known_by_accuracy_and_logits(
    words, small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made(test: str, **entries: object) -> int:
        """Return how many pairs are compared anew with something else in the first row: one a setting without that."""
        write_csv(tmp_path / "mine.csv", [{**small[0], **entries}, *small[1:]])
        return made_by(changed(words, "measure=cka", f"test={test}"), monkeypatch)

    assert made("accuracy_correlation") == 2 + 2
    assert made("accuracy_correlation", accuracy=0.25) == 1
    np.save(tmp_path / "other.npy", np.random.default_rng(5).normal(size=(40, 3)))
    assert made("output_correlation") == 2 * 2
    assert made("output_correlation", logits="other.npy") == 2


def test_a_repeated_plan_reads_no_file(words, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_files, "LARGE_BYTES", 0)
    monkeypatch.setattr(known_files, "SETTLED_SECONDS", -1.0)
    read: list[str] = []
    original = known_files.hash_file
    monkeypatch.setattr(known_files, "hash_file", lambda path: read.append(path.name) or original(path))
    names = [make_plan(compose([*words, "measure=cka"])).shard.folder.name for _ in range(2)]
    assert names[0] == names[1]
    assert len(read) == len(set(read)) == 4


def test_a_file_that_changes_between_plan_and_comparing_is_named(words, small, tmp_path: Path) -> None:
    plan = make_plan(compose([*words, "measure=cka"]))
    assert plan.shard
    path = tmp_path / small[1]["file"]
    np.save(path, np.ones((40, 7)))
    with pytest.raises(
        ArtifactError, match=rf"^{path} changed after the run was planned; run again when it is complete$"
    ):
        compare_representations(plan)
    path.unlink()
    with pytest.raises(ArtifactError, match=rf"^{path} was removed after the run was planned"):
        compare_representations(plan)


def test_numbers_of_half_precision_are_known_as_such(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    records = []
    for setting in "ab":
        for seed in range(2):
            tensor = torch.from_numpy(rng.normal(size=(30, 4))).bfloat16()
            save_file({"fc": tensor}, tmp_path / f"{setting}{seed}.safetensors")
            records.append({"file": f"{setting}{seed}.safetensors", "setting": setting, "seed": seed})
    path = write_csv(tmp_path / "half.csv", records)
    plan = make_plan(compose(["domain=custom", f"dataset.root={path}", "measure=cka", f"root={tmp_path}"]))
    (experiment,) = plan.experiments
    item = experiment.items[0]
    opened = plan.representations.open(item.model, experiment.probe, item.layer)
    assert opened.load().dtype == torch.bfloat16
    assert opened.size == (30, 4)


def test_shards_merge_with_those_of_other_domains(words, tmp_path: Path) -> None:
    resi.run([*words, "measure=cka"])
    finish(tmp_path / "root", "graph-digits_knn-shortcut-000000000000", [comparison("k", domain="graph")])
    merge_shards([tmp_path / "root"], tmp_path / "out")
    merged = pl.read_parquet(tmp_path / "out" / "comparisons.parquet")
    assert sorted(merged["domain"]) == ["custom"] * 6 + ["graph"]
    scores = pl.read_parquet(tmp_path / "out" / "scores.parquet")
    assert set(scores["model_source"]) == {"own"}


def test_a_plan_tells_of_the_comparisons_alone(words, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run_command(["plan", *words, "measure=[cka,procrustes]"]) == 0
    shown = capsys.readouterr().out
    assert "shortcut on mine" in shown
    assert "train" not in shown.replace("training", "")
    assert "extract" not in shown
    assert "own: plain, altered; seeds 0, 1; layer block3" in shown
    assert not (tmp_path / "root").exists()


def test_a_sweep_runs_several_tests(words, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run_command(["-m", *changed(words, "test=shortcut,output_correlation", "measure=cka")]) == 0
    assert "2 jobs: 2 done" in capsys.readouterr().err
    folders = {path.name.rpartition("-")[0] for path in (tmp_path / "root" / "shards").iterdir()}
    assert folders == {"custom-mine-shortcut", "custom-mine-output_correlation"}


def test_jobs_about_several_tables_have_their_own(words, small, tmp_path: Path) -> None:
    write_csv(tmp_path / "other.csv", [{**record, "setting": f"other {record['setting']}"} for record in small])
    common = [word for word in words if not word.startswith("dataset")]
    jobs = [[*common, f"dataset.root={tmp_path / name}", "measure=cka"] for name in ("mine.csv", "other.csv")]
    jobs.append([*jobs[0], "test=layer_monotonicity"])
    found = compose_all([*jobs, ["domain=graph", "measure=cka"]], open_configs())
    alone = [compose(job) for job in jobs[:2]]
    assert [config.domain.content for config in found[:2]] == [config.domain.content for config in alone]
    assert found[0].domain.content.settings != found[1].domain.content.settings
    assert str(found[2]).endswith("test=layer_monotonicity needs several layers of a model")
    assert found[3].groups is None
    assert found[3].domain.settings("augmentation", None) == found[3].domain.settings("augmentation", 3)


def test_several_datasets_are_chosen_by_name(words, small, tmp_path: Path) -> None:
    write_csv(tmp_path / "mine.csv", [{**record, "dataset": name} for name in ("one", "two") for record in small])
    result = resi.run([*words, "measure=cka", "dataset.name=two"])
    assert set(result.comparisons["dataset"]) == {"two"}
    assert result.shard.name.startswith("custom-two-shortcut-")


def test_results_of_evaluate_are_kept_where_it_is_asked_for(words, tmp_path: Path, small, capsys) -> None:
    kept = resi.evaluate(tmp_path / "mine.csv", "shortcut", "cka", root=tmp_path / "root")
    assert kept.shard is not None
    assert kept.shard.parent == tmp_path / "root" / "shards"
    run = resi.run([*words, "measure=cka"])
    assert run.reused
    assert run.shard == kept.shard
    before = set(tmp_path.iterdir())
    assert resi.evaluate(tmp_path / "mine.csv", "shortcut", "cka").shard is None
    assert capsys.readouterr().err == ""  # what is done at once needs no progress
    assert set(tmp_path.iterdir()) == before


class Gap(resi.Measure):
    """Difference of the largest numbers."""

    name = "gap"
    family = "statistics"
    larger_is_more_similar = False
    symmetric = True

    def compare(self, a, b) -> float:
        return float((a.max() - b.max()).abs())


def test_measures_that_nobody_registered_are_scored(words, tmp_path: Path, small) -> None:
    import dataclasses

    gap = dataclasses.dataclass(Gap)
    found = resi.evaluate(tmp_path / "mine.csv", "shortcut", [gap, "cka"], root=tmp_path / "root")
    (row,) = found.comparisons.filter(measure="gap", setting_a="plain", setting_b="plain").to_dicts()
    arrays = [np.load(tmp_path / record["file"]) for record in small if record["setting"] == "plain"]
    assert row["value"] == pytest.approx(abs(arrays[0].max() - arrays[1].max()), rel=1e-12)
    assert found.scores.filter(measure="gap")["value"].null_count() == 0
    # Another measure under that name is another one.
    other = resi.evaluate(tmp_path / "mine.csv", "shortcut", {"gap": CKA()}, root=tmp_path / "root")
    assert other.comparisons["value"].sort().equals(found.comparisons.filter(measure="cka")["value"].sort())


def test_files_of_one_array_each_have_one_layer_whatever_they_are_called(words, small, tmp_path: Path) -> None:
    write_csv(tmp_path / "mine.csv", [{**record, "layer": ""} for record in small])
    assert set(resi.evaluate(tmp_path / "mine.csv", "shortcut", "cka").comparisons["layer_a"]) == {"representation"}


def test_ids_of_samples_are_part_of_what_a_representation_is(tmp_path: Path) -> None:
    identities = set()
    for number, ids in enumerate((["a", "b"], ["b", "a"])):
        given = resi.Representations.from_tensors({"fc": torch.eye(2)}, ids)
        resi.save(tmp_path / str(number), given)
        for origin in (MemoryOrigin("here", given), FileOrigin(tmp_path / str(number))):
            identities.add(origin.identity("fc", known_files.hash_file))
    assert len(identities) == 4


def test_a_measure_of_ones_own_under_a_known_name_is_known_by_its_code() -> None:
    class Other(CKA):
        """Linear CKA, in a class of its own."""

    assert measure_code(CKA()) == ""
    assert measure_code(Other()) != ""
