"""Download the published models, or the published results, to where runs with models.source=published look for them.

    python scripts/download_models.py graph
    python scripts/download_models.py language results --root /data/resi

A download that was interrupted goes on where it stopped; every file is checked against the checksum that Zenodo states.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import shutil
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from resi.console import say
from resi.downloads import download, extract_zip
from resi.errors import DownloadError, ResiError
from resi.store import default_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

API = "https://zenodo.org/api/records"
TIMEOUT_SECONDS = 60
# Weights hardly compress: an archive that unpacks to many times its size holds something else.
LARGEST_RATIO = 20


@dataclass(frozen=True)
class Source:
    """Some files of one Zenodo record.

    Attributes
    ----------
    files : str
        Regular expression of their names.
    folder : str
        Where they go, below the data root.
    first : str
        Regular expression of the folder in an archive that is put there; what lies around it is left out.
    """

    record: str
    files: str
    folder: str
    first: str = ".*"


class Remote(NamedTuple):
    """A file of a record; ``checksum`` is ``ALGORITHM:HEX``."""

    name: str
    size: int
    checksum: str
    url: str


VISION = {"folder": "models/vision/vision_models_simbench", "first": r"[A-Za-z]+.*__.+__.+", "files": r".*\.zip"}
SOURCES = {
    "graph": [Source("11565486", r"graph_data\.zip", "models/graphs", r"cora|flickr|ogbn-arxiv")],
    "language": [Source("11565486", r"nlp_data\.zip", "models", "nlp")],
    "vision_imagenet100": [Source(record, **VISION) for record in ("11544180", "11548523")],
    "vision_cifar100": [Source(record, **VISION) for record in ("15148777", "15148773", "15148781", "15148783")],
    "results": [Source("11565486", r"results\.parquet", "published")],
}


def main(words: list[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="+", choices=SOURCES, help="which models, or the results")
    parser.add_argument("--root", type=Path, help="data root; default $RESI_HOME, else $REP_SIM, else ./experiments")
    parser.add_argument("--keep-archives", action="store_true", help="keep the archives after unpacking")
    parser.add_argument("--api", default=API, help=argparse.SUPPRESS)
    arguments = parser.parse_args(words)
    root = (arguments.root or default_root()).absolute()
    try:
        for name in arguments.what:
            for source in SOURCES[name]:
                fetch(source, root, arguments.api, arguments.keep_archives)
    except ResiError as error:
        say(f"download_models: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        say("interrupted; what has arrived is kept, and the same command goes on from there")
        return 130
    return 0


def fetch(source: Source, root: Path, api: str, keep_archives: bool) -> None:
    """Download the files of a source, and unpack its archives."""
    for name, size, checksum, url in list_files(source, api):
        if name != PurePosixPath(name).name:
            raise DownloadError(f"record {source.record} names a file {name!r}, which lies outside its folder; refused")
        is_archive = name.endswith(".zip")
        path = root / "downloads" / source.record / name if is_archive else root / source.folder / name
        done = path.with_name(f"{name}.unpacked")
        if is_archive and done.exists() and done.read_text() == checksum:
            say(f"{name} is unpacked in {root / source.folder}")
            continue
        _check_space(root, size)
        with _bar(name, size) as advance:
            download(url, path, checksum=checksum, limit=size, advance=advance)
        if not is_archive:
            say(f"{name} is at {path}")
            continue
        unpacked = extract_zip(
            path, root / source.folder, limit=LARGEST_RATIO * size, place=lambda member: place(source, member)
        )
        if not unpacked:
            raise DownloadError(f"{path} holds no folder {source.first} to put into {root / source.folder}")
        done.write_text(checksum)
        if not keep_archives:
            path.unlink()
        say(f"{name}: {len(unpacked)} files in {root / source.folder}")


def place(source: Source, member: PurePosixPath) -> PurePosixPath | None:
    """Return where a member of an archive goes below the source's folder, None for what is left out."""
    for index, part in enumerate(member.parts[:-1]):
        if re.fullmatch(source.first, part):
            return PurePosixPath(*member.parts[index:])
    return None


def list_files(source: Source, api: str) -> list[Remote]:
    """Return what Zenodo says about the files of a source."""
    url = f"{api}/{source.record}"
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310 - the API's own address
            files = [
                Remote(file["key"], int(file["size"]), str(file["checksum"]), str(file["links"]["self"]))
                for file in json.load(response)["files"]
            ]
    except (OSError, urllib.error.URLError) as error:
        raise DownloadError(
            f"{url} cannot be reached: {getattr(error, 'reason', None) or error}. Without a network, fetch the record "
            "on another machine and unpack it as the page of its domain in docs/ says."
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise DownloadError(f"{url} is no Zenodo record: {type(error).__name__}: {error}") from error
    found = [file for file in files if re.fullmatch(source.files, file.name)]
    if not found:
        names = ", ".join(sorted(file.name for file in files)) or "none"
        raise DownloadError(f"record {source.record} has no file {source.files}; it has {names}")
    return found


def _check_space(root: Path, size: int) -> None:
    root.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(root).free
    # The archive, and about as much unpacked.
    if free < 2 * size:
        raise DownloadError(f"{root} has {free / 1e9:.1f} GB free, but {2 * size / 1e9:.1f} GB are needed; use --root")


@contextlib.contextmanager
def _bar(name: str, size: int) -> Iterator[Callable[[int], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bars:
        task = bars.add_task(name, total=size)
        yield lambda count: bars.advance(task, count)


if __name__ == "__main__":
    sys.exit(main())
