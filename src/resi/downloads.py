"""Downloads that go on where they stopped and are checked, and archives that cannot write outside their folder."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import shutil
import stat
import urllib.error
import urllib.request
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from resi.errors import DownloadError
from resi.store import atomic_path, make_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHUNK_BYTES = 2**20
TIMEOUT_SECONDS = 60
PARTIAL_CONTENT = 206
RANGE_NOT_SATISFIABLE = 416


def download(
    url: str,
    path: Path,
    *,
    checksum: str | None = None,
    limit: int | None = None,
    advance: Callable[[int], None] = lambda _count: None,
) -> None:
    """Fetch a file; nothing is fetched if it is there already.

    What has arrived stays in ``path`` with ``.part`` added, and the next call asks for the rest only.

    Parameters
    ----------
    checksum : str, optional
        ``ALGORITHM:HEX`` of the whole file, such as ``md5:...`` or ``sha256:...``.
    limit : int, optional
        Bytes beyond which the file is refused.
    advance : callable
        Called with every number of bytes that is added to the file, those of earlier calls included.

    Raises
    ------
    DownloadError
        If the server cannot be reached, sends too much or too little, or the file differs from its checksum; what
        differs is deleted.
    """
    if path.is_file():
        _check(path, checksum, f"{path} is not the file at {url}; delete it to fetch it again")
        advance(path.stat().st_size)
        return
    make_folder(path.parent)
    part = path.with_name(f"{path.name}.part")
    try:
        _fetch_rest(url, part, limit, advance)
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise DownloadError(
            f"{url} cannot be fetched: {reason}. What has arrived is kept; try again to go on."
        ) from error
    try:
        _check(part, checksum, f"{url} is damaged on arrival and was deleted; try again")
    except DownloadError:
        part.unlink()
        raise
    part.replace(path)


def _fetch_rest(url: str, part: Path, limit: int | None, advance: Callable[[int], None]) -> None:
    done = part.stat().st_size if part.exists() else 0
    with _open(url, part, done) as response:
        if response is None:  # all of it is there
            advance(done)
            return
        resumed = response.status == PARTIAL_CONTENT
        start = done if resumed else 0
        length = response.headers.get("Content-Length")
        total = None if length is None else start + int(length)
        with part.open("ab" if resumed else "wb") as file:
            advance(start)
            size = start
            while chunk := response.read(CHUNK_BYTES):
                size += len(chunk)
                if limit is not None and size > limit:
                    raise DownloadError(f"{url} is larger than the {limit} bytes it should have at most")
                file.write(chunk)
                advance(len(chunk))
    if total is not None and size != total:
        raise OSError(f"the connection ended after {size} of {total} bytes")


@contextlib.contextmanager
def _open(url: str, part: Path, done: int) -> Iterator[http.client.HTTPResponse | None]:
    """Open a URL from behind the ``done`` bytes that a part has; None if there is nothing beyond them."""
    if not url.startswith(("https://", "http://")):
        raise DownloadError(f"{url} is no address of a file: expected one that begins with https:// or http://")
    headers = {"Range": f"bytes={done}-"} if done else {}
    try:
        request = urllib.request.Request(url, headers=headers)  # noqa: S310 - the scheme is checked above
        response = urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)  # noqa: S310
    except urllib.error.HTTPError as error:
        with error:
            if error.code != RANGE_NOT_SATISFIABLE:
                raise
            if error.headers.get("Content-Range") != f"bytes */{done}":
                part.unlink()
                raise DownloadError(f"{part} was no part of {url} and was deleted; try again") from error
        yield None
        return
    with response:
        yield response


@contextlib.contextmanager
def network_errors() -> Iterator[None]:
    """Raise what the network raises as ``DownloadError``, so that it is not taken for a disk that cannot be written."""
    try:
        yield
    except OSError as error:
        raise DownloadError(str(getattr(error, "reason", None) or error)) from error


def _check(path: Path, checksum: str | None, message: str) -> None:
    if checksum is None:
        return
    algorithm, _, expected = checksum.partition(":")
    if algorithm not in ("md5", "sha256"):
        raise DownloadError(f"checksum {checksum!r}: expected md5:HEX or sha256:HEX")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, algorithm).hexdigest()
    if found != expected.lower():
        raise DownloadError(f"{message} ({algorithm} {found} instead of {expected})")


def extract_zip(
    archive: Path,
    folder: Path,
    *,
    limit: int,
    place: Callable[[PurePosixPath], PurePosixPath | None] = lambda path: path,
) -> list[Path]:
    """Unpack an archive; files that are there with the right size and content are left as they are.

    Every name is checked before anything is written.

    Parameters
    ----------
    limit : int
        Bytes that may be unpacked in all: a small archive can hold endless zeros.
    place : callable
        Says where below ``folder`` a member goes, or None to leave it out.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    DownloadError
        If a member would be written outside the folder or is no plain file, if there is too much, or if the archive is
        damaged.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [
                (member, folder / target)
                for member in opened.infolist()
                if not member.is_dir() and (target := place(_safe_name(archive, member))) is not None
            ]
            stated = sum(member.file_size for member, _ in members)
            if stated > limit:
                raise DownloadError(f"{archive} would unpack to {stated} bytes, more than the {limit} allowed; refused")
            for member, path in members:
                _check_inside(archive, folder, path)
                if not _is_there(member, path):
                    _extract_one(opened, member, path)
    except NotImplementedError as error:  # what zipfile raises for methods it does not know
        raise DownloadError(f"{archive} is packed in a way that Python cannot unpack: {error}") from error
    except (zipfile.BadZipFile, EOFError) as error:
        raise DownloadError(f"{archive} is damaged: {error}. Delete it and fetch it again.") from error
    return [path for _, path in members]


def _safe_name(archive: Path, member: zipfile.ZipInfo) -> PurePosixPath:
    name = PurePosixPath(member.filename.replace("\\", "/"))
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise DownloadError(f"{archive} holds {member.filename!r}, which is no plain file; refused")
    if name.is_absolute() or ".." in name.parts or ":" in name.parts[0]:
        raise DownloadError(f"{archive} holds {member.filename!r}, which lies outside its folder; refused")
    return name


def _check_inside(archive: Path, folder: Path, path: Path) -> None:
    """Refuse a path that leaves the folder through links that lie there already."""
    if not path.resolve().is_relative_to(folder.resolve()):
        raise DownloadError(f"{archive} would write {path}, which a link leads outside {folder}; refused")


def _is_there(member: zipfile.ZipInfo, path: Path) -> bool:
    if not path.is_file() or path.stat().st_size != member.file_size:
        return False
    checksum = 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            checksum = zlib.crc32(chunk, checksum)
    return checksum == member.CRC


def _extract_one(opened: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> None:
    with atomic_path(path) as temporary, opened.open(member) as source, temporary.open("wb") as target:
        # zipfile reads no more than the size it states, and checks its checksum at the end.
        shutil.copyfileobj(source, target, CHUNK_BYTES)
