"""What the custom domain provides, as plain data; files are opened when they are needed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from resi.choices import Protocol
from resi.domains.custom.selection import DEFAULT_DATASET, Selection, select
from resi.domains.custom.source import GivenRepresentations, check_samples
from resi.domains.custom.table import OWN, Table, read_table
from resi.domains.given import Chosen, Content, GivenDomain
from resi.errors import UsageError
from resi.specs import ArchitectureInfo, DatasetInfo, DatasetSpec, ProbeSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from resi.specs import ModelSpec
    from resi.store.known_files import KnownFiles

PROBE = "given"
"""Name of the input in results: the samples of the given representations."""
CONTENT = "given"
"""Placeholder for a dataset's content: a representation is identified by its own content."""


@dataclass
class CustomModelConfig:
    """No hyperparameters: models are not trained."""


class CustomDomain(GivenDomain):
    """Representations of a user's own models.

    Parameters
    ----------
    protocol : Protocol or str
        Of the run.
    representation : str, optional
        The layer for tests between models; by default the last.
    table : Table, optional
        The representations; by default read from ``dataset.root``.
    selection : Selection, optional
        The rows that a run uses, see :meth:`bound`.
    """

    name = "custom"
    title = "representations of your own models, listed in a table: dataset.root=MANIFEST.csv"
    extra = ""
    default_dataset = DEFAULT_DATASET
    default_models = (OWN,)
    model_config = CustomModelConfig

    def __init__(
        self,
        protocol: str = Protocol.corrected,
        representation: str | None = None,
        table: Table | None = None,
        selection: Selection | None = None,
    ) -> None:
        super().__init__(protocol)
        self._layer = representation
        self._table = table
        self._selection = selection

    def datasets(self) -> tuple[DatasetInfo, ...]:
        """Return what stands for the one dataset that a table has."""
        title = "the dataset that your own table of representations names, or its file's name"
        return (DatasetInfo(DEFAULT_DATASET, title, "dataset.root=MANIFEST.csv, see docs/custom.md"),)

    def architectures(self) -> tuple[ArchitectureInfo, ...]:
        """Return what stands for the architectures that a table has."""
        return (ArchitectureInfo(OWN, "the architectures that your own table of representations names", "", ""),)

    def bound(self, chosen: Chosen) -> CustomDomain:
        """Return the domain with a run's table, and the rows that its test uses."""
        table = self._table
        if table is None:
            if chosen.root is None:
                raise UsageError(
                    "domain=custom needs dataset.root=MANIFEST: a CSV or Parquet file, one row per representation; "
                    "docs/custom.md has its columns"
                )
            table = read_table(chosen.root)
        return CustomDomain(self.protocol, self._layer, table, select(table, chosen, self._layer))

    @property
    def content(self) -> Content:
        """The rows that the run uses."""
        return self._chosen.content

    @property
    def _chosen(self) -> Selection:
        if self._selection is None:
            raise UsageError("domain=custom needs dataset.root=MANIFEST")
        return self._selection

    def source(self, known_files: KnownFiles) -> GivenRepresentations:
        """Return the representations of the run."""
        return GivenRepresentations(self._chosen, known_files)

    def check(self, models: Sequence[tuple[ModelSpec, str]]) -> None:
        """Raise ``UsageError`` unless models have the same samples in the same order."""
        rows = [self._chosen.rows[model.architecture, model.setting, model.seed, layer] for model, layer in models]
        for row in rows[1:]:
            check_samples(rows[0], row)

    def settings(self, test: str, groups: int | Sequence[str] | None) -> tuple[str, ...]:
        """Return the settings that were chosen, in the order of the table."""
        del test, groups
        return self.content.settings

    def seeds_of(self, architecture: str, setting: str, seeds: tuple[int, ...]) -> tuple[int, ...]:
        """Return the seeds of which the table has a model."""
        return tuple(seed for seed in self._chosen.seeds(architecture, setting) if seed in seeds)

    def layers_of(self, model: ModelSpec, layers: tuple[str, ...]) -> tuple[str, ...]:
        """Return the layers of which the table has a representation."""
        return self._chosen.layers_of(model.architecture, model.setting, model.seed)

    def probe(self, architecture: str, dataset: str, hyperparameters: Mapping[str, Any], test: str) -> ProbeSpec:
        """Return the layers of an architecture that the test uses."""
        return ProbeSpec(PROBE, self._chosen.layers[architecture])

    def representation_size(
        self, architecture: str, dataset: str, hyperparameters: Mapping[str, Any]
    ) -> tuple[int, int] | None:
        """Return the numbers of samples and features of the last layer of the first model."""
        size = self.layer_size(architecture, dataset, hyperparameters, self._chosen.layers[architecture][-1])
        return None if size is None else (size[0], math.prod(size[1:]))

    def layer_size(
        self, architecture: str, dataset: str, hyperparameters: Mapping[str, Any], layer: str
    ) -> tuple[int, ...] | None:
        """Return the shape of a layer of the first model that has it."""
        for (name, _, _, found), row in self._chosen.rows.items():
            if (name, found) == (architecture, layer):
                return tuple(row.origin.open(row.layer).size)
        return None

    def locate(self, dataset: str, root: Path | None, downloads: Path, may_download: bool = True) -> DatasetSpec:
        """Return the dataset by its name alone."""
        return DatasetSpec(dataset, None, CONTENT)
