"""The state of an unfinished training, saved after an epoch so that a stopped job resumes from there."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from resi.console import say
from resi.errors import ArtifactError
from resi.store.tensors import read_tensors, write_tensors

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from torch import Tensor, nn
    from torch.optim import Optimizer

# Models that train in less are not worth a file.
SAVE_SECONDS = 30.0


class UnfinishedTraining:
    """Saves and loads weights, optimizer and loss scale.

    Learning rates and random draws need no saving: they follow from the epoch.

    Parameters
    ----------
    path : Path or None
        Where the state is kept; None keeps none.
    fingerprint : str
        Of the model, without which a state is not taken for its own.
    """

    def __init__(
        self,
        path: Path | None,
        fingerprint: str,
        model: nn.Module,
        optimizer: Optimizer,
        scaler: torch.amp.GradScaler,
    ) -> None:
        self._path = path
        self._fingerprint = fingerprint
        self._model = model
        self._optimizer = optimizer
        self._scaler = scaler
        self._saved = time.monotonic()

    def load(self) -> int:
        """Load the saved state; return the number of epochs done.

        A file that is damaged, or of another model's training, is set aside, and the training begins again.
        """
        if self._path is None or not self._path.is_file():
            return 0
        try:
            tensors, metadata = read_tensors(self._path)
            if metadata.get("fingerprint") != self._fingerprint:
                raise ArtifactError(f"{self._path} belongs to another model's training.")
        except ArtifactError as error:
            self._path.replace(self._path.with_name(f"{self._path.name}.damaged"))
            say(f"{error.message} It is set aside, and the training starts again.")
            return 0
        self._model.load_state_dict(_below("model", tensors))
        parameters = [parameter for group in self._optimizer.param_groups for parameter in group["params"]]
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in _below("optimizer", tensors).items():
            number, _, key = name.partition(".")
            state.setdefault(int(number), {})[key] = _laid_out_like(parameters[int(number)], tensor)
        groups = self._optimizer.state_dict()["param_groups"]
        self._optimizer.load_state_dict({"state": state, "param_groups": groups})
        if metadata["scaler"]:
            self._scaler.load_state_dict(metadata["scaler"])
        return int(metadata["epochs"])

    def save(self, epochs: int) -> None:
        """Save the state after so many epochs, unless the last save is only seconds ago."""
        if self._path is None or time.monotonic() - self._saved < SAVE_SECONDS:
            return
        tensors: dict[str, Any] = {f"model.{name}": tensor for name, tensor in self._model.state_dict().items()}
        for number, entries in self._optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{key}": value for key, value in entries.items() if value is not None}
        metadata = {"fingerprint": self._fingerprint, "epochs": epochs, "scaler": self._scaler.state_dict()}
        write_tensors(self._path, tensors, metadata)
        self._saved = time.monotonic()


def _laid_out_like(parameter: Tensor, tensor: Tensor) -> Tensor:
    """Return a tensor with the strides of its parameter, which fused optimizers take for granted; files have none."""
    return parameter.detach().clone().copy_(tensor) if tensor.shape == parameter.shape else tensor


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(f"{prefix}."): tensor for name, tensor in tensors.items() if name.startswith(f"{prefix}.")
    }
