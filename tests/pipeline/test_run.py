"""The main job end to end on embedded data: trained, compared, scored, stored, and never done twice."""

from __future__ import annotations

import datetime
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import resi
from resi.cli import tables
from resi.errors import UsageError
from resi.pipeline.run import run_config
from resi.results.manifests import MERGED, write_manifest
from resi.results.merge import merge_shards
from resi.results.schema import COMPARISONS, SCORES
from resi.results.tables import write_table
from resi.store.tensors import read_tensors
from tests.conftest import REPOSITORY, TINY, changed

COMMAND = [sys.executable, "-c", "from resi.cli.main import main; main()"]


def files(root: Path, kind: str) -> dict[str, str]:
    found = sorted((root / kind).rglob("*.safetensors"))
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def modified(root: Path) -> dict[str, int]:
    return {
        str(path): path.stat().st_mtime_ns for path in root.rglob("*") if path.is_file() and "locks" not in path.parts
    }


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory):
    """Return one finished run and its data root; tests change nothing in it but times."""
    root = tmp_path_factory.mktemp("finished")
    return root, resi.run([*TINY, "measure=[cka,rsa]", f"root={root}"])


def test_rows_and_scores_say_what_was_compared_whatever_the_measure(finished, tmp_path: Path) -> None:
    root, result = tmp_path / "copy", finished[1]
    shutil.copytree(finished[0], root)
    by_measure = {
        m: rows["pair"].to_list() for (m,), rows in result.comparisons.partition_by("measure", as_dict=True).items()
    }
    assert sorted(by_measure["cka"]) == sorted(by_measure["rsa"])
    assert len(set(by_measure["cka"])) == 6
    other = resi.run([*TINY, "measure=linear_regression", f"root={root}"])  # both directions of each pair
    assert sorted(other.comparisons["pair"]) == sorted(2 * by_measure["cka"])
    (compared,) = set(result.scores["compared"])
    assert set(other.scores["compared"]) == {compared}
    longer = resi.run(changed(TINY, "measure=cka", "model.gcn.epochs=3", f"root={root}"))
    seeds = resi.run(changed(TINY, "measure=cka", "seeds=[1,2]", f"root={root}"))
    assert len({compared, *longer.scores["compared"], *seeds.scores["compared"]}) == 3


def test_a_run_leaves_models_representations_and_a_shard(finished) -> None:
    root, result = finished
    assert len(files(root, "models")) == 4
    assert len(files(root, "representations")) == 8  # a layer and the outputs of each model
    assert result.comparisons.height == 2 * 6
    assert dict(result.comparisons.schema) == COMPARISONS
    assert dict(result.scores.schema) == SCORES
    assert set(result.comparisons["status"]) == {"ok"}
    assert sorted(result.scores["metric"].unique()) == ["auprc", "violation_rate"]
    assert {path.name for path in result.shard.iterdir()} == {"comparisons.parquet", "scores.parquet", "manifest.json"}


def test_stored_values_are_those_of_the_stored_representations(finished) -> None:
    root, result = finished
    row = result.comparisons.filter(measure="cka").row(3, named=True)
    sides = []
    for side in "ab":
        folder = (
            root
            / "representations"
            / "graph"
            / "digits_knn"
            / "gcn"
            / f"{row['setting_' + side]}-s{row['seed_' + side]}"
        )
        (path,) = folder.glob("test-1-*.safetensors")
        sides.append(read_tensors(path)[0]["representation"].double().numpy())
    R, S = (side - side.mean(0) for side in sides)
    expected = np.linalg.norm(S.T @ R) ** 2 / np.linalg.norm(R.T @ R) / np.linalg.norm(S.T @ S)
    assert row["value"] == pytest.approx(expected, rel=1e-9)


def test_a_repeated_run_does_nothing_and_gives_the_stored_tables(finished, monkeypatch: pytest.MonkeyPatch) -> None:
    root, result = finished
    before = modified(root)
    monkeypatch.setattr("resi.pipeline.run._run_stages", lambda _plan: pytest.fail("it ran again"))
    again = resi.run([*TINY, "measure=[cka,rsa]", f"root={root}"])
    assert again.reused
    assert again.scores.equals(result.scores)
    assert again.comparisons.equals(result.comparisons)
    assert modified(root) == before


def test_another_measure_reuses_models_representations_and_comparisons(tmp_path: Path) -> None:
    first = resi.run([*TINY, "measure=cka", f"root={tmp_path}"])
    artifacts = {**files(tmp_path, "models"), **files(tmp_path, "representations")}
    second = resi.run([*TINY, "measure=[cka,procrustes]", f"root={tmp_path}"])
    assert {**files(tmp_path, "models"), **files(tmp_path, "representations")} == artifacts
    assert second.shard != first.shard
    # Timings and all: the rows themselves are taken over.
    assert second.comparisons.filter(measure="cka").equals(first.comparisons)


