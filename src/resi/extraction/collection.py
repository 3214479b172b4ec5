"""The representations that one network computes for a set of samples, layer by layer."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from resi.errors import UsageError, unknown_name
from resi.representation import Representation, hash_samples

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    from resi.specs import Layout


class Representations(Mapping[str, "Tensor"]):
    """Layers of one network by name, their rows belonging to the same samples; files are read when a layer is used.

    Parameters
    ----------
    layers : mapping from name to Representation
        In the order of the network; all with the hash of ``samples``.
    samples : sequence of str
        Ids of the samples, row by row.
    name : str
        What a person knows the network by.
    about : mapping from layer to mapping
        What is known of how each was made: weights, data, pooling, versions.

    Raises
    ------
    UsageError
        If a layer has another number of rows than there are samples.
    """

    def __init__(
        self,
        layers: Mapping[str, Representation],
        samples: Sequence[str],
        name: str = "",
        about: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self.layers = dict(layers)
        self.samples = tuple(samples)
        self.name = name
        self.about = dict(about or {})
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
        """Return representations that are in memory; without ids of samples, these are the numbers of the rows."""
        n_samples = len(next(iter(tensors.values()))) if tensors else 0
        ids = [str(row) for row in range(n_samples)] if samples is None else list(samples)
        digest = hash_samples(ids)
        layers = {
            layer: Representation(
                key=f"{name}:{layer}",
                size=tuple(tensor.shape),
                layout=(layouts or {}).get(layer, "nd"),
                samples=digest,
                load=functools.partial(_same, tensor),
                label=layer,
            )
            for layer, tensor in tensors.items()
        }
        return cls(layers, ids, name)

    def __getitem__(self, layer: str) -> Tensor:
        """Return the array of a layer, samples first."""
        if layer not in self.layers:
            raise unknown_name("layer", layer, list(self.layers))
        return self.layers[layer].load()  # type: ignore[return-value]

    def __iter__(self) -> Iterator[str]:
        return iter(self.layers)

    def __len__(self) -> int:
        return len(self.layers)

    def __contains__(self, layer: object) -> bool:
        return layer in self.layers


def _same(tensor: Tensor) -> Tensor:
    return tensor
