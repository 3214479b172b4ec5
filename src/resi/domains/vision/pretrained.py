"""Pre-trained weights, from the hub by name or from a local folder."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import TYPE_CHECKING

from resi.errors import ArtifactError, DatasetError, UsageError
from resi.store.checkpoints import read_safetensors, read_weights

if TYPE_CHECKING:
    from torch import Tensor


WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")


def pretrained_file(folder: Path) -> Path:
    """Return the file of weights in a local folder of a pre-trained model."""
    for name in WEIGHT_FILES:
        if (folder / name).is_file():
            return folder / name
    raise UsageError(f"pretrained={folder} holds no weights: expected {' or '.join(WEIGHT_FILES)}")


def read_pretrained(source: str, expected: str | None = None) -> dict[str, Tensor]:
    """Return the weights of a pre-trained model.

    Parameters
    ----------
    source : str
        A local folder, or the name of a repository on the hub such as ``google/vit-base-patch32-224-in21k``.
    expected : str, optional
        sha256 that the file has to have.

    Raises
    ------
    DatasetError
        If there is neither, or it cannot be downloaded.
    ArtifactError
        If its files are damaged, or others than expected.
    """
    folder = Path(source).expanduser()
    return _read(pretrained_file(folder) if folder.is_dir() else _download(source), expected)


def _read(path: Path, expected: str | None) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file or a torch checkpoint."""
    try:
        if path.suffix == ".safetensors":
            tensors, found = read_safetensors(path)
        else:
            content = path.read_bytes()
            tensors, found = read_weights(io.BytesIO(content)), hashlib.sha256(content).hexdigest()
        if expected not in (None, found):
            raise ArtifactError("it changed after the run began; run again")
    except ArtifactError as error:
        raise ArtifactError(f"the pre-trained weights {path} cannot be used: {error}") from error
    return tensors


def _download(repository: str) -> Path:
    from huggingface_hub import hf_hub_download

    problem: Exception | None = None
    for name in WEIGHT_FILES:
        try:
            return Path(hf_hub_download(repository, name))
        except Exception as error:
            problem = error
    raise DatasetError(
        f"the pre-trained weights {repository} cannot be downloaded ({type(problem).__name__}: {problem}). Without a "
        f"network, put {' or '.join(WEIGHT_FILES)} into a folder and name it with model.NAME.pretrained=FOLDER, or "
        "train from scratch with pretrained=none."
    ) from problem
