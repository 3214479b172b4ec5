"""Folders of files: one layer a file, in natural order, rows of the same samples."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

import resi
from resi.errors import ArtifactError, UsageError

R = np.random.default_rng(0).normal(size=(5, 3))
IDS = ("a", "b", "c", "d", "e")


def test_files_are_layers_in_natural_order(tmp_path: Path) -> None:
    for number in (10, 2, 1):
        np.save(tmp_path / f"layer{number}.npy", R + number)
    (tmp_path / "readme.txt").write_text("of another program")
    (tmp_path / ".hidden.npy").write_text("left over")
    found = resi.load(tmp_path)
    assert list(found) == ["layer1", "layer2", "layer10"]
    assert found.name == tmp_path.name
    assert found.samples == ("0", "1", "2", "3", "4")
    assert np.array_equal(found["layer10"].numpy(), R + 10)


def test_formats_are_mixed_and_a_file_may_hold_several(tmp_path: Path) -> None:
    np.savez(tmp_path / "conv.npz", features=R)
    np.savez(tmp_path / "head.npz", fc=R, logits=R)
    torch.save(torch.from_numpy(R), tmp_path / "stem.pt")
    assert list(resi.load(tmp_path)) == ["conv", "head.fc", "head.logits", "stem"]


def test_a_table_beside_the_files_names_the_samples(tmp_path: Path) -> None:
    np.save(tmp_path / "fc.npy", R)
    pl.DataFrame({"sample": list(IDS)}).write_parquet(tmp_path / "samples.parquet")
    assert list(resi.load(tmp_path)) == ["fc"]
    assert resi.load(tmp_path).samples == IDS


def test_files_of_other_samples_are_no_set(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=R, ids=np.array(IDS))
    np.savez(tmp_path / "b.npz", x=R, ids=np.array(IDS[::-1]))
    with pytest.raises(UsageError, match=r"b\.npz has other samples than a\.npz, or in another order"):
        resi.load(tmp_path)
    np.save(tmp_path / "b.npy", R)
    (tmp_path / "b.npz").unlink()
    with pytest.raises(UsageError, match=r"a\.npz has ids of samples, b\.npy does not"):
        resi.load(tmp_path)


def test_two_files_of_one_layer_are_named(tmp_path: Path) -> None:
    np.save(tmp_path / "fc.npy", R)
    np.savez(tmp_path / "fc.npz", x=R)
    with pytest.raises(UsageError, match=r"fc\.npz and fc\.npy both hold a layer 'fc'"):
        resi.load(tmp_path)


def test_folders_without_layers(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no files of representations; known formats:"):
        resi.load(tmp_path)
    for name in ("r34", "r18"):
        resi.save(tmp_path / name, {"fc": R})
    with pytest.raises(UsageError, match="subfolders do; name one: r18, r34"):
        resi.load(tmp_path)


def test_a_layer_of_a_folder_finds_its_samples(tmp_path: Path) -> None:
    tensor = torch.from_numpy(R)
    resi.save(tmp_path / "net", resi.Representations.from_tensors({"fc": tensor}, IDS, name="net"))
    alone = resi.load(tmp_path / "net/fc.safetensors")
    assert (alone.samples, list(alone), alone.name) == (IDS, ["fc"], "net")
    shutil.copy(tmp_path / "net/fc.safetensors", tmp_path / "moved.safetensors")
    with pytest.raises(UsageError, match=re.escape("samples.parquet, which is missing")):
        resi.load(tmp_path / "moved.safetensors")
    assert resi.load(tmp_path / "moved.safetensors", samples=IDS).samples == IDS
    (tmp_path / "net/samples.parquet").unlink()
    assert resi.load(tmp_path / "net", samples=IDS).samples == IDS
    with pytest.raises(UsageError, match="belongs to other samples, or in another order"):
        resi.load(tmp_path / "moved.safetensors", samples=IDS[::-1])


def test_samples_of_another_folder_are_noticed(tmp_path: Path) -> None:
    resi.save(tmp_path / "net", resi.Representations.from_tensors({"fc": torch.from_numpy(R)}, IDS))
    pl.DataFrame({"sample": list(IDS[::-1])}).write_parquet(tmp_path / "net/samples.parquet")
    with pytest.raises(UsageError, match="belongs to other samples, or in another order"):
        resi.load(tmp_path / "net")


def test_a_collection_shows_its_layers(tmp_path: Path) -> None:
    np.savez(tmp_path / "net.npz", **{"<conv>": np.zeros((1000, 250)), "fc": np.zeros((1000, 2), np.float16)})
    found = resi.load(tmp_path / "net.npz")
    assert repr(found).splitlines() == [
        "Representations of net: 2 layers, 1000 samples",
        "  layer   shape       layout  type     kB",
        "  <conv>  1000 x 250  nd      float64  2000.0",
        "  fc      1000 x 2    nd      float16  4.0",
    ]
    many = resi.Representations.from_tensors({f"layer{number}": torch.ones(2, 1) for number in range(100)})
    lines = repr(many).splitlines()
    assert len(lines) == 43
    assert lines[21:24] == [
        "  layer19      2 x 1  nd      float32  0.0",
        "  ... 60 more",
        "  layer80      2 x 1  nd      float32  0.0",
    ]
    assert "<td>&lt;conv&gt;</td><td>1000 x 250</td>" in found._repr_html_()
    assert list(found.subset("f*")) == ["fc"]
    assert found.get("gc") is None
    assert found != resi.load(tmp_path / "net.npz")
    with pytest.raises(UsageError, match=r"unknown layer of net: 'g\*'\. Known: <conv>, fc\."):
        found.subset("g*")


def test_a_layer_is_read_when_it_is_used(tmp_path: Path) -> None:
    for name in ("a", "b"):
        np.save(tmp_path / f"{name}.npy", R)
    found = resi.load(tmp_path)
    (tmp_path / "b.npy").unlink()
    assert np.array_equal(found["a"].numpy(), R)
    with pytest.raises(ArtifactError, match=r"b\.npy is gone since it was loaded"):
        _ = found["b"]


def test_rows_are_taken_by_their_ids(tmp_path: Path) -> None:
    np.savez(tmp_path / "net.npz", fc=R, tokens=np.stack([R, R], axis=1), ids=np.array(IDS))
    found = resi.load(tmp_path / "net.npz")
    some = found.of_samples(["d", "a"])
    assert some.samples == ("d", "a")
    assert np.array_equal(some["fc"].numpy(), R[[3, 0]])
    assert some.layers["tokens"].size == (2, 2, 3)
    assert some.layers["fc"].key not in {found.layers["fc"].key, found.of_samples(["a", "d"]).layers["fc"].key}
    assert some.layers["fc"].samples == resi.Representations.from_tensors({"x": some["fc"]}, "da").layers["x"].samples
    with pytest.raises(UsageError, match="net: there is no sample 'x' and 1 more"):
        found.of_samples(["a", "x", "y"])
    with pytest.raises(UsageError, match="several rows have the same id"):
        resi.Representations.from_tensors({"x": found["fc"]}, "aabcd").of_samples(["a"])
