"""Datasets of the library ``datasets``: a column of texts, of images or of numbers, or rows that are tokenized."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from resi.errors import DatasetError, UsageError
from resi.extraction.inputs.columns import TextColumns, chosen_columns, id_column, ids_of
from resi.extraction.inputs.images import content_of
from resi.extraction.inputs.loaders import Items
from resi.extraction.inputs.picking import Picker
from resi.extraction.inputs.reading import reason_of
from resi.extraction.inputs.rows import Images, Tensors
from resi.lazy import loaded, torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from resi.extraction.inputs.reading import Source
    from resi.extraction.networks import Network

_KIND = "rows of the dataset"
READY = ("input_ids", "pixel_values", "input_values", "inputs_embeds")
"""Columns made by a tokenizer or an image processor."""


def is_hub_data(data: Any) -> bool:
    """Return whether data come from the library ``datasets``."""
    library = loaded("datasets")
    return library is not None and isinstance(
        data, library.Dataset | library.DatasetDict | library.IterableDataset | library.IterableDatasetDict
    )


def load_saved(folder: Path) -> Any:
    """Return the dataset that ``save_to_disk`` wrote into a folder; None for other folders.

    Raises
    ------
    DatasetError
        If it is damaged.
    UsageError
        If the library is not there.
    """
    if not any((folder / name).is_file() for name in ("dataset_info.json", "dataset_dict.json")):
        return None
    try:
        import datasets
    except ImportError as error:
        raise UsageError(
            f"data={folder} is a saved dataset, which needs the package datasets; install it with: "
            "pip install 'resi[language]'"
        ) from error
    try:
        return datasets.load_from_disk(str(folder))
    except Exception as error:  # any error on arbitrary files
        raise DatasetError(
            f"data={folder} cannot be read as a saved dataset: {reason_of(error)}; save it again with save_to_disk"
        ) from error


def rows_of_hub_data(
    data: Any, network: Network, column: str | Sequence[str] | None, id_name: str | Literal[False] | None
) -> Source:
    """Return the rows of a dataset.

    Raises
    ------
    UsageError
        If it is streamed or has several splits, or if the input column is ambiguous.
    """
    import datasets

    if isinstance(data, datasets.DatasetDict | datasets.IterableDatasetDict):
        raise UsageError(
            f"data has the splits {', '.join(map(str, data))}: pass one of them, such as data[{next(iter(data))!r}]"
        )
    if isinstance(data, datasets.IterableDataset):
        raise UsageError(
            "data is a streamed dataset, whose rows cannot be read twice: collect the rows to use, "
            "datasets.Dataset.from_list(list(data.take(1000)))"
        )
    if data.format["type"] == "custom":  # rows are the output of a user's transform
        return Items(data, Picker(column if column is None or isinstance(column, str) else ",".join(column), id_name))
    names = id_column(id_name, data.column_names)
    samples = None if names is None else ids_of(list(data[names]), names)
    if column is None and any(name in data.column_names for name in READY):
        return _Ready(data, samples, [name for name in data.column_names if name != names and _is_number(data, name)])
    images = [name for name, feature in data.features.items() if isinstance(feature, datasets.Image)]
    texts = [name for name, feature in data.features.items() if _is_text(feature) and name != names]
    if column in images or (column is None and network.kind == "images" and images):
        name = chosen_columns(column, images, data.column_names, "images")[0]
        return _ImageColumn(data.cast_column(name, datasets.Image(decode=False)), name, samples)
    if isinstance(column, str) and column in data.column_names and column not in texts:
        return _NumberColumn(data, column, samples)
    chosen = chosen_columns(column, texts, data.column_names, "texts")
    return TextColumns([list(data[name]) for name in chosen], samples, _KIND)


def _is_number(data: Any, name: str) -> bool:
    """Return whether a column holds numbers, or lists of them."""
    feature = data.features[name]
    while hasattr(feature, "feature"):
        feature = feature.feature
    return not _is_text(feature) and getattr(feature, "dtype", None) is not None


def _is_text(feature: Any) -> bool:
    return getattr(feature, "dtype", None) in ("string", "large_string")


class _ImageColumn:
    """Images as their stored bytes."""

    kind = _KIND

    def __init__(self, data: Any, name: str, samples: list[str] | None) -> None:
        self._data, self._name, self._samples = data.select_columns([name]).with_format(None), name, samples

    def __len__(self) -> int:
        return len(self._data)

    def read(self, first: int, stop: int) -> Images:
        cells = self._data[first:stop][self._name]
        for row, cell in enumerate(cells, start=first):
            if cell is None:
                raise DatasetError(f"row {row} of the {_KIND} has no image in column {self._name}: remove the row")
        values = [cell["bytes"] if cell["bytes"] is not None else content_of(Path(cell["path"])) for cell in cells]
        names = [cell["path"] or "the image" for cell in cells]
        return Images(values, names, None if self._samples is None else self._samples[first:stop])


class _NumberColumn:
    """Numbers of one column, the only positional argument."""

    kind = _KIND

    def __init__(self, data: Any, name: str, samples: list[str] | None) -> None:
        self._data, self._name, self._samples = data.select_columns([name]).with_format(None), name, samples

    def __len__(self) -> int:
        return len(self._data)

    def read(self, first: int, stop: int) -> Tensors:
        try:
            found = torch.tensor(self._data[first:stop][self._name])
        except (ValueError, TypeError) as error:
            raise DatasetError(
                f"column={self._name}, rows {first} to {stop - 1}: expected numbers of one shape ({error})"
            ) from error
        return Tensors((found,), {}, stop - first, None if self._samples is None else self._samples[first:stop])


class _Ready:
    """Rows made by a tokenizer or an image processor, padded at the right to the longest of a batch."""

    kind = _KIND

    def __init__(self, data: Any, samples: list[str] | None, names: Sequence[str]) -> None:
        self._data, self._samples = data.select_columns(list(names)).with_format(None), samples
        self._names = list(names)

    def __len__(self) -> int:
        return len(self._data)

    def read(self, first: int, stop: int) -> Tensors:
        columns = self._data[first:stop]
        hashes = [
            hashlib.sha256(repr([columns[name][row] for name in self._names]).encode()).digest()
            for row in range(stop - first)
        ]
        if "input_ids" in columns and "attention_mask" not in columns:
            columns["attention_mask"] = [[1] * len(ids) for ids in columns["input_ids"]]
        tensors = {name: _padded(values, name, first) for name, values in columns.items()}
        samples = None if self._samples is None else self._samples[first:stop]
        return Tensors((), tensors, stop - first, samples, hashes)


def _padded(values: Sequence[Any], name: str, first: int) -> Tensor:
    """Return rows as one tensor; lists of numbers are padded with zeros, which the attention mask hides."""
    try:
        if isinstance(values[0], list) and not isinstance(values[0][0], list):
            longest = max(map(len, values))
            return torch.tensor([[*row, *[0] * (longest - len(row))] for row in values])
        return torch.tensor(values)
    except (ValueError, TypeError, IndexError) as error:
        raise DatasetError(
            f"column {name}, rows {first} to {first + len(values) - 1}: expected numbers of one shape, or lists of "
            f"numbers ({error})"
        ) from error