def test_two_roots_give_the_same_bits(finished, tmp_path: Path) -> None:
    root, result = finished
    again = resi.run([*TINY, "measure=[rsa,cka]", f"root={tmp_path}"])
    for name in (*files(root, "models"), *files(root, "representations")):
        ours, theirs = read_tensors(root / name)[0], read_tensors(tmp_path / name)[0]
        assert all(ours[key].equal(theirs[key]) for key in ours), name
    assert again.scores.drop("resi_version").equals(result.scores.drop("resi_version"))


def test_stages_run_one_after_the_other_and_say_what_is_missing(tmp_path: Path) -> None:
    words = [*TINY, "measure=cka", f"root={tmp_path}"]
    with pytest.raises(UsageError, match=r"stage=compare: the representations of 4 models are missing.*run stage=rep"):
        resi.run([*words, "stage=compare"])
    resi.run([*words, "stage=models"])
    assert len(files(tmp_path, "models")) == 4
    assert not files(tmp_path, "representations")
    resi.run([*words, "stage=representations"])
    with pytest.raises(UsageError, match="stage=score: 6 comparisons are missing; run stage=compare first"):
        resi.run([*words, "stage=score"])
    assert resi.run([*words, "stage=compare"]).scores.height == 0
    scored = resi.run([*words, "stage=score"])
    assert scored.scores.height == 2
    assert resi.run(words).reused


def test_comparing_again_by_stages_reaches_the_scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from resi.measures.kernel import CKA

    words = [*TINY, "measure=[cka,rsa]", f"root={tmp_path}"]
    with monkeypatch.context() as patch:
        patch.setattr(CKA, "compare", lambda *_: 1 / 0)
        assert resi.run(words).count("failed") == 6
    assert resi.run([*words, "stage=compare", "compare.overwrite=failed"]).count("ok") == 12
    scored = resi.run([*words, "stage=score"])
    assert not scored.reused
    assert scored.count("ok") == 12
    assert scored.scores["value"].null_count() == 0


def test_a_subsample_is_a_comparison_of_its_own(finished) -> None:
    root, result = finished
    smaller = resi.run([*TINY, "measure=[cka,rsa]", f"root={root}", "compare.subsample=300"])
    assert smaller.shard != result.shard
    assert set(smaller.comparisons["shape_a"]) == {"300x8"}
    assert set(smaller.scores["parameters"]) == {'{"subsample":300}'}
    assert not set(smaller.comparisons["key"]) & set(result.comparisons["key"])


