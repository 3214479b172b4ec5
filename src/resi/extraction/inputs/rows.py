"""Raw rows, before a tokenizer or a transform: tensors, texts or images."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from resi.errors import DatasetError
from resi.lazy import loaded, torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from PIL.Image import Image
    from torch import Tensor

    Text = str | tuple[str, str]


@dataclass(frozen=True)
class Texts:
    """Texts, or pairs of texts that are read together.

    Attributes
    ----------
    values : sequence of str or of pairs
    samples : list of str, optional
        Ids, if the data have them.
    """

    values: Sequence[Text]
    samples: list[str] | None = None

    def __len__(self) -> int:
        return len(self.values)

    def digests(self) -> list[bytes]:
        """Return the hash of each row."""
        return [hashlib.sha256(repr(value).encode()).digest() for value in self.values]


@dataclass(frozen=True)
class Images:
    """Images, as the bytes of files or already decoded.

    Attributes
    ----------
    values : sequence of bytes or of PIL images
    names : sequence of str
        The name of each in messages.
    """

    values: Sequence[bytes | Image]
    names: Sequence[str]
    samples: list[str] | None = None

    def __len__(self) -> int:
        return len(self.values)

    def digests(self) -> list[bytes]:
        """Return the hash of each row: of the file's bytes, or of the pixels."""
        return [hashlib.sha256(_image_bytes(value)).digest() for value in self.values]


@dataclass(frozen=True)
class Tensors:
    """Arguments of a forward pass that are tensors already.

    Attributes
    ----------
    args : tuple
    kwargs : dict from str
        Entries with rows have them along their first axis; others belong to the whole batch.
    n_rows : int
    hashes : list of bytes, optional
        The hash of each row, if tensors hold more than the row, such as padding.
    """

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    n_rows: int
    samples: list[str] | None = None
    hashes: list[bytes] | None = None

    def __len__(self) -> int:
        return self.n_rows

    def digests(self) -> list[bytes]:
        """Return the hash of each row: of names, dtypes, shapes and bytes, without labels."""
        if self.hashes is not None:
            return self.hashes
        shared = hashlib.sha256()
        per_row: list[Callable[[int], bytes | memoryview]] = []
        for name, value in self._named():
            if name in LABELS:
                continue
            if isinstance(value, list | tuple) and len(value) == self.n_rows:
                per_row.append(_text_bytes(value))
            elif isinstance(value, torch.Tensor):
                is_row = value.dim() > 0 and len(value) == self.n_rows
                shape = tuple(value.shape[1:] if is_row else value.shape)
                shared.update(f"{name} {value.dtype} {shape}\n".encode())
                if is_row:
                    per_row.append(row_bytes(value))
                else:
                    shared.update(row_bytes(value[None])(0))
            else:
                shared.update(f"{name} {value!r}\n".encode())
        return [_digest(shared, per_row, row) for row in range(self.n_rows)]

    def _named(self) -> Iterator[tuple[str, Any]]:
        named = {**{str(number): value for number, value in enumerate(self.args)}, **self.kwargs}
        for name, value in named.items():
            if is_graph(value):
                yield from ((f"{name}.{key}", _dense(found)) for key, found in sorted(value.to_dict().items()))
            else:
                yield name, _dense(value)


LABELS = ("label", "labels")
"""Entries with labels, which are not inputs: given them, many networks compute a loss."""
Rows = Texts | Images | Tensors


def row_bytes(tensor: Tensor) -> Callable[[int], memoryview]:
    """Return a function for the bytes of each row of a tensor of shape (n_rows, ...)."""
    flat = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous().reshape(len(tensor), -1)
    array = flat.view(torch.uint8).numpy() if flat.numel() else torch.zeros(len(tensor), 0, dtype=torch.uint8).numpy()
    return lambda row: array[row].data


def _text_bytes(values: Sequence[Any]) -> Callable[[int], bytes]:
    return lambda row: f"{values[row]!r}\n".encode()


def is_graph(value: object) -> bool:
    """Return whether a value is a graph of PyTorch Geometric, or a batch of them."""
    data = loaded("torch_geometric.data")
    return data is not None and isinstance(value, data.data.BaseData)


def count_rows(values: Sequence[Any]) -> int:
    """Return the number of rows of a batch: the nodes of a graph, else the first axis that a tensor has.

    Raises
    ------
    DatasetError
        If no value has rows.
    """
    for value in values:
        if is_graph(value):
            return int(value.num_nodes)
        if isinstance(value, torch.Tensor) and value.dim() > 0:
            return len(value)
    kinds = ", ".join(type(value).__name__ for value in values) or "nothing"
    raise DatasetError(f"a batch holds {kinds}: expected a tensor with samples along its first axis, or a graph")


def _dense(value: Any) -> Any:
    """Return the entries of a sparse tensor and their indices as one tensor; anything else unchanged."""
    if isinstance(value, torch.Tensor) and value.layout != torch.strided:
        entries = value.to_sparse_coo().coalesce()
        return torch.cat([entries.indices().double(), entries.values().double().reshape(1, -1)])
    return value


def _digest(shared: Any, per_row: Sequence[Callable[[int], bytes | memoryview]], row: int) -> bytes:
    found = shared.copy()
    for rows in per_row:
        found.update(rows(row))
    return found.digest()


def _image_bytes(value: bytes | Image) -> bytes:
    if isinstance(value, bytes):
        return value
    return f"{value.mode} {value.size}\n".encode() + value.tobytes()
