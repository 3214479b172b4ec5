"""Runs behind results: commands, machines and versions, and nothing private."""

from __future__ import annotations

from pathlib import Path

from resi.report.names import without_paths
from resi.report.provenance import command, read_provenance
from resi.results.shards import Shard
from tests.report.rows import finish, score
from tests.results.rows import comparison

CONFIG = {
    "domain": "graph",
    "dataset": {"name": "cora", "root": "/home/ada/data"},
    "model": {"gcn": {"epochs": 20, "layers": None}},
    "test": {"name": "augmentation"},
    "measure": {"cka": {}, "jaccard": {"k": 5, "variant": "corrected"}},
    "seeds": [0, 1],
    "groups": 2,
    "protocol": "corrected",
    "models": {"root": "/home/ada/models", "source": "train"},
    "compare": {"memory": "auto", "subsample": None, "isolate": False},
    "root": "/home/ada/experiments",
    "password": "secret",
}


def test_the_command_of_a_run_has_what_shaped_its_numbers_and_no_paths() -> None:
    assert command({"config": CONFIG}) == (
        "resi domain=graph dataset=cora model=gcn model.gcn.epochs=20 test=augmentation measure=[cka,jaccard] "
        "measure.jaccard.k=5 seeds=[0,1] groups=2 protocol=corrected password=***"
    )
    assert command({"source": {"name": "/home/ada/results.parquet"}}) == "resi-merge --published …/results.parquet"
    assert command({}) == ""


def test_runs_of_merged_tables_are_those_in_the_data_root(data: Path, tmp_path: Path) -> None:
    root = data / "root-of-schema-5"
    names = sorted(path.name for path in (root / "shards").iterdir())
    merged = finish(tmp_path / "results", [], [comparison("a")], kind="merged", shards={name: [] for name in names[1:]})
    found = read_provenance(merged, root)
    assert sorted(run.name for run in found.runs) == names[1:]
    assert {run.command.split("=")[0] for run in found.runs} <= {"resi domain", "resi-merge --published FILE"}
    assert found.first <= found.last
    assert found.last.endswith("UTC")
    assert read_provenance(merged, None).runs == []
    assert found.sentence.startswith(f"{len(names) - 1} runs (")
    assert found.sentence.endswith(f" in all), finished {found.first} to {found.last}.")


def test_a_single_run_is_its_own_provenance(tmp_path: Path) -> None:
    shard = finish(tmp_path / "one", [score("cka", 0.5)], [comparison("a")], host="ada", finished="x", packages={})
    found = read_provenance(Shard(shard.folder), None)
    assert [(run.name, run.machine, run.finished) for run in found.runs] == [("one", "ada", "x")]
    assert found.sentence == "1 run, finished x."
    timed = finish(tmp_path / "two", [], [comparison("a")], finished="x", seconds={"compare": 30, "score": 6.5})
    assert read_provenance(Shard(timed.folder), None).sentence == "1 run (36.5 s), finished x."


def test_folders_of_paths_are_left_out_and_nothing_else() -> None:
    assert without_paths("OSError: '/home/ada/x.pt' is gone") == "OSError: '…/x.pt' is gone"
    assert without_paths("C:\\Users\\ada\\x.pt") == "…/x.pt"
    for text in ("3/4 of it", "https://example.org/a/b", "a/b c", "</style>", "samples/features", "1 / 2 / 3"):
        assert without_paths(text) == text