def test_two_identical_runs_at_once_share_one_shard(tmp_path: Path) -> None:
    words = [*COMMAND, *TINY, "measure=cka", "workers=1", f"root={tmp_path}"]
    both = [subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert outputs[0][0] == outputs[1][0]
    assert sum("training models: 4/4" in errors for _, errors in outputs) == 1
    assert len(list((tmp_path / "shards").iterdir())) == 1


def test_a_damaged_model_is_named_set_aside_and_trained_anew(tmp_path: Path, capsys) -> None:
    words = [*TINY, "measure=cka", f"root={tmp_path}"]
    resi.run([*words, "stage=models"])
    path = tmp_path / next(iter(files(tmp_path, "models")))
    # Tensors that are read are mapped from the file, which is about to change.
    whole = {name: tensor.clone() for name, tensor in read_tensors(path)[0].items()}
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    assert resi.run(words).scores.height == 2
    told = f"{path} is damaged: its content does not match its hash. It is set aside and recomputed.\n"
    assert capsys.readouterr().err.count(told) == 1
    again = read_tensors(path)[0]
    assert again.keys() == whole.keys()
    assert all(again[name].equal(whole[name]) for name in whole)
    assert path.with_name(f"{path.name}.damaged").read_bytes() == content


def test_failed_comparisons_are_recorded_shown_and_redone_on_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from resi.config.compose import compose
    from resi.measures.kernel import CKA

    words = [*TINY, "measure=cka", f"root={tmp_path}"]
    with monkeypatch.context() as patch:
        patch.setattr(CKA, "compare", lambda *_: 1 / 0)
        result = resi.run(words)
        assert result.comparisons["error"].unique().to_list() == ["ZeroDivisionError: division by zero"]
        assert result.comparisons["value"].null_count() == 6
        assert result.scores["value"].null_count() == 2
        assert result.scores["failed_pairs"].to_list() == [6, 6]
        tables.print_result(compose(words), result)
        shown = capsys.readouterr()
        assert "6 comparisons failed:" in shown.err
        assert "6 x cka: ZeroDivisionError: division by zero" in shown.err
        assert "undefined" in shown.out
        with pytest.raises(ZeroDivisionError):
            resi.run([*words, "on_error=raise", "compare.overwrite=failed"])
    assert resi.run(words).reused  # a failure is an outcome, too
    redone = resi.run([*words, "compare.overwrite=failed"])
    assert redone.comparisons["status"].unique().to_list() == ["ok"]
    assert resi.run([*words, "compare.overwrite=failed"]).reused


@pytest.mark.parametrize("extra", [[], ["on_error=raise"]])
def test_overwrite_always_makes_comparisons_again(finished, monkeypatch: pytest.MonkeyPatch, extra: list[str]) -> None:
    from resi.config.compose import compose
    from resi.pipeline import compare

    root, result = finished
    made = []
    original = compare._compare
    monkeypatch.setattr(compare, "_compare", lambda plan, missing: made.extend(missing) or original(plan, missing))
    again = run_config(compose([*TINY, "measure=[cka,rsa]", f"root={root}", "compare.overwrite=always", *extra]))
    assert len(made) == 12
    assert again.comparisons["value"].equals(result.comparisons["value"])


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")
def test_ctrl_c_stops_cleanly_and_the_next_run_goes_on(tmp_path: Path) -> None:
    words = ["model=gcn", "model.gcn.epochs=60", "seeds=[0,1,2]", "measure=cka", "workers=1", f"root={tmp_path}"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([*COMMAND, *words], stderr=subprocess.PIPE, text=True, env=environment)
    deadline = time.monotonic() + 120
    while len(files(tmp_path, "models")) < 2 and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "interrupted; finished work is kept" in errors
    assert "Traceback" not in errors
    kept = files(tmp_path, "models")
    assert 2 <= len(kept) < 9
    assert not list(tmp_path.rglob("*.tmp"))
    result = resi.run(words)
    assert result.scores.height == 2
    assert kept.items() <= files(tmp_path, "models").items()


def test_the_manifest_tells_how_the_shard_came_to_be(finished) -> None:
    from resi.results.shards import Shard

    manifest = Shard(finished[1].shard).verify()
    assert manifest["counts"] == {"ok": 12, "undefined": 0, "failed": 0}
    assert set(manifest["seconds"]) == {"models", "representations", "compare", "score"}
    assert manifest["config"]["seeds"] == [0, 1]
    assert manifest["config"]["measure"] == {"cka": {}, "rsa": {}}
    assert manifest["packages"]["torch"]
    assert (manifest["kind"], manifest["devices"]) == ("run", ["cpu"])
    assert manifest["host"]
    assert manifest["cpus"] >= 1
    assert datetime.datetime.fromisoformat(manifest["finished"]).tzinfo is datetime.UTC
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if head.returncode == 0:
        assert manifest["git"].removesuffix("-dirty") == head.stdout.strip()


@pytest.mark.parametrize("lost", [[], ["model_source", "probe", "pair"]])
def test_a_run_finds_its_comparisons_in_merged_tables_alone(
    finished, lost: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in those of an earlier version, which lack columns."""
    root = tmp_path / "copy"
    shutil.copytree(finished[0], root)
    merge_shards([root], root / "results")
    table = root / "results" / "comparisons.parquet"
    write_table(table, pl.read_parquet(table).drop(lost))
    write_manifest(root / "results", {"kind": MERGED})
    shutil.rmtree(root / "shards")
    monkeypatch.setattr("resi.pipeline.compare._compare", None)  # nothing is to be compared
    again = resi.run([*TINY, "measure=[cka,rsa]", f"root={root}"])
    assert set(again.scores["model_source"]) == {"trained"}
    times = ["seconds", "prepare_seconds"]  # which another test may have changed
    assert again.comparisons.drop(times).equals(finished[1].comparisons.drop(times))
    assert again.scores.equals(finished[1].scores)


def test_the_published_protocol_has_a_shard_of_its_own(finished) -> None:
    root, result = finished
    published = resi.run([*TINY, "measure=[cka,rsa]", f"root={root}", "protocol=published"])
    assert published.shard != result.shard
    times = ["seconds", "prepare_seconds"]
    assert published.comparisons.drop(times).equals(result.comparisons.drop(times))
    assert set(published.scores["protocol"]) == {"published"}


def test_shards_scores_and_comparisons_agree(finished) -> None:
    """The violation rate of the scores table is a plain count over the comparisons table."""
    _, result = finished
    for measure in ("cka", "rsa"):
        rows = result.comparisons.filter(measure=measure)
        rates = []
        for setting in ("standard", "augmentation_100"):
            a, b = pl.col("setting_a"), pl.col("setting_b")
            within = rows.filter((a == setting) & (b == setting))["value"]
            across = rows.filter((a == setting) ^ (b == setting))["value"]
            rates.append(np.mean([[x > w for x in across] for w in within]))
        expected = result.scores.filter(measure=measure, metric="violation_rate")["value"].item()
        assert expected == pytest.approx(np.mean(rates))
