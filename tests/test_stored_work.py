"""Work that an earlier state of resi has stored is read and reused; see tests/data/root-of-schema-5/README.md.

Graph models are trained with other random draws since then, which is another version of their training. Tests of reuse
put its number back, to prove that all of the format is read as it was; others prove what users of this version meet.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from safetensors.numpy import load_file

import resi
from resi.cli.main import run_command
from resi.domains.graph import domain
from resi.results.schema import SCORE_VERSION
from tests.conftest import DATA, changed

KEPT = DATA / "root-of-schema-5"
GRAPH = [
    "domain=graph", "dataset=digits_knn", "model=gcn", "model.gcn.epochs=2", "model.gcn.hidden_channels=4", "groups=2",
    "seeds=[0,1]",
]  # fmt: skip
VISION = [
    "domain=vision", "dataset=digits", "model=tiny_vgg", "model.tiny_vgg.epochs=1", "model.tiny_vgg.batch_size=128",
    "seeds=[0,1]",
]  # fmt: skip
LANGUAGE = ["domain=language", "dataset=sst2", "model=bert_tiny", "model.bert_tiny.epochs=1", "seeds=[0,1]"]
STORED_TRAINING = 1
TRAINED = f"computed from models of version {STORED_TRAINING} of their training, which is now at "
FOUR = "measure=[cka,jaccard,pwcca,rsa]"
AUGMENTATION, FAILED = "graph-digits_knn-augmentation-8665b8ee0b6c", "graph-digits_knn-augmentation-2fdccf22edcb"
UNFINISHED, PUBLISHED = "graph-digits_knn-augmentation-269f443837a1", "published-ffcd8654af5b"
# The words of each finished run, by the name of its shard; then the models and comparisons that it needs.
RUNS = {
    AUGMENTATION: ([*GRAPH, "test=augmentation", FOUR], 4, 30),
    "graph-digits_knn-layer_monotonicity-71d9a4a80b9e": ([*GRAPH, "test=layer_monotonicity", FOUR], 2, 100),
    "graph-digits_knn-output_correlation-5d9d61832356": (
        changed(GRAPH, "test=output_correlation", "seeds=[0,1,2]", FOUR), 3, 21,
    ),
    "graph-digits_knn-augmentation-e8f48589db98": ([*GRAPH, "test=augmentation", "protocol=published", FOUR], 4, 30),
    FAILED: (
        [*GRAPH, "test=augmentation", "measure=[procrustes,rsm_norm_difference]", "compare.memory=600kB"], 4, 12,
    ),
    "graph-digits_knn-augmentation-df4c9aae84a8": (
        [*GRAPH, "test=augmentation", "measure=[gulp,magnitude_difference]", "compare.subsample=100"], 4, 12,
    ),
    "vision-digits-accuracy_correlation-214b8c3e81c2": (
        [*VISION, "test=accuracy_correlation", "measure=[cka,jaccard]"], 2, 3,
    ),
    "language-sst2-shortcut-1c235d050b8c": (
        [*LANGUAGE, "test=shortcut", "groups=2", "measure=[cka,pwcca]", "measure.pwcca.variant=published"], 4, 18,
    ),
}  # fmt: skip


@pytest.fixture
def root(data: Path, tmp_path: Path) -> Path:
    """Return a copy of the kept data root."""
    return Path(shutil.copytree(data / KEPT.name, tmp_path / "root", copy_function=shutil.copyfile))


@pytest.fixture
def trained_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this version train graph models as the one that stored them."""
    monkeypatch.setattr(domain, "TRAINING_VERSION", STORED_TRAINING)


def words_of(name: str, root: Path) -> list[str]:
    extra = [f"dataset.root={root / 'datasets' / 'sst2'}"] if name.startswith("language") else []
    return [*RUNS[name][0], *extra, f"root={root}"]


def planned(words: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, list[int]]:
    """Return how many models, representations and comparisons there are, are done, and are to do, as a plan says."""
    capsys.readouterr()
    assert run_command(["plan", *words]) == 0
    rows = re.findall(r"^(\w+)[\w ]*? +(\d+) +(\d+) +(\d+) ", capsys.readouterr().out, re.MULTILINE)
    return {step: [int(count) for count in counts] for step, *counts in rows}


