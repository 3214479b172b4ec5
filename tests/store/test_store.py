"""Artifacts are whole or absent, and damage is named."""

from __future__ import annotations

import multiprocessing
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from resi.errors import ArtifactError, StoreError
from resi.store.files import atomic_path, list_files
from resi.store.root import Store
from resi.store.streams import stream_tensor
from resi.store.tensors import read_metadata, read_tensors, write_tensors

TENSORS = {
    "weight": torch.arange(6.0).reshape(2, 3),
    "count": torch.tensor(3),
    "half": torch.ones(4, dtype=torch.bfloat16),
}


def write(path: Path) -> Path:
    write_tensors(path, TENSORS, {"label": "a model", "accuracies": {"test": 0.5}})
    return path


def test_tensors_come_back_as_they_were(tmp_path: Path) -> None:
    tensors, metadata = read_tensors(write(tmp_path / "deep" / "model.safetensors"))
    assert metadata == {"label": "a model", "accuracies": {"test": 0.5}}
    assert set(tensors) == set(TENSORS)
    for name, tensor in TENSORS.items():
        assert tensors[name].dtype == tensor.dtype
        assert torch.equal(tensors[name], tensor)


def test_files_are_as_readable_as_the_umask_says(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        path = write(tmp_path / "model.safetensors")
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o640


def test_changed_metadata_is_found(tmp_path: Path) -> None:
    path = write(tmp_path / "model.safetensors")
    path.write_bytes(path.read_bytes().replace(b"0.5", b"0.9", 1))
    with pytest.raises(ArtifactError, match="does not match its hash"):
        read_tensors(path)


def test_metadata_alone_tells_the_shapes(tmp_path: Path) -> None:
    about = read_metadata(write(tmp_path / "model.safetensors"))
    assert about["label"] == "a model"
    assert about["shapes"] == {"weight": (2, 3), "count": (), "half": (4,)}


@pytest.mark.parametrize("position", [-1, -20])
def test_a_flipped_bit_is_found(tmp_path: Path, position: int) -> None:
    path = write(tmp_path / "model.safetensors")
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=rf"{path} is damaged: .*Its run recomputes it"):
        read_tensors(path)


@pytest.mark.parametrize("kept", [0, 4, 100, -1])
def test_a_truncated_file_is_found(tmp_path: Path, kept: int) -> None:
    path = write(tmp_path / "model.safetensors")
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ArtifactError, match="is damaged"):
        read_tensors(path)
    with pytest.raises(ArtifactError, match="is damaged"):
        read_metadata(path)


@pytest.mark.parametrize("is_streamed", [False, True])
def test_no_flipped_bit_of_a_header_is_believed(tmp_path: Path, is_streamed: bool) -> None:
    path = tmp_path / "a.safetensors"
    about = {"key": "k", "layout": "nd", "samples": "0123456789abcdef"}
    if is_streamed:
        with stream_tensor(path, "representation") as stream:
            stream.append(torch.ones(3, 2))
            stream.metadata = about
    else:
        write_tensors(path, {"representation": torch.ones(3, 2)}, about)
    whole, before = path.read_bytes(), read_metadata(path)
    unlike = found = 0
    end = min(8 + int.from_bytes(whole[:8], "little"), 600)
    for place in range(end):
        content = bytearray(whole)
        content[place] ^= 1 << place % 7
        path.write_bytes(content)
        try:
            unlike += read_metadata(path) != before
        except ArtifactError:
            found += 1
    assert unlike == 0
    assert found > 0.9 * end  # the others are in the name of the hash, or of the type of the numbers


def test_a_damaged_file_is_set_aside_unless_it_has_been_made_again(tmp_path: Path) -> None:
    path = write(tmp_path / "models" / "model.safetensors")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ArtifactError) as caught:
        read_tensors(path)
    store = Store(tmp_path)
    damaged = path.read_bytes()
    write(path)
    store.set_aside(path, caught.value.state)
    read_tensors(path)
    path.unlink()
    path.write_bytes(damaged)
    with pytest.raises(ArtifactError) as caught:
        read_metadata(path)
    store.set_aside(path, caught.value.state)
    assert [found.name for found in path.parent.iterdir()] == ["model.safetensors.damaged"]


