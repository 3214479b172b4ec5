"""Folders of representations: those written by resi, one file per layer, and folders of other files."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resi.errors import ArtifactError, UsageError, listed
from resi.extraction.files.contents import Contents, Options, in_natural_order
from resi.extraction.files.formats import BY_SUFFIX
from resi.extraction.files.parquet import SAMPLE, read_ids
from resi.extraction.files.safetensors import REPRESENTATION
from resi.extraction.journal import NAME as UNFINISHED
from resi.representation import hash_samples
from resi.store.files import make_folder, write_text, written_to
from resi.store.tensors import write_tensors

if TYPE_CHECKING:
    from resi.extraction.collection import Representations
    from resi.extraction.files.contents import StoredArray

LONGEST = 150
"""Characters of a file name: most file systems allow 255, including the suffix while the file is written."""
MANIFEST = "manifest.json"
SAMPLES = "samples.parquet"


def read_folder(folder: Path, options: Options) -> Contents:
    """Return the layers in a folder, one or more per file, in the natural order of their names.

    Raises
    ------
    UsageError
        If there are none, or an extraction into the folder has not finished.
    """
    manifest = _manifest(folder)
    files = layer_files(folder)
    if not files:
        raise UsageError(_nothing_in(folder))
    arrays: dict[str, StoredArray] = {}
    paths: dict[str, Path] = {}
    ids: dict[Path, tuple[str, ...] | None] = {}
    hashes: dict[Path, str] = {}
    names = set()
    for file in files:
        found = BY_SUFFIX[file.suffix.lower()].read(file, options)
        for name, array in _named(file, found).items():
            if name in arrays:
                raise UsageError(f"{file} and {paths[name].name} both hold a layer {name!r}; rename one of them")
            arrays[name], paths[name] = array, file
        ids[file], hashes[file] = found.samples, found.samples_hash
        names.add(found.name)
    ordered = [name for name in manifest.get("layers", ()) if name in arrays]
    arrays = {name: arrays[name] for name in (*ordered, *(other for other in arrays if other not in ordered))}
    samples = _samples(folder, ids)
    return Contents(
        arrays, samples, _hash(hashes, samples), name=names.pop() if len(names) == 1 else "", is_named=True, paths=paths
    )


def layer_files(folder: Path) -> list[Path]:
    """Return the files in a folder that can hold layers, in the natural order of their names: 2 before 10."""
    found = {file.name: file for file in folder.iterdir() if _is_of_layers(file)}
    return [found[name] for name in in_natural_order(found)]


def reads(name: str) -> bool:
    """Return whether a file of that name in a folder of representations is read with them."""
    return name in (MANIFEST, SAMPLES) or _is_of_layers(Path(name))


def _is_of_layers(file: Path) -> bool:
    return file.suffix.lower() in BY_SUFFIX and not file.name.startswith(".") and file.name != SAMPLES


def _manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a folder that resi wrote; None for other folders.

    Raises
    ------
    UsageError
        If an extraction into it has not finished.
    ArtifactError
        If a file is missing.
    """
    path = folder / MANIFEST
    if not path.exists():
        if (folder / UNFINISHED).exists():
            raise UsageError(f"{folder}: the extraction into it is not finished; repeat the call to continue it")
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ArtifactError(f"{path} is damaged: {' '.join(str(error).split())}") from error
    if not isinstance(found, dict) or not isinstance(found.get("layers"), dict):
        return {}
    for layer, file in found["layers"].items():
        if not (folder / str(file)).exists():
            raise ArtifactError(f"{folder / str(file)} is missing; it holds the layer {layer!r} of {folder}")
    return found


def _nothing_in(folder: Path) -> str:
    below = sorted(child.name for child in folder.iterdir() if child.is_dir() and layer_files(child))
    if below:
        return f"{folder} holds no files of representations, but its subfolders do; name one: {listed(below)}"
    return f"{folder} holds no files of representations; known formats: {', '.join(BY_SUFFIX)}"


