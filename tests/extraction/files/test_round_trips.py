"""What resi.save writes is what resi.load reads, bit by bit; what a format cannot hold is refused."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import h5py
import numpy as np
import polars as pl
import pytest
import scipy.io
import torch

import resi
from resi.errors import ResiError, ShapeError, StoreError, UsageError
from resi.extraction.files.formats import FORMATS
from resi.representation import Representation, hash_samples

IDS = ("images/é 1.png", "b", "7", "c,d", 'say "x"', "f\tg", "h\ni")
FILES = [suffix for format_ in FORMATS for suffix in format_.suffixes] + [""]


def numbers(*size: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    found = torch.randn(size, generator=torch.Generator().manual_seed(len(size)), dtype=torch.float64).to(dtype)
    found.view(-1)[:4] = torch.tensor([float("nan"), float("inf"), -0.0, 6.1e-5], dtype=torch.float64).to(dtype)
    return found


def bits(tensor: torch.Tensor) -> bytes:
    return tensor.contiguous().view(-1).view(torch.uint8).numpy().tobytes()


def check_same(found: resi.Representations, saved: resi.Representations) -> None:
    assert found.samples == saved.samples
    for layer, name in zip(saved, found, strict=True):
        assert found[name].dtype == saved[layer].dtype
        assert found[name].shape == saved[layer].shape
        assert bits(found[name]) == bits(saved[layer])
        assert found.layers[name].layout == saved.layers[layer].layout
        assert found.layers[name].size == saved.layers[layer].size
        assert found.layers[name].samples == saved.layers[layer].samples
        assert found.dtypes[name] == str(saved[layer].dtype).removeprefix("torch.")


def most(suffix: str) -> resi.Representations:
    """Return representations with all that a format holds."""
    format_ = next((known for known in FORMATS if suffix in known.suffixes), None)
    dtypes = [getattr(torch, dtype) for dtype in (format_ or FORMATS[0]).dtypes]
    tensors = {f"layer{number}": numbers(7, 5, dtype=dtype) for number, dtype in enumerate(dtypes)}
    layouts = {}
    if format_ is None or format_.holds_many:
        tensors |= {"tokens": numbers(7, 2, 3, dtype=dtypes[0]), "maps": numbers(7, 2, 3, 4, dtype=dtypes[-1])}
        layouts = {"tokens": "ntd", "maps": "nchw"}
    else:
        tensors = {"layer0": tensors["layer0"]}
    return resi.Representations.from_tensors(
        tensors, IDS if format_ is None or format_.holds_ids else None, layouts, name="net"
    )


@pytest.mark.parametrize("suffix", FILES)
def test_what_is_saved_is_loaded(tmp_path: Path, suffix: str) -> None:
    saved = most(suffix)
    resi.save(tmp_path / f"net{suffix}", saved)
    found = resi.load(tmp_path / f"net{suffix}")
    check_same(found, saved)
    assert found.name == "net"
    assert list(found) == (list(saved) if suffix not in (".npy", ".csv", ".tsv") else ["net"])
    assert [path.name for path in tmp_path.iterdir()] == [f"net{suffix}"]


@pytest.mark.parametrize("suffix", [".safetensors", ".h5", ".parquet", ""])
def test_all_that_is_known_is_kept(tmp_path: Path, suffix: str) -> None:
    tensor = numbers(7, 4)
    known = Representation("key", (7, 4), "nchw", hash_samples(IDS), lambda: tensor, "bfloat16", "fc")
    about = {"fc": {"weights": "abc", "pooling": "mean", "versions": {"torch": "2.6"}}}
    resi.save(tmp_path / f"x{suffix}", resi.Representations({"fc": known}, IDS, "a network", about))
    found = resi.load(tmp_path / f"x{suffix}")
    assert found.layers["fc"].layout == "nchw"
    assert found.layers["fc"].dtype == "bfloat16"
    assert found.name == "a network"
    assert about["fc"].items() <= found.about["fc"].items()


def test_what_is_written_is_what_others_read(tmp_path: Path) -> None:
    array = np.random.default_rng(0).normal(size=(7, 3))
    saved = resi.Representations.from_tensors({"fc": torch.from_numpy(array)}, IDS)
    for suffix in (".npz", ".h5", ".mat", ".parquet", ".csv", ".pt"):
        resi.save(tmp_path / f"x{suffix}", saved)
    assert np.array_equal(np.load(tmp_path / "x.npz")["fc"], array)
    assert np.load(tmp_path / "x.npz")["samples"].tolist() == list(IDS)
    with h5py.File(tmp_path / "x.h5") as file:
        assert np.array_equal(file["fc"], array)
        assert file["samples"].asstr()[()].tolist() == list(IDS)
    assert np.array_equal(scipy.io.loadmat(tmp_path / "x.mat")["fc"], array)
    frame = pl.read_parquet(tmp_path / "x.parquet")
    assert frame["sample"].to_list() == list(IDS)
    assert np.array_equal(frame["fc"].to_numpy(), array)
    table = pl.read_csv(tmp_path / "x.csv", schema_overrides={"sample": pl.String})
    assert table["sample"].to_list() == list(IDS)
    assert np.array_equal(table.drop("sample").to_numpy(), array)
    weights = torch.load(tmp_path / "x.pt", weights_only=True)
    assert weights["samples"] == list(IDS)
    assert np.array_equal(weights["fc"].numpy(), array)


def test_arrays_without_a_collection_are_saved(tmp_path: Path) -> None:
    array = np.random.default_rng(0).normal(size=(5, 2, 3))
    resi.save(tmp_path / "x.npz", {"a": array, "b": torch.from_numpy(array)})
    resi.save(tmp_path / "y.npy", array)
    assert np.array_equal(resi.load(tmp_path / "x.npz")["a"].numpy(), array)
    assert np.array_equal(np.load(tmp_path / "y.npy"), array)
    with pytest.raises(ShapeError, match=r"y of shape .* is int64"):
        resi.save(tmp_path / "y.npy", np.arange(6).reshape(3, 2))


def test_tensors_that_share_memory_are_saved(tmp_path: Path) -> None:
    tensor = numbers(7, 4)
    resi.save(tmp_path / "x.safetensors", {"whole": tensor, "same": tensor, "part": tensor[:, :2]})
    found = resi.load(tmp_path / "x.safetensors")
    assert bits(found["part"]) == bits(tensor[:, :2])
    assert bits(found["same"]) == bits(tensor)


@pytest.mark.parametrize(
    ("file", "tensors", "ids", "message"),
    [
        ("x.npy", {"a": numbers(7, 2)}, IDS, r"\.npy cannot hold the ids of the samples; \.safetensors, \.npz"),
        ("x.npy", {"a": numbers(7, 2), "b": numbers(7, 3)}, None, r"\.npy holds one layer, not 2"),
        ("x.npz", {"a": numbers(7, 2).bfloat16()}, IDS, r"bfloat16, .*; \.safetensors, \.pt and folders can$"),
        ("x.csv", {"a": numbers(7, 2)}, IDS, r"\.csv cannot hold float32"),
        ("x.csv", {"a": numbers(7, 2, 2, dtype=torch.float64)}, IDS, r"\.csv cannot hold 3 axes"),
        ("x.mat", {"a": numbers(7, 2).half()}, IDS, r"\.mat cannot hold float16"),
        ("x.mat", {"layer1.0": numbers(7, 2)}, IDS, "layer 'layer1.0' is not a valid variable name in MATLAB"),
        ("x.npz", {"ids": numbers(7, 2)}, IDS, r"\.npz cannot hold a layer named 'ids'"),
        ("x.pkl", {"a": numbers(7, 2)}, IDS, "a pickle runs code when it is read"),
        ("x.v2", {"a": numbers(7, 2)}, IDS, r"has suffix '\.v2'; expected \.safetensors, \.npy"),
        ("x.h5", {}, IDS, "there are no layers to save"),
    ],
)  # fmt: skip
def test_what_a_format_cannot_hold_is_refused(tmp_path: Path, file: str, tensors, ids, message: str) -> None:
    layouts = {layer: "ntd" for layer, tensor in tensors.items() if tensor.ndim == 3}
    saved = resi.Representations.from_tensors(tensors, ids if tensors else (), layouts)
    with pytest.raises(UsageError, match=message) as error:
        resi.save(tmp_path / file, saved)
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_layouts_and_precision_that_a_format_cannot_say_are_refused(tmp_path: Path) -> None:
    tensor = numbers(7, 4)
    for layout, dtype, message in (("nchw", None, "layout nchw"), ("nd", "bfloat16", "computed in bfloat16")):
        known = Representation("key", (7, 4), layout, hash_samples(IDS), lambda: tensor, dtype, "fc")
        with pytest.raises(UsageError, match=message):
            resi.save(tmp_path / "x.npz", resi.Representations({"fc": known}, IDS))


def test_a_folder_is_whole_or_not_there(tmp_path: Path) -> None:
    tensor = numbers(7, 4)

    def fail() -> torch.Tensor:
        raise ResiError("gone")

    layers = {
        "a": Representation("a", (7, 4), "nd", hash_samples(IDS), lambda: tensor),
        "b": Representation("b", (7, 4), "nd", hash_samples(IDS), fail),
    }
    with pytest.raises(ResiError, match="gone"):
        resi.save(tmp_path / "net", resi.Representations(layers, IDS))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_content_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net/mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="exists and is not empty"):
        resi.save(tmp_path / "net", {"a": numbers(7, 4)})
    assert (tmp_path / "net/mine.txt").read_text() == "mine"


def test_names_of_layers_that_are_no_names_of_files(tmp_path: Path) -> None:
    tensors = {name: numbers(7, 2 + number) for number, name in enumerate(["a/b", "..", "A", "ü", "con:1", "a%2Fb"])}
    resi.save(tmp_path / "net", tensors)
    found = resi.load(tmp_path / "net")
    assert list(found) == list(tensors)
    assert all(bits(found[name]) == bits(tensors[name]) for name in tensors)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net"]


@pytest.mark.skipif(os.getuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    for name in ("x.npy", "x"):
        with pytest.raises(StoreError, match="cannot write"):
            resi.save(tmp_path / name, numbers(7, 2))


def test_what_is_loaded_can_be_read_by_another_process(tmp_path: Path) -> None:
    for suffix in FILES:
        saved = most(suffix)
        resi.save(tmp_path / f"net{suffix}", saved)
        known = next(iter(resi.load(tmp_path / f"net{suffix}").layers.values()))
        assert bits(pickle.loads(pickle.dumps(known)).load()) == bits(next(iter(saved.values())))


def test_equal_keys_are_equal_numbers(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((3, 2)))
    first = resi.load(tmp_path / "x.npy").layers["x"]
    assert resi.load(tmp_path / "x.npy").layers["x"].key == first.key
    np.save(tmp_path / "x.npy", np.ones((3, 2)))
    os.utime(tmp_path / "x.npy", ns=(1, 1))
    assert resi.load(tmp_path / "x.npy").layers["x"].key != first.key
    with pytest.raises(ResiError, match="has changed since it was loaded"):
        first.load()
