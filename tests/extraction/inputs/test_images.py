"""Images, as tensors: the truth is the transform, called by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image
from torch import nn

from resi.errors import DatasetError, UsageError
from resi.extraction.batches import batches_of
from resi.extraction.networks import resolve
from tests.extraction.inputs.test_arrays import Items

NAMES = ["cat/a.png", "cat/b.png", "dog/c.PNG", "dog/deep/d.png", "top.jpg"]


def corner(image: Image.Image) -> torch.Tensor:
    """Return the upper left pixels."""
    return torch.from_numpy(np.asarray(image)[:16, :16].astype(np.float32))


def rgb(folder: Path) -> list[Image.Image]:
    return [Image.open(folder / name).convert("RGB") for name in NAMES]


NET = resolve((nn.Flatten(), corner))


def test_a_folder_gives_its_images_by_their_paths(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    batches = batches_of(pictures, 2, NET)
    found = list(batches.start())
    assert [batch.samples for batch in found] == [NAMES[:2], NAMES[2:4], NAMES[4:]]
    assert torch.equal(
        torch.cat([batch.args[0] for batch in found]), torch.stack([corner(one) for one in rgb(pictures)])
    )
    assert capsys.readouterr().err == (
        f"left out: 1 file in {pictures} that no suffix marks as an image, such as labels.csv\n"
    )
    assert batches.hash() == found[-1].running
    rest = list(batches_of(pictures, 2, NET).start(2, found[0].running))
    assert [batch.samples for batch in rest] == [NAMES[2:4], NAMES[4:]]


def test_images_come_from_elsewhere_too(pictures: Path, tmp_path: Path) -> None:
    import datasets

    images = rgb(pictures)
    known = torch.stack([corner(one) for one in images])
    paths = [str(pictures / name) for name in NAMES]
    pl.DataFrame({"file": NAMES}).write_csv(pictures / "table.csv")
    hub = datasets.Dataset.from_dict({"image": paths, "label": [0] * 5}).cast_column("image", datasets.Image())
    sources: list[Any] = [images, paths, [Path(path) for path in paths], Items(lambda row: (images[row], 1), 5), hub]
    try:
        for data in [*sources, pictures / "table.csv"]:
            found = list(batches_of(data, 2, NET).start())
            assert torch.equal(torch.cat([batch.args[0] for batch in found]), known)
        assert found[0].samples == NAMES[:2]
    finally:
        (pictures / "table.csv").unlink()
    (batch,) = batches_of(paths[0], 2, NET).start()
    assert batch.samples == ["a.png"]


def test_a_transform_that_a_dataset_has_is_applied(pictures: Path) -> None:
    import datasets

    paths = [str(pictures / name) for name in NAMES]
    data = datasets.Dataset.from_dict({"image": paths, "id": NAMES}).cast_column("image", datasets.Image())
    shown = data.with_transform(lambda rows: {"input": [corner(one.convert("RGB")) for one in rows["image"]]})
    batches = batches_of(shown, 2, NET)
    assert torch.equal(
        torch.cat([batch.kwargs["input"] for batch in batches.start()]),
        torch.stack([corner(image) for image in rgb(pictures)]),
    )


def test_an_image_that_a_dataset_names_and_that_is_gone(tmp_path: Path) -> None:
    import datasets

    paths = [str(tmp_path / "gone.png")]
    data = datasets.Dataset.from_dict({"image": paths}).cast_column("image", datasets.Image())
    with pytest.raises(DatasetError, match=r"gone.png cannot be read: No such file"):
        list(batches_of(data, 2, NET).start())


def test_a_damaged_image_is_named_with_its_row(pictures: Path, tmp_path: Path) -> None:
    content = (pictures / "cat/b.png").read_bytes()
    (tmp_path / "a.png").write_bytes(content)
    (tmp_path / "b.png").write_bytes(content[:200])
    with pytest.raises(DatasetError, match=r"b.png \(row 1\) cannot be read as an image") as caught:
        list(batches_of(tmp_path, 1, NET).start())
    assert "\n" not in str(caught.value)
    (tmp_path / "c.png").write_text("no image")
    with pytest.raises(DatasetError, match=r"c.png \(row 0\) cannot be read as an image"):
        next(batches_of(tmp_path / "c.png", 2, NET).start())


def test_pixels_that_rgb_cannot_hold_are_named(tmp_path: Path) -> None:
    Image.fromarray(np.full((20, 20), 3000, dtype=np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(UsageError, match=r"deep.png \(row 0\) has pixels of mode I.*, which 8-bit RGB"):
        next(batches_of(tmp_path, 2, NET).start())
    with pytest.raises(UsageError, match=r"the data are tensors of uint8: pass PIL images or files, or scale them"):
        next(batches_of(torch.zeros(2, 3, 4, 4, dtype=torch.uint8), 2, NET).start())


def test_a_transform_has_to_make_tensors_of_one_shape(pictures: Path) -> None:
    whole = resolve((nn.Flatten(), lambda image: torch.from_numpy(np.array(image))))
    with pytest.raises(UsageError, match=r"shape \(20, 24, 3\) for .*b.png, but \(21, 24, 3\) for .*a.png"):
        next(batches_of(pictures, 2, whole).start())
    with pytest.raises(UsageError, match=r"the transform returns Image for .*a.png: expected a tensor"):
        next(batches_of(pictures, 2, resolve((nn.Flatten(), lambda image: image))).start())
    with pytest.raises(UsageError, match="Flatten has no transform for images: pass one with it"):
        next(batches_of(pictures, 2, resolve(nn.Flatten())).start())


def test_a_folder_without_images_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"is a folder without images .*it holds no files"):
        batches_of(tmp_path, 2, NET)
    (tmp_path / "a.txt").write_text("a")
    with pytest.raises(UsageError, match=r"column=file names a column of a table, .*, but data=.* is images"):
        batches_of(tmp_path, 2, NET, column="file")
    with pytest.raises(DatasetError, match=r"it holds 1 other files, such as a.txt"):
        batches_of(tmp_path, 2, NET)
    with pytest.raises(DatasetError, match=r"nowhere.png cannot be read: No such file"):
        next(batches_of([tmp_path / "nowhere.png"], 2, NET).start())
