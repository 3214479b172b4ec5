"""Files that are damaged, hostile, or hold something else: one line each that names the file, and nothing is run."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

import resi
from resi.errors import ArtifactError, ResiError, ShapeError, UsageError
from resi.extraction.files.formats import FORMATS

SUFFIXES = [suffix for format_ in FORMATS for suffix in format_.suffixes]
R = np.random.default_rng(0).normal(size=(64, 16))


def refused(path: Path, **options: object) -> str:
    """Return the message of what is raised on loading a file and reading its layers."""
    with pytest.raises(ResiError) as found:
        dict(resi.load(path, **options))
    assert path.name in str(found.value)
    assert "\n" not in str(found.value)
    return str(found.value)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("content", [b"", b"\x00" * 300, b"<html>not found</html>\n"], ids=["empty", "zeros", "page"])
def test_what_is_no_such_file(tmp_path: Path, suffix: str, content: bytes) -> None:
    (tmp_path / f"x{suffix}").write_bytes(content)
    message = refused(tmp_path / f"x{suffix}")
    if suffix not in (".csv", ".tsv"):
        # SciPy before 1.16 finds an array without numbers in zeros.
        assert f"is damaged, or not a {suffix} file" in message or "of shape (0, 0) is empty" in message
        assert ("it is empty" in message) == (content == b"")


@pytest.mark.parametrize("suffix", [suffix for suffix in SUFFIXES if suffix not in (".csv", ".tsv")])
def test_a_file_that_was_cut(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    saved = R.astype(np.float32)
    resi.save(path, {"x": saved})
    whole = path.read_bytes()
    for length in (len(whole) // 3, len(whole) - 5):
        path.write_bytes(whole[:length])
        refused(path)
        if suffix not in {".h5", ".hdf5", ".mat"}:
            with pytest.raises(ResiError):  # at once, not when a layer is read
                resi.load(path)


@pytest.mark.parametrize("suffix", [".safetensors", ".npz", ".pt", ".parquet", ""])
def test_a_bit_that_flipped_is_noticed(tmp_path: Path, suffix: str) -> None:
    """The formats with checksums: of resi's own files, and of zip archives."""
    resi.save(tmp_path / f"x{suffix}", {"x": R})
    path = tmp_path / f"x{suffix}" if suffix else tmp_path / "x/x.safetensors"
    content = bytearray(path.read_bytes())
    at = content.find(R.tobytes()[:64])
    assert at > 0 or suffix == ".parquet"  # which is compressed
    content[at + 5 if at > 0 else len(content) // 2] ^= 4
    path.write_bytes(content)
    refused(path)


class Hostile:
    """Writes a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> object:
        return write_marker, (self.marker,)


def write_marker(marker: Path) -> None:
    marker.write_text("run")


def test_pickles_are_not_run(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    hostile = Hostile(marker)
    pickle.loads(pickle.dumps(hostile))
    assert marker.exists()  # it would be, if one of these were run
    marker.unlink()
    torch.save({"a": torch.ones(3, 2), "b": hostile}, tmp_path / "zip.pt")
    torch.save({"a": hostile}, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    (tmp_path / "plain.pt").write_bytes(pickle.dumps({"a": hostile}))
    (tmp_path / "bare.pkl").write_bytes(pickle.dumps(hostile))
    np.save(tmp_path / "objects.npy", np.array([[hostile, hostile]], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "objects.npz", a=np.array([[hostile, hostile]], dtype=object))
    np.savez(tmp_path / "ids.npz", a=R[:2], ids=np.array([hostile, hostile], dtype=object))
    torch.save(torch.nn.Linear(2, 2), tmp_path / "module.pt")
    assert "is a pickle of more than tensors: it loads tests." in refused(tmp_path / "zip.pt")
    assert "is a pickle of more than tensors: it loads tests." in refused(tmp_path / "old.pth")
    assert "is a pickle that torch.save did not write; no code in it was run" in refused(tmp_path / "plain.pt")
    assert "a pickle runs code when it is read" in refused(tmp_path / "bare.pkl")
    assert "is Python objects" in refused(tmp_path / "objects.npy")
    assert "is Python objects" in refused(tmp_path / "objects.npz")
    assert "ids of shape (2,) is Python objects" in refused(tmp_path / "ids.npz")
    assert "loads torch.nn.modules.linear.Linear" in refused(tmp_path / "module.pt")
    assert not marker.exists()


def test_arrays_that_are_no_representations(tmp_path: Path) -> None:
    np.savez(tmp_path / "net.npz", fc=R, labels=np.arange(64))
    message = refused(tmp_path / "net.npz")
    assert "labels of shape (64,) is int64; representations must be floating point, convert it first" in message
    assert "to leave it out, name the layers to load: layers=['...']" in message
    assert list(resi.load(tmp_path / "net.npz", "fc")) == ["fc"]
    for number, (array, text) in enumerate(
        [
            (np.zeros((3, 2), np.int32), "is int32"),
            (np.zeros((3, 2), bool), "is bool"),
            (np.zeros((3, 2), complex), "is complex128"),
            (np.zeros((3, 2), [("a", "f4")]), "is of a type that numpy does not know"),
            (np.array([["a", "b"]]), "is texts"),
            (np.zeros(3), "has 1 axis; expected 2"),
            (np.zeros((1, 2, 3, 4, 5)), "has 5 axes; expected 2"),
            (np.zeros((0, 3)), "is empty"),
            (np.zeros((3, 0)), "is empty"),
        ]
    ):
        np.save(tmp_path / f"x{number}.npy", array)
        assert text in refused(tmp_path / f"x{number}.npy")
    torch.save({"fc": torch.ones(3, 2), "epoch": 3, "names": ["a"]}, tmp_path / "net.pt")
    assert "net.pt: epoch is a int" in refused(tmp_path / "net.pt").replace("an int", "a int")
    torch.save({"fc": torch.eye(3).to_sparse()}, tmp_path / "net.pt")
    assert "is sparse_coo float32" in refused(tmp_path / "net.pt")


def test_rows_that_differ(tmp_path: Path) -> None:
    np.savez(tmp_path / "net.npz", a=R, b=R[:5])
    message = refused(tmp_path / "net.npz")
    assert "net.npz: a has 64 rows, " in message
    assert "net.npz: b has 5; all layers of a set need the same samples" in message
    (tmp_path / "net").mkdir()
    np.save(tmp_path / "net/layer1.npy", R)
    np.save(tmp_path / "net/layer2.npy", R[:5])
    message = refused(tmp_path / "net")
    assert "layer1.npy: layer1 has 64 rows" in message
    assert "layer2.npy: layer2 has 5" in message
    np.savez(tmp_path / "ids.npz", a=R, ids=np.arange(5))
    assert "names 5 samples, but the layers of" in refused(tmp_path / "ids.npz")


def test_tables_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text("f0,f1\n1.5,2.5\n,3.5\n")
    assert "column 'f0' is empty in row 2" in refused(tmp_path / "empty.csv")
    (tmp_path / "texts.csv").write_text("file,f0\na.png,2.5\nb.png,3.5\n")
    assert "column 'file' holds texts, not numbers" in refused(tmp_path / "texts.csv")
    assert "no 'name' for the ids" in refused(tmp_path / "texts.csv", id="name")
    assert "no column matches columns='g*'; it has f0" in refused(tmp_path / "texts.csv", columns="g*", id="file")
    assert resi.load(tmp_path / "texts.csv", id="file").samples == ("a.png", "b.png")
    pl.DataFrame({"a": [[1.0, 2.0], [3.0]]}).write_parquet(tmp_path / "ragged.parquet")
    assert "the lists of a have 1 to 2 numbers" in refused(tmp_path / "ragged.parquet")
    pl.DataFrame({"a": [[1.0, 2.0], None]}).write_parquet(tmp_path / "null.parquet")
    assert "column a has 1 empty values" in refused(tmp_path / "null.parquet")
    pl.DataFrame({"a": [1.0, None]}).write_parquet(tmp_path / "nulls.parquet")
    assert "column a has 1 empty values" in refused(tmp_path / "nulls.parquet")


def test_names_that_do_not_exist(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no file or folder"):
        resi.load(tmp_path / "nothing.npy")
    (tmp_path / "x.txt").write_text("1")
    with pytest.raises(UsageError, match=r"x\.txt has suffix '\.txt'; expected \.safetensors, \.npy"):
        resi.load(tmp_path / "x.txt")
    np.savez(tmp_path / "net.npz", layer1=R)
    with pytest.raises(UsageError, match=r"unknown layer of .*net.npz: 'layer2'; did you mean layer1"):
        resi.load(tmp_path / "net.npz", "layer2")


def test_the_wrong_suffix_says_what_the_file_is(tmp_path: Path) -> None:
    resi.save(tmp_path / "x.h5", {"x": R})
    (tmp_path / "x.h5").rename(tmp_path / "x.npz")
    assert "it begins as an .h5 file" in refused(tmp_path / "x.npz")


def test_hdf5_without_h5py_names_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resi.save(tmp_path / "x.h5", {"x": R})
    monkeypatch.setitem(sys.modules, "h5py", None)
    assert "needs the package h5py: pip install 'resi[files]'" in refused(tmp_path / "x.h5")
    with pytest.raises(UsageError, match=r"^an HDF5 file: reading and writing it needs the package h5py"):
        resi.save(tmp_path / "y.h5", {"x": R})


def test_nan_is_loaded_and_comparing_says_so(tmp_path: Path) -> None:
    array = R.copy()
    array[3, 3] = np.nan
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(ShapeError, match="holds 1 NaN"):
        resi.compare(resi.load(tmp_path / "x.npy")["x"], R)


def test_a_damaged_file_of_a_folder_is_named(tmp_path: Path) -> None:
    resi.save(tmp_path / "net", {"a": R, "b": R})
    (tmp_path / "net/b.safetensors").write_bytes(b"")
    with pytest.raises(ArtifactError, match=r"b\.safetensors is damaged"):
        resi.load(tmp_path / "net")


@pytest.mark.parametrize(
    ("suffix", "content", "separator"),
    [
        (".csv", "f0;f1\n0.1;0.2\n", "';'"),
        (".csv", "sample;f0\nx;0,1\n", "';'"),
        (".csv", "0,1;0,2\n0,3;0,4\n", "';'"),
        (".csv", "0.1 0.2\n0.3 0.4\n", "' '"),
        (".csv", "f0\tf1\n0.1\t0.2\n", r"'\t'"),
        (".tsv", "f0,f1\n0.1,0.2\n", "','"),
    ],
)
def test_another_separator_is_named(tmp_path: Path, suffix: str, content: str, separator: str) -> None:
    (tmp_path / f"x{suffix}").write_text(content)
    assert f"its values are separated by {separator}, expected" in refused(tmp_path / f"x{suffix}")


def test_a_name_in_quotation_marks_may_hold_any_character(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text('"mean; all"\n0.1\n0.2\n')
    assert resi.load(tmp_path / "x.csv")["x"].shape == (2, 1)
