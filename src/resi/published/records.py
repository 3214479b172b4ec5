"""Records of files on Zenodo, or as a mirror has them.

A mirror is a folder behind any web server, with one folder below it for each record: ``RECORD/record.json``, which is
what Zenodo's API says about the record, and the record's files beside it. Addresses in ``record.json`` are not used.
Files that have no record lie in a folder with the name that ``resi download`` has for them.
"""

from __future__ import annotations

import json
import os
import re
import urllib.request
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from resi.errors import DownloadError, UsageError
from resi.store.downloads import TIMEOUT_SECONDS, refuse_insecure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from resi.domains.releases import Release

ZENODO = "https://zenodo.org/api/records"
VARIABLE = "RESI_MIRROR"
"""Names the address of a mirror."""
ABOUT = "record.json"
LARGEST_RECORD = 2**24


class Remote(NamedTuple):
    """A file of a record; ``checksum`` is ``ALGORITHM:HEX``."""

    name: str
    size: int
    checksum: str
    url: str


@dataclass(frozen=True)
class Host:
    """Where records are read from; each record once.

    Attributes
    ----------
    mirror : str
        Address of a mirror; empty for Zenodo.
    """

    mirror: str = ""
    _known: dict[str, list[Remote]] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, mirror: str | None) -> Host:
        """Return the host of a mirror's address, else that of ``RESI_MIRROR``, else Zenodo.

        Raises
        ------
        UsageError
            If the address is none of a web server.
        """
        asked = mirror or os.environ.get(VARIABLE, "")
        if asked and not asked.startswith(("https://", "http://")):
            name = "--mirror" if mirror else VARIABLE
            raise UsageError(
                f"{name}={asked} is not a URL: expected one that begins with https:// or http://. For archives in "
                "a folder, use --archives FOLDER"
            )
        return cls(asked.rstrip("/"))

    def find(self, name: str, source: Release) -> list[Remote]:
        """Return the files of a release.

        Parameters
        ----------
        name : str
            What ``resi download`` calls it.

        Raises
        ------
        DownloadError
            If the record cannot be read, or lacks these files.
        UsageError
            If it has no record, and there is no mirror.
        """
        record = source.record or name
        if not source.record and not self.mirror:
            raise UsageError(without_record(name, source))
        if record not in self._known:
            self._known[record] = self._read(record, source)
        files = self._known[record]
        found = [file for file in files if re.fullmatch(source.files, file.name)]
        if not found:
            names = ", ".join(sorted(file.name for file in files)) or "none"
            raise DownloadError(f"record {record} has no file {source.title}; it has {names}")
        return found

    def _read(self, record: str, source: Release) -> list[Remote]:
        url = f"{self.mirror}/{record}/{ABOUT}" if self.mirror else f"{ZENODO}/{record}"
        try:
            with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310 - see `of`
                refuse_insecure(url, response.url)
                return list(self._described(record, json.loads(response.read(LARGEST_RECORD))))
        except OSError as error:
            raise DownloadError(
                f"{url} cannot be reached: {getattr(error, 'reason', None) or error}. Without network access, download "
                f"the file {source.title} on another machine, and unpack it here with resi download NAME --archives "
                f"FOLDER; or use another host with --mirror URL or {VARIABLE}"
            ) from error
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise DownloadError(f"{url} is not a Zenodo record: {type(error).__name__}: {error}") from error

    def _described(self, record: str, about: dict[str, list[dict[str, Any]]]) -> Iterator[Remote]:
        for file in about["files"]:
            name = str(file["key"])
            url = f"{self.mirror}/{record}/{quote(name)}" if self.mirror else str(file["links"]["self"])
            remote = Remote(name, int(str(file["size"])), str(file["checksum"]), url)
            if remote.size < 0:
                raise ValueError(f"{name} has {remote.size} bytes")
            if remote.name in ("", ".", "..") or remote.name != PurePosixPath(remote.name).name:
                raise DownloadError(f"record {record} names a file {name!r}, which lies outside its folder; refused")
            yield remote


def without_record(name: str, source: Release) -> str:
    """Return the instructions for files that are not in a record."""
    return (
        f"{name} is not in a record on Zenodo: {source.title} is {source.place or 'where its publishers say'}. "
        f"Download it into a folder, and unpack it with resi download {name} --archives FOLDER; or put it on a "
        "mirror and give its --mirror URL (docs/published_files.md)"
    )
