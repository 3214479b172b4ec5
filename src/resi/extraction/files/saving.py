"""``resi.save``: write representations to a file or a folder without loss."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resi.errors import ResiError, UsageError, first_line
from resi.extraction.collection import Representations
from resi.extraction.files.contents import ID_NAMES, as_tensor, check_array, described_type
from resi.extraction.files.folders import write_folder
from resi.extraction.files.formats import FORMATS, format_of
from resi.specs import layout_of
from resi.store.files import atomic_path

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from torch import Tensor

    from resi.extraction.files.contents import Format
    from resi.representation import ArrayLike


def save(path: str | os.PathLike[str], representations: Representations | Mapping[str, ArrayLike] | ArrayLike) -> None:
    """Write representations to a file, or to a folder with one file per layer.

    :func:`resi.load` returns the same bits: layers, types, layouts, and ids of samples. What the format cannot hold
    is an error. How layers were made (``about``) is kept by ``.safetensors``, ``.h5``, ``.parquet`` and folders. In
    ``.npy`` and ``.csv`` files the single layer is named after the file.

    Parameters
    ----------
    path : path
        The suffix selects the format, see :func:`resi.load`; without one, or with ``/`` at the end, it is a folder. An
        existing file is replaced once the new one is complete; an existing folder must be empty.
    representations : Representations, mapping from name to array, or array
        Arrays must be floating point with samples first and 2, 3 or 4 axes; a single array is named after the file.

    Raises
    ------
    UsageError
        If the format is unknown, or cannot hold these representations; the message names formats that can.
    ShapeError
        If an array is not a representation.
    StoreError
        If the file cannot be written.

    Examples
    --------
    >>> import numpy as np, resi, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     resi.save(f"{folder}/net.safetensors", {"conv1": np.ones((5, 8)), "fc": np.ones((5, 3), np.float32)})
    ...     list(resi.load(f"{folder}/net.safetensors"))
    ['conv1', 'fc']
    """
    place = Path(path).expanduser()
    collected = _collected(place, representations)
    if not collected.layers:
        raise UsageError(f"{place}: there are no layers to save")
    if not place.suffix or place.is_dir() or str(path).endswith(("/", "\\")):
        write_folder(place, collected)
        return
    format_ = format_of(place)
    for problem in _problems(format_, collected):
        able = [other.suffixes[0] for other in FORMATS if not any(_problems(other, collected))]
        raise UsageError(f"{place}: {problem}; {', '.join(able)} and folders can")
    with atomic_path(place) as temporary:
        _write(format_, temporary, place, collected)


def _collected(place: Path, given: Any) -> Representations:
    """Return the argument as a collection."""
    if isinstance(given, Representations):
        return given
    arrays = given if isinstance(given, Mapping) else {place.stem: given}
    tensors = {str(name): _tensor(f"{place}: {name}", array) for name, array in arrays.items()}
    layouts = {name: layout_of(tensor.ndim) for name, tensor in tensors.items()}
    return Representations.from_tensors(tensors, layouts=layouts, name=place.stem)


def _tensor(label: str, array: Any) -> Tensor:
    import numpy as np
    import torch

    if isinstance(array, torch.Tensor):
        check_array(label, tuple(array.shape), str(array.dtype).removeprefix("torch."))
        return array.detach()
    plain = np.asarray(array)
    check_array(label, plain.shape, described_type(plain.dtype))
    return as_tensor(plain)


def _problems(format_: Format, representations: Representations) -> Iterator[str]:
    """Yield what a format cannot hold of these representations."""
    kind = format_.suffixes[0]
    if len(representations) > 1 and not format_.holds_many:
        yield f"{kind} holds one layer, not {len(representations)}"
    if not format_.holds_ids and representations.samples != tuple(map(str, range(len(representations.samples)))):
        yield f"{kind} cannot hold the ids of the samples"
    for layer, known in representations.layers.items():
        dtype = _dtype(representations, layer)
        if dtype not in format_.dtypes:
            yield f"{kind} cannot hold {dtype}, which layer {layer} is"
        if len(known.size) > format_.most_axes:
            yield f"{kind} cannot hold {len(known.size)} axes, which layer {layer} has"
        if format_.reserves_ids and layer in ID_NAMES:
            yield f"{kind} cannot hold a layer named {layer!r}, the name of its ids"
        if not format_.holds_facts and known.layout != layout_of(len(known.size)):
            yield f"{kind} cannot store the layout {known.layout} of layer {layer} with shape {known.size}"
        if not format_.holds_facts and known.dtype not in (None, dtype):
            yield f"{kind} cannot store that layer {layer} was computed in {known.dtype}"


def _dtype(representations: Representations, layer: str) -> str:
    return representations.dtypes.get(layer) or str(representations[layer].dtype).removeprefix("torch.")


def _write(format_: Format, temporary: Path, place: Path, representations: Representations) -> None:
    try:
        format_.write(temporary, representations)
    except (ResiError, OSError, MemoryError):
        raise
    except Exception as error:  # of a library that rejects its input
        raise UsageError(f"{place} cannot be written: {first_line(error)}") from error
