"""``resi.load``: the representations in a file or a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from resi.errors import ShapeError, UsageError
from resi.extraction.collection import Representations, fits_any, unknown_layer
from resi.extraction.files.contents import Contents, Options, check_array, identity, reading
from resi.extraction.files.folders import SAMPLES, check_hash, read_folder
from resi.extraction.files.formats import format_of
from resi.extraction.files.parquet import read_ids
from resi.representation import Representation, hash_samples
from resi.specs import layout_of

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from resi.extraction.files.contents import StoredArray


def load(
    path: str | os.PathLike[str],
    layers: str | Sequence[str] | None = None,
    *,
    columns: str | Sequence[str] | None = None,
    id: str | None = None,
    samples: Sequence[object] | None = None,
) -> Representations:
    """Return the representations in a file or a folder; a layer is read when it is used.

    Parameters
    ----------
    path : path
        A ``.safetensors``, ``.npy``, ``.npz``, ``.pt``, ``.pth``, ``.h5``, ``.hdf5``, ``.mat``, ``.parquet``, ``.csv``
        or ``.tsv`` file; a folder of these, one layer per file; or a folder that :func:`resi.extract` or
        :func:`resi.save` wrote. Arrays have samples first: 2 axes are features (``nd``), 3 tokens and features
        (``ntd``), 4 channels, height and width (``nchw``).
    layers : str or sequence of str, optional
        Shell-style patterns of the layers to load, such as ``layer3.*``; all by default.
    columns : str or sequence of str, optional
        Patterns of the feature columns of a table; by default all but the ids.
    id : str, optional
        The array or column with the ids of the samples. By default, one named ``samples``, ``sample``, ``ids``, ``id``,
        ``sample_ids`` or ``sample_id``; without one, rows are numbered.
    samples : sequence, optional
        The ids of the samples, row by row, if no file holds them.

    Returns
    -------
    Representations
        A mapping from layer names to tensors; a single array is named after its file.

    Raises
    ------
    UsageError
        If the path does not exist, its format is unknown, or it lacks something requested.
    ShapeError
        If an array is not floating point, has another number of axes, or arrays differ in their number of rows.
    ArtifactError
        If a file is damaged, or a pickle of more than tensors; no code in it is run.

    Examples
    --------
    >>> import numpy as np, resi, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(f"{folder}/digits.npz", conv1=np.ones((5, 8)), fc=np.ones((5, 3), np.float32))
    ...     print(resi.load(f"{folder}/digits.npz"))
    Representations of digits: 2 layers, 5 samples
      layer  shape  layout  type     MB
      conv1  5 x 8  nd      float64  0.0
      fc     5 x 3  nd      float32  0.0
    """
    place = Path(path).expanduser()
    options = Options(_patterns(columns), id)
    with reading(place):
        contents = _contents(place, options)
    arrays = _chosen(place, contents, _patterns(layers))
    _check_rows(place, contents, arrays)
    ids = _ids(place, contents, samples, next(iter(arrays.values())).size[0])
    return _collected(place, contents, arrays, ids)


def layer_names(
    path: str | os.PathLike[str], *, columns: Sequence[str] | None = None, id: str | None = None
) -> list[str]:
    """Return the names of all arrays in a file or folder, representations or not; see :func:`load`."""
    place = Path(path).expanduser()
    with reading(place):
        return list(_contents(place, Options(_patterns(columns), id)).arrays)


def _patterns(given: str | Sequence[str] | None) -> tuple[str, ...] | None:
    return None if given is None else (given,) if isinstance(given, str) else tuple(given)


def _contents(place: Path, options: Options) -> Contents:
    if place.is_dir():
        return read_folder(place, options)
    if not place.exists():
        raise UsageError(f"there is no file or folder {place}")
    return format_of(place).read(place, options)


def _chosen(place: Path, contents: Contents, patterns: tuple[str, ...] | None) -> dict[str, StoredArray]:
    """Return the requested layers, each checked."""
    chosen = {name: array for name, array in contents.arrays.items() if patterns is None or fits_any(name, patterns)}
    for pattern in patterns or ():
        if not any(fits_any(name, [pattern]) for name in chosen):
            raise unknown_layer(str(place), pattern, list(contents.arrays))
    if not chosen:
        raise UsageError(f"{place} holds no arrays")
    for name, array in chosen.items():
        _check(contents.paths.get(name, place), name, array, len(contents.arrays))
    return chosen


def _check(path: Path, name: str, array: StoredArray, count: int) -> None:
    """Raise ``ShapeError`` if an array is not a representation."""
    advice = "; to leave it out, name the layers to load: layers=['...']" if count > 1 else ""
    check_array(f"{path}: {name or 'it'}", array.size, array.dtype, advice)
    if array.layout is not None and len(array.size) not in (2, len(array.layout)):
        raise ShapeError(f"{path}: {name} of shape {array.size} does not fit its stated layout {array.layout}")


def _check_rows(place: Path, contents: Contents, arrays: dict[str, StoredArray]) -> None:
    """Raise ``ShapeError`` if layers have different numbers of samples."""
    (first, known), *others = arrays.items()
    for name, array in others:
        if array.size[0] != known.size[0]:
            labels = [f"{contents.paths.get(layer, place)}: {layer}" for layer in (first, name)]
            raise ShapeError(
                f"{labels[0]} has {known.size[0]} rows, {labels[1]} has {array.size[0]}; all layers of a set need the "
                "same samples"
            )


def _ids(place: Path, contents: Contents, given: Sequence[object] | None, n_rows: int) -> tuple[str, ...]:
    """Return the ids of the samples, or the numbers of the rows."""
    numbers = tuple(map(str, range(n_rows)))
    found = contents.samples if given is None else tuple(map(str, given))
    if given is not None and contents.samples not in (None, found):
        raise UsageError(f"{place} holds ids that differ from samples=; leave samples= out")
    if found is None and contents.samples_hash:
        found = _listed(place, contents.samples_hash, numbers)
    if found is not None and contents.samples_hash:
        check_hash(place, contents.samples_hash, found)
    if found is not None and len(found) != n_rows:
        origin = "samples=" if given is not None else f"{place}"
        raise ShapeError(f"{origin} names {len(found)} samples, but the layers of {place} have {n_rows} rows")
    return numbers if found is None else found


def _listed(place: Path, digest: str, numbers: tuple[str, ...]) -> tuple[str, ...]:
    """Return the ids listed next to a file of one layer, which holds only their hash."""
    if digest == hash_samples(numbers):
        return numbers
    beside = place.with_name(SAMPLES)
    if place.is_dir() or not beside.exists():
        raise UsageError(
            f"{place}: the ids of its samples are in {SAMPLES}, which is missing; put it next to the file, or "
            "pass the ids: resi.load(path, samples=[...])"
        )
    return read_ids(beside)


def _collected(
    place: Path, contents: Contents, arrays: dict[str, StoredArray], ids: tuple[str, ...]
) -> Representations:
    digest = hash_samples(ids)
    layers = {
        name: Representation(
            key=array.key or identity(contents.paths.get(name, place), name),
            size=array.size,
            layout=array.layout or layout_of(len(array.size)),
            samples=digest,
            load=array.load,
            dtype=array.precision,
            label=name,
            itemsize=8 if array.dtype == "float64" else 4,
        )
        for name, array in arrays.items()
    }
    name = contents.name or (place.absolute().name if place.is_dir() else place.stem)
    about = {layer: array.about for layer, array in arrays.items() if array.about}
    return Representations(layers, ids, name, about, {layer: array.dtype for layer, array in arrays.items()})
