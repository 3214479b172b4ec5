"""A tensor of any length written to a file row by row, without holding it in memory."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
from typing import TYPE_CHECKING, Any

from resi.lazy import torch
from resi.store.files import atomic_path
from resi.store.tensors import header_entries

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from io import BufferedRandom
    from pathlib import Path

    from torch import Tensor

# Names of types in safetensors.
TYPES = {"float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16"}
BLOCK = 1 << 18
"""Bytes that are read back at once: few enough to stay in the processor's cache until they are hashed."""


class TensorStream:
    """A tensor that is written row by row; ``metadata`` is set before the stream ends.

    A safetensors file begins with a header that states the tensor's length. Space is reserved for it, and it is written
    last, padded with blanks as the format allows.

    Parameters
    ----------
    file : BufferedRandom
        Open for reading and writing, at its beginning.
    name : str
        Of the tensor.
    kept : Tensor of shape (n_rows, ...), optional
        What of the file stays, as an empty tensor on the device ``meta``: the rows that an earlier stream has written
        there. Anything behind them is cut off.
    """

    HEADER_ROOM = 4096

    def __init__(self, file: BufferedRandom, name: str, kept: Tensor | None = None) -> None:
        self.metadata: Mapping[str, Any] = {}
        self._file = file
        self._name = name
        self._rows = 0
        self._row_shape: tuple[int, ...] | None = None
        self._dtype = torch.float32
        if kept is None:
            file.write(b" " * (8 + self.HEADER_ROOM))
        else:
            self._rows, self._row_shape, self._dtype = len(kept), tuple(kept.shape[1:]), kept.dtype
            file.seek(8 + self.HEADER_ROOM + kept.numel() * kept.element_size())
            file.truncate()

    def append(self, rows: Tensor) -> memoryview:
        """Write some rows, and return their bytes; all but the first axis, and the type, stay the same."""
        row_shape = tuple(rows.shape[1:])
        if self._row_shape not in (None, row_shape):
            raise ValueError(f"rows of shape {row_shape} after rows of shape {self._row_shape}")
        if self._row_shape is not None and rows.dtype != self._dtype:
            raise ValueError(f"rows of {rows.dtype} after rows of {self._dtype}")
        self._row_shape, self._dtype = row_shape, rows.dtype
        self._rows += len(rows)
        written: memoryview = rows.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data
        self._file.write(written)
        return written

    def finish(self) -> None:
        """Write the header with the hash of all content."""
        shape = (self._rows, *(self._row_shape or ()))
        text = json.dumps(self.metadata, sort_keys=True)
        self._file.flush()
        length = self._dtype.itemsize * math.prod(shape)
        digest = hashlib.sha256(text.encode())
        digest.update(f"{self._name} {self._dtype} {shape}\n".encode())
        self._file.seek(8 + self.HEADER_ROOM)
        block = memoryview(bytearray(BLOCK))
        while count := self._file.readinto(block):
            digest.update(block[:count])
        dtype = TYPES[str(self._dtype).removeprefix("torch.")]
        tensor = {"dtype": dtype, "shape": shape, "data_offsets": [0, length]}
        about = header_entries(text, digest.hexdigest(), {self._name: shape})
        header = json.dumps({"__metadata__": about, self._name: tensor}).encode()
        if len(header) > self.HEADER_ROOM:
            raise ValueError(f"metadata of {len(header)} bytes is longer than the {self.HEADER_ROOM} there is room for")
        self._file.seek(0)
        self._file.write(self.HEADER_ROOM.to_bytes(8, "little") + header.ljust(self.HEADER_ROOM))


@contextlib.contextmanager
def stream_tensor(path: Path, name: str) -> Iterator[TensorStream]:
    """Write one tensor of any length into a file as :func:`write_tensors` would, without holding it in memory.

    Yields
    ------
    TensorStream
        To which rows are appended, and whose ``metadata`` is set before the end.
    """
    with atomic_path(path) as temporary, temporary.open("w+b") as file:
        stream = TensorStream(file, name)
        yield stream
        stream.finish()
