"""Where language datasets lie on disk: found in any of three formats, fetched from the hub where missing, and hashed.

A folder holds either what ``datasets`` writes with ``save_to_disk`` (a folder for each split), or a Parquet or TSV file
for each split. Splits may have the names of the hub or of the GLUE archives.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from resi.errors import DatasetError
from resi.fingerprints import fingerprint, hash_file
from resi.specs import DatasetSpec
from resi.store.root import make_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

# Raise it when the code that turns files into texts and labels would give others.
RECIPE = 1
REVIEWS = Path(__file__).with_name("reviews")
SUFFIXES = (".parquet", ".tsv")


@dataclass(frozen=True)
class Source:
    """What a dataset consists of.

    Attributes
    ----------
    columns : tuple of str
        The columns of text.
    classes : tuple of str
        Names of the labels, in the order of their numbers.
    splits : dict
        For each split that is needed, the names it may have.
    hub : tuple of str
        Repository and, where it has several, configuration.
    """

    columns: tuple[str, ...]
    classes: tuple[str, ...]
    splits: dict[str, tuple[str, ...]]
    hub: tuple[str, ...] = ()


_SENTIMENT = ("negative", "positive")
SOURCES = {
    "reviews": Source(("sentence",), _SENTIMENT, {name: (name,) for name in ("train", "validation", "test")}),
    "sst2": Source(
        ("sentence",), _SENTIMENT, {"train": ("train",), "validation": ("validation", "dev")}, ("stanfordnlp/sst2",)
    ),
    "mnli": Source(
        ("premise", "hypothesis"),
        ("entailment", "neutral", "contradiction"),
        {"train": ("train",), "validation": ("validation_matched", "dev_matched")},
        ("nyu-mll/glue", "mnli"),
    ),
}


def locate(dataset: str, root: Path | None, downloads: Path, may_download: bool = True) -> DatasetSpec:
    """Find a dataset and hash its files; what is missing is fetched into ``downloads`` if no folder is named.

    Raises
    ------
    DatasetError
        Naming what is missing and where it goes.
    """
    if dataset == "reviews":
        return read_spec(dataset, REVIEWS)
    if root is not None:
        if missing := _missing(dataset, root):
            raise DatasetError(f"dataset.root={root} holds no {dataset}: {_expected(dataset, missing)}")
        return read_spec(dataset, root)
    folder = downloads / "language" / dataset
    if _missing(dataset, folder):
        if not may_download:
            raise DatasetError(
                f"{dataset} is not in {folder} yet; a run fetches it, or reads it from dataset.root=FOLDER"
            )
        _fetch(dataset, folder)
    return read_spec(dataset, folder)


def split_path(dataset: str, folder: Path, split: str) -> Path | None:
    """Return the file of a split, or its folder if ``save_to_disk`` wrote it; None if it is not there."""
    for name in SOURCES[dataset].splits[split]:
        for suffix in SUFFIXES:
            if (folder / f"{name}{suffix}").is_file():
                return folder / f"{name}{suffix}"
        if (folder / name / "dataset_info.json").is_file():
            return folder / name
    return None


def read_spec(dataset: str, folder: Path) -> DatasetSpec:
    """Return a dataset with the hash of its files as they are now."""
    hashes = {}
    for split in SOURCES[dataset].splits:
        path = split_path(dataset, folder, split)
        if path is None:
            raise DatasetError(f"{folder} has no split {split} of {dataset} any more")
        hashes[split] = [hash_file(file) for file in _data_files(path)]
    return DatasetSpec(dataset, folder, fingerprint({"files": hashes, "recipe": RECIPE}))


def _data_files(path: Path) -> Iterator[Path]:
    yield from sorted(path.glob("*.arrow")) if path.is_dir() else [path]


def _missing(dataset: str, folder: Path) -> list[str]:
    return [split for split in SOURCES[dataset].splits if split_path(dataset, folder, split) is None]


def _expected(dataset: str, missing: list[str]) -> str:
    source = SOURCES[dataset]
    names = " and ".join(" or ".join(source.splits[split]) for split in missing)
    return (
        f"expected {names} as .parquet or .tsv with the columns {', '.join((*source.columns, 'label'))}, or as folders "
        "that datasets' save_to_disk has written"
    )


def _fetch(dataset: str, folder: Path) -> None:
    """Fetch a dataset from the hub and save it; what another process has saved meanwhile is taken."""
    from filelock import FileLock

    make_folder(folder)
    hub = SOURCES[dataset].hub
    call = f"datasets.load_dataset({', '.join(repr(name) for name in hub)})"
    with FileLock(folder / ".lock"):
        if not _missing(dataset, folder):
            return
        try:
            import datasets

            splits = datasets.load_dataset(*hub)
            for names in SOURCES[dataset].splits.values():
                splits[names[0]].save_to_disk(folder / names[0])
        except Exception as error:  # whatever the network raises, the remedy is the same
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise DatasetError(
                f"{dataset} is not in {folder} and cannot be fetched from the hub ({type(error).__name__}: {reason}). "
                f"Where there is a network, run {call}.save_to_disk(FOLDER), copy the folder here, and name it with "
                f"dataset.root=FOLDER; {_expected(dataset, _missing(dataset, folder))}"
            ) from error
