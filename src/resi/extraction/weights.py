"""The hash of a network's weights: equal hashes mean the same numbers under the same names."""

from __future__ import annotations

import hashlib
import itertools
from typing import TYPE_CHECKING

from resi.errors import UsageError
from resi.extraction.inputs.forward import plain_module
from resi.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor, nn

BLOCK = 1 << 24
"""Bytes that are copied from the device at once."""


def hash_weights(module: nn.Module) -> str:
    """Return a hash of the names, dtypes, shapes and bytes of all parameters and buffers, 64 hexadecimal digits.

    Neither the device nor ``torch.compile`` changes it. It takes about a second a gigabyte, and no memory.

    Raises
    ------
    UsageError
        If weights have no values yet.
    """
    digest = hashlib.sha256()
    module = plain_module(module)
    for name, tensor in itertools.chain(module.named_parameters(), module.named_buffers()):
        if tensor.is_meta or isinstance(tensor, torch.nn.parameter.UninitializedTensorMixin):
            raise UsageError(
                f"the weight {name} is not initialised: load the weights, or run the model on one batch first"
            )
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        _update(digest, tensor)
    return digest.hexdigest()


def _update(digest: hashlib._Hash, tensor: Tensor) -> None:
    """Hash a tensor's bytes in the order of its values, block by block."""
    if tensor.layout != torch.strided:
        tensor = tensor.detach().to_sparse_coo().coalesce()  # type: ignore[no-untyped-call]
        for part in (tensor.indices(), tensor.values()):
            _update(digest, part)
        return
    flat = tensor.detach().reshape(-1)
    step = max(1, BLOCK // flat.element_size())
    for start in range(0, len(flat), step):
        block = flat[start : start + step].cpu().resolve_conj().resolve_neg().contiguous()
        digest.update(block.view(torch.uint8).numpy().data)
