"""A full disk: one clear line, exit code 1, nothing half-written is read, and with space again the run goes on."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import resi
from resi.cli.main import run_command
from resi.results.merge import merge_shards
from resi.results.shards import Shard
from resi.store.tensors import read_tensors
from tests.conftest import TINY
from tests.faults.running import TIMES

if TYPE_CHECKING:
    import polars as pl

WORDS = [*TINY, "measure=[cka,rsa]"]
NO_SPACE = "No space left on device. Free space there, or choose another folder (the data root: RESI_HOME)."


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Yield a disk of 8 MB, or skip where none can be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount command")
    if done.returncode:
        pytest.skip(f"mounting is not allowed here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextlib.contextmanager
def filled(disk: Path, free: int) -> Iterator[None]:
    """Fill a disk up to some bytes."""
    ballast = disk / "ballast"
    room = os.statvfs(disk)
    ballast.write_bytes(bytes(max(room.f_bavail * room.f_frsize - free, 0)))
    yield
    ballast.unlink()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    """Return the comparisons of a run that nothing disturbed."""
    return resi.run([*WORDS, f"root={tmp_path_factory.mktemp('undisturbed')}"]).comparisons


def assert_stops(words: list[str], what: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Run, and check that it ends for want of space for ``what``, with one line."""
    capfd.readouterr()
    assert run_command(words) == 1
    (line,) = (line for line in capfd.readouterr().err.splitlines() if line.startswith("resi: "))
    assert line.startswith("resi: cannot write ")
    assert what in line
    assert line.endswith(NO_SPACE)


@pytest.mark.parametrize(
    ("stage", "free", "what"),
    [("models", 8192, "/models/"), ("representations", 16384, "/representations/"), ("compare", 4096, "/shards/")],
)
def test_a_full_disk_stops_a_run_and_space_lets_it_go_on(
    disk: Path, undisturbed: pl.DataFrame, capfd, stage: str, free: int, what: str
) -> None:
    words = [*WORDS, f"root={disk}"]
    before = {"representations": ["models"], "compare": ["models", "representations"]}.get(stage, [])
    for earlier in before:
        resi.run([*words, f"stage={earlier}"])
    with filled(disk, free):
        assert_stops(words, what, capfd)
        assert not list(disk.rglob("*.tmp"))
        for path in disk.rglob("*.safetensors"):
            read_tensors(path)  # whole, or an error
        assert not list(disk.rglob("manifest.json"))
    assert resi.run(words).comparisons.drop(TIMES).equals(undisturbed.drop(TIMES))


def test_a_full_disk_leaves_an_earlier_merge_whole(disk: Path, capfd) -> None:
    from tests.results.rows import comparison, score
    from tests.results.test_shards import finish

    finish(disk, "one", [comparison("a")], [score("s")])
    merge_shards([disk], disk / "results")
    finish(disk, "two", [comparison(f"key {number}") for number in range(2000)], [score("t")])
    with filled(disk, 16384):
        assert_stops(["merge", str(disk)], "/results", capfd)
        assert Shard(disk / "results").comparisons()["key"].to_list() == ["a"]
    assert run_command(["merge", str(disk)]) == 0
    assert Shard(disk / "results").comparisons().height == 2001
    assert not list((disk / "results").glob(".merge-*"))
