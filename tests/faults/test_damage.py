"""Truncated and bit-flipped files: found by hash, reported in one line, recomputed or left out, never used."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

import resi
from resi.cli.main import run_command
from resi.config.many import open_configs
from resi.results.merge import merge_shards
from resi.results.shards import Shard
from resi.sweeps.progress import find_states
from tests.conftest import TINY, changed
from tests.faults.running import TIMES

if TYPE_CHECKING:
    from hydra.core.config_loader import ConfigLoader

WORDS = [*TINY, "measure=[cka,rsa]"]


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) * 2 // 3] ^= 4
    path.write_bytes(content)


DAMAGES = [truncate, flip]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pl.DataFrame]:
    """Return a finished run's data root and comparisons; tests change copies of it."""
    root = tmp_path_factory.mktemp("finished")
    return root, resi.run([*WORDS, f"root={root}"]).comparisons.drop(TIMES)


@pytest.fixture(scope="module")
def loader() -> ConfigLoader:
    return open_configs()


@pytest.fixture
def copy(finished: tuple[Path, pl.DataFrame], tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished[0], tmp_path / "copy"))


def delete(path: Path) -> None:
    path.unlink()


def table_of_shard(copy: Path, name: str) -> Path:
    return next((copy / "shards").glob(f"*/{name}"))


def merged_tables(copy: Path, _name: str) -> Path:
    """Leave merged tables alone, and nothing that is damaged."""
    assert not merge_shards([copy], copy / "results").problems
    shutil.rmtree(copy / "shards")
    return copy / "nothing"


def first_part(copy: Path, _name: str) -> Path:
    """Leave an unfinished run of two parts; return one."""
    (folder,) = (copy / "shards").iterdir()
    rows = Shard(folder).comparisons()
    shutil.rmtree(folder)
    for half in (rows[:6], rows[6:]):
        unfinished = Shard(folder)
        for row in half.iter_rows(named=True):
            unfinished.add(row)
        unfinished.flush()
    return sorted((folder / "parts").iterdir())[0]


@dataclass(frozen=True)
class Case:
    """What is wrong with a data root of 12 comparisons, and what follows from it."""

    find: Callable[[Path, str], Path]
    name: str
    damage: Callable[[Path], None]
    shard: str = "damaged"
    state: str = "stopped"
    left: int = 12
    why: str = "is damaged: "


CASES = {
    "a table that does not match its manifest": Case(table_of_shard, "comparisons.parquet", truncate),
    "scores with a flipped bit": Case(table_of_shard, "scores.parquet", flip),
    "a missing table": Case(table_of_shard, "comparisons.parquet", delete, why="is missing."),
    "missing scores": Case(table_of_shard, "scores.parquet", delete, why="is missing."),
    "half a manifest": Case(table_of_shard, "manifest.json", truncate),
    "a manifest with a flipped bit": Case(table_of_shard, "manifest.json", flip),
    "merged tables only": Case(merged_tables, "", lambda _path: None, "not finished", "missing", 0),
    "half a part": Case(first_part, "", truncate, "not finished", left=6),
    "a part with a flipped bit": Case(first_part, "", flip, "not finished", left=6),
    "a missing part": Case(first_part, "", delete, "not finished", left=6),
}


