"""Representations, logits and accuracies on disk: one file per layer, one for the outputs."""

from __future__ import annotations

import contextlib
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from resi.errors import ArtifactError
from resi.fingerprints import fingerprint
from resi.measures.shapes import least_precise
from resi.representation import Representation, hash_samples
from resi.store.streams import stream_tensor
from resi.store.tensors import read_metadata, read_tensors, write_tensors

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import torch
    from torch import Tensor

    from resi.specs import Extraction, ModelSpec, ProbeSpec
    from resi.store.root import Store

DTYPE = "float32"
# Raise it when extraction would give other numbers for the same model.
EXTRACTION_VERSION = 2
OUTPUTS = "outputs"


@dataclass(frozen=True)
class RepresentationStore:
    """Reads and writes what models compute on probe sets."""

    store: Store

    def key(self, model: ModelSpec, probe: ProbeSpec, layer: str) -> str:
        """Return the identity of one layer's representation, known before it exists."""
        of_another = {} if probe.dataset is None else {"dataset": probe.dataset.name, "content": probe.dataset.content}
        return fingerprint(
            {
                "model": model.fingerprint,
                "probe": probe.probe,
                "pooling": probe.pooling,
                "layer": layer,
                "dtype": DTYPE,
                "version": EXTRACTION_VERSION,
                **of_another,
            }
        )

    def path(self, model: ModelSpec, probe: ProbeSpec, layer: str) -> Path:
        """Return where a layer lies."""
        folder = self.store.representations / model.folder / f"{model.setting}-s{model.seed}"
        return folder / f"{probe.place}-{layer}-{self.key(model, probe, layer)[:12]}.safetensors"

    def has(self, model: ModelSpec, probe: ProbeSpec) -> bool:
        """Return whether all layers and the outputs are there."""
        return all(self.path(model, probe, layer).is_file() for layer in (*probe.layers, OUTPUTS))

    def save(self, model: ModelSpec, probe: ProbeSpec, pieces: Iterable[Extraction]) -> None:
        """Write the rows of every layer as they arrive, and the outputs last; only one piece is in memory at a time.

        Parameters
        ----------
        pieces : iterable of Extraction
            Rows in order; together they are the whole probe set.
        """
        about: dict[str, Any] = {
            "model": model.fingerprint,
            "label": model.label,
            "probe": probe.place,
            "pooling": probe.pooling,
        }
        samples: list[object] = []
        logits: list[Tensor] = []
        correct = 0.0
        dtypes: dict[str, set[torch.dtype]] = {layer: set() for layer in probe.layers}
        with contextlib.ExitStack() as stack:
            files = {
                layer: stack.enter_context(stream_tensor(self.path(model, probe, layer), "representation"))
                for layer in probe.layers
            }
            for piece in pieces:
                for layer, file in files.items():
                    rows = piece.representations[layer]
                    dtypes[layer].add(least_precise(rows.dtype, piece.precision.get(layer, rows.dtype)))
                    file.append(rows.float())
                samples += piece.samples
                logits.append(piece.logits.float().cpu())
                correct += piece.accuracy * len(piece.samples)
                layout = piece.layout
            about["samples"] = hash_samples(samples)
            for layer, file in files.items():
                dtype = str(least_precise(*dtypes[layer])).removeprefix("torch.")
                key = self.key(model, probe, layer)
                file.metadata = {**about, "key": key, "layer": layer, "layout": layout, "dtype": dtype}
        outputs = {"logits": _join(logits)}
        # The classes of another dataset are not the model's.
        accuracy = correct / len(samples) if probe.dataset is None else None
        about |= {"key": self.key(model, probe, OUTPUTS), "accuracy": accuracy}
        write_tensors(self.path(model, probe, OUTPUTS), outputs, about)

    def open(self, model: ModelSpec, probe: ProbeSpec, layer: str) -> Representation:
        """Return a stored representation, whose array is read when needed.

        Raises
        ------
        ArtifactError
            If its file is missing or damaged, or holds another representation.
        """
        path, key = self.path(model, probe, layer), self.key(model, probe, layer)
        about = read_metadata(path)
        _check_key(path, about, key)
        size = about["shapes"]["representation"]
        load = functools.partial(_load, path, key)
        return Representation(key, size, about["layout"], about["samples"], load, about["dtype"])

    def outputs(self, model: ModelSpec, probe: ProbeSpec) -> tuple[Tensor, dict[str, Any]]:
        """Return the logits, shape (n_samples, n_classes), and the metadata with the accuracy.

        Raises
        ------
        ArtifactError
            As of representations.
        """
        path = self.path(model, probe, OUTPUTS)
        tensors, metadata = read_tensors(path)
        _check_key(path, metadata, self.key(model, probe, OUTPUTS))
        return tensors["logits"], metadata


def _load(path: Path, key: str) -> Tensor:
    tensors, metadata = read_tensors(path)
    _check_key(path, metadata, key)
    return tensors["representation"]


def _check_key(path: Path, metadata: Mapping[str, Any], key: str) -> None:
    """Check that a file holds what its name says."""
    if metadata.get("key") != key:
        found = metadata.get("label", "another model"), metadata.get("probe"), metadata.get("layer", OUTPUTS)
        held = f"{path} holds something else: {found[0]}, {found[1]}, layer {found[2]}."
        raise ArtifactError(held, path, "Its run recomputes it.")


def _join(pieces: list[Tensor]) -> Tensor:
    import torch

    return pieces[0] if len(pieces) == 1 else torch.cat(pieces)
