"""Archives (zip, tar, tar.gz, tar.zst) unpacked so that they cannot write outside their folder or fill the disk.

All names, sizes and the disk space are checked before anything is written; for a tar, whose members have no checksums,
also the checksum of its compression. Links and devices are never created.
"""

from __future__ import annotations

import contextlib
import gzip
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from resi.errors import DownloadError
from resi.fingerprints import file_state
from resi.machine.memory import format_bytes
from resi.store.files import atomic_path
from resi.store.space import Step, needs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Self

    Placement = Callable[[PurePosixPath], PurePosixPath | None]

CHUNK_BYTES = 2**20
SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.zst")
# Extended tar headers, such as long names, are held in memory.
LARGEST_HEADER = 2**20
EXTENDED = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
PLAIN = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)
# Errors raised by the standard library and pyarrow on damaged archives.
DAMAGE = (
    EOFError,
    OSError,
    RuntimeError,
    ValueError,
    OverflowError,
    lzma.LZMAError,
    struct.error,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
)


class Member(NamedTuple):
    """A file in an archive that is to be written.

    Attributes
    ----------
    name : str
        Its name in the archive.
    size : int
        Unpacked bytes, as stated in the archive.
    path : Path
        Where it goes.
    """

    name: str
    size: int
    path: Path


def is_archive(name: str) -> bool:
    """Return whether a file is an archive, by its name."""
    return name.endswith(SUFFIXES)


def unpack(archive: Path, folder: Path, *, limit: int, place: Placement = lambda name: name) -> list[Path]:
    """Unpack an archive.

    Existing files with the right size and checksum are not written again, if the archive is a zip; members of a tar
    have no checksums, so they are always written.

    Parameters
    ----------
    limit : int
        Maximum total of unpacked bytes, as a small archive can expand without bound.
    place : callable
        Returns the path of a member below ``folder``, or None to leave it out.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    DownloadError
        If a name leads outside the folder, a placed member is not a regular file, has no name, a duplicate name or is
        encrypted, or the content exceeds ``limit`` or the disk space; nothing is written then. If the archive is
        damaged; for a zip, the files before the damage are written.
    """
    with _damage(archive):
        opened: _Zip | _Tar = _Zip(archive) if archive.name.endswith(".zip") else _Tar(archive, limit)
        with opened:
            members = _check(archive, folder, list(opened.members(place, folder)), limit)
            _check_disk(archive, folder, members)
            opened.write(members)
    return [member.path for member in members]


class _Zip:
    def __init__(self, archive: Path) -> None:
        self._archive = archive
        self._opened = zipfile.ZipFile(archive)
        self._infos: dict[str, zipfile.ZipInfo] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def members(self, place: Placement, folder: Path) -> Iterator[Member]:
        """Yield the members that are placed."""
        for info in self._opened.infolist():
            if info.filename.endswith("/"):
                continue
            target = _target(self._archive, info.filename, place)
            if target is None:
                continue
            if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG):
                raise _refused(self._archive, info.filename, "is not a regular file")
            if info.flag_bits & 1:
                raise _refused(self._archive, info.filename, "is encrypted")
            self._infos[info.filename] = info
            yield Member(info.filename, info.file_size, folder / target)

    def write(self, members: Iterable[Member]) -> None:
        """Write members that do not exist yet."""
        for member in members:
            info = self._infos[member.name]
            if not _is_there(info, member.path):
                # zipfile reads no more than the size it states, and checks its checksum at the end.
                with self._opened.open(info) as source:
                    _write(self._archive, source, member.path)


class _Tar:
    """A tar, read from its first byte to its last each time: compressed ones have no other order."""

    def __init__(self, archive: Path, limit: int) -> None:
        self._archive = archive
        self._limit = limit

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def members(self, place: Placement, folder: Path) -> Iterator[Member]:
        """Yield the members that are placed."""
        for info, _ in self._read():
            if info.isdir():
                continue
            target = _target(self._archive, info.name, place)
            if target is None:
                continue
            if info.type not in PLAIN:
                raise _refused(self._archive, info.name, "is not a regular file")
            yield Member(info.name, info.size, folder / target)

    def write(self, members: Iterable[Member]) -> None:
        """Write members."""
        paths = {member.name: member.path for member in members}
        for info, opened in self._read():
            if info.type in PLAIN and info.name in paths:
                source = opened.extractfile(info)
                assert source is not None  # noqa: S101 - a plain file has content
                with source:
                    _write(self._archive, source, paths[info.name])

    def _read(self) -> Iterator[tuple[tarfile.TarInfo, tarfile.TarFile]]:
        with _uncompressed(self._archive) as stream:
            bounded: Any = _Bounded(stream, self._archive, self._limit)
            with tarfile.open(
                fileobj=bounded,
                mode="r|",
                bufsize=CHUNK_BYTES,
                tarinfo=_Header,
                encoding="utf-8",
            ) as opened:
                for info in opened:
                    yield info, opened
            # The checksum of the compression stands at the end.
            while bounded.read(CHUNK_BYTES):
                pass


