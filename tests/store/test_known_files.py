"""What a data root remembers of files of others: never taken for another file's, nor for what a file is no more."""

from __future__ import annotations

import multiprocessing
import os
import time
from pathlib import Path

import pytest

import resi.store.known_files
from resi.errors import ArtifactError, DatasetError
from resi.fingerprints import hash_file
from resi.specs import DatasetSpec
from resi.store.known_files import LARGE_BYTES, KnownFiles

CONTENT = bytes(range(256)) * (LARGE_BYTES // 256 + 1)
ABSENT = DatasetError("it is not here")


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a file that is large enough to be remembered, and was written a while ago."""
    path = tmp_path / "weights"
    path.write_bytes(CONTENT)
    monkeypatch.setattr(resi.store.known_files, "SETTLED_SECONDS", 0.0)
    time.sleep(0.01)
    return path


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Return the list of files that are read to be hashed."""
    paths: list[Path] = []

    def noted(path: Path) -> str:
        paths.append(path)
        return hash_file(path)

    monkeypatch.setattr(resi.store.known_files, "hash_file", noted)
    return paths


def test_a_large_file_is_read_once(large: Path, tmp_path: Path, read: list[Path]) -> None:
    assert [KnownFiles(tmp_path / "root").hash_file(large) for _ in range(3)] == [hash_file(large)] * 3
    assert read == [large]
    # Another data root has not seen it, and one that must not be written to does not remember it.
    for _ in range(2):
        KnownFiles(tmp_path / "other", writes=False).hash_file(large)
    assert len(read) == 3
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("change", ["content", "time kept", "replaced", "renamed"])
def test_a_file_that_is_another_one_is_read_again(large: Path, tmp_path: Path, read: list[Path], change: str) -> None:
    known_files = KnownFiles(tmp_path / "root")
    before = known_files.hash_file(large)
    about = large.stat()
    changed = b"\x01" + CONTENT[1:]
    if change in ("replaced", "renamed"):
        other = tmp_path / "other"
        other.write_bytes(changed)
        os.utime(other, ns=(about.st_atime_ns, about.st_mtime_ns))
        other.replace(large)
    else:
        large.write_bytes(changed)
        if change == "time kept":
            os.utime(large, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert known_files.hash_file(large) == hash_file(large) != before
    assert len(read) == 2


def test_a_file_that_was_written_to_just_now_is_not_remembered(
    large: Path, tmp_path: Path, read: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resi.store.known_files, "SETTLED_SECONDS", 60.0)
    for _ in range(2):
        KnownFiles(tmp_path / "root").hash_file(large)
    assert len(read) == 2


def test_a_file_that_changes_while_it_is_read_has_no_hash(
    large: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(path: Path) -> str:
        found = hash_file(path)
        path.write_bytes(CONTENT + b"more")
        return found

    monkeypatch.setattr(resi.store.known_files, "hash_file", slow)
    with pytest.raises(DatasetError, match="weights changed while it was read"):
        KnownFiles(tmp_path / "root").hash_file(large)
    assert not (tmp_path / "root" / "sources").exists()


def test_small_files_are_remembered_where_that_is_asked_for(tmp_path: Path, read: list[Path], large: Path) -> None:
    small = tmp_path / "small"
    small.write_bytes(b"weights")
    time.sleep(0.01)
    for smallest, times in ((LARGE_BYTES, 2), (0, 1)):
        read.clear()
        for _ in range(2):
            KnownFiles(tmp_path / f"root{smallest}", smallest=smallest).hash_file(small)
        assert read == [small] * times


def test_what_may_not_be_read_has_a_hash_if_it_is_known(large: Path, tmp_path: Path, read: list[Path]) -> None:
    looking = KnownFiles(tmp_path / "root", writes=False, reads=False)
    first = looking.hash_file(large)
    assert first != hash_file(large)
    assert first == KnownFiles(tmp_path / "root", writes=False, reads=False).hash_file(large)
    assert (looking.unread, read) == ({large}, [])
    expected = KnownFiles(tmp_path / "root").hash_file(large)
    assert KnownFiles(tmp_path / "root", reads=False).hash_file(large) == expected
    other = large.with_name("other")
    other.write_bytes(CONTENT)
    assert KnownFiles(tmp_path / "root", reads=False).hash_file(other) not in (first, expected)
    assert read == [large]


def test_processes_that_ask_at_once_read_a_file_once(
    large: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = tmp_path / "reads"

    def slow(path: Path) -> str:
        with reads.open("a") as file:
            file.write("read\n")
        time.sleep(0.3)
        return hash_file(path)

    monkeypatch.setattr(resi.store.known_files, "hash_file", slow)
    context = multiprocessing.get_context("fork")
    asked = [context.Process(target=KnownFiles(tmp_path / "root").hash_file, args=(large,)) for _ in range(3)]
    for process in asked:
        process.start()
    for process in asked:
        process.join()
    assert [process.exitcode for process in asked] == [0, 0, 0]
    assert reads.read_text() == "read\n"


def test_a_damaged_note_on_a_file_is_not_believed(large: Path, tmp_path: Path, read: list[Path]) -> None:
    known_files = KnownFiles(tmp_path / "root")
    expected = known_files.hash_file(large)
    (note,) = (tmp_path / "root" / "sources" / "files").iterdir()
    whole = note.read_bytes()
    for place in range(0, len(whole), 3):
        content = bytearray(whole)
        content[place] ^= 1 << place % 7
        note.write_bytes(content)
        assert known_files.hash_file(large) == expected


def test_a_note_on_a_dataset_is_no_other_ones_and_its_damage_is_named(tmp_path: Path) -> None:
    known_files = KnownFiles(tmp_path)
    for name, content in (("flickr", "a" * 32), ("ogbn_arxiv", "b" * 32)):
        known_files.remember_dataset("graph", DatasetSpec(name, tmp_path, content))
        assert known_files.dataset("graph", name, ABSENT).content == content
    (note,) = (tmp_path / "sources" / "graph" / "flickr").iterdir()
    (other,) = (tmp_path / "sources" / "graph" / "ogbn_arxiv").iterdir()
    whole = note.read_bytes()
    for place in range(len(whole)):
        content = bytearray(whole)
        content[place] ^= 1 << place % 7
        note.write_bytes(content)
        try:
            assert known_files.dataset("graph", "flickr", ABSENT).content == "a" * 32
        except ArtifactError as error:
            assert str(note) in str(error)  # blanks may change without harm
    note.unlink()
    (note.parent / other.name).write_bytes(other.read_bytes())
    with pytest.raises(ArtifactError, match="is damaged, or holds the record of another file"):
        known_files.dataset("graph", "flickr", ABSENT)
    # As earlier versions have written it.
    (note.parent / other.name).write_text(f'{{"sha256": "{"b" * 32}"}}')
    assert known_files.dataset("graph", "flickr", ABSENT).content == "b" * 32
