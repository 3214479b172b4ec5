"""The contents of a data root, found without changing or locking anything."""

from __future__ import annotations

import functools
import os
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from resi.errors import UsageError
from resi.store.files import list_files
from resi.store.representations import OUTPUTS
from resi.store.root import Store
from resi.sweeps import records
from resi.upkeep.finders import find_items, metadata
from resi.upkeep.forms import files_below, is_link, is_of
from resi.upkeep.references import StoredModel, StoredRepresentation, find_references

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from resi.upkeep.items import Item


class Inventory(NamedTuple):
    """The contents of a data root.

    Attributes
    ----------
    problems : list of str
        Why it is unknown whether some items are referenced; these count as referenced.
    """

    root: Path
    items: list[Item]
    problems: list[str]


def take_inventory(root: Path) -> Inventory:
    """Return the contents of a data root.

    Raises
    ------
    UsageError
        If the folder is not a data root.
    """
    check_root(root)
    store = Store(root)
    items, problems = _with_references(store, [*find_items(store)])
    return Inventory(root, items, problems)


def check_root(root: Path) -> None:
    """Raise ``UsageError`` unless a folder is a data root, with locks, results or notes of runs."""
    store = Store(root)
    if not root.is_dir():
        what = "is not a folder" if root.is_symlink() or root.exists() else "does not exist"
        raise UsageError(f"{root} {what}; name a data root with --root or RESI_HOME")
    if not is_data_root(store):
        raise UsageError(
            f"{root} is not a data root: it has no locks, shards or notes of runs; name one with --root or RESI_HOME"
        )


def is_data_root(store: Store) -> bool:
    """Return whether a folder has traces of runs, which are recognised by names that only resi gives."""
    return any(_traces(store))


def _traces(store: Store) -> Iterator[bool]:
    def has(kind: str, paths: Iterable[Path]) -> bool:
        return any(is_of(kind, path, store.root) for path in paths)

    yield has("locks", store.lock_files())
    yield has("shards", list_files(store.shards, "*"))
    yield has("sources", list_files(store.sources, "*/*"))
    yield has("sources", list_files(store.sources, "*/*/*.json"))
    yield any(list_files(store.sweeps, f"*/{records.PLANNED_FILE}"))
    yield has("downloads", list_files(store.downloads, "*/*.unpacked"))
    for kind, folder in (("models", store.models), ("representations", store.representations)):
        yield any(is_of(kind, path, store.root) and metadata(path) for path in files_below(folder))


def _with_references(store: Store, items: list[Item]) -> tuple[list[Item], list[str]]:
    """Add to models, representations and trainings whether something refers to them."""
    of_kind = {kind: [item for item in items if item.kind == kind] for kind in ("models", "representations")}
    models = [model for item in of_kind["models"] if (model := _as_model(item)) is not None]
    representations = [
        found for item in of_kind["representations"] if (found := _as_representation(store, item)) is not None
    ]
    referred, problems = find_references(store, models, representations)
    trained = {model.fingerprint for model in models}
    known = {model.path for model in models} | {found.path for found in representations}
    real = _real_paths()
    used = {real(path) for path in referred}
    said = []
    for item in items:
        if item.path in known and real(item.path) not in used and not is_link(item.path):
            said.append(replace(item, reason="no shard refers to it"))
        elif item.kind == "trainings" and item.path.name.partition(".")[0] in trained:
            said.append(replace(item, reason="its model is trained"))
        else:
            said.append(item)
    return said, problems


def _real_paths() -> Callable[[Path], str]:
    """Return what gives the real path of a file: by links, one file can lie at several paths."""
    real_folder = functools.cache(os.path.realpath)
    return lambda path: os.path.realpath(path) if path.is_symlink() else f"{real_folder(path.parent)}/{path.name}"


def _as_model(item: Item) -> StoredModel | None:
    try:
        spec = item.about["spec"]
        place = (spec["domain"], spec["dataset"], spec["architecture"], spec["setting"], int(spec["seed"]))
        return StoredModel(item.path, str(item.about["fingerprint"]), *place)
    except (LookupError, TypeError, ValueError):
        return None


def _as_representation(store: Store, item: Item) -> StoredRepresentation | None:
    try:
        domain, dataset, architecture, model, _ = item.path.relative_to(store.representations).parts
        setting, _, seed = model.rpartition("-s")
        key, made_by, probe = (str(item.about[name]) for name in ("key", "model", "probe"))
        place = domain, dataset, architecture, setting, int(seed), str(item.about.get("layer", OUTPUTS))
        return StoredRepresentation(item.path, key, made_by, probe, *place)
    except (LookupError, TypeError, ValueError):
        return None
