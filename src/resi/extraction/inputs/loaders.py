"""Datasets and DataLoaders of torch, and iterables of batches."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from resi.errors import DatasetError, ResiError, UsageError
from resi.extraction.inputs.reading import RowBatches, StreamBatches, once, reason_of, unreadable
from resi.lazy import torch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from torch.utils.data import DataLoader, IterableDataset

    from resi.extraction.inputs.encoding import Encoder
    from resi.extraction.inputs.picking import Picker
    from resi.extraction.inputs.rows import Rows


class Items:
    """Items of a map-style dataset, or of a list, collated as torch's DataLoader does."""

    def __init__(self, dataset: Any, picker: Picker, kind: str = "items of the dataset") -> None:
        self.kind = kind
        self._dataset, self._picker = dataset, picker

    def __len__(self) -> int:
        return len(self._dataset)

    def read(self, first: int, stop: int) -> Rows:
        """Return some of the items."""
        try:
            items = [self._dataset[row] for row in range(first, stop)]
        except Exception as error:  # code of others
            raise unreadable(self.kind, first, stop, error) from error
        return self._picker.items(items, first, self.kind)


def batches_of_dataset(dataset: Any, batch_size: int, encoder: Encoder, picker: Picker) -> RowBatches:
    """Return batches of a map-style dataset.

    Raises
    ------
    UsageError
        If it has no length.
    """
    if not hasattr(dataset, "__len__"):
        raise UsageError(f"data={type(dataset).__name__} has no length: give it a method __len__, or pass a DataLoader")
    return RowBatches(Items(dataset, picker), batch_size, encoder, is_own=False)


def loader_of_stream(dataset: IterableDataset[Any], batch_size: int) -> DataLoader[Any]:
    """Return a loader that collates the samples of an iterable dataset."""
    from torch.utils.data import DataLoader

    # With its own generator, since a loader would draw a seed for its workers from the global one.
    return DataLoader(dataset, batch_size, generator=torch.Generator())


def batches_of_loader(loader: DataLoader[Any], encoder: Encoder, picker: Picker) -> StreamBatches:
    """Return the batches of a DataLoader, in its own order.

    Raises
    ------
    UsageError
        If it leaves samples out, or shuffles samples that have no ids.
    """
    kind = "batches of the DataLoader"
    n_samples = _check_complete(loader)
    is_shuffled = type(loader.sampler).__name__ in ("RandomSampler", "SubsetRandomSampler", "WeightedRandomSampler")

    def read() -> Iterator[Rows]:
        for batch in _guarded(loader, kind):
            rows = picker.batch(batch, kind)
            if is_shuffled and rows.samples is None:
                raise UsageError(
                    "the DataLoader shuffles, so rows cannot be identified: pass shuffle=False, or batches "
                    "that are dictionaries with an entry id"
                )
            yield rows

    gives_graphs = type(loader).__module__.startswith("torch_geometric")  # whose samples are nodes, not items
    return StreamBatches(kind, read, encoder, None if gives_graphs else n_samples)


def batches_of_iterable(data: Iterable[Any], encoder: Encoder, picker: Picker) -> StreamBatches:
    """Return the batches of an iterable, as they come."""
    kind = "batches"

    def read() -> Iterator[Rows]:
        return (picker.batch(batch, kind) for batch in _guarded(data, kind))

    n_samples = sum(map(len, read())) if isinstance(data, list) else None
    return StreamBatches(kind, once(read(), kind) if iter(data) is data else read, encoder, n_samples)


def peeked(data: Iterable[Any]) -> tuple[Any, Iterable[Any]]:
    """Return the first item of an iterable, None if it is empty, and an iterable that still has it."""
    if iter(data) is not data:
        return next(iter(data), None), data
    iterator = iter(data)
    first = next(iterator, None)
    return first, iterator if first is None else itertools.chain([first], iterator)


def _guarded(batches: Iterable[Any], kind: str) -> Iterator[Any]:
    """Yield from third-party code, whose errors become one line."""
    with torch.random.fork_rng(devices=[]):  # from whose generator a DataLoader draws a seed for its workers
        iterator = iter(batches)
    number = 0
    while True:
        try:
            batch = next(iterator)
        except StopIteration:
            return
        except ResiError:
            raise
        except Exception as error:
            raise DatasetError(f"number {number} of the {kind} cannot be read: {reason_of(error)}") from error
        yield batch
        number += 1


def _check_complete(loader: DataLoader[Any]) -> int | None:
    """Return the number of samples of a DataLoader, None if it is unknown.

    Raises
    ------
    UsageError
        If it leaves the last ones out.
    """
    try:
        n_samples = len(loader.sampler)  # type: ignore[arg-type]
    except TypeError:
        n_samples = None
    if loader.batch_size is None:  # the dataset gives batches
        return None
    if loader.drop_last and (n_samples is None or n_samples % loader.batch_size):
        left_out = "the last samples" if n_samples is None else f"the last {n_samples % loader.batch_size} samples"
        raise UsageError(f"the DataLoader leaves out {left_out}: pass drop_last=False")
    is_plain = type(loader.batch_sampler).__name__ == "BatchSampler"
    return n_samples if is_plain else None