def contents(root: Path) -> dict[str, str]:
    """Return the hash of each file, those of locks left out."""
    paths = [path for path in root.rglob("*") if path.is_file() and "locks" not in path.parts]
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def table(folder: Path, name: str) -> pl.DataFrame:
    return pl.read_parquet(folder / f"{name}.parquet")


def has_stored(found: pl.DataFrame, stored: pl.DataFrame) -> bool:
    """Return whether a table holds what was stored, and nothing in the columns that are of a later version."""
    later = found.drop(stored.columns)
    is_empty = [column.is_null().all() or (column.dtype == pl.String and (column == "").all()) for column in later]
    return found.select(stored.columns).equals(stored) and all(is_empty)


@pytest.mark.usefixtures("trained_alike")
@pytest.mark.parametrize("name", RUNS)
def test_a_stored_run_is_done(name: str, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    models, comparisons = RUNS[name][1:]
    before = contents(root)
    plan = planned(words_of(name, root), capsys)
    # The weights of the other domains' models are not kept.
    assert plan["train"] == ([models, models, 0] if name.startswith("graph") else [models, 0, models])
    assert plan["extract"] == [models, models, 0]
    assert plan["compare"] == [comparisons, comparisons, 0]
    result = resi.run(words_of(name, root))
    assert result.reused
    assert result.shard is not None
    assert result.shard.name == name
    # This version has other intervals of some tests; scores are computed again, and nothing else.
    stored = table(KEPT / "shards" / name, "scores")
    same = [column for column in stored.columns if column not in ("key", "low", "high", "note", "resi_version")]
    assert_frame_equal(result.scores.select(same), stored.select(same))
    assert result.scores.filter(pl.col("p_value").is_not_null())["smallest_p"].null_count() == 0
    assert has_stored(result.comparisons, table(KEPT / "shards" / name, "comparisons"))
    after = contents(root)
    changed = {path for path in after if after[path] != before.get(path)}
    changed = {path for path in changed if not re.fullmatch(rf"sources/shards/[0-9a-f]{{32}}-{name}", path)}
    assert changed <= {f"shards/{name}/{file}" for file in ("scores.parquet", "comparisons.parquet", "manifest.json")}
    again = resi.run(words_of(name, root))
    assert again.reused
    assert again.scores.equals(result.scores)
    assert contents(root) == after


@pytest.mark.usefixtures("trained_alike")
def test_a_stored_part_of_a_run_is_finished(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [*GRAPH, "test=augmentation", "measure=linear_regression", f"root={root}"]
    (part,) = (root / "shards" / UNFINISHED / "parts").iterdir()
    stored = pl.read_parquet(part)
    assert planned(words, capsys) == {"train": [4, 4, 0], "extract": [4, 4, 0], "compare": [12, 12, 0]}
    result = resi.run(words)
    assert not result.reused
    assert result.shard == root / "shards" / UNFINISHED
    columns = ["key", "value", "seconds"]  # times say that nothing was computed again
    assert result.comparisons.select(columns).sort("key").equals(stored.select(columns).sort("key"))


@pytest.mark.usefixtures("trained_alike")
def test_failed_comparisons_are_known_as_failed(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert planned([*words_of(FAILED, root), "compare.overwrite=failed"], capsys)["compare"] == [12, 6, 6]


@pytest.mark.usefixtures("trained_alike")
def test_stored_models_give_the_stored_representations(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = "representations/graph/digits_knn/gcn/standard-s0"
    shutil.rmtree(root / name)
    words = [*GRAPH, "test=augmentation", "measure=[cka,svcca]", f"root={root}"]
    assert planned(words, capsys) == {"train": [4, 4, 0], "extract": [4, 3, 1], "compare": [12, 6, 6]}
    models = contents(root / "models")
    result = resi.run(words)
    assert contents(root / "models") == models
    assert set(result.comparisons["status"]) == {"ok"}
    stored = table(KEPT / "shards" / AUGMENTATION, "comparisons").filter(measure="cka")
    assert has_stored(result.comparisons.filter(measure="cka"), stored)
    stored_files = {path.name: load_file(path) for path in (KEPT / name).iterdir()}  # named by their fingerprints
    for file, tensors in {path.name: load_file(path) for path in (root / name).iterdir()}.items():
        for tensor, values in tensors.items():  # versions of torch may differ in the last bits
            np.testing.assert_allclose(values, stored_files[file][tensor], rtol=1e-4, atol=1e-5)
    assert len(list((root / name).iterdir())) == len(stored_files) == 2


def test_models_of_the_earlier_training_are_kept_and_not_used(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = contents(root)
    words = words_of(AUGMENTATION, root)
    assert planned(words, capsys) == {"train": [4, 0, 4], "extract": [4, 0, 4], "compare": [30, 0, 30]}
    result = resi.run(changed(words, "measure=cka"))
    assert not result.reused
    stored = table(KEPT / "shards" / AUGMENTATION, "comparisons").filter(measure="cka")
    assert not set(result.comparisons["key"]) & set(stored["key"])
    assert not set(result.comparisons["value"]) & set(stored["value"])
    after = contents(root)
    assert {path: after[path] for path in before} == before
    trained = [path for path in after.keys() - before.keys() if path.startswith("models/")]
    assert len(trained) == 4


def test_stored_shards_are_listed_with_what_is_outdated(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["list", "shards", "--root", str(root), "--json"]) == 0
    listed = {
        row["name"]: (row["rows"], row["failed"], row["state"].split(";")[0])
        for row in json.loads(capsys.readouterr().out)
    }
    assert listed == {
        **{name: (count, 6 if name == FAILED else 0, "finished") for name, (_, _, count) in RUNS.items()},
        PUBLISHED: (270, 0, "finished"),
        UNFINISHED: (12, 0, "unfinished"),
    }
    assert run_command(["list", "shards", "--outdated", "--root", str(root), "--json"]) == 0
    outdated = [reason for row in json.loads(capsys.readouterr().out) for reason in row["outdated"]]
    # Other versions of torch and resi are named, and change nothing.
    own = [reason for reason in outdated if not reason.endswith("runs use them as they are")]
    scored = f"scores computed by version 3 of the tests, which is now at {SCORE_VERSION}"
    trained = [reason for reason in own if TRAINED in reason]
    assert len(trained) == sum(name.startswith("graph") for name in RUNS)
    assert all(reason.endswith(f"{TRAINED}{domain.TRAINING_VERSION}") for reason in trained)
    assert all(reason.endswith(scored) for reason in own if reason not in trained)
    assert len(own) > len(trained)


def test_stored_shards_are_merged_and_reported_as_before(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for out in (root / "results", root / "elsewhere"):  # over the stored tables, and from shards alone
        assert run_command(["merge", str(root), "--out", str(out)]) == 1  # as the unfinished one is left out
        assert "9 shards: 479 comparisons (6 failed) and 118 scores" in capsys.readouterr().err
        for name in ("comparisons", "scores"):
            kept, found = table(KEPT / "results", name), table(out, name)
            # Of earlier versions, which is noted.
            if name == "scores":
                assert found["note"].str.contains(f"version 3 of the tests, which is now at {SCORE_VERSION}").all()
            else:
                is_graph = pl.col("architecture") == "gcn"  # gat: published comparisons
                marked = found.with_columns(marked=pl.col("note").fill_null("").str.contains(TRAINED, literal=True))
                assert marked.filter(is_graph != pl.col("marked")).is_empty()
            kept, found = kept.drop("note"), found.drop("note")
            assert has_stored(found, kept), name
    assert run_command(["report", str(root)]) == 0
    page = (root / "results" / "report.html").read_text(encoding="utf-8")
    scores = table(KEPT / "results", "scores").filter(pl.col("metric").is_in(["auprc", "pearson"]))
    missing = [value for value in scores["value"].drop_nulls() if f"{value:.3f}" not in page]
    assert not missing
    assert "rsm_norm_difference needs about 36.1 MB" in page
