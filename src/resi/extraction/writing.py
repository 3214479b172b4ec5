"""Storage for rows of layers: in memory, or in a folder where a stopped extraction can be continued."""

from __future__ import annotations

import contextlib
import json
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from resi.console import say
from resi.errors import StoreError, UsageError
from resi.extraction.files.folders import MANIFEST, SAMPLES, file_name
from resi.extraction.journal import NAME as JOURNAL
from resi.extraction.journal import Journal
from resi.lazy import torch
from resi.representation import hash_samples
from resi.store.files import atomic_path, write_text
from resi.store.streams import TensorStream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from io import BufferedRandom
    from pathlib import Path

    from torch import Tensor

    from resi.extraction.batches import Batch
    from resi.extraction.journal import LayerFacts

TENSOR = "representation"
UNFINISHED = ".part"
SECTOR = 512
"""Bytes that a disk writes atomically."""
HASHING_THREADS = 4
BYTES_IN_TWO_SECONDS = 2e9


class Folder:
    """Files of layers that grow batch by batch.

    A killed process leaves files with an extra suffix and a journal. Rows that are missing from the journal, or do not
    match its checksums, are removed.

    Parameters
    ----------
    path : Path
        The folder, which is there.
    settings : mapping
        The settings of the extraction, which a later call must match.

    Attributes
    ----------
    n_rows : int
        Rows that are there.
    running : str
        Hash of the data up to their end.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any]) -> None:
        self._path = path
        self._files: dict[str, BufferedRandom] = {}
        self._streams: dict[str, TensorStream] = {}
        self._journal = _journal_in(path) or Journal(path / JOURNAL, settings)
        kept = self._kept_batches()
        self._journal.open(kept)
        batches = self._journal.batches
        self.n_rows = sum(len(batch.samples) for batch in batches)
        self.running = batches[-1].running if batches else ""
        for layer in self._journal.layers:
            self._open(layer, self.n_rows)

    @property
    def layers(self) -> dict[str, LayerFacts]:
        """Facts about the layers; empty before the first batch."""
        return self._journal.layers

    @property
    def samples(self) -> list[str]:
        """Ids of the rows."""
        return [sample for batch in self._journal.batches for sample in batch.samples]

    def add(self, batch: Batch, rows: Mapping[str, Tensor], layers: Mapping[str, LayerFacts]) -> None:
        """Write the rows of a batch."""
        with self._written():
            if not self._journal.layers:
                self._journal.begin(layers)
                for layer in layers:
                    self._open(layer, 0)
            checks = [checksum(self._streams[layer].append(rows[layer])) for layer in self._journal.layers]
            for file in self._files.values():
                file.flush()
            self._journal.add(batch.samples, batch.running, checks)
        self.n_rows += len(batch.samples)
        self.running = batch.running

    def finish(self, about: Mapping[str, Any], manifest: Mapping[str, Any]) -> None:
        """Give all files their headers and final names, then mark the folder as complete."""
        import polars as pl

        samples = self.samples
        digest = hash_samples(samples)
        with self._written():
            for layer, stream in self._streams.items():
                facts = self.layers[layer]
                own = {"layer": layer, "layout": facts.layout, "dtype": facts.computed_in, "samples": digest}
                stream.metadata = {**about, **own}
            _say_if_long("computing the checksums of the written files", self._n_bytes())
            with ThreadPoolExecutor(HASHING_THREADS) as pool:
                list(pool.map(TensorStream.finish, self._streams.values()))
            self.close()
            for layer in self.layers:
                _part(self._path, layer).replace(self._path / _file(layer))
            with atomic_path(self._path / SAMPLES) as temporary:
                pl.DataFrame({"sample": samples}, schema={"sample": pl.String}).write_parquet(temporary)
            files = {layer: _file(layer) for layer in self.layers}
            text = json.dumps({**manifest, "samples": len(samples), "layers": files}, indent=2)
            write_text(self._path / MANIFEST, f"{text}\n")
            (self._path / JOURNAL).unlink()

    def close(self) -> None:
        """Close all files without deleting them."""
        for file in self._files.values():
            file.close()
        self._journal.close()

    def _open(self, layer: str, n_rows: int) -> None:
        path = _part(self._path, layer)
        kept = None
        if n_rows:
            facts = self.layers[layer]
            kept = torch.empty(n_rows, *facts.shape, dtype=getattr(torch, facts.dtype), device="meta")
        self._files[layer] = path.open("r+b" if n_rows else "w+b")
        self._streams[layer] = TensorStream(self._files[layer], TENSOR, kept)

    def _kept_batches(self) -> int:
        """Return how many batches are intact in all files."""
        journal, kept = self._journal, len(self._journal.batches)
        _say_if_long("verifying the checksums of rows written earlier", self._n_bytes())
        for number, (layer, facts) in enumerate(journal.layers.items()):
            whole = self._path / _file(layer)
            if whole.exists() and not _part(self._path, layer).exists():  # stopped while files got their names
                whole.replace(_part(self._path, layer))
            width = torch.empty(facts.shape, dtype=getattr(torch, facts.dtype), device="meta").nbytes
            lengths = [width * len(batch.samples) for batch in journal.batches[:kept]]
            found = _checks(_part(self._path, layer), lengths)
            expected = (batch.checks[number] for batch in journal.batches)
            kept = next(
                (place for place, pair in enumerate(zip(found, expected, strict=False)) if pair[0] != pair[1]), kept
            )
        return kept

    def _n_bytes(self) -> int:
        return sum(path.stat().st_size for path in self._path.glob(f"*{UNFINISHED}"))

    @contextlib.contextmanager
    def _written(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(
                f"cannot write to {self._path}: {error.strerror or error}. Written rows are kept: free some space, and "
                "repeat the call to continue"
            ) from error


def checksum(rows: memoryview | bytes | bytearray) -> int:
    """Return a checksum that detects lost, moved or changed disk sectors.

    It is the CRC-32 of the sums of the sectors, as 64-bit words, and of what is left behind them: five times as fast as
    the CRC-32 of all bytes.
    """
    n_whole = len(rows) // SECTOR * SECTOR
    words = np.frombuffer(rows[:n_whole], np.uint64).reshape(-1, SECTOR // 8)
    return zlib.crc32(rows[n_whole:], zlib.crc32(words.sum(1).tobytes()))


def _checks(path: Path, lengths: list[int]) -> Iterator[int | None]:
    """Yield the checksum of each batch in a file; None where the file is too short."""
    if not path.exists():
        yield from (None for _ in lengths)
        return
    with path.open("rb") as file:
        file.seek(8 + TensorStream.HEADER_ROOM)
        for length in lengths:
            rows = file.read(length)
            yield checksum(rows) if len(rows) == length else None


def _say_if_long(what: str, n_bytes: int) -> None:
    if n_bytes > BYTES_IN_TWO_SECONDS:
        say(f"{what} ({n_bytes / 1e9:.0f} GB)")


def _file(layer: str) -> str:
    return f"{file_name(layer)}.safetensors"


def _part(folder: Path, layer: str) -> Path:
    return folder / f"{_file(layer)}{UNFINISHED}"


def _journal_in(folder: Path) -> Journal | None:
    path = folder / JOURNAL
    return Journal.read(path) if path.exists() else None


def finished(folder: Path) -> dict[str, Any] | None:
    """Return the manifest of a folder that is complete."""
    path = folder / MANIFEST
    if not path.exists():
        return None
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise UsageError(f"{path} is damaged: {error}; choose another out, or overwrite=True") from error
    return found


def unfinished(folder: Path) -> dict[str, Any] | None:
    """Return the settings of a stopped extraction into a folder; None if it had written no batch."""
    journal = _journal_in(folder)
    return None if journal is None or not journal.batches else journal.settings


def is_foreign(folder: Path) -> bool:
    """Return whether a folder has content that is not from an extraction.

    Other programs also write a ``manifest.json``; the files next to it must not be removed.
    """
    names = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    if MANIFEST not in names:
        return bool(names) and JOURNAL not in names
    try:
        found = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (ValueError, OSError):
        return SAMPLES not in names
    return not isinstance(found, dict) or "what" not in found


def empty(folder: Path) -> None:
    """Remove only the files that an extraction wrote, its manifest first."""
    is_ours = _layer_files(folder)
    for name in (MANIFEST, JOURNAL, SAMPLES):
        (folder / name).unlink(missing_ok=True)
    for path in folder.iterdir():
        if path.name.endswith(f".safetensors{UNFINISHED}") or (path.suffix == ".safetensors" and is_ours(path.name)):
            path.unlink()


def _layer_files(folder: Path) -> Callable[[str], bool]:
    """Return a test for files of layers; it accepts all if the manifest is too damaged to name them."""
    journal = _journal_in(folder)
    try:
        manifest = finished(folder)
    except UsageError:
        return lambda _: True
    named = set(manifest["layers"].values()) if manifest else set()
    return (named | {_file(layer) for layer in (journal.layers if journal else ())}).__contains__


class Memory:
    """Rows of layers in memory, allocated once if the number of samples is known.

    Parameters
    ----------
    n_samples : int, optional
    """

    def __init__(self, n_samples: int | None) -> None:
        self.n_rows, self.running = 0, ""
        self.layers: dict[str, LayerFacts] = {}
        self.samples: list[str] = []
        self._n_samples = n_samples
        self._parts: dict[str, list[Tensor]] = {}
        self._whole: dict[str, Tensor] = {}

    def add(self, batch: Batch, rows: Mapping[str, Tensor], layers: Mapping[str, LayerFacts]) -> None:
        """Keep the rows of a batch."""
        self.layers = dict(layers)
        stop = self.n_rows + len(batch.samples)
        for layer, found in rows.items():
            if self._n_samples is None or stop > self._n_samples:
                self._parts.setdefault(layer, []).append(found)
                continue
            if layer not in self._whole:
                self._whole[layer] = torch.empty(self._n_samples, *found.shape[1:], dtype=found.dtype)
            self._whole[layer][self.n_rows : stop] = found
        self.samples += batch.samples
        self.n_rows, self.running = stop, batch.running

    def tensors(self) -> dict[str, Tensor]:
        """Return all rows of each layer."""
        return {
            layer: self._whole[layer] if layer in self._whole else torch.cat(self._parts.pop(layer))
            for layer in self.layers
        }