@pytest.mark.parametrize("name", CASES)
def test_plan_progress_and_run_agree_on_what_is_stored_and_the_run_mends_it(
    finished, loader, copy: Path, capsys, name: str
) -> None:
    case = CASES[name]
    path = case.find(copy, case.name)
    case.damage(path)
    is_reported = case.damage in (truncate, flip) or case.find is table_of_shard

    def reported(error_output: str) -> list[str]:
        return [line for line in error_output.splitlines() if line.startswith("left out: ")]

    assert run_command(["plan", *WORDS, f"root={copy}"]) == 0
    shown = capsys.readouterr()
    lines = reported(shown.err)
    assert len(lines) == is_reported
    if is_reported:
        assert lines[0].startswith(f"left out: {path} {case.why}")
        assert lines[0].endswith(("recomputes it.", "write it again."))
    assert f"shard ({case.shard})" in shown.out
    (step,) = (line for line in shown.out.splitlines() if "compare " in line)
    numbers = [int(word) for word in step.split() if word.isdigit()]
    assert numbers[:3] == [12, 12 - case.left, case.left]

    job, comparing = tuple(WORDS), (*WORDS, "stage=compare")
    states = find_states([job, comparing], loader, copy)
    assert states[job].name == case.state
    assert states[job].reason in ("", lines[0].removeprefix("left out: ") if lines else "")
    assert (states[comparing].name == "done") == (case.left == 0)

    assert run_command([*WORDS, f"root={copy}"]) == 0
    found = capsys.readouterr().err
    assert reported(found) == lines
    assert (f"comparing: {case.left}/{case.left} " in found) if case.left else ("comparing" not in found)
    (shard,) = map(Shard, (copy / "shards").iterdir())
    shard.verify()
    assert shard.comparisons().drop(TIMES).equals(finished[1])
    assert find_states([job], loader, copy)[job].name == "done"


