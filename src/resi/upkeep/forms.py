"""The names and forms of the files that resi creates in a data root; everything else in it is left alone.

Users put large folders of a data root on other disks, and links in their place. Runs follow these links, and so does
this module; behind a link only files count whose names nobody else gives, and the link itself is never removed.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resi.results.manifests import MANIFEST, TABLES, is_merged
from resi.results.output import LOCK as MERGE_LOCK
from resi.results.output import SCRATCH, is_table_of_resi
from resi.results.shards import PARTS, is_shard
from resi.results.stored import SHARD_NAME
from resi.store.files import is_temporary, list_files
from resi.sweeps import records
from resi.sweeps.jobs import SUITE_FILE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from resi.domains.releases import Release

SET_ASIDE = ".damaged"
OF_LOCKS = (".lock", ".lease", ".owner.json")
"""Lock files beside items; changes to them do not count as changes of the item."""
REPORT = "report.html"
TRAINER = ".trainer"
OF_DOCTOR = ".resi-doctor-"

_LOCK = rf"[0-9a-f]{{32}}(-.+)?|damaged-[0-9a-f]{{16}}|hashing-[0-9a-f]{{12}}|{SHARD_NAME.pattern}"
_NAMES = {
    "models": r"models/[^/]+/[^/]+/.+/[^/]+-s\d+-[0-9a-f]{12}\.safetensors",
    "representations": r"representations/[^/]+/[^/]+/.+/[^/]+-s\d+/[^/]+-[0-9a-f]{12}\.safetensors",
    "trainings": rf"unfinished/[0-9a-f]{{32}}\.safetensors({re.escape(TRAINER)})?",
    "cache": r"cache/[^/]+-[0-9a-f]{12}",
    "sources": (
        r"sources/(files/[0-9a-f]{12}|measures/[^/]+-[0-9a-f]{12}|[^/]+/[^/]+/.+-[0-9a-f]{12})\.json"
        rf"|sources/shards/[0-9a-f]{{32}}-{SHARD_NAME.pattern}"
    ),
    "locks": rf"locks/({_LOCK})(\.lock|\.lease|\.owner\.json)",
}
NAMES = {kind: re.compile(pattern) for kind, pattern in _NAMES.items()}
"""Paths below a data root by kind, of the kinds that a path is enough to recognise."""
_JOB = rf"\d+/({re.escape(records.START_FILE)}|{re.escape(records.JOB_FILE)})"
INSIDE = {
    "cache": re.compile(r"(decoded|\d+x\d+)-[0-9a-f]{16}\.(pixels|json|lock|lease|owner\.json)"),
    "shards": re.compile(
        rf"{re.escape(MANIFEST)}|{'|'.join(map(re.escape, TABLES))}|{PARTS}/(\d+-[0-9a-f]+|\..+)\.parquet"
    ),
    "sweeps": re.compile(
        rf"{_JOB}|{'|'.join(map(re.escape, (records.PLANNED_FILE, records.LOST_FILE, SUITE_FILE)))}|multirun\.yaml"
        r"|\.submitit/.+"
    ),
}
"""Files in the folder of an item, by kind."""
BESIDE_LINKS = ("datasets", "published", "downloads")
"""Kinds whose files others have made and named: behind a link they may be a collection that is not resi's."""


def relative(path: Path, root: Path) -> str:
    """Return a path below a data root as text."""
    return path.relative_to(root).as_posix()


def is_link(path: Path) -> bool:
    """Return whether a path is a link to a file, or to nothing."""
    return path.is_symlink() and not path.is_dir()


def behind_link(path: Path, root: Path) -> bool:
    """Return whether a path is a link, or a folder between it and the data root is."""
    return path.is_symlink() or _is_linked(path.parent, root)


def _is_linked(folder: Path, root: Path) -> bool:
    return folder != root and root in folder.parents and (folder.is_symlink() or _is_linked(folder.parent, root))


def files_of(path: Path) -> Iterator[Path]:
    """Yield a file itself, or all files and links in a folder; links in it are not followed."""
    if not path.is_dir():
        yield path
        return
    for folder, below, names in os.walk(path):
        for name in [*names, *(name for name in below if Path(folder, name).is_symlink())]:
            yield Path(folder, name)


