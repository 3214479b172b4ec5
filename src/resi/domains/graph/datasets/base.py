"""A dataset of the graph domain: one object with all facts about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from resi.domains.unchanged import check_unchanged
from resi.errors import DatasetError
from resi.fingerprints import fingerprint
from resi.specs import DatasetInfo, DatasetSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from resi.domains.graph.data import Graph


class Found(NamedTuple):
    """Files of a dataset that have been found.

    Attributes
    ----------
    folder : Path or None
        Where they lie; None for embedded data.
    hashes : str or mapping from name to str
        Their hashes: other files are another dataset.
    """

    folder: Path | None
    hashes: str | Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class GraphDataset(DatasetInfo):
    """A graph with labelled nodes.

    Attributes
    ----------
    probe_nodes : int
        Number of test nodes whose representations are compared.
    find : callable
        Takes the folder given by ``dataset.root`` or None, the folder for downloads, and whether missing files may be
        downloaded; returns a :class:`Found`, or raises ``DatasetError``. It is called when a run is planned, so
        it must not import torch or PyG unless files are missing.
    read : callable
        Takes the folder (None for embedded data), and returns the :class:`~resi.domains.graph.data.Graph`.
    recipe : int
        Version of the code that turns files into a graph; to be increased when it would give a different graph.
    published_name : str
        Its name in the published results; empty if there are none.
    hyperparameters : mapping from architecture to mapping
        Hyperparameters that differ on this dataset from those of a network on datasets it does not know, which are its
        values on graphs like Cora.
    """

    domain: ClassVar[str] = "graph"
    probe_nodes: int
    find: Callable[[Path | None, Path, bool], Found]
    read: Callable[[Any], Graph]
    recipe: int = 1
    published_name: str = ""
    hyperparameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, hash=False)

    def locate(self, root: Path | None, downloads: Path, may_download: bool = True) -> DatasetSpec:
        """Find the files, download them where they are missing, and hash them; see :meth:`Domain.locate`."""
        folder, hashes = self.find(root, downloads, may_download)
        return DatasetSpec(self.name, folder, fingerprint({"files": hashes, "recipe": self.recipe}))

    def load(self, dataset: DatasetSpec) -> Graph:
        """Read the graph that :meth:`locate` has found.

        Raises
        ------
        DatasetError
            If its files are damaged, or have changed since.
        """
        if self.embedded:
            return self.read(None)
        folder = dataset.folder
        if folder is None:
            raise DatasetError(f"dataset={self.name} was not located: its folder is not known")
        graph = self.read(folder)
        check_unchanged(dataset, self.locate(folder, folder, may_download=False))
        return graph
