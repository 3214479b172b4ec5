"""The releases of the benchmark's publishers, as stated by the domains."""

from __future__ import annotations

from dataclasses import dataclass

KNOWN = "known"
"""A public listing, or published results, show that it exists."""
DESCRIBED = "described"
"""Only the publishers' description says so."""
EVIDENCE = {
    KNOWN: "known to be there",
    DESCRIBED: "only by the publishers' description",
}


@dataclass(frozen=True)
class Holding:
    """Known or described contents of a release: models of architectures on datasets, or results about them.

    Attributes
    ----------
    architectures, datasets : tuple of str
        Their names here.
    evidence : {"known", "described"}
        How its existence is known.
    """

    architectures: tuple[str, ...]
    datasets: tuple[str, ...]
    evidence: str = KNOWN


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
    named : str
        The file's name as far as it is known, for people.
    size : int
        Its bytes, where they are known without asking; else 0.
    kinds : tuple of str
        The kinds of settings in it, such as ``shortcut``; empty for all.
    holdings : tuple of Holding
        What is in it.
    place : str
        Where a file without a record lies.
    """

    record: str
    files: str
    folder: str
    first: str = ".*"
    keep: str = ".*"
    named: str = ""
    size: int = 0
    kinds: tuple[str, ...] = ()
    holdings: tuple[Holding, ...] = ()
    place: str = ""

    @property
    def title(self) -> str:
        """The file's name for people: a pattern's dots are quoted."""
        return self.named or self.files.replace("\\", "")

    @property
    def evidence(self) -> str:
        """How it is known that the file is there: by the best known of what it holds."""
        found = {holding.evidence for holding in self.holdings}
        return KNOWN if KNOWN in found else DESCRIBED