def _named(file: Path, found: Contents) -> dict[str, StoredArray]:
    """Return the arrays of a file by layer name."""
    if found.is_named:
        return dict(found.arrays)
    if len(found.arrays) == 1:
        return {file.stem: next(iter(found.arrays.values()))}
    return {f"{file.stem}.{name}": array for name, array in found.arrays.items()}


def _samples(folder: Path, ids: dict[Path, tuple[str, ...] | None]) -> tuple[str, ...] | None:
    """Return the ids of a folder's samples, on which all files with ids must agree."""
    stated = {file: found for file, found in ids.items() if found is not None}
    if (folder / SAMPLES).exists():
        stated = {folder / SAMPLES: read_ids(folder / SAMPLES), **stated}
    elif stated and len(stated) < len(ids):
        other = next(file for file in ids if file not in stated)
        raise UsageError(
            f"{next(iter(stated))} has ids of samples, {other.name} does not; write the ids of all into "
            f"{folder / SAMPLES}, column {SAMPLE!r}"
        )
    for file, found in stated.items():
        first = next(iter(stated))
        if found != stated[first]:
            raise UsageError(f"{file} has other samples than {first.name}, or in another order; load them one by one")
    return next(iter(stated.values()), None)


def _hash(hashes: dict[Path, str], samples: tuple[str, ...] | None) -> str:
    """Return the hash of the samples' ids in the files, which must be the same in all of them."""
    stated = {file: digest for file, digest in hashes.items() if digest}
    for file, digest in stated.items():
        if samples is not None:
            check_hash(file, digest, samples)
        elif digest != next(iter(stated.values())):
            raise UsageError(f"{file} belongs to other samples than {next(iter(stated)).name}, or in another order")
    return next(iter(stated.values()), "")


def check_hash(file: Path, digest: str, samples: tuple[str, ...]) -> None:
    """Raise ``UsageError`` if a file belongs to other samples, whose ids have another hash."""
    if digest != hash_samples(samples):
        raise UsageError(f"{file} belongs to other samples, or in another order, than these {len(samples)}")


def write_folder(folder: Path, representations: Representations) -> None:
    """Write one file per layer, with one layer in memory at a time; the folder appears when it is complete.

    Raises
    ------
    UsageError
        If the folder exists and is not empty.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} exists and is not empty; choose another folder, or remove it")
    scratch = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}.tmp")
    make_folder(scratch)
    try:
        files = {}
        for layer, known in representations.layers.items():
            tensor = representations[layer].detach().cpu()
            about = {
                **representations.about.get(layer, {}),
                "layer": layer,
                "layout": known.layout,
                "dtype": known.dtype,
                "samples": hash_samples(representations.samples),
                "name": representations.name,
            }
            files[layer] = f"{file_name(layer)}.safetensors"
            write_tensors(scratch / files[layer], {REPRESENTATION: tensor}, about)
        _write_ids(scratch / SAMPLES, representations.samples)
        manifest = {"name": representations.name, "samples": len(representations.samples), "layers": files}
        write_text(scratch / MANIFEST, json.dumps(manifest, indent=2) + "\n")
        with written_to(folder):
            scratch.replace(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _write_ids(path: Path, samples: tuple[str, ...]) -> None:
    import polars as pl

    pl.DataFrame({SAMPLE: list(samples)}, schema={SAMPLE: pl.String}).write_parquet(path)


def file_name(layer: str) -> str:
    """Return a file name for a layer: letters, digits and ``._-`` are kept, others become ``%`` and their code.

    A name that is too long becomes its beginning and a hash of the whole name.
    """
    name = re.sub(r"[^A-Za-z0-9._-]|^\.", lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), layer)
    if len(name) <= LONGEST:
        return name
    return f"{name[:LONGEST]}-{hashlib.sha256(layer.encode()).hexdigest()[:16]}"