def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    path = tmp_path / "model.safetensors"
    save_file({"weight": torch.zeros(2)}, path)
    with pytest.raises(ArtifactError, match="not written by resi"):
        read_tensors(path)


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "table"
    target.write_text("old")
    with pytest.raises(RuntimeError, match="killed"), atomic_path(target) as temporary:
        temporary.write_text("half of it")
        raise RuntimeError("killed")
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_full_disk_is_one_clear_line(tmp_path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=write_beyond_limit, args=(tmp_path / "model",))
    process.start()
    process.join()
    assert process.exitcode == 0
    assert list(tmp_path.iterdir()) == []


def write_beyond_limit(path: Path) -> None:
    """Write 4 MB where files may have 1 MB, as on a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))
    with pytest.raises(StoreError, match=rf"cannot write {path}: File too large. Free space there"):
        write_tensors(path, {"weight": torch.zeros(2**20)}, {})


def test_a_data_root_that_is_a_file_is_one_clear_line(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with (
        pytest.raises(StoreError, match=r"cannot write .*file.*RESI_HOME"),
        Store(file).try_lock("a"),
    ):
        pass


TRY_LOCK = """
import pathlib, sys
from resi.store.root import Store
with Store(pathlib.Path(sys.argv[1])).try_lock("a") as held:
    print(held)
"""


def test_one_process_holds_a_lock_at_a_time(tmp_path: Path) -> None:
    with Store(tmp_path).try_lock("a") as held:
        assert held
        assert run_in_process(tmp_path) == "False\n"
    assert run_in_process(tmp_path) == "True\n"


def run_in_process(root: Path) -> str:
    words = [sys.executable, "-c", TRY_LOCK, str(root)]  # a spawned process would import this file, and torch
    return subprocess.run(words, capture_output=True, text=True, check=True, timeout=60).stdout


def test_a_streamed_tensor_is_read_like_one_written_at_once(tmp_path: Path) -> None:
    whole = torch.randn(1000, 3, 2, 2)
    with stream_tensor(tmp_path / "streamed.safetensors", "representation") as stream:
        for piece in whole.split(333):
            stream.append(piece)
        stream.metadata = {"layer": "5"}
    write_tensors(tmp_path / "written.safetensors", {"representation": whole}, {"layer": "5"})
    streamed, written = (read_tensors(tmp_path / f"{name}.safetensors") for name in ("streamed", "written"))
    assert torch.equal(streamed[0]["representation"], whole)
    assert streamed[1] == written[1] == {"layer": "5"}
    assert read_metadata(tmp_path / "streamed.safetensors") == read_metadata(tmp_path / "written.safetensors")


def test_a_stream_that_breaks_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), stream_tensor(tmp_path / "a.safetensors", "x") as stream:
        stream.append(torch.ones(2, 2))
        raise KeyboardInterrupt
    with pytest.raises(ValueError, match=r"rows of shape \(3,\) after rows of shape \(2,\)"):
        with stream_tensor(tmp_path / "a.safetensors", "x") as stream:
            stream.append(torch.ones(2, 2))
            stream.append(torch.ones(2, 3))
    assert list(tmp_path.iterdir()) == []


def test_damage_to_a_streamed_tensor_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    with stream_tensor(path, "x") as stream:
        stream.append(torch.ones(100, 2))
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)
    with pytest.raises(ArtifactError, match="its content does not match its hash"):
        read_tensors(path)


def test_a_folder_that_another_process_removes_meanwhile_holds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").touch()
    assert list_files(tmp_path, "*.txt") == [tmp_path / "a.txt"]
    monkeypatch.setattr(Path, "is_dir", lambda _path: True)  # what was there when it was looked at
    assert list_files(tmp_path / "gone", "*.txt") == []
