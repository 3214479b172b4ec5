"""Merged tables go to a folder of their own: what somebody else has put there is left as it is."""

from __future__ import annotations

import json
import os
import shutil
import threading
from pathlib import Path

import fsspec
import polars as pl
import pytest

from resi.cli.main import run_command
from resi.errors import StoreError, UsageError
from resi.results.merge import merge_shards
from resi.results.output import LOCK
from resi.results.shards import Shard, find_shards
from tests.results.rows import comparison, finish, score
from tests.results.test_merge import tables


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize(
    "name", ["manifest.json", "comparisons.parquet", "scores.parquet", "conflicts.parquet", "score_conflicts.parquet"]
)
@pytest.mark.parametrize("content", [b"mine", b'{"kind": "my own"}', None])
def test_a_folder_with_files_of_others_is_left_as_it_is(tmp_path: Path, name: str, content: bytes | None) -> None:
    finish(tmp_path / "root", "one", [comparison("a")])
    out = tmp_path / "out"
    out.mkdir()
    if content is None:
        pl.DataFrame({"mine": [1]}).write_parquet(out / name)
    else:
        (out / name).write_bytes(content)
    before = contents(out)
    with pytest.raises(UsageError, match=f"{name} was not written by resi-merge and is not overwritten; name another"):
        merge_shards([tmp_path / "root"], out)
    assert contents(out) == before


def test_a_folder_with_other_files_takes_tables_and_takes_them_again(tmp_path: Path) -> None:
    finish(tmp_path / "root", "one", [comparison("a")])
    out = tmp_path / "out"
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    for _ in range(2):
        assert merge_shards([tmp_path / "root"], out).problems == []
    assert (out / "notes.txt").read_text() == "mine"
    assert Shard(out).comparisons().height == 1


def test_shards_and_data_roots_are_no_place_for_merged_tables(tmp_path: Path) -> None:
    root = tmp_path / "root"
    shard = finish(root, "one", [comparison("a")])
    finish(root, "two", [comparison("b")])
    begun = Shard(root / "shards" / "begun")
    begun.add(comparison("c"))
    begun.flush()
    before = contents(root)
    for out, reason in (
        (shard.folder, "is a shard"),
        (begun.folder, "is a shard"),
        (root, "is a data root"),
        (root / "shards", "holds shards"),
    ):
        with pytest.raises(UsageError, match=f"{out} {reason}.*; name another folder for the merged tables"):
            merge_shards([root], out)
    assert contents(root) == before


