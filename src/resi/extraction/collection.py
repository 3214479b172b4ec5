"""The representations that one network computes for a set of samples, layer by layer."""

from __future__ import annotations

import dataclasses
import difflib
import fnmatch
import functools
import math
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from resi.errors import UsageError
from resi.extraction.shown import html_table, text_lines
from resi.representation import Representation, hash_samples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from torch import Tensor

    from resi.specs import Layout


HEADINGS = ("layer", "shape", "layout", "type")
# Below this many bytes a layer is shown in kB, and so are the others.
SMALL = 1e5
# Layers that are shown as text.
MOST_ROWS = 40
# And in messages.
MOST_NAMED = 12
# Bytes of a number of each type.
WIDTHS = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2}


class Representations(Mapping[str, "Tensor"]):
    """Layers of one network by name, their rows belonging to the same samples; files are read when a layer is used.

    Parameters
    ----------
    layers : mapping from name to Representation
        In the order of the network; all with the hash of ``samples``.
    samples : sequence of str
        Ids of the samples, row by row.
    name : str
        Name of the network, for people.
    about : mapping from layer to mapping
        How each layer was made: weights, data, pooling, versions.
    dtypes : mapping from layer to str
        Types of the arrays, such as ``float32``, where they are known before an array is read.

    Raises
    ------
    UsageError
        If a layer has another number of rows than there are samples.

    Examples
    --------
    >>> import torch
    >>> reps = Representations.from_tensors({"conv1": torch.zeros(3, 8), "fc": torch.ones(3, 2)}, ["a", "b", "c"])
    >>> reps["fc"].shape, reps.samples
    (torch.Size([3, 2]), ('a', 'b', 'c'))
    >>> list(reps.subset("conv*"))
    ['conv1']
    """

    def __init__(
        self,
        layers: Mapping[str, Representation],
        samples: Sequence[str],
        name: str = "",
        about: Mapping[str, Mapping[str, Any]] | None = None,
        dtypes: Mapping[str, str] | None = None,
    ) -> None:
        self.layers = dict(layers)
        self.samples = tuple(samples)
        self.name = name
        self.about = dict(about or {})
        self.dtypes = dict(dtypes or {})
        for layer, found in self.layers.items():
            if found.size[0] != len(self.samples):
                raise UsageError(f"layer {layer} has {found.size[0]} rows, but there are {len(self.samples)} samples")

    @classmethod
    def from_tensors(
        cls,
        tensors: Mapping[str, Tensor],
        samples: Sequence[str] | None = None,
        layouts: Mapping[str, Layout] | None = None,
        name: str = "",
    ) -> Representations:
        """Return representations in memory; without ids, samples are numbered by row."""
        n_samples = len(next(iter(tensors.values()))) if tensors else 0
        ids = [str(row) for row in range(n_samples)] if samples is None else list(samples)
        digest = hash_samples(ids)
        origin = uuid.uuid4().hex  # other tensors under the same names are other numbers
        layers = {
            layer: Representation(
                key=f"{name}:{layer}:{origin}",
                size=tuple(tensor.shape),
                layout=(layouts or {}).get(layer, "nd"),
                samples=digest,
                load=functools.partial(_same, tensor),
                label=layer,
                itemsize=tensor.itemsize,
            )
            for layer, tensor in tensors.items()
        }
        dtypes = {layer: str(tensor.dtype).removeprefix("torch.") for layer, tensor in tensors.items()}
        return cls(layers, ids, name, dtypes=dtypes)

    def subset(self, *patterns: str) -> Representations:
        """Return the layers that match any of the shell-style patterns, such as ``layer3.*``, in their order.

        Raises
        ------
        UsageError
            If a pattern matches no layer.
        """
        for pattern in patterns:
            if not any(fits_any(layer, [pattern]) for layer in self.layers):
                raise unknown_layer(self.name, pattern, list(self.layers))
        kept = [layer for layer in self.layers if fits_any(layer, patterns)]
        return Representations(
            {layer: self.layers[layer] for layer in kept},
            self.samples,
            self.name,
            {layer: self.about[layer] for layer in kept if layer in self.about},
            {layer: self.dtypes[layer] for layer in kept if layer in self.dtypes},
        )

    def of_samples(self, samples: Sequence[str]) -> Representations:
        """Return the rows of the given samples in the given order, for example to match another collection.

        Raises
        ------
        UsageError
            If a sample is missing, or an id belongs to several rows.
        """
        places = {sample: row for row, sample in enumerate(self.samples)}
        if len(places) < len(self.samples):
            raise UsageError(f"{self.name or 'representations'}: several rows have the same id, so rows are ambiguous")
        if absent := [sample for sample in samples if sample not in places]:
            more = f" and {len(absent) - 1} more" if len(absent) > 1 else ""
            raise UsageError(f"{self.name or 'representations'}: there is no sample {absent[0]!r}{more}")
        rows = [places[sample] for sample in samples]
        digest = hash_samples(samples)
        layers = {
            layer: dataclasses.replace(
                known,
                key=f"{known.key} [{hash_samples(rows)}]",
                size=(len(rows), *known.size[1:]),
                samples=digest,
                load=functools.partial(_rows, known.load, rows),
            )
            for layer, known in self.layers.items()
        }
        return Representations(layers, samples, self.name, self.about, self.dtypes)

    def __getitem__(self, layer: str) -> Tensor:
        """Return the array of a layer, samples first."""
        if layer not in self.layers:
            raise unknown_layer(self.name, layer, list(self.layers))
        return self.layers[layer].load()  # type: ignore[return-value]

    def __iter__(self) -> Iterator[str]:
        return iter(self.layers)

    def __len__(self) -> int:
        return len(self.layers)

    # Two collections are equal only if they are the same object: comparing numbers would read all of them.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def get(self, layer: object, default: Any = None) -> Any:
        """Return the array of a layer, or a default where there is none."""
        return self[layer] if isinstance(layer, str) and layer in self.layers else default

    def __contains__(self, layer: object) -> bool:
        return layer in self.layers

    def __repr__(self) -> str:
        rows = [self._headings(), *self._rows()]
        left_out = len(rows) - 1 - MOST_ROWS
        if left_out > 0:
            rows[1 + MOST_ROWS // 2 : 1 + MOST_ROWS // 2 + left_out] = [(f"... {left_out} more", "", "", "", "")]
        return "\n".join([self._title(), *(f"  {line}" for line in text_lines(rows) if self.layers)])

    def _repr_html_(self) -> str:
        """Return the table of layers that notebooks show."""
        return html_table(self._headings(), self._rows(), self._title())

    def _title(self) -> str:
        counts = [f"{len(self)} layer{'s' * (len(self) != 1)}", f"{len(self.samples)} samples"]
        return f"Representations{f' of {self.name}' if self.name else ''}: {', '.join(counts)}"

    def _headings(self) -> tuple[str, ...]:
        return (*HEADINGS, "kB" if self._is_small() else "MB")

    def _is_small(self) -> bool:
        known = [count for count in map(self._bytes, self.layers) if count is not None]
        return bool(known) and min(known) < SMALL

    def _bytes(self, layer: str) -> int | None:
        width = WIDTHS.get(self.dtypes.get(layer, ""))
        return None if width is None else width * math.prod(self.layers[layer].size)

    def _rows(self) -> list[tuple[str, ...]]:
        rows: list[tuple[str, ...]] = []
        unit = 1e3 if self._is_small() else 1e6
        for layer, found in self.layers.items():
            size, dtype = " x ".join(map(str, found.size)), self.dtypes.get(layer, "")
            count = self._bytes(layer)
            rows.append((layer, size, found.layout, dtype, "" if count is None else f"{count / unit:.1f}"))
        return rows


def fits_any(layer: str, patterns: Iterable[str]) -> bool:
    """Return whether a name matches any of the shell-style patterns, or is one of them, as ``lstm[1]``."""
    return any(layer == pattern or fnmatch.fnmatchcase(layer, pattern) for pattern in patterns)


def unknown_layer(of: str, pattern: str, known: Sequence[str]) -> UsageError:
    """Return the error for a name or pattern that matches no layer, with the nearest names and some known ones."""
    near = difflib.get_close_matches(pattern, known, n=3, cutoff=0.5)
    guess = f"; did you mean {' or '.join(near)}?" if near else "."
    more = f" and {len(known) - MOST_NAMED} more" if len(known) > MOST_NAMED else ""
    listing = ", ".join(known[:MOST_NAMED]) or "none"
    return UsageError(f"unknown layer{f' of {of}' if of else ''}: {pattern!r}{guess} Known: {listing}{more}.")


def _rows(load: Callable[[], Any], rows: list[int]) -> Any:
    return load()[rows]


def _same(tensor: Tensor) -> Tensor:
    return tensor
