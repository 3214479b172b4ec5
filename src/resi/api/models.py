"""Models in memory or in files, for :func:`resi.evaluate`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resi.domains.custom.origins import WHOLE, FileOrigin, MemoryOrigin, Origin
from resi.domains.custom.table import OWN, Row, Table, make_table, read_table, share, text, whole
from resi.errors import ShapeError, UsageError

if TYPE_CHECKING:
    from torch import Tensor

    from resi.extraction.collection import Representations
    from resi.representation import ArrayLike

    Given = ArrayLike | Mapping[str, ArrayLike] | Representations | str | os.PathLike[str]

THE_TABLE = "the table of models"
THE_MODELS = "models"


@dataclass(frozen=True, eq=False)
class Model:
    """One of your own models: its representations and metadata.

    Parameters
    ----------
    representations : array, mapping from layer to array, Representations, or path
        Floating point, samples first. With several layers, tests between models use the last. A path is a file or
        folder that :func:`resi.load` can read.
    setting : str, optional
        How it was trained: models with the same setting form a group.
    seed : int, optional
        Distinguishes it from the other models of its group.
    accuracy : float, optional
        From 0 to 1.
    logits : array or path, optional
        Shape (n_samples, n_classes), of the same samples.
    architecture, dataset : str, optional
        Models of different architectures are not compared; all must have the same dataset.

    Examples
    --------
    >>> import numpy as np, resi
    >>> resi.Model(np.zeros((4, 2)), setting="standard", seed=0).seed
    0
    """

    representations: Given
    setting: str | None = field(default=None, kw_only=True)
    seed: int | None = field(default=None, kw_only=True)
    accuracy: float | None = field(default=None, kw_only=True)
    logits: ArrayLike | str | os.PathLike[str] | None = field(default=None, kw_only=True)
    architecture: str | None = field(default=None, kw_only=True)
    dataset: str | None = field(default=None, kw_only=True)


def table_of(models: Any) -> Table:
    """Return the table of models, given as a path, a frame, mappings of its columns, or :class:`Model` objects.

    Raises
    ------
    UsageError
        If they are something else, or an entry is invalid.
    """
    if isinstance(models, str | os.PathLike):
        return read_table(Path(models).expanduser().absolute())
    if isinstance(models, Model):
        models = [models]
    records = _records(models)
    if records is not None:
        return make_table(records, THE_TABLE, Path.cwd())
    found = list(models) if isinstance(models, Iterable) and not isinstance(models, Mapping) else []
    if not found or not all(isinstance(model, Model) for model in found):
        kinds = ", ".join(sorted({type(model).__name__ for model in found})) or f"a {type(models).__name__}"
        raise UsageError(
            "evaluate: expected a list of resi.Model, a table with one row per representation, or its path, not "
            f"{kinds}"
        )
    rows = tuple(_row(f"{THE_MODELS}[{number}]", model) for number, model in enumerate(found))
    return Table(THE_MODELS, rows, ())


def _records(models: Any) -> list[Mapping[str, Any]] | None:
    """Return the rows of a frame of Polars or pandas, or of mappings; None for anything else."""
    if hasattr(models, "to_dicts"):
        return list(models.to_dicts())
    if hasattr(models, "columns") and hasattr(models, "to_dict"):
        return list(models.to_dict("records"))
    if isinstance(models, list | tuple) and models and all(isinstance(model, Mapping) for model in models):
        return list(models)
    return None


def _row(label: str, model: Model) -> Row:
    return Row(
        label,
        _origin(label, model.representations),
        text(model.setting),
        whole(label, "seed", model.seed),
        None,
        share(label, "accuracy", model.accuracy),
        None if model.logits is None else _origin(f"{label}: logits", model.logits),
        text(model.architecture) or OWN,
        text(model.dataset) or OWN,
    )


def _origin(label: str, given: Any) -> Origin:
    from resi.extraction.collection import Representations

    if isinstance(given, str | os.PathLike):
        return FileOrigin(Path(given).expanduser().absolute())
    if isinstance(given, Representations):
        return MemoryOrigin(label, given)
    tensors = given if isinstance(given, Mapping) else {WHOLE: given}
    if not tensors:
        raise UsageError(f"{label} has no layers")
    return MemoryOrigin(label, _collection(label, {str(layer): array for layer, array in tensors.items()}))


def _collection(label: str, arrays: Mapping[str, Any]) -> Representations:
    from resi.extraction.collection import Representations
    from resi.specs import layout_of

    labels = {layer: label if layer == WHOLE else f"{label}: {layer}" for layer in arrays}
    tensors = {layer: _tensor(labels[layer], array) for layer, array in arrays.items()}
    layouts = {layer: layout_of(tensor.ndim) for layer, tensor in tensors.items()}
    try:
        return Representations.from_tensors(tensors, layouts=layouts, name=label)
    except UsageError as error:
        raise ShapeError(f"{label}: {error}") from error


def _tensor(label: str, array: Any) -> Tensor:
    import numpy as np

    from resi.measures.shapes import as_tensor
    from resi.specs import layout_of

    axes = array.ndim if hasattr(array, "ndim") else np.asarray(array).ndim
    return as_tensor("evaluate", label, array, layout_of(axes) if 2 <= axes <= 4 else "nd")