def test_after_a_contradiction_the_right_values_come_back(
    finished, copy: Path, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wrong shard is deleted, its run repeated, and nothing is taken from the tables that it was merged into."""
    (right,) = (copy / "shards").iterdir()
    elsewhere = Path(shutil.copytree(right, copy / "elsewhere" / "shards" / right.name))
    rows = Shard(right).comparisons().with_columns(value=pl.col("value") / 2)
    Shard(right).finish(rows, Shard(elsewhere).scores(), Shard(elsewhere).manifest())
    roots = [str(copy), str(copy / "elsewhere")]
    assert run_command(["merge", *roots]) == 1
    assert "12 comparisons have different values in different shards" in capsys.readouterr().err
    shutil.rmtree(right)
    assert run_command([*WORDS, f"root={copy}"]) == 0
    assert "comparing: 12/12" in capsys.readouterr().err
    assert Shard(right).comparisons().drop(TIMES).equals(finished[1])
    assert run_command(["merge", *roots]) == 0
    assert "12 comparisons (0 failed)" in capsys.readouterr().err


def test_a_finished_run_is_read_from_a_root_that_can_only_be_read(
    finished, copy: Path, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: Path) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr("resi.store.locks._acquire", refused)
    result = resi.run([*WORDS, f"root={copy}"])
    assert result.reused
    assert result.comparisons.drop(TIMES).equals(finished[1])
    job = tuple(WORDS)
    assert find_states([job], open_configs(), copy)[job].name == "done"
    assert run_command([*TINY, "measure=pwcca", f"root={copy}"]) == 1
    assert "Permission denied" in capsys.readouterr().err


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("kind", ["models", "representations"])
def test_a_damaged_artifact_is_told_set_aside_and_made_anew(
    finished, copy: Path, capsys, kind: str, damage: Callable[[Path], None]
) -> None:
    shutil.rmtree(copy / "shards")
    if kind == "models":
        shutil.rmtree(copy / "representations")
    path = sorted((copy / kind).rglob("*.safetensors"))[0]
    damage(path)
    assert run_command([*WORDS, f"root={copy}"]) == 0
    told = [line for line in capsys.readouterr().err.splitlines() if line.endswith("It is set aside and recomputed.")]
    assert [line.startswith(f"{path} is damaged: ") for line in told] == [True]
    (shard,) = (copy / "shards").iterdir()
    assert Shard(shard).comparisons().drop(TIMES).equals(finished[1])
    assert path.with_name(f"{path.name}.damaged").is_file()


def swap(first: Path, second: Path) -> None:
    other = first.with_name("other")
    first.rename(other)
    second.rename(first)
    other.rename(second)


@pytest.mark.parametrize(
    ("kind", "pattern"),
    [("models", "*.safetensors"), ("representations", "test-[0-9]*"), ("representations", "standard-*/*outputs*")],
)
def test_two_artifacts_under_each_others_names_are_not_used(
    finished, copy: Path, capsys, kind: str, pattern: str
) -> None:
    words, expected = [*WORDS, f"root={copy}"], finished[1]
    if "outputs" in pattern:
        words.append("test=output_correlation")
        expected = resi.run(words).comparisons.drop(TIMES)
    shutil.rmtree(copy / "shards")
    if kind == "models":
        shutil.rmtree(copy / "representations")
    first, second = sorted((copy / kind).rglob(pattern))[:2]
    swap(first, second)
    capsys.readouterr()
    assert run_command(words) == 0
    told = [line for line in capsys.readouterr().err.splitlines() if line.endswith("It is set aside and recomputed.")]
    assert [line.split(" holds ")[0] for line in told] == [str(first), str(second)]
    (shard,) = (copy / "shards").iterdir()
    assert Shard(shard).comparisons().drop(TIMES).equals(expected)


@pytest.mark.parametrize("place", [249, 300])
def test_a_damaged_header_of_a_representation_fails_no_comparison(finished, copy: Path, capsys, place: int) -> None:
    shutil.rmtree(copy / "shards")
    path = min((copy / "representations").rglob("test-[0-9]*.safetensors"))
    content = bytearray(path.read_bytes())
    content[place] ^= 1 << 6
    path.write_bytes(content)
    assert run_command([*WORDS, f"root={copy}"]) == 0
    assert f"{path} is damaged: its header" in capsys.readouterr().err
    assert path.with_name(f"{path.name}.damaged").is_file()
    (shard,) = (copy / "shards").iterdir()
    assert Shard(shard).comparisons().drop(TIMES).equals(finished[1])


def test_a_shard_under_another_ones_name_is_not_taken_for_its_run(finished, loader, copy: Path, capsys) -> None:
    (mine,) = (copy / "shards").iterdir()
    other = resi.run(changed(WORDS, "measure=cka", f"root={copy}")).shard
    swap(mine, other)
    capsys.readouterr()
    assert run_command(["plan", *WORDS, f"root={copy}"]) == 0
    assert f"shard (of another run): {mine}" in capsys.readouterr().out
    job = tuple(WORDS)
    state = find_states([job], loader, copy)[job]
    assert (state.name, state.reason) == (
        "stopped",
        f"{mine} holds the results of another run. Its run recomputes it.",
    )
    assert run_command([*WORDS, f"root={copy}"]) == 0
    assert f"computed again: {mine} holds the results of another run" in capsys.readouterr().err
    assert Shard(mine).comparisons().drop(TIMES).equals(finished[1])


def test_a_damaged_representation_is_told_also_with_a_process_of_its_own(finished, copy: Path, capsys) -> None:
    shutil.rmtree(copy / "shards")
    path = next(
        path for path in sorted((copy / "representations").rglob("*.safetensors")) if "outputs" not in path.name
    )
    flip(path)
    assert run_command([*WORDS, "compare.isolate=true", f"root={copy}"]) == 0
    assert f"{path} is damaged: " in capsys.readouterr().err
    (shard,) = (copy / "shards").iterdir()
    assert Shard(shard).comparisons().drop(TIMES).equals(finished[1])


def test_no_flipped_bit_of_a_manifest_goes_unnoticed(copy: Path) -> None:
    (path,) = (copy / "shards").glob("*/manifest.json")
    whole = path.read_bytes()
    before = Shard(path.parent).manifest()
    for place in range(0, len(whole), 5):  # every bit of every kind of entry comes up
        content = bytearray(whole)
        content[place] ^= 1 << place % 8
        path.write_bytes(content)
        try:
            found = Shard(path.parent).manifest()
        except resi.errors.ResiError:
            continue
        assert found == before, f"byte {place}: only blanks may change"
