"""Releases of the published benchmark: downloads of models and results to where a run looks for them."""

from __future__ import annotations

import json
import re
import shutil
import urllib.request
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from resi import registry
from resi.console import byte_progress, say
from resi.domains.releases import Release
from resi.errors import DownloadError, UsageError
from resi.store.archives import is_archive, unpack
from resi.store.downloads import TIMEOUT_SECONDS, download, download_lock
from resi.store.files import atomic_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

API = "https://zenodo.org/api/records"
RESULTS = {"results": (Release("11565486", r"results\.parquet", "published"),)}
# Weights hardly compress: an archive that unpacks to many times its size holds something else.
LARGEST_RATIO = 20
LARGEST_RECORD = 2**24


class Remote(NamedTuple):
    """A file of a record; ``checksum`` is ``ALGORITHM:HEX``."""

    name: str
    size: int
    checksum: str
    url: str


def releases() -> dict[str, tuple[Release, ...]]:
    """Return what can be downloaded by its name: the models of each domain that is installed, and the results."""
    found: dict[str, tuple[Release, ...]] = {}
    for domain in registry.usable_domains():
        found |= domain.releases()
    return {**found, **RESULTS}


def fetch(name: str, root: Path, api: str = API, keep_archives: bool = False) -> None:
    """Download the archives of a name, and unpack them; files that exist already are not changed.

    Another process that downloads from the same record is waited for.

    Parameters
    ----------
    root : Path
        The data root.

    Raises
    ------
    DownloadError
        If a record cannot be read, or a file of it not be fetched or unpacked.
    UsageError
        If it is not on Zenodo.
    """
    for source in releases()[name]:
        if not source.record:
            raise UsageError(
                f"{name} has no record on Zenodo: its archives ({source.files}) are at the address in the published "
                f"benchmark's README. Download them from there, then: resi download {name} --archives FOLDER"
            )
        for remote in list_files(source, api):
            _fetch_one(source, remote, root, keep_archives)


def take(name: str, root: Path, archives: Path) -> None:
    """Unpack what a name stands for from a folder of archives that were fetched by other means.

    Archives that are not there are named, and those that are there unpacked.

    Raises
    ------
    DownloadError
        If the folder has none of them, or one is damaged.
    """
    found = [(source, sorted(_matching(archives, source.files))) for source in releases()[name]]
    if not any(paths for _, paths in found):
        wanted = ", ".join(source.files for source in releases()[name])
        raise DownloadError(f"{archives} holds no archive of {name}: expected {wanted}")
    for source, paths in found:
        if not paths:
            say(f"{archives} has no {source.files}; left out")
        for path in paths:
            _check_space(root, path.stat().st_size)
            _put(source, path, root)


def _matching(folder: Path, pattern: str) -> Iterator[Path]:
    return (path for path in folder.glob("*") if re.fullmatch(pattern, path.name))


def _put(source: Release, path: Path, root: Path) -> None:
    if is_archive(path.name):
        _unpack(source, path, root)
        return
    target = root / source.folder / path.name
    with atomic_path(target) as temporary:
        shutil.copyfile(path, temporary)
    say(f"{path.name} is at {target}")


def _fetch_one(source: Release, remote: Remote, root: Path, keep_archives: bool) -> None:
    if remote.name != PurePosixPath(remote.name).name:
        raise DownloadError(
            f"record {source.record} names a file {remote.name!r}, which lies outside its folder; refused"
        )
    below = PurePosixPath("downloads", source.record) if is_archive(remote.name) else source.folder
    path = root / below / remote.name
    with download_lock(path.parent):
        _fetch_to(path, source, remote, root, keep_archives)


def _fetch_to(path: Path, source: Release, remote: Remote, root: Path, keep_archives: bool) -> None:
    packed = is_archive(remote.name)
    done = path.with_name(f"{remote.name}.unpacked")
    if packed and done.exists() and done.read_text(encoding="utf-8") == remote.checksum:
        say(f"{remote.name} is unpacked in {root / source.folder}")
        return
    # The archive, and about as much unpacked.
    _check_space(root, 2 * remote.size)
    with byte_progress(remote.name, remote.size) as advance:
        download(remote.url, path, checksum=remote.checksum, limit=remote.size, advance=advance)
    if not packed:
        say(f"{remote.name} is at {path}")
        return
    _unpack(source, path, root)
    done.write_text(remote.checksum, encoding="utf-8")
    if not keep_archives:
        path.unlink()


def _unpack(source: Release, path: Path, root: Path) -> None:
    folder = root / source.folder
    size = path.stat().st_size
    if size > 2**30:
        say(f"unpacking {path.name}, {size / 1e9:.1f} GB, into {folder}")
    unpacked = unpack(path, folder, limit=LARGEST_RATIO * size, place=lambda member: place(source, member))
    if not unpacked:
        raise DownloadError(f"{path} holds no folder {source.first} to put into {folder}")
    say(f"{path.name}: {len(unpacked)} files in {folder}")


def place(source: Release, member: PurePosixPath) -> PurePosixPath | None:
    """Return where a member of an archive goes below the source's folder, None for what is left out."""
    for index, part in enumerate(member.parts[:-1]):
        if re.fullmatch(source.first, part):
            below = PurePosixPath(*member.parts[index:])
            return below if re.fullmatch(source.keep, str(below)) else None
    return None


def list_files(source: Release, api: str = API) -> list[Remote]:
    """Return what Zenodo says about the files of a source.

    Raises
    ------
    DownloadError
        If Zenodo cannot be reached, or the record lacks these files.
    """
    url = f"{api}/{source.record}"
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310 - the API's own address
            files = list(_described(json.loads(response.read(LARGEST_RECORD))))
    except OSError as error:
        names = source.files.replace("\\", "")  # a pattern, whose dots are quoted
        raise DownloadError(
            f"{url} cannot be reached: {getattr(error, 'reason', None) or error}. Without a network, fetch the files "
            f"{names} on another machine, and unpack them here with resi download NAME --archives FOLDER"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise DownloadError(f"{url} is not a Zenodo record: {type(error).__name__}: {error}") from error
    found = [file for file in files if re.fullmatch(source.files, file.name)]
    if not found:
        names = ", ".join(sorted(file.name for file in files)) or "none"
        raise DownloadError(f"record {source.record} has no file {source.files}; it has {names}")
    return found


def _described(record: dict[str, list[dict[str, dict[str, str]]]]) -> Iterator[Remote]:
    for file in record["files"]:
        yield Remote(str(file["key"]), int(str(file["size"])), str(file["checksum"]), str(file["links"]["self"]))


def _check_space(root: Path, size: int) -> None:
    root.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(root).free
    if free < size:
        raise DownloadError(f"{root} has {free / 1e9:.1f} GB free, but {size / 1e9:.1f} GB are needed; use --root")
