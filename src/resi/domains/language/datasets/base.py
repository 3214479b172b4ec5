"""A dataset of labelled texts as one object: its facts, and how its files are found, downloaded and hashed.

A folder holds either what ``datasets`` writes with ``save_to_disk`` (a folder for each split), or a Parquet or TSV file
for each split. Splits may have the names of the hub or of the GLUE archives.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from resi.domains.groups import split_setting
from resi.errors import DatasetError
from resi.fingerprints import fingerprint, hash_file
from resi.specs import DatasetInfo, DatasetSpec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

# Increase it when the code that converts files to texts and labels gives different results.
RECIPE = 1
SUFFIXES = (".parquet", ".tsv")


@dataclass(frozen=True)
class PromptStyle:
    """The prompt for causal language models.

    Attributes
    ----------
    instruction : str
        First line, which ends in a full stop.
    fields : tuple of str
        Label before each text.
    options : tuple of str
        In the order of the letters.
    letters : str
        The letter of each class, the new ones of random labels included, in the order of the labels.
    """

    instruction: str
    fields: tuple[str, ...]
    options: tuple[str, ...]
    letters: str


@dataclass(frozen=True, kw_only=True)
class TextDataset(DatasetInfo):
    """A dataset of sentences, or of pairs of them, with one label per row.

    Attributes
    ----------
    columns : tuple of str
        The columns of text.
    classes : tuple of str
        Names of the labels, in the order of their numbers.
    splits : mapping
        For each split that is needed, ``train`` and ``validation`` among them, the names it may have.
    probe_split : str
        The split that is the probe set: all of it, in its order.
    probe_size : int
        Number of its rows.
    shortcut_rates : mapping from level to rate
        Share of rows whose hint is their own label, at the levels 0, 25, 50, 75 and 100. At level 0 it is the share of
        the largest class, so that the hint is uninformative.
    prompt : PromptStyle
        The prompt for causal language models.
    other_names : mapping
        Names of columns in some files, and their names here.
    hub : tuple of str
        Repository and, where it has several, configuration.
    folder : Path, optional
        Folder of its files if they are part of the package that defines it; nothing is downloaded then.
    fine_tuning : mapping
        Hyperparameters for fine-tuning pre-trained encoders, which override the common ones.
    fine_tuning_by_kind : mapping
        Those that differ in some kinds of settings, such as ``shortcut``.
    hyperparameters : mapping from architecture to mapping
        Hyperparameters that differ on this dataset from the network's own. Without them, pre-trained encoders have
        those of ``fine_tuning``, all others their own.
    published_name : str
        Its name in the published results; empty if there is none.
    published_folder : str
        Its name in the folder names of published encoders.
    published_line : int
        Line of the published notebook with the instruction that published causal models were trained with.
    """

    domain: ClassVar[str] = "language"
    columns: tuple[str, ...]
    classes: tuple[str, ...]
    splits: Mapping[str, tuple[str, ...]]
    probe_split: str
    probe_size: int
    shortcut_rates: Mapping[int, float]
    prompt: PromptStyle
    other_names: Mapping[str, str] = field(default_factory=dict)
    hub: tuple[str, ...] = ()
    folder: Path | None = None
    fine_tuning: Mapping[str, Any] = field(default_factory=dict)
    fine_tuning_by_kind: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    hyperparameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    published_name: str = ""
    published_folder: str = ""
    published_line: int = 0

    def rate(self, setting: str) -> float:
        """Return the rate of a setting as a number from 0 to 1; of ``standard`` it is 0.

        Between the levels of ``shortcut_rates``, rates of hints lie on a line.
        """
        kind, level = split_setting(setting)
        if kind != "shortcut":
            return level / 100
        if level in self.shortcut_rates:
            return self.shortcut_rates[level]
        below = max(known for known in self.shortcut_rates if known < level)
        above = min(known for known in self.shortcut_rates if known > level)
        low, high = self.shortcut_rates[below], self.shortcut_rates[above]
        return low + (high - low) * (level - below) / (above - below)

    def locate(self, root: Path | None, downloads: Path, may_download: bool = True) -> DatasetSpec:
        """Find the files and hash them; what is missing is downloaded into ``downloads`` if no folder is named.

        Parameters
        ----------
        root : Path, optional
            The folder that a user names.

        Raises
        ------
        DatasetError
            Naming what is missing and where it goes.
        """
        if self.folder is not None:
            return self.read_spec(self.folder)
        if root is not None:
            if missing := self._missing(root):
                raise DatasetError(f"dataset.root={root} holds no {self.name}: {self._expected(missing)}")
            return self.read_spec(root)
        folder = downloads / self.domain / self.name
        if self._missing(folder):
            if not may_download:
                raise DatasetError(
                    f"{self.name} is not in {folder} yet; a run downloads it, or reads it from dataset.root=FOLDER"
                )
            self._download(folder)
        return self.read_spec(folder)

    def split_path(self, folder: Path, split: str) -> Path | None:
        """Return the file of a split, or its folder if ``save_to_disk`` wrote it; None if it is not there."""
        for name in self.splits[split]:
            for suffix in SUFFIXES:
                if (folder / f"{name}{suffix}").is_file():
                    return folder / f"{name}{suffix}"
            if (folder / name / "dataset_info.json").is_file():
                return folder / name
        return None

    def read_spec(self, folder: Path) -> DatasetSpec:
        """Return the dataset with the current hash of its files."""
        hashes = {}
        for split in self.splits:
            path = self.split_path(folder, split)
            if path is None:
                raise DatasetError(f"{folder} has no split {split} of {self.name} any more")
            hashes[split] = [hash_file(file) for file in _data_files(path)]
        return DatasetSpec(self.name, folder, fingerprint({"files": hashes, "recipe": RECIPE}))

    def _missing(self, folder: Path) -> list[str]:
        return [split for split in self.splits if self.split_path(folder, split) is None]

    def _expected(self, missing: list[str]) -> str:
        names = " and ".join(" or ".join(self.splits[split]) for split in missing)
        return (
            f"expected {names} as .parquet or .tsv with the columns {', '.join((*self.columns, 'label'))}, or as "
            "folders that datasets' save_to_disk has written"
        )

    def _download(self, folder: Path) -> None:
        """Download from the hub and save; what another process has saved meanwhile is taken."""
        from resi.store.downloads import download_lock

        call = f"datasets.load_dataset({', '.join(repr(name) for name in self.hub)})"
        with download_lock(folder):
            if not self._missing(folder):
                return
            try:
                import datasets

                splits = datasets.load_dataset(*self.hub)
                for names in self.splits.values():
                    splits[names[0]].save_to_disk(folder / names[0])
            except Exception as error:  # for every error of the network, the remedy is the same
                reason = (str(error) or type(error).__name__).splitlines()[0]
                raise DatasetError(
                    f"{self.name} is not in {folder} and cannot be downloaded from the hub ({type(error).__name__}: "
                    f"{reason}). Where there is a network, run {call}.save_to_disk(FOLDER), copy the folder here, and "
                    f"name it with dataset.root=FOLDER; {self._expected(self._missing(folder))}"
                ) from error


def _data_files(path: Path) -> Iterator[Path]:
    yield from sorted(path.glob("*.arrow")) if path.is_dir() else [path]
