"""The tables of docs/inputs.md: every example is read as the page says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from resi.extraction import named
from resi.extraction.batches import batches_of
from resi.extraction.networks import resolve
from tests.conftest import REPOSITORY
from tests.extraction.inputs.test_images import NAMES, corner

PAGE = (REPOSITORY / "docs" / "inputs.md").read_text(encoding="utf-8")


def examples(header: str) -> list[str]:
    """Return the code in the first column of the table with this header."""
    table = PAGE.split(f"| {header} |", 1)[1].split("\n\n", 1)[0]
    return re.findall(r"^\| `(.+?)` \|", table, flags=re.MULTILINE)


@pytest.fixture
def names(bert: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return what the examples use, in a folder that holds their files."""
    import datasets
    import torch_geometric.data
    from transformers import AutoModel, AutoTokenizer

    monkeypatch.chdir(tmp_path)
    Path("images").symlink_to(pictures)
    Path("FOLDER").symlink_to(bert)
    Path("reviews.csv").write_text("id,text\nx,a film\ny,film\n")
    Path("nets.py").write_text("import torch\ndef make(width):\n    return torch.nn.Linear(2, width)\n")
    return {
        "torch": torch,
        "numpy": np,
        "polars": pl,
        "datasets": datasets,
        "Data": torch_geometric.data.Data,
        "DataLoader": DataLoader,
        "TensorDataset": TensorDataset,
        "labels": torch.arange(6),
        "edges": torch.tensor([[0, 1], [1, 2]]),
        "transform": corner,
        "bert": AutoModel.from_pretrained(bert),
        "tokenizer": AutoTokenizer.from_pretrained(bert),
    }


def test_every_model_is_understood(names: dict[str, Any]) -> None:
    found = examples("`model=`")
    assert len(found) == 8
    for example in found:
        model = eval(example, dict(names))
        if model == "timm:resnet18":  # whose weights would be downloaded
            model += "?pretrained=false"
        assert isinstance(resolve(model).module, torch.nn.Module)
    assert {name.partition(":")[0].strip('"') for name in found if name.startswith('"')} == set(named.PREFIXES)


def test_every_kind_of_data_is_understood(names: dict[str, Any]) -> None:
    found = examples("`data=`")
    assert len(found) == 13
    linear, texts = resolve(torch.nn.Linear(4, 2)), resolve((names["bert"], names["tokenizer"]))
    images = resolve((torch.nn.Flatten(), corner))
    for number, example in enumerate(found):
        network = texts if 6 <= number < 10 else images if number in (10, 11) else linear
        batches = list(batches_of(eval(example, dict(names)), 6, network).start())
        ids = [sample for batch in batches for sample in batch.samples]
        known = {7: ["x", "y"], 8: ["x", "y"], 10: NAMES, 11: ["images/cat/a.png", "images/top.jpg"]}
        assert ids == known.get(number, [str(row) for row in range(len(ids))])
        if "edge_index" not in example:
            for batch in batches:
                network.module(*batch.args, **batch.kwargs)


def test_every_option_is_one_that_is_read() -> None:
    source = (REPOSITORY / "src" / "resi" / "extraction" / "named.py").read_text(encoding="utf-8")
    found = [example.partition("=")[0] for example in examples("option")]
    assert found == ["pretrained", "seed", "weights", "class", "processor", "revision"]
    assert all(f'"{option}"' in source for option in found)
