"""Data of any kind as batches: the only place that knows all kinds.

Kinds are tried in this order: a path, an array, a dataset, a list of texts or images, and last any iterable, whose
items are batches.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from resi.errors import DatasetError, UsageError
from resi.extraction.inputs import images, tables
from resi.extraction.inputs.arrays import Arrays, is_array
from resi.extraction.inputs.base import Batch, Batches
from resi.extraction.inputs.columns import ID, TextColumns, labelled_rows, row_labels
from resi.extraction.inputs.encoding import Encoder
from resi.extraction.inputs.hub_datasets import is_hub_data, load_saved, rows_of_hub_data
from resi.extraction.inputs.loaders import (
    Items,
    batches_of_dataset,
    batches_of_iterable,
    batches_of_loader,
    loader_of_stream,
    peeked,
)
from resi.extraction.inputs.picking import Picker, is_image, plain_value
from resi.extraction.inputs.reading import RowBatches
from resi.extraction.inputs.rows import is_graph
from resi.lazy import loaded, numpy

if TYPE_CHECKING:
    from resi.extraction.inputs.reading import Source
    from resi.extraction.networks import Network

__all__ = ["Batch", "Batches", "batches_of"]


def batches_of(
    data: Any,
    batch_size: int,
    network: Network,
    *,
    column: str | Sequence[str] | None = None,
    id: str | Literal[False] | None = None,
) -> Batches:
    """Return data of any kind as batches for a network.

    Parameters
    ----------
    data : any
        A tensor or array (also memory-mapped) or a dictionary of them; a ``Dataset``, a ``DataLoader``; a list of
        texts, of PIL images or of paths to images; a dataset of the library ``datasets``; a frame; a graph of PyTorch
        Geometric, whose samples are its nodes; a path: a folder of images, a CSV, TSV or Parquet table, a ``.npy``
        file; or any iterable of batches.
    batch_size : int
        Rows of a batch. A DataLoader, an iterable and a graph keep their own batches.
    network : Network
        Its tokenizer or transform reads texts and images; inputs get the floating point type of its weights.
    column : str, optional
        The column, or dictionary key, of the input; ``a,b`` for pairs of texts. It may be left out
        if only one fits.
    id : str or False, optional
        The column with ids of samples; ``id`` if there is one. Without it, ids are the paths of files, the index of a
        pandas frame if it is more than the numbers of the rows, or the coordinates of an array of xarray; else, and
        with False, the numbers of the rows.

    Raises
    ------
    UsageError
        If the data are nothing that the network can be run on, or if it is not clear how.
    DatasetError
        If files are missing or damaged, or if there are no rows.

    Examples
    --------
    >>> import torch
    >>> from resi.extraction.networks import resolve
    >>> [batch.samples for batch in batches_of(torch.zeros(3, 4), 2, resolve(torch.nn.Linear(4, 1))).start()]
    [['0', '1'], ['2']]
    """
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise UsageError(f"batch_size={batch_size!r}: expected a whole number of at least 1")
    if isinstance(id, str) and id.lower() == "false":  # as it is written on the command line
        id = False
    picker = Picker(column if column is None or isinstance(column, str) else ",".join(column), id)
    encoder = Encoder(network)
    if isinstance(data, str | Path):
        data = _content_of(Path(data).expanduser(), network, column, id, picker)
    source = _source_of(data, network, column, id, picker)
    if source is not None:
        is_own = not isinstance(source, Items) or isinstance(data, list)
        return RowBatches(source, batch_size, encoder, is_own)
    return _batches_of_objects(data, batch_size, encoder, picker)


def _content_of(path: Path, network: Network, column: Any, id_name: Any, picker: Picker) -> Any:
    """Return the source of rows at a path, or its data for further inspection."""
    suffix = path.suffix.lower()
    saved = load_saved(path)
    if saved is not None:
        return saved
    if path.is_dir() or suffix in images.SUFFIXES:
        picker.refuse(f"data={path} is images")
    if path.is_dir():
        return images.images_of_folder(path)
    if not path.exists():
        raise DatasetError(f"data={path}: there is no such file or folder (pass a single text as a list, [text])")
    if suffix in images.SUFFIXES:
        return images.ImageFiles([path], [path.name])
    if suffix == ".npy":
        try:
            return numpy.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, OSError, EOFError) as error:
            raise DatasetError(f"data={path} cannot be read as an array of numbers: {error}") from error
    if suffix in tables.SUFFIXES:
        below = path.parent if network.kind == "images" else None
        table = tables.read_table(path, as_text=id_name or "id")
        if column is None:
            tables.check_header(table, path)
        return tables.rows_of_table(table, column, id_name, below)
    known = " ".join([*tables.SUFFIXES, ".npy", *images.SUFFIXES])
    raise UsageError(f"data={path}: expected a folder of images, or a file {known}")


def _source_of(data: Any, network: Network, column: Any, id_name: Any, picker: Picker) -> Source | None:
    """Return data whose rows resi reads itself; None for others."""
    if isinstance(data, TextColumns | images.ImageFiles):
        return data
    if is_hub_data(data):
        return rows_of_hub_data(data, network, column, id_name)
    frame = _frame(data, id_name)
    if frame is not None:
        return tables.rows_of_table(frame, column, id_name, Path() if network.kind == "images" else None)
    polars = loaded("polars")
    if polars is not None and isinstance(data, polars.Series):
        data = data.to_numpy()
    if is_array(data):
        return _source_of_array(data, network, id_name, picker)
    if isinstance(data, Mapping):
        return _source_of_mapping(dict(data), picker)
    return _source_of_list(data, network, picker) if isinstance(data, list) else None


def _source_of_array(data: Any, network: Network, id_name: Any, picker: Picker) -> Source | None:
    """Return the rows of one array, of numbers or of texts."""
    picker.refuse("the data are one array")
    xarray = loaded("xarray")
    if xarray is not None and isinstance(data, xarray.DataArray):
        found, labels = labelled_rows(data)
        return Arrays(found, None if labels is None or id_name is False else list(labels))
    is_texts = str(getattr(data.dtype, "kind", "")) in tuple("OUT") and all(isinstance(one, str) for one in data)
    return _source_of_list(list(data), network, picker) if is_texts else Arrays(data)


def _source_of_mapping(data: dict[str, Any], picker: Picker) -> Source:
    if not data:
        raise DatasetError("data is an empty dictionary: there is nothing to run the network on")
    picked, ids = picker.pick_entries(data)
    samples = None if ids is None else [str(plain_value(sample)) for sample in ids]
    if isinstance(picked, list):
        return TextColumns([picked], samples, "texts")
    return Arrays(picked, samples)


def _source_of_list(data: list[Any], network: Network, picker: Picker) -> Source | None:
    """Return a list of texts or images; None if its items are batches."""
    if not data:
        raise DatasetError("data is an empty list: there is nothing to run the network on")
    first = data[0]
    if isinstance(first, Path) or (isinstance(first, str) and network.kind == "images"):
        for row, path in enumerate(data):
            if not isinstance(path, str | Path):
                raise DatasetError(f"data mix types: row {row} is {type(path).__name__}, but row 0 a path")
        picker.refuse("the data are a list of paths")
        return images.ImageFiles([Path(path).expanduser() for path in data], [str(path) for path in data])
    if isinstance(first, str):
        picker.refuse("the data are a list of texts")
        return TextColumns([data], None, "texts")
    if isinstance(first, tuple | list) and first and all(isinstance(one, str) for one in first):
        if isinstance(first, tuple):
            raise UsageError(
                "data is a list of tuples of texts, which may be pairs or texts with labels: give the texts alone, or "
                "pairs as a table with column=a,b"
            )
        return None
    return Items(data, picker, "images") if is_image(first) else None


def _frame(data: Any, id_name: str | Literal[False] | None) -> Any:
    """Return a Polars or pandas frame as a Polars frame, with a pandas index as the column of ids; else None."""
    polars, pandas = loaded("polars"), loaded("pandas")
    if polars is not None and isinstance(data, polars.DataFrame):
        return data
    if pandas is None or not isinstance(data, pandas.DataFrame):
        return None
    import polars as pl

    frame, labels = pl.from_pandas(data), row_labels(data)
    if labels is None or id_name is not None or ID in frame.columns:
        return frame
    return frame.with_columns(pl.Series(ID, labels, pl.String))


def _batches_of_objects(data: Any, batch_size: int, encoder: Encoder, picker: Picker) -> Batches:
    """Return the batches of data that are read by third-party code."""
    from torch.utils.data import DataLoader, Dataset, IterableDataset

    if is_graph(data):
        return batches_of_iterable([data], encoder, picker)
    if isinstance(data, IterableDataset):
        data = loader_of_stream(data, batch_size)
    if isinstance(data, DataLoader):
        return batches_of_loader(data, encoder, picker)
    if isinstance(data, Dataset):
        return batches_of_dataset(data, batch_size, encoder, picker)
    if isinstance(data, tuple):
        raise UsageError(
            "data is a tuple, which may be batches or arguments: give a list of batches, or a dictionary of arrays by "
            "the names of the arguments"
        )
    return _batches_of_iterable(data, batch_size, encoder, picker)


def _batches_of_iterable(data: Any, batch_size: int, encoder: Encoder, picker: Picker) -> Batches:
    """Return batches as they come, or batches of single items: texts, images or items read by index."""
    if not isinstance(data, Iterable):
        if hasattr(data, "__getitem__") and hasattr(data, "__len__"):
            return batches_of_dataset(data, batch_size, encoder, picker)
        raise UsageError(
            f"data is {type(data).__name__}: expected an array, a dataset, texts, images, batches, or a path to them"
        )
    first, data = peeked(data)
    if first is None:
        raise DatasetError("data is empty: there is nothing to run the network on")
    if isinstance(first, str) or is_image(first):
        source = _source_of_list(list(data), encoder.network, picker)
        if source is not None:
            return RowBatches(source, batch_size, encoder)
    return batches_of_iterable(data, encoder, picker)