def files_below(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder, by name; links to folders are followed, but in no circle."""
    if folder.is_dir():
        yield from sorted(_followed(folder, ()))


def _followed(folder: Path, above: tuple[str, ...]) -> Iterator[Path]:
    real = os.path.realpath(folder)
    if real in above:
        return
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                yield from _followed(Path(entry.path), (*above, real))
            else:
                yield Path(entry.path)


def own_files(kind: str, path: Path) -> Iterator[Path]:
    """Yield the files of an item that resi has created: of a folder, those of the form of the item's kind.

    Links in the folder are left out. A link to a file is yielded, and never removed.
    """
    if not path.is_dir():
        yield path
        return
    for file in list_files(path, "*") if kind == "results" else files_of(path):
        if not file.is_symlink() and _is_inside(kind, path, file):
            yield file


def own_folders(kind: str, path: Path, files: Iterable[Path]) -> list[Path]:
    """Return the folders that an item's files leave empty, the innermost first: no other empty ones are removed."""
    if not path.is_dir():
        return []
    if _inside(kind, path) is None and kind != "results":
        return [Path(folder) for folder, _, _ in os.walk(path, topdown=False)]
    above = {path, *(folder for file in files for folder in file.parents if path in folder.parents)}
    return sorted(above, key=lambda folder: len(folder.parts), reverse=True)


def foreign_files(kind: str, path: Path) -> Iterator[Path]:
    """Yield the other files and links in the folder of an item."""
    if path.is_dir():
        yield from (file for file in files_of(path) if file.is_symlink() or not _is_inside(kind, path, file))


def _is_inside(kind: str, folder: Path, file: Path) -> bool:
    if kind == "results":
        return file.is_file() and is_result(file)
    pattern = _inside(kind, folder)
    if pattern is None:
        return True  # of a training or a dataset: its library names them
    return bool(pattern.fullmatch(relative(file, folder)) or is_temporary(file.name))


def _inside(kind: str, folder: Path) -> re.Pattern[str] | None:
    is_shard = kind == "begun" or (kind == "leftovers" and folder.parent.name == "shards")
    return INSIDE.get("shards" if is_shard else kind)


def is_of(kind: str, path: Path, root: Path) -> bool:
    """Return whether a path has the form of a kind of items."""
    if kind in NAMES:
        return NAMES[kind].fullmatch(relative(path, root)) is not None
    is_form = {
        "shards": lambda: is_own_shard(path),
        "begun": lambda: is_own_shard(path),
        "results": lambda: path == root / "results",
        "sweeps": lambda: is_sweep(path),
        "published": lambda: is_published(path, root),
        "downloads": lambda: is_download(path, root),
        "datasets": lambda: is_dataset(path, root),
        "leftovers": lambda: is_leftover(path, root),
    }.get(kind)
    return is_form is not None and is_form()


def is_own_shard(folder: Path) -> bool:
    """Return whether a folder is a shard: by its name and contents, or by its manifest, as it may be renamed."""
    if SHARD_NAME.fullmatch(folder.name):
        return is_shard(folder)
    return (folder / MANIFEST).is_file() and "schema_version" in _mapping(folder / MANIFEST)


def is_left_shard(folder: Path) -> bool:
    """Return whether a folder has a shard's name and tables, and lacks the manifest."""
    is_named = SHARD_NAME.fullmatch(folder.name) is not None
    return is_named and not is_shard(folder) and any((folder / name).is_file() for name in TABLES)


def is_result(path: Path) -> bool:
    """Return whether a file in the folder of merged tables was written by a merge or a report."""
    if path.name in (MERGE_LOCK, ".merge.lease", ".merge.owner.json") or is_temporary(path.name):
        return True
    if path.name == MANIFEST:
        return is_merged(path.parent) or any(is_table_of_resi(path.parent / name) for name in TABLES)
    if path.name == REPORT:
        with contextlib.suppress(OSError), path.open("rb") as file:
            start = file.read(500)
            return start.startswith(b"<!DOCTYPE html>") and b"Content-Security-Policy" in start
    return path.name in TABLES and (is_table_of_resi(path) or is_merged(path.parent))


def is_sweep(folder: Path) -> bool:
    """Return whether a folder is that of a sweep."""
    return (folder / records.PLANNED_FILE).is_file() or any(
        path.parent.name.isdigit()
        for name in (records.START_FILE, records.JOB_FILE)
        for path in list_files(folder, f"*/{name}")
    )


def is_dataset(path: Path, root: Path) -> bool:
    """Return whether a path is in the folder of a domain's datasets."""
    return path.parent.parent == root / "datasets" and path.parent.name in _domains()


def is_published(path: Path, root: Path) -> bool:
    """Return whether a path is where a release of published models or results is put."""
    below = relative(path, root)
    return any(_has(release, below) for _, release in _releases())


def _has(release: Release, below: str) -> bool:
    from resi.store.archives import is_archive

    if not below.startswith(f"{release.folder}/"):
        return False
    name = below.removeprefix(f"{release.folder}/")
    if is_archive(release.title):
        first, _, rest = name.partition("/")
        return bool(rest and re.fullmatch(release.first, first) and re.fullmatch(release.keep, name))
    return re.fullmatch(rf"({release.files})(\.part)?", name) is not None


def is_download(path: Path, root: Path) -> bool:
    """Return whether a path is that of a release's archive, a part of it, or a note that it is unpacked."""
    folder, _, name = relative(path, root / "downloads").rpartition("/")
    return any(
        folder == (release.record or called) and re.fullmatch(rf"({release.files})(\.part|(\..+)?\.unpacked)?", name)
        for called, release in _releases()
    )


def is_leftover(path: Path, root: Path) -> bool:
    """Return whether a path has the name of a file that was being written or was set aside, or of a killed command."""
    folder, name = path.parent, path.name
    if folder == root and name.startswith(OF_DOCTOR):
        return True
    if folder == root / "results" and name.startswith(SCRATCH):
        return True
    if name.endswith(SET_ASIDE):
        kinds = ("models", "representations", "trainings")
        return any(is_of(kind, path.with_name(name.removesuffix(SET_ASIDE)), root) for kind in kinds)
    if folder == root / "shards":
        return is_left_shard(path)
    return is_temporary(name) or (folder.name == PARTS and name.startswith(".") and name.endswith(".parquet"))


@functools.cache
def _releases() -> list[tuple[str, Release]]:
    from resi.published.releases import releases

    return [(name, release) for name, found in releases().items() for release in found]


@functools.cache
def _domains() -> set[str]:
    from resi import registry

    return {*registry.domains()}


def _mapping(path: Path) -> dict[str, Any]:
    import json

    with contextlib.suppress(OSError, ValueError, RecursionError):
        content = json.loads(path.read_bytes())
        return content if isinstance(content, dict) else {}
    return {}
