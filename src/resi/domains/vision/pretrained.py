"""Pre-trained weights of vision transformers, from the hub by name or from a local folder."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import TYPE_CHECKING

from resi.domains.vision.checkpoints import from_transformers, load_weights
from resi.domains.vision.hyperparameters import WEIGHT_FILES, pretrained_file
from resi.errors import ArtifactError, DatasetError
from resi.store.checkpoints import read_safetensors, read_weights

if TYPE_CHECKING:
    from torch import Tensor, nn


def load_pretrained(model: nn.Module, source: str, expected: str | None = None) -> None:
    """Load all weights but the classifier's, which stay as they are.

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
        If its files are damaged, others than expected, or another architecture's.
    """
    folder = Path(source).expanduser()
    path = pretrained_file(folder) if folder.is_dir() else _download(source)
    head = {name: tensor for name, tensor in model.state_dict().items() if name.startswith("head.")}
    body = {name: tensor for name, tensor in from_transformers(_read(path, expected)).items() if name not in head}
    load_weights(model, {**body, **head}, source)


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
