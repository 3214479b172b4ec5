"""Data available to runs: datasets in the data root, caches of other libraries; and the locks held on them."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from resi.errors import DatasetError, count_of
from resi.store import locks
from resi.store.files import list_files
from resi.store.root import Store
from resi.upkeep.checks import Check, missing, ok
from resi.upkeep.forms import files_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from resi.published.datasets import Source

DATASETS, CACHES, LOCKS = "datasets", "caches", "locks"
SHOWN_LOCKS = 5
LARGEST_CHECKED = 10**9
"""Bytes read to check whether datasets are complete."""


def held_locks(root: Path) -> Iterator[Check]:
    """Yield lines about the locks that processes hold, and about those left by ended processes."""
    held, free, stale = [], 0, 0
    for lock in Store(root).lock_files():
        if locks.seems_held(lock):
            held.append(f"{locks.holder(lock)}: {lock.stem}")
        else:
            free += 1
            stale += locks.note_of(lock).exists()
    if held:
        for number, text in enumerate(held[:SHOWN_LOCKS], 1):
            yield ok(LOCKS, f"held {number}", text)
        if len(held) > SHOWN_LOCKS:
            yield ok(LOCKS, "held", f"{len(held)} locks: runs are in progress")
    if stale:
        text = f"{stale} were held by killed processes; they block nobody, and resi clean lists them"
        yield ok(LOCKS, "stale locks", text)
    elif not held:
        yield ok(LOCKS, "held locks", f"none; {free} free lock files")


def datasets(root: Path) -> Iterator[Check]:
    """Yield a line about the datasets shipped with resi, and lines about the downloadable ones in the data root."""
    from resi import registry
    from resi.published.datasets import dataset_sources

    sources = dataset_sources()
    embedded = [item.name for domain in registry.usable_domains() for item in domain.datasets() if item.embedded]
    yield ok(DATASETS, "built in", ", ".join(embedded))
    for name, source in sources.items():
        folder = Store(root).datasets / source.domain.name
        how = source.dataset.by_hand or f"resi download {name}"
        if not folder.is_dir():
            yield missing(DATASETS, name, "not in the data root", how)
        elif _size(folder, LARGEST_CHECKED) > LARGEST_CHECKED:
            yield ok(DATASETS, name, f"not checked: {folder} has too many files")
        else:
            yield _dataset(name, source, root, how)


def _dataset(name: str, source: Source, root: Path, how: str) -> Check:
    """Return the line about a dataset; one of which a part is there is told by the folder that its error names."""
    try:
        source.locate(root)
    except DatasetError as error:
        for folder in list_files(Store(root).datasets / source.domain.name, "*"):
            is_named = re.search(rf"{re.escape(str(folder))}(?![\w-])", str(error))
            if is_named and any(not path.name.startswith(".") for path in files_of(folder)):
                text = (
                    f"incomplete: {folder} does not have all its files" if " is not in " in str(error) else str(error)
                )
                return missing(DATASETS, name, text, how)
        return missing(DATASETS, name, "not in the data root", how)
    return ok(DATASETS, name, "complete")


def _size(folder: Path, enough: int) -> int:
    """Return the bytes of files in a folder, counting only until ``enough``."""
    total = 0
    for above, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += (Path(above) / name).lstat().st_size
            if total > enough:
                return total
    return total


def caches(_root: Path) -> Iterator[Check]:
    """Yield lines about the downloads of other libraries, and whether they may download more."""
    from resi.estimates.fetching import hub_cache

    hub = hub_cache()
    offline = [name for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE") if _is_on(name)]
    may = f"; {' and '.join(offline)} forbid further downloads" if offline else ""
    models = len(list(hub.glob("models--*"))) if hub.is_dir() else 0
    yield from _cache("hub", hub, f"{count_of(models, 'model')} from the hub", models, may)
    home = os.environ.get("TORCH_HOME") or Path(os.environ.get("XDG_CACHE_HOME", "~/.cache"), "torch")
    weights = Path(home).expanduser() / "hub" / "checkpoints"
    count = sum(1 for path in weights.glob("*") if path.is_file()) if weights.is_dir() else 0
    yield from _cache("torch", weights, f"{count} weight files of torchvision", count, "")


def _cache(name: str, folder: Path, text: str, count: int, may: str) -> Iterator[Check]:
    if count:
        yield ok(CACHES, name, f"{text} in {folder}{may}")
    elif may:
        advice = f"download models on a machine with network access, and copy the folder to {folder}"
        yield missing(CACHES, name, f"nothing in {folder}{may}", advice)
    else:
        yield missing(CACHES, name, f"nothing in {folder}: pretrained models are downloaded on first use")


def _is_on(name: str) -> bool:
    return os.environ.get(name, "").upper() in ("1", "ON", "YES", "TRUE")
