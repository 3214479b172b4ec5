"""Finds the input in an item or a batch: labels are dropped, ids extracted, tensors, texts and images recognised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from resi.errors import DatasetError, UsageError, first_line, unknown_name
from resi.extraction.inputs.rows import Images, Tensors, Texts, count_rows, is_graph
from resi.lazy import loaded, numpy, torch

if TYPE_CHECKING:
    from resi.extraction.inputs.rows import Rows


@dataclass(frozen=True)
class Picker:
    """Extracts the input and the id from the items of a dataset.

    In a tuple the first element is the input; the rest, such as labels, is dropped. If the first element is a tuple
    itself, it holds several positional arguments. A dictionary holds named arguments, unless a column is named.

    Attributes
    ----------
    column : str, optional
        The key of the input in a dictionary.
    id_column : str or False, optional
        The key of the ids; by default ``id`` if there is one; False for none.
    """

    column: str | None = None
    id_column: str | Literal[False] | None = None

    def items(self, items: Sequence[Any], first: int, kind: str) -> Rows:
        """Return items of single samples as rows.

        Parameters
        ----------
        first : int
            Number of the first row, for messages.
        """
        picked = [self._pick(item) for item in items]
        inputs = [one for one, _ in picked]
        ids = None if picked[0][1] is None else [str(plain_value(sample)) for _, sample in picked]
        _check_alike(inputs, first, kind)
        if is_text(inputs[0]):
            return Texts([one if isinstance(one, str) else (one[0], one[1]) for one in inputs], ids)
        if is_image(inputs[0]):
            return Images(inputs, [f"row {first + number}" for number in range(len(inputs))], ids)
        if is_graph(inputs[0]):
            raise UsageError(
                f"the {kind} hold graphs: pass batches of them, such as a torch_geometric.loader.DataLoader; samples "
                "are the nodes"
            )
        return _tensors(_collated(inputs, first, kind), ids, kind)

    def batch(self, batch: Any, kind: str) -> Rows:
        """Return a batch as it comes as rows."""
        if is_graph(batch):
            return _graph(batch)
        if isinstance(batch, Sequence) and not isinstance(batch, str) and not _is_texts_or_images(batch):
            if not batch:
                raise DatasetError(f"a batch of the {kind} is an empty {type(batch).__name__}")
            batch = batch[0]
        value, found = self._pick(batch) if isinstance(batch, Mapping) else (batch, None)
        if not isinstance(batch, Mapping):
            self.refuse(f"one of the {kind} is {type(batch).__name__}")
        ids = None if found is None else [str(plain_value(sample)) for sample in found]
        if _is_texts_or_images(value):
            if isinstance(value[0], str):
                return Texts(list(value), ids)
            return Images(list(value), [f"image {number} of a batch" for number in range(len(value))], ids)
        return _tensors(value, ids, kind)

    def _pick(self, item: Any) -> tuple[Any, Any]:
        """Return the input and the id of an item."""
        if isinstance(item, Mapping):
            return self.pick_entries(item)
        self.refuse(f"the data give {type(item).__name__}")
        if isinstance(item, Sequence) and not isinstance(item, str):
            if not item:
                raise DatasetError(f"an item of the data is an empty {type(item).__name__}")
            return item[0], None
        return item, None

    def refuse(self, given: str) -> None:
        """Raise if a column is named but the data have none."""
        asked = {"column": self.column, "id": self.id_column or None}
        for key, name in asked.items():
            if name is not None:
                raise UsageError(f"{key}={name} names a column of a table, or an entry of dictionaries, but {given}")

    def pick_entries(self, item: Mapping[str, Any]) -> tuple[Any, Any]:
        """Return the input and the ids (or None) from a dictionary."""
        if self.id_column and self.id_column not in item:
            raise unknown_name("column for id=", self.id_column, list(map(str, item)))
        if self.column is not None and self.column not in item:
            raise unknown_name("column", self.column, list(map(str, item)))
        name = "id" if self.id_column is None else self.id_column
        found = item.get(name) if name is not False else None
        if self.column is not None:
            return item[self.column], found
        return {key: value for key, value in item.items() if found is None or key != name}, found


def is_text(value: Any) -> bool:
    """Return whether a value is a text, or a pair of texts."""
    if isinstance(value, tuple | list):
        return len(value) == 2 and all(isinstance(part, str) for part in value)
    return isinstance(value, str)


def is_image(value: Any) -> bool:
    """Return whether a value is a PIL image."""
    pil = loaded("PIL.Image")
    return pil is not None and isinstance(value, pil.Image)


def plain_value(sample: Any) -> Any:
    """Return an id, unwrapped from an array."""
    return sample.item() if hasattr(sample, "item") else sample


def to_tensor(value: Any) -> Any:
    """Return an array as a tensor, and anything else unchanged."""
    if isinstance(value, numpy.ndarray) and value.dtype.kind in "biufc":
        # A copy: torch cannot hold memory that is read-only, such as that of a file, or of another byte order.
        return torch.from_numpy(numpy.array(value, dtype=value.dtype.newbyteorder("=")))
    return value


def _is_texts_or_images(batch: Any) -> bool:
    is_sequence = isinstance(batch, Sequence) and not isinstance(batch, str) and len(batch) > 0
    return is_sequence and (all(isinstance(one, str) for one in batch) or all(is_image(one) for one in batch))


def _form(value: Any) -> str:
    if is_text(value):
        return "text"
    if isinstance(value, torch.Tensor | numpy.ndarray):
        return "tensor"
    return "dictionary" if isinstance(value, Mapping) else type(value).__name__


def _check_alike(inputs: Sequence[Any], first: int, kind: str) -> None:
    forms = [_form(value) for value in inputs]
    for number, form in enumerate(forms):
        if form != forms[0]:
            raise DatasetError(
                f"the {kind} mix types: row {first} is a {forms[0]}, row {first + number} a {form}; expected one"
            )


def _collated(inputs: Sequence[Any], first: int, kind: str) -> Any:
    from torch.utils.data import default_collate

    try:
        return default_collate(list(inputs))
    except (RuntimeError, TypeError, KeyError) as error:
        raise DatasetError(
            f"rows {first} to {first + len(inputs) - 1} of the {kind} do not make a batch: {first_line(error)}. Bring "
            "them to one shape, or pass a DataLoader with your own collate_fn"
        ) from error


def _tensors(value: Any, ids: list[str] | None, kind: str) -> Tensors:
    """Return collated values: a dictionary has named arguments, a sequence positional ones."""
    if is_graph(value):
        return _graph(value)
    if isinstance(value, Mapping):
        kwargs = {str(name): to_tensor(entry) for name, entry in value.items()}
        return Tensors((), kwargs, count_rows(list(kwargs.values())), ids)
    args = tuple(map(to_tensor, value)) if isinstance(value, tuple | list) else (to_tensor(value),)
    if not any(isinstance(one, torch.Tensor) for one in args):
        raise UsageError(
            f"one of the {kind} is a {type(value).__name__}: expected a tensor, an array, a tuple, a dictionary, "
            "texts or images"
        )
    return Tensors(args, {}, count_rows(args), ids)


def _graph(graph: Any) -> Tensors:
    """Return a graph, whose nodes are the samples, as the one argument."""
    if getattr(graph, "n_id", None) is not None or getattr(graph, "input_id", None) is not None:
        raise UsageError("a batch of sampled neighbours repeats nodes of other batches: pass the whole graph")
    if graph.num_nodes is None:
        raise DatasetError("the number of nodes of a graph is unknown: expected node features x, or num_nodes")
    return Tensors((graph,), {}, int(graph.num_nodes))