class _Header(tarfile.TarInfo):
    """A header that raises if it is damaged or missing, which tarfile would treat as the end of the archive."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """Read a header."""
        try:
            info = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if len(buf) == tarfile.BLOCKSIZE and not any(buf):
                raise  # the end
            raise EOFError(f"a header cannot be read: {error}") from error
        if info.size < 0 or (info.type in EXTENDED and info.size > LARGEST_HEADER):
            raise EOFError(f"a header states {info.size} bytes")
        return info


class _Bounded:
    """A stream that raises if it yields more bytes than a tar of the allowed content."""

    def __init__(self, stream: IO[bytes], archive: Path, limit: int) -> None:
        self._stream = stream
        self._archive = archive
        # Headers and padding: every member takes up to 1023 bytes more than its content.
        self._limit = limit + max(limit, 2 * CHUNK_BYTES)
        self._count = 0

    def read(self, size: int) -> bytes:
        """Read up to ``size`` bytes."""
        block = self._stream.read(size)
        self._count += len(block)
        if self._count > self._limit:
            raise DownloadError(f"{self._archive} would unpack to more than the {self._limit} bytes allowed; refused")
        return block


@contextlib.contextmanager
def _uncompressed(archive: Path) -> Iterator[IO[bytes]]:
    """Open a tar as a decompressed stream."""
    with archive.open("rb") as file:
        if archive.name.endswith(".zst"):
            import pyarrow

            with pyarrow.CompressedInputStream(file, "zstd") as stream:
                yield stream
        elif archive.name.endswith(("gz", "tgz")):
            with gzip.GzipFile(fileobj=file, mode="rb") as unzipped:
                yield unzipped  # type: ignore[misc]
        else:
            yield file


@contextlib.contextmanager
def _damage(archive: Path) -> Iterator[None]:
    """Turn errors of a reader into ``DownloadError``."""
    try:
        yield
    except NotImplementedError as error:  # raised by zipfile for unknown methods
        raise DownloadError(f"{archive} uses a compression that Python cannot unpack: {error}") from error
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise DownloadError(f"{archive} cannot be read: {error.strerror}") from error
    except DAMAGE as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DownloadError(f"{archive} is damaged: {reason}. Delete it and download it again.") from error


def _target(archive: Path, given: str, place: Placement) -> PurePosixPath | None:
    """Return the path of a member after checking its name, or None if it is left out."""
    name = PurePosixPath(given.replace("\\", "/"))
    if not name.parts:
        raise _refused(archive, given, "is not a file name")
    if name.is_absolute() or ".." in name.parts or ":" in name.parts[0] or "\0" in given:
        raise _refused(archive, given, "lies outside its folder")
    return place(name)


def _refused(archive: Path, name: str, why: str) -> DownloadError:
    return DownloadError(f"{archive} holds {name!r}, which {why}; refused")


def _check(archive: Path, folder: Path, members: list[Member], limit: int) -> list[Member]:
    """Check the total size of all members, and where they are written."""
    stated = sum(member.size for member in members)
    if stated > limit:
        raise DownloadError(f"{archive} would unpack to {stated} bytes, more than the {limit} allowed; refused")
    paths: set[Path] = set()
    for member in members:
        if member.path in paths:
            raise _refused(archive, member.name, "it holds twice")
        paths.add(member.path)
    inside = folder.resolve()
    for member in members:
        if not paths.isdisjoint(member.path.parents):
            raise _refused(archive, member.name, "lies below another file")
        # Existing links.
        if not member.path.resolve().is_relative_to(inside):
            raise DownloadError(f"{archive} would write {member.path}, which a link leads outside {folder}; refused")
    return members


def _check_disk(archive: Path, folder: Path, members: Iterable[Member]) -> None:
    """Check that the disk has space for members that do not exist with their size."""
    content = sum(member.size for member in members if not _has_size(member))
    for need in needs([Step(folder, 0, folder, content)]):
        if need.free < need.needed:
            raise DownloadError(
                f"{need.folder} has {format_bytes(need.free)} free, but unpacking {archive} needs "
                f"{format_bytes(need.needed)}; nothing was unpacked"
            )


def _has_size(member: Member) -> bool:
    state = file_state(member.path)
    return state is not None and state[0] == member.size


def _is_there(info: zipfile.ZipInfo, path: Path) -> bool:
    if not path.is_file() or path.stat().st_size != info.file_size:
        return False
    checksum = 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            checksum = zlib.crc32(chunk, checksum)
    return checksum == info.CRC


def _write(archive: Path, source: IO[bytes], path: Path) -> None:
    with atomic_path(path) as temporary, temporary.open("wb") as target:
        for chunk in _chunks(archive, source):
            target.write(chunk)


def _chunks(archive: Path, source: IO[bytes]) -> Iterator[Any]:
    """Yield the content of a member; its read errors are distinguished from write errors of the disk."""
    while True:
        with _damage(archive):
            chunk = source.read(CHUNK_BYTES)
        if not chunk:
            return
        yield chunk
