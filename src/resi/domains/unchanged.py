"""Checks that datasets have not changed between planning and reading."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resi.errors import DatasetError

if TYPE_CHECKING:
    from resi.specs import DatasetSpec


def check_unchanged(dataset: DatasetSpec, found: DatasetSpec) -> None:
    """Check that the files which have just been read are those that a run was planned with.

    Parameters
    ----------
    found : DatasetSpec
        The dataset as found after reading.

    Raises
    ------
    DatasetError
        If they have been replaced in the meantime, for example while the run waited for another one.
    """
    if found.content != dataset.content:
        raise DatasetError(f"the files of {dataset.name} in {dataset.folder} changed after the run began; run again")
