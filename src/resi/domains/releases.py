"""Where the published models lie, as the domains' own objects state it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Release:
    """Some files of one release, which ``resi download`` puts where runs look for them.

    Attributes
    ----------
    record : str
        Number of the Zenodo record; empty where the files lie elsewhere.
    files : str
        Regular expression of their names.
    folder : str
        Where they go, below the data root.
    first : str
        Regular expression of the folder in an archive that is put there; what lies around it is left out.
    keep : str
        Regular expression of what is wanted of it, by paths that begin with that folder.
    """

    record: str
    files: str
    folder: str
    first: str = ".*"
    keep: str = ".*"
