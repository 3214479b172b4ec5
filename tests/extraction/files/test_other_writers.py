"""Files that numpy, torch, scipy, h5py, Polars, pandas and safetensors themselves write, read with resi.load."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import polars as pl
import pytest
import safetensors.numpy
import scipy.io
import torch

import resi
from resi.errors import ResiError

R = np.random.default_rng(0).normal(size=(6, 4))
S = np.random.default_rng(1).normal(size=(6, 3)).astype(np.float32)
TOKENS = np.random.default_rng(2).normal(size=(6, 2, 3)).astype(np.float32)
IDS = ("a", "b", "c", "d", "e", "f")
NUMBERS = ("0", "1", "2", "3", "4", "5")


def same(found: torch.Tensor, array: np.ndarray) -> bool:
    return found.numpy().dtype == array.dtype and np.array_equal(found.numpy(), array, equal_nan=True)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f4"])
def test_npy(tmp_path: Path, dtype: str) -> None:
    array = np.asfortranarray(R.astype(dtype))
    np.save(tmp_path / "conv.npy", array)
    found = resi.load(tmp_path / "conv.npy")
    assert list(found) == ["conv"]
    assert found.samples == NUMBERS
    assert found.name == "conv"
    assert same(found["conv"], array.astype(array.dtype.newbyteorder("=")))


def test_npy_is_mapped_and_never_written(tmp_path: Path) -> None:
    np.save(tmp_path / "conv.npy", R)
    found = resi.load(tmp_path / "conv.npy")["conv"]
    assert isinstance(found.numpy().base, np.memmap) or isinstance(found.numpy(), np.memmap) or maps(tmp_path)
    found[0, 0] = 100.0
    assert np.array_equal(np.load(tmp_path / "conv.npy"), R)


def maps(folder: Path) -> bool:
    """Whether a file of a folder is mapped into the memory of this process."""
    return str(folder) in Path("/proc/self/maps").read_text()


def test_npz_names_layers_and_samples(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "net.npz", conv=R, fc=S, samples=np.array(IDS))
    found = resi.load(tmp_path / "net.npz")
    assert list(found) == ["conv", "fc"]
    assert found.samples == IDS
    assert same(found["conv"], R)
    assert same(found["fc"], S)
    assert found.dtypes == {"conv": "float64", "fc": "float32"}


def test_an_array_without_a_name_has_the_name_of_its_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "net.npz", R)
    torch.save(torch.from_numpy(S), tmp_path / "fc.pt")
    assert list(resi.load(tmp_path / "net.npz")) == ["net"]
    assert list(resi.load(tmp_path / "fc.pt")) == ["fc"]


@pytest.mark.parametrize("is_zip", [True, False])
def test_tensors_of_torch(tmp_path: Path, is_zip: bool) -> None:
    half = torch.from_numpy(R).to(torch.bfloat16)
    content = {
        "conv": half,
        "blocks": [torch.from_numpy(S), torch.nn.Parameter(torch.from_numpy(TOKENS))],
        "ids": torch.arange(6) + 10,
    }
    torch.save(content, tmp_path / "net.pth", _use_new_zipfile_serialization=is_zip)
    found = resi.load(tmp_path / "net.pth")
    assert list(found) == ["conv", "blocks.0", "blocks.1"]
    assert found.samples == ("10", "11", "12", "13", "14", "15")
    assert found["conv"].dtype == torch.bfloat16
    assert torch.equal(found["conv"], half)
    assert same(found["blocks.1"], TOKENS)
    assert not found["blocks.1"].requires_grad
    assert found.layers["blocks.1"].layout == "ntd"


def test_hidden_states_as_a_tuple(tmp_path: Path) -> None:
    torch.save((torch.from_numpy(TOKENS), torch.from_numpy(TOKENS + 1)), tmp_path / "states.pt")
    found = resi.load(tmp_path / "states.pt")
    assert list(found) == ["0", "1"]
    assert same(found["1"], TOKENS + 1)


def test_safetensors_of_others(tmp_path: Path) -> None:
    safetensors.numpy.save_file({"conv": R, "fc": S, "ids": np.arange(6)}, tmp_path / "net.safetensors")
    found = resi.load(tmp_path / "net.safetensors")
    assert set(found) == {"conv", "fc"}
    assert found.samples == NUMBERS
    assert same(found["fc"], S)


def test_hdf5_at_any_depth(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "net.h5", "w") as file:
        file["block/conv"] = R
        file.create_dataset("fc", data=S, compression="gzip", chunks=(2, 3))
        file["ids"] = list(IDS)
        file["link"] = h5py.ExternalLink("/etc/passwd", "/")
    found = resi.load(tmp_path / "net.h5")
    assert list(found) == ["block/conv", "fc"]
    assert found.samples == IDS
    assert same(found["block/conv"], R)
    assert same(found["fc"], S)


def test_matlab_5(tmp_path: Path) -> None:
    cells = np.array(IDS, dtype=object).reshape(-1, 1)
    scipy.io.savemat(tmp_path / "net.mat", {"conv": R, "tokens": TOKENS, "ids": cells}, do_compression=True)
    found = resi.load(tmp_path / "net.mat")
    assert list(found) == ["conv", "tokens"]
    assert found.samples == IDS
    assert same(found["conv"], R)
    assert same(found["tokens"], TOKENS)


@pytest.mark.parametrize("ids", [np.array(["ab ", "c  "]), np.array([[1.0], [20.0]])], ids=["characters", "numbers"])
def test_ids_of_matlab_in_its_other_ways(tmp_path: Path, ids: np.ndarray) -> None:
    scipy.io.savemat(tmp_path / "net.mat", {"x": R[:2], "ids": ids})
    assert resi.load(tmp_path / "net.mat").samples == (("1", "20") if ids.dtype.kind == "f" else ("ab", "c"))


def test_matlab_73_has_its_axes_reversed(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "net.mat", "w", userblock_size=512) as file:
        file["tokens"] = TOKENS.T  # MATLAB counts the first axis fastest
        file["tokens"].attrs["MATLAB_class"] = np.bytes_("single")
        cell = file.create_dataset("ids", (1, 6), dtype=h5py.ref_dtype)
        cell.attrs["MATLAB_class"] = np.bytes_("cell")
        for number, text in enumerate(IDS):
            target = file.create_dataset(f"#refs#/{number}", data=np.array([[ord(text)]], dtype=np.uint16))
            cell[0, number] = target.ref
    with (tmp_path / "net.mat").open("r+b") as raw:
        header = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM"
        raw.write(header)
    found = resi.load(tmp_path / "net.mat")
    assert list(found) == ["tokens"]
    assert found.samples == IDS
    assert same(found["tokens"], TOKENS)


def test_a_parquet_of_lists_by_polars(tmp_path: Path) -> None:
    frame = pl.DataFrame({"sample": list(IDS), "layer.0": S, "layer.1": TOKENS, "ragged": R.tolist()})
    assert isinstance(frame.schema["layer.0"], pl.Array)
    assert isinstance(frame.schema["ragged"], pl.List)
    frame.write_parquet(tmp_path / "net.parquet")
    found = resi.load(tmp_path / "net.parquet")
    assert list(found) == ["layer.0", "layer.1", "ragged"]
    assert found.samples == IDS
    assert same(found["layer.0"], S)
    assert same(found["layer.1"], TOKENS)
    assert same(found["ragged"], R)


def test_a_parquet_of_lists_by_pandas(tmp_path: Path) -> None:
    pd.DataFrame({"text": list(IDS), "embedding": list(S)}).to_parquet(tmp_path / "net.parquet")
    found = resi.load(tmp_path / "net.parquet", id="text")
    assert found.samples == IDS
    assert same(found["embedding"], S)


def test_a_parquet_of_columns(tmp_path: Path) -> None:
    pd.DataFrame(S, index=list(IDS), columns=["p", "q", "r"]).to_parquet(tmp_path / "fc.parquet")
    found = resi.load(tmp_path / "fc.parquet")
    assert list(found) == ["fc"]
    assert found.samples == IDS
    assert same(found["fc"], S)


def test_columns_of_features_are_chosen(tmp_path: Path) -> None:
    frame = pl.DataFrame({"id": [3, 1, 2, 5, 4, 0], "label": [0, 1, 0, 1, 0, 1], "f0": R[:, 0], "f1": S[:, 0]})
    for path in (tmp_path / "x.parquet", tmp_path / "x.csv"):
        (frame.write_parquet if path.suffix == ".parquet" else frame.write_csv)(path)
        with pytest.raises(ResiError, match=r"'label' is .* as labels are, not features; name the columns"):
            resi.load(path)
        found = resi.load(path, columns="f*")
        assert found.samples == ("3", "1", "2", "5", "4", "0")
        assert np.array_equal(found["x"].numpy()[:, 0], R[:, 0])
        assert np.allclose(found["x"].numpy()[:, 1], S[:, 0], atol=1e-6)
        assert resi.load(path, columns=["label", "f0"])["x"][:, 0].tolist() == [0, 1, 0, 1, 0, 1]


def test_csv_of_pandas_with_and_without_labels_of_rows(tmp_path: Path) -> None:
    array = R.copy()
    array[2, 1], array[3, 3] = np.inf, -1e-300
    pd.DataFrame(array, index=["01", "02", "03", "04", "05", "06"]).to_csv(tmp_path / "labelled.csv")
    pd.DataFrame(array).to_csv(tmp_path / "plain.csv", index=False)
    found = resi.load(tmp_path / "labelled.csv")
    assert found.samples == ("01", "02", "03", "04", "05", "06")
    assert same(found["labelled"], array)
    assert same(resi.load(tmp_path / "plain.csv")["plain"], array)


def test_csv_of_numpy_has_no_heading(tmp_path: Path) -> None:
    array = R.copy()
    array[0, 0] = array[5, 2] = np.nan
    np.savetxt(tmp_path / "conv.csv", array, delimiter=",")
    np.savetxt(tmp_path / "conv.tsv", array, delimiter="\t")
    assert same(resi.load(tmp_path / "conv.csv")["conv"], array)
    assert same(resi.load(tmp_path / "conv.tsv")["conv"], array)


def test_ids_are_given_where_no_file_states_them(tmp_path: Path) -> None:
    np.save(tmp_path / "conv.npy", R)
    assert resi.load(tmp_path / "conv.npy", samples=IDS).samples == IDS


def test_layers_are_chosen(tmp_path: Path) -> None:
    np.savez(tmp_path / "net.npz", **{"layer1.0": R, "layer1.1": S, "layer2.0": R, "labels": np.arange(6)})
    assert list(resi.load(tmp_path / "net.npz", "layer1.*")) == ["layer1.0", "layer1.1"]
    assert list(resi.load(tmp_path / "net.npz", ["layer2.*", "layer1.0"])) == ["layer1.0", "layer2.0"]


def test_what_is_loaded_is_compared(tmp_path: Path) -> None:
    np.savez(tmp_path / "net.npz", conv=R, fc=S)
    found = resi.load(tmp_path / "net.npz")
    assert resi.compare(found["conv"], found["fc"]) == resi.compare(R, S)
    assert np.array_equal(np.asarray(found["fc"]), S)
