"""A tensor of any length written to a file of the store as its rows come, without holding it in memory."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
from typing import TYPE_CHECKING, Any, BinaryIO

from resi.store.files import atomic_path
from resi.store.tensors import header_entries

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from torch import Tensor


class TensorStream:
    """A tensor that is written row by row; ``metadata`` is set before the stream ends.

    A safetensors file begins with a header that says how long the tensor is. Room is left for it, and it is written
    last, padded with the blanks that the format allows.
    """

    HEADER_ROOM = 4096

    def __init__(self, file: BinaryIO, name: str) -> None:
        self.metadata: Mapping[str, Any] = {}
        self._file = file
        self._name = name
        self._rows = 0
        self._row_shape: tuple[int, ...] | None = None
        file.write(b" " * (8 + self.HEADER_ROOM))

    def append(self, rows: Tensor) -> None:
        """Write some rows of a float32 tensor; all but the first axis stay the same."""
        row_shape = tuple(rows.shape[1:])
        if self._row_shape not in (None, row_shape):
            raise ValueError(f"rows of shape {row_shape} after rows of shape {self._row_shape}")
        self._row_shape = row_shape
        self._rows += len(rows)
        self._file.write(rows.detach().cpu().contiguous().numpy().data)

    def finish(self) -> None:
        """Write the header with the hash of all content."""
        shape = (self._rows, *(self._row_shape or ()))
        text = json.dumps(self.metadata, sort_keys=True)
        self._file.flush()
        length = 4 * math.prod(shape)
        digest = hashlib.sha256(text.encode())
        digest.update(f"{self._name} torch.float32 {shape}\n".encode())
        self._file.seek(8 + self.HEADER_ROOM)
        while block := self._file.read(1 << 20):
            digest.update(block)
        tensor = {"dtype": "F32", "shape": shape, "data_offsets": [0, length]}
        about = header_entries(text, digest.hexdigest(), {self._name: shape})
        header = json.dumps({"__metadata__": about, self._name: tensor}).encode()
        if len(header) > self.HEADER_ROOM:
            raise ValueError(f"metadata of {len(header)} bytes is longer than the {self.HEADER_ROOM} there is room for")
        self._file.seek(0)
        self._file.write(self.HEADER_ROOM.to_bytes(8, "little") + header.ljust(self.HEADER_ROOM))


@contextlib.contextmanager
def stream_tensor(path: Path, name: str) -> Iterator[TensorStream]:
    """Write one float32 tensor of any length into a file as :func:`write_tensors` would, without holding it in memory.

    Yields
    ------
    TensorStream
        To which rows are appended, and whose ``metadata`` is set before the end.
    """
    with atomic_path(path) as temporary, temporary.open("w+b") as file:
        stream = TensorStream(file, name)
        yield stream
        stream.finish()
