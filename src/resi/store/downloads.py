"""Downloads that are resumable, verified, and limited to their expected size."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

from resi.errors import DownloadError
from resi.store.files import make_folder
from resi.store.root import wait_for_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CHUNK_BYTES = 2**20
TIMEOUT_SECONDS = 60
PARTIAL_CONTENT = 206
RANGE_NOT_SATISFIABLE = 416


@contextlib.contextmanager
def download_lock(folder: Path) -> Iterator[None]:
    """Let one process at a time download into a folder, which is created; a waiting process names the other one.

    Files that another process downloads meanwhile are there when this block begins.

    Raises
    ------
    StoreError
        If the folder cannot be written.
    """
    with wait_for_lock(folder / ".lock", "downloads into the same folder"):
        yield


def download(
    url: str,
    path: Path,
    *,
    checksum: str | None = None,
    limit: int | None = None,
    advance: Callable[[int], None] = lambda _count: None,
) -> None:
    """Download a file, unless it is already there.

    Partial downloads are kept in ``path`` with ``.part`` added, and the next call resumes them.

    Parameters
    ----------
    checksum : str, optional
        ``ALGORITHM:HEX`` of the whole file, such as ``md5:...`` or ``sha256:...``.
    limit : int, optional
        Maximum size in bytes; larger files are refused.
    advance : callable
        Called with the number of bytes of each addition to the file, including those of earlier calls.

    Raises
    ------
    DownloadError
        If the server cannot be reached, redirects from https to http, sends too much or too little, or the file does
        not match its checksum; such a file is deleted.
    """
    if path.is_file():
        _check(path, checksum, f"{path} is not the file at {url}; delete it to download it again")
        advance(path.stat().st_size)
        return
    make_folder(path.parent)
    part = path.with_name(f"{path.name}.part")
    try:
        _fetch_rest(url, part, limit, advance)
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise DownloadError(
            f"{url} cannot be downloaded: {reason}. The partial download is kept; try again to resume."
        ) from error
    try:
        _check(part, checksum, f"{url} was damaged in transfer and was deleted; try again")
    except DownloadError:
        part.unlink()
        raise
    part.replace(path)


def _fetch_rest(url: str, part: Path, limit: int | None, advance: Callable[[int], None]) -> None:
    done = part.stat().st_size if part.exists() else 0
    with _open(url, part, done) as response:
        if response is None:  # the file is already complete
            _check_size(url, done, limit)
            advance(done)
            return
        resumed = _is_rest(response, done)
        start = size = done if resumed else 0
        total = _total(response, start)
        with part.open("ab" if resumed else "wb") as file:
            advance(start)
            while chunk := response.read(CHUNK_BYTES):
                size += len(chunk)
                _check_size(url, size, limit)
                file.write(chunk)
                advance(len(chunk))
    if total is not None and size != total:
        raise OSError(f"the connection ended after {size} of {total} bytes")


def _check_size(url: str, size: int, limit: int | None) -> None:
    if limit is not None and size > limit:
        raise DownloadError(f"{url} is larger than the allowed {limit} bytes")


def _is_rest(response: http.client.HTTPResponse, done: int) -> bool:
    """Return whether a response begins after the existing bytes; a whole file begins at 0."""
    if response.status != PARTIAL_CONTENT:
        return False
    given = response.headers.get("Content-Range", "")
    if not given.startswith(f"bytes {done}-"):
        raise OSError(f"the server sent {given or 'an unnamed part'} instead of what follows byte {done}")
    return True


def _total(response: http.client.HTTPResponse, start: int) -> int | None:
    """Return the size of the whole file as stated by the server, or None."""
    length = response.headers.get("Content-Length", "")
    return start + int(length) if length.isdecimal() else None


@contextlib.contextmanager
def _open(url: str, part: Path, done: int) -> Iterator[http.client.HTTPResponse | None]:
    """Open a URL after the ``done`` bytes of a partial download; None if there are no further bytes."""
    if not url.startswith(("https://", "http://")):
        raise DownloadError(f"{url} is not the URL of a file: expected https://... or http://...")
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
                raise DownloadError(f"{part} was not a part of {url} and was deleted; try again") from error
        yield None
        return
    with response:
        refuse_insecure(url, response.url)
        yield response


def refuse_insecure(asked: str, found: str) -> None:
    """Raise ``DownloadError`` if a secure URL redirects to an insecure one.

    Files without a checksum, and the checksums themselves, are only trusted because of the secure connection.
    """
    if asked.startswith("https://") and not found.startswith("https://"):
        raise DownloadError(f"{asked} redirects to {found}, which is not secure; refused")


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
