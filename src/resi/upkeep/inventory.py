"""The contents of a data root, found without changing or locking anything."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from resi.errors import UsageError
from resi.results.shards import is_shard
from resi.store.files import list_files
from resi.store.representations import OUTPUTS
from resi.store.root import Store
from resi.sweeps import records
from resi.upkeep.finders import FINDERS, STORED_NAME, metadata
from resi.upkeep.references import StoredModel, StoredRepresentation, find_references

if TYPE_CHECKING:
    from collections.abc import Iterator
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
    items = [item for find in FINDERS for item in find(store)]
    items, problems = _with_references(store, items)
    return Inventory(root, items, problems)


def check_root(root: Path) -> None:
    """Raise ``UsageError`` unless a folder is a data root, with locks, results or notes of runs."""
    store = Store(root)
    if not root.is_dir():
        raise UsageError(f"{root} does not exist; name a data root with --root or RESI_HOME")
    if not any(_traces(store)):
        raise UsageError(
            f"{root} is not a data root: it has no locks, shards or notes of runs; name one with --root or RESI_HOME"
        )


def _traces(store: Store) -> Iterator[bool]:
    yield bool(store.lock_files())
    made = store.models, store.representations, store.shards
    yield store.locks.is_dir() and not list_files(store.locks, "*") and any(folder.is_dir() for folder in made)
    yield any(is_shard(folder) for folder in list_files(store.shards, "*"))
    yield any(list_files(store.sources, "*/*/*.json"))
    yield any(list_files(store.sweeps, f"*/{records.PLANNED_FILE}"))
    yield any(list_files(store.downloads, "*/*.unpacked"))
    yield any(STORED_NAME.fullmatch(path.name) and metadata(path) for path in list_files(store.models, "*/*/*/*"))


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
    said = []
    for item in items:
        if item.path in known and item.path not in referred:
            said.append(replace(item, reason="no shard refers to it"))
        elif item.kind == "trainings" and item.path.name.partition(".")[0] in trained:
            said.append(replace(item, reason="its model is trained"))
        else:
            said.append(item)
    return said, problems


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
