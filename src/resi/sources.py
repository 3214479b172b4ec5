"""What a data root remembers of the files its models come from, so that later stages can do without them.

The identity of every artifact holds a hash of its dataset's files, and of a published model's. A machine that only
compares has no other use for these files; it takes the hashes that the machine which read them has left here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from resi.errors import ArtifactError, DatasetError

if TYPE_CHECKING:
    from pathlib import Path

    from resi.domains.base import DatasetSpec, ModelSpec

SHOWN_DIGITS = 12


@dataclass(frozen=True)
class Sources:
    """Hashes of datasets and published models, one small file each, below ``sources/`` of the data root."""

    root: Path

    def remember_dataset(self, domain: str, dataset: DatasetSpec) -> None:
        """Note the content of a dataset; one that comes with resi is known anyway."""
        if dataset.folder is not None:
            self._remember(self._folder(domain, dataset.name), "dataset", dataset.content)

    def dataset(self, domain: str, name: str, absent: DatasetError) -> DatasetSpec:
        """Return a dataset that has been seen, without its files.

        Raises
        ------
        DatasetError
            The given one, of its files' absence, if none or several versions of it have been seen.
        """
        from resi.domains.base import DatasetSpec

        return DatasetSpec(name, None, self._recall(self._folder(domain, name), "dataset", absent))

    def remember_checkpoint(self, model: ModelSpec) -> None:
        """Note the hash of a published model's file."""
        self._remember(self._folder(model.domain, model.dataset), _label(model), model.checkpoint)

    def checkpoint(self, model: ModelSpec, absent: DatasetError) -> str:
        """Return the hash of a published model's file that has been seen.

        Raises
        ------
        DatasetError
            As of datasets.
        """
        return self._recall(self._folder(model.domain, model.dataset), _label(model), absent)

    def _folder(self, domain: str, dataset: str) -> Path:
        return self.root / "sources" / domain / dataset

    def _remember(self, folder: Path, label: str, content: str) -> None:
        from resi.store import write_text

        path = folder / f"{label}-{content[:SHOWN_DIGITS]}.json"
        if not path.is_file():
            write_text(path, json.dumps({"sha256": content}))

    def _recall(self, folder: Path, label: str, absent: DatasetError) -> str:
        paths = sorted(folder.glob(f"{label}-{'[0-9a-f]' * SHOWN_DIGITS}.json"))
        if not paths:
            raise absent
        if len(paths) > 1:
            raise DatasetError(
                f"{absent} (The data root has made use of {len(paths)} versions of it and cannot tell which is meant: "
                f"{folder / label}-*.json)"
            ) from absent
        try:
            return str(json.loads(paths[0].read_text(encoding="utf-8"))["sha256"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ArtifactError(f"{paths[0]} is damaged: {error}. Delete it.") from error


def _label(model: ModelSpec) -> str:
    return f"{model.architecture}-{model.setting}-s{model.seed}"
