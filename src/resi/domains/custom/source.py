"""The representations of a run by model, probe and layer, read from their original files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from resi.errors import ShapeError, UsageError
from resi.fingerprints import fingerprint
from resi.store.representations import OUTPUTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from resi.domains.custom.selection import Selection
    from resi.domains.custom.table import Row
    from resi.representation import Representation
    from resi.specs import ModelSpec, ProbeSpec
    from resi.store.known_files import KnownFiles


@dataclass(frozen=True)
class GivenRepresentations:
    """Finds given representations and outputs, see :class:`resi.domains.given.RepresentationSource`.

    A key holds the model's names and its content: results hold both.
    """

    selection: Selection
    known_files: KnownFiles

    def key(self, model: ModelSpec, probe: ProbeSpec, layer: str) -> str:
        """Return the identity of one layer, or of the outputs, whose files are hashed for it."""
        about: dict[str, Any] = {"model": model.fingerprint, "probe": probe.probe, "layer": layer}
        if layer == OUTPUTS:
            row = self._any_row(model, probe)
            logits = None if row.logits is None else row.logits.identity(None, self.known_files.hash_file)
            return fingerprint({**about, "accuracy": row.accuracy, "logits": logits})
        row = self._row(model, layer)
        return fingerprint({**about, "content": row.origin.identity(row.layer, self.known_files.hash_file)})

    def has(self, model: ModelSpec, probe: ProbeSpec) -> bool:
        """Return True: missing files are reported when the run is planned."""
        return True

    def open(self, model: ModelSpec, probe: ProbeSpec, layer: str) -> Representation:
        """Return a representation under its key, its array to be read from its file when it is needed."""
        from dataclasses import replace

        row = self._row(model, layer)
        key = self.key(model, probe, layer)
        return replace(row.origin.open(row.layer), key=key)

    def outputs(self, model: ModelSpec, probe: ProbeSpec) -> tuple[Tensor | None, Mapping[str, Any]]:
        """Return the logits, if given, and the accuracy.

        Raises
        ------
        ShapeError
            If the logits do not match the samples of the representation.
        """
        row = self._any_row(model, probe)
        about = {} if row.accuracy is None else {"accuracy": row.accuracy}
        if row.logits is None:
            return None, about
        row.logits.identity(None, self.known_files.hash_file)
        found = row.logits.open(None)
        _check_logits(row, row.logits.label, found)
        return found.load(), about  # type: ignore[return-value]

    def _row(self, model: ModelSpec, layer: str) -> Row:
        return self.selection.rows[model.architecture, model.setting, model.seed, layer]

    def _any_row(self, model: ModelSpec, probe: ProbeSpec) -> Row:
        return self._row(model, self.selection.layers_of(model.architecture, model.setting, model.seed)[-1])


def _check_logits(row: Row, label: str, logits: Representation) -> None:
    samples = row.origin.open(row.layer).size[0]
    if len(logits.size) != 2:
        raise ShapeError(f"{label}: logits have shape {tuple(logits.size)}; expected (n_samples, n_classes)")
    if logits.size[0] != samples:
        raise ShapeError(f"{label} has logits of {logits.size[0]} samples, {row.origin.label} {samples} samples")


def check_samples(first: Row, row: Row) -> None:
    """Raise ``UsageError`` unless two rows hold the same samples in the same order."""
    ours, theirs = first.origin.samples(first.layer), row.origin.samples(row.layer)
    if ours == theirs:
        return
    if len(ours) != len(theirs):
        raise UsageError(
            f"{row.origin.label} has {len(theirs)} samples, {first.origin.label} {len(ours)}; all need the same ones"
        )
    place = next(place for place, (a, b) in enumerate(zip(ours, theirs, strict=True)) if a != b)
    order = "the same samples in another order" if sorted(ours) == sorted(theirs) else "other samples"
    raise UsageError(
        f"{row.origin.label} holds {order} than {first.origin.label}: row {place + 1} is {theirs[place]!r}, there "
        f"{ours[place]!r}"
    )