def test_tables_in_a_data_root_by_an_earlier_version_do_not_hide_its_shards(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "root"
    finish(root, "one", [comparison("a")])
    merge_shards([root], tmp_path / "out")
    for path in tables(tmp_path / "out"):
        shutil.copy(tmp_path / "out" / path, root / path)
    assert [shard.folder.name for shard in find_shards(root)] == ["one"]
    assert run_command(["merge", str(root)]) == 0
    assert f"1 shard: 1 comparison (0 failed) and 0 scores in {root / 'results'}" in capsys.readouterr().err
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("manifest", [None, b"", b'{"kind": "mer', b'{"kind": "m", "schema_version": 5}'])
def test_what_a_kill_or_damage_has_left_of_a_merge_is_written_over(tmp_path: Path, manifest: bytes | None) -> None:
    finish(tmp_path, "one", [comparison("a")])
    out = tmp_path / "results"
    merge_shards([tmp_path], out)
    whole = tables(out)
    if manifest is None:
        (out / "manifest.json").unlink()
    else:
        (out / "manifest.json").write_bytes(manifest)
    assert merge_shards([tmp_path], out).problems == []
    assert tables(out) == whole


def test_where_nothing_can_be_merged_an_earlier_merge_stays_and_no_folder_is_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shard = finish(tmp_path, "one", [comparison("a")])
    merge_shards([tmp_path], tmp_path / "results")
    whole = tables(tmp_path / "results")
    (shard.folder / "comparisons.parquet").write_bytes(b"")
    for out in (tmp_path / "results", tmp_path / "new"):
        assert run_command(["merge", str(tmp_path), "--out", str(out)]) == 1
        assert f"nothing was merged; {out} was not changed" in capsys.readouterr().err
    assert tables(tmp_path / "results") == whole
    assert not (tmp_path / "new").exists()


def test_a_merge_that_fails_leaves_no_folder_that_bars_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    finish(tmp_path, "one", [comparison("a")])

    def full_disk(*_arguments: object) -> None:
        raise StoreError("no space")

    with monkeypatch.context() as patch, pytest.raises(StoreError):
        patch.setattr("resi.results.merge.write_sorted", full_disk)
        merge_shards([tmp_path], tmp_path / "results")
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(("mode", "expected"), [(0o775, 0o775), (0o777, 0o777), (0o755, 0o755), (0o1777, 0o755)])
def test_a_new_folder_of_tables_can_be_written_by_all_who_can_write_to_the_root(
    tmp_path: Path, mode: int, expected: int
) -> None:
    root = tmp_path / "root"
    finish(root, "one", [comparison("a")])
    root.chmod(mode)
    before = os.umask(0o022)
    try:
        merge_shards([root], root / "results")
    finally:
        os.umask(before)
    assert (root / "results").stat().st_mode & 0o7777 == expected
    assert (root / "results" / LOCK).stat().st_mode & 0o222 == expected & 0o222


@pytest.mark.parametrize("name", ["a[b]", "a*", "a?b", "{a,b}", "~a"])
def test_names_with_glob_characters_are_names(tmp_path: Path, name: str) -> None:
    root = tmp_path / name
    for number in range(4):
        finish(root, f"shard[{number}]", [comparison(f"{number}{i}") for i in range(5)], [score(f"s{number}")])
    merged = merge_shards([root], root / "results", batch=6)  # so that rows go through files
    assert (merged.comparisons, merged.scores, merged.problems) == (20, 4, [])
    again = root / "again"
    assert run_command(["merge", f"file://{root}", "--out", f"file://{again}"]) == 0
    for table in ("comparisons.parquet", "scores.parquet"):
        assert (again / table).read_bytes() == (root / "results" / table).read_bytes()
    assert run_command(["report", str(root)]) == 0


@pytest.mark.parametrize("words", [["merge"], ["report"], ["list", "shards", "--root"], ["merge", ".", "--out"]])
def test_a_folder_that_is_not_utf8_is_one_line(
    tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    finish(tmp_path, "one", [comparison("a")])
    folder = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")
    try:
        Path(folder).mkdir()
    except OSError:
        pytest.skip("this file system has names of UTF-8 alone")
    assert run_command([*words, folder]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "is not UTF-8 text; rename the folder" in line


def test_a_report_during_merges_is_whole(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    finish(root, "one", [comparison("a")], [])
    merge_shards([root], root / "results")
    stop = threading.Event()

    def merge_again_and_again() -> None:
        while not stop.wait(0.02):
            merge_shards([root], root / "results")

    writer = threading.Thread(target=merge_again_and_again)
    writer.start()
    try:
        for _ in range(12):
            assert run_command(["report"]) == 0, capsys.readouterr().err
    finally:
        stop.set()
        writer.join()


def test_at_a_url_only_merged_tables_are_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    finish(tmp_path, "one", [comparison("a")])
    url = f"memory://{tmp_path.name}-out"
    for name, content in (("manifest.json", b'{"kind": "mine"}'), ("conflicts.parquet", b"mine")):
        with fsspec.open(f"{url}/{name}/{name}", "wb") as file:
            file.write(content)
        assert run_command(["merge", str(tmp_path), "--out", f"{url}/{name}"]) == 2
        assert "holds tables or a manifest not written by resi-merge" in capsys.readouterr().err
        with fsspec.open(f"{url}/{name}/{name}", "rb") as file:
            assert file.read() == content
    for _ in range(2):
        assert run_command(["merge", str(tmp_path), "--out", f"{url}/new"]) == 0
    system, folder = fsspec.core.url_to_fs(f"{url}/new")
    assert json.loads(system.cat_file(f"{folder}/manifest.json"))["kind"] == "merged"
