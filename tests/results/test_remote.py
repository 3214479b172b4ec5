"""Shards and merged tables at URLs, on fsspec's own file systems: one in memory, one of local files."""

from __future__ import annotations

import uuid
from pathlib import Path

import fsspec
import polars as pl
import pytest

import resi
from resi.cli.main import run_command
from resi.errors import UsageError
from tests.conftest import TINY


@pytest.fixture(params=["memory", "file"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty folder."""
    return f"memory://{uuid.uuid4().hex}/kept" if request.param == "memory" else f"file://{tmp_path / 'bucket'}"


def names(url: str) -> list[str]:
    system, folder = fsspec.core.url_to_fs(url)
    return sorted(path.rpartition("/")[2] for path in system.find(folder))


def test_a_finished_run_is_kept_at_a_url_and_read_from_there_by_another_root(url: str, tmp_path: Path) -> None:
    words = [*TINY, "measure=cka", f"shards={url}"]
    first = resi.run([*words, f"root={tmp_path / 'here'}"])
    assert names(url) == ["comparisons.parquet", "manifest.json", "scores.parquet"]
    second = resi.run([*words, f"root={tmp_path / 'there'}"])
    assert second.reused
    assert second.scores.equals(first.scores)
    assert second.comparisons.equals(first.comparisons)
    assert not (tmp_path / "there" / "models").exists()


def test_an_unfinished_run_leaves_nothing_at_the_url(url: str, root: Path) -> None:
    resi.run([*TINY, "measure=cka", f"shards={url}", "stage=representations"])
    resi.run([*TINY, "measure=cka", f"shards={url}", "stage=compare"])
    system, folder = fsspec.core.url_to_fs(url)
    assert not system.exists(folder) or not names(url)


def test_merging_at_urls_gives_the_tables_of_local_shards(
    url: str, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for measure in ("cka", "rsa"):
        resi.run([*TINY, f"measure={measure}", f"shards={url}"])
    assert run_command(["merge"]) == 0
    for _ in range(2):  # the second replaces the first
        assert run_command(["merge", url, "--out", f"{url}/results"]) == 0
    assert f"2 shards: 12 comparisons (0 failed) and 4 scores in {url}/results" in capsys.readouterr().err
    for name in ("comparisons.parquet", "scores.parquet"):
        with fsspec.open(f"{url}/results/{name}", "rb") as file:
            assert pl.read_parquet(file).equals(pl.read_parquet(root / "results" / name))


def test_what_is_wrong_at_a_url_is_said_of_the_url(
    url: str, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shard = resi.run([*TINY, "measure=cka", f"shards={url}"]).shard
    with fsspec.open(f"{url}/{shard.name}/scores.parquet", "wb") as file:
        file.write(b"damaged")
    assert run_command(["merge", url, "--out", str(tmp_path / "tables")]) == 1
    assert f"left out: {url}/{shard.name}/scores.parquet is damaged" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["merge", "memory://nothing/there", "--out", "x"], "memory://nothing/there holds no shards"),
        (["merge", "memory://nothing/there"], "memory://nothing/there: name a folder or a URL for its tables"),
        (["merge", "nosuch://bucket", "--out", "x"], "nosuch://bucket: Protocol not known: nosuch"),
    ],
)
def test_a_url_that_does_not_do_is_one_clear_line(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(words) == 2
    assert f"resi: {message}" in capsys.readouterr().err


def test_shards_is_a_url() -> None:
    with pytest.raises(UsageError, match="shards=elsewhere: expected a URL such as s3://bucket/folder"):
        resi.run(["shards=elsewhere"])
