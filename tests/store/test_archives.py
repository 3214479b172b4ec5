"""Archives never write outside their folder or without end, and what is wrong with one is one line."""

from __future__ import annotations

import base64
import gzip
import io
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from types import SimpleNamespace

import pyarrow
import pytest

from resi.errors import DownloadError, ResiError
from resi.store.archives import LARGEST_HEADER, unpack

KINDS = ["zip", "tar", "tar.gz", "tar.zst"]
FLIPPED = {f"f/{name}.pt": bytes((17 * place + len(name)) % 251 for place in range(700)) for name in ("a", "bb")}
# A tar of these files that the command zstd has packed, with a checksum, which pyarrow does not write.
PACKED = base64.b64decode(
    b"KLUv/WQAJ90KAFQSZi9hLnB0ADA2NDQAMDEyNzY3NjMAIDAAdXN0YXIAMDAAARIjNEVWZ3iJmqu8zd7vBRYnOElaa3yNnq/A0eLz"
    b"CRorPE1eb4CRorPE1eb3DR4vQFFic4SVprfI2eoAESIzRFVmd4iZqrvM3e4EFSY3SFlqe4ydrr/Q4fIIGSo7TF1uf5ChssPU5fYM"
    b"HS4/UGFyg5SltsfY6foQITJDVGV2h5ipusvc7QMUJTZHWGl6i5ytvs/g8QcYKTpLXG1+j6CxwtPk9QscLT5PYHGCk6S1xtfo+Q8g"
    b"MUJTZHWGl6i5ytvsAhMkNUZXaHmKm6y9zt/wBhcoOUpbbH2On7DB0uP0ChssPU5fcIGSo7TF1uf4Dh8wQVJjdIWWp7jJ2usAZi9i"
    b"YjcxMjYRAP0LeghyKvT8j4L8obIKxoBK/00BgRkhIKfeva//qXIOqANwiXfC8BMbFwEwKACYTmALU7bWfw=="
)


def zip_of(path: Path, members: dict[str, bytes], kind: int = stat.S_IFREG) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (kind | 0o644) << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return path


def tar_of(path: Path, members: dict[str, bytes], change: Callable[[tarfile.TarInfo], None] = lambda _: None) -> Path:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            change(entry)
            archive.addfile(entry, io.BytesIO(content) if entry.type == tarfile.REGTYPE else None)
    path.write_bytes(compressed(path, buffer.getvalue()))
    return path


def compressed(path: Path, content: bytes) -> bytes:
    if path.name.endswith(".gz"):
        return gzip.compress(content)
    if path.name.endswith(".zst"):
        return zstd(content)
    return content


def zstd(content: bytes) -> bytes:
    buffer = pyarrow.BufferOutputStream()
    with pyarrow.CompressedOutputStream(buffer, "zstd") as stream:
        stream.write(content)
    return buffer.getvalue().to_pybytes()


def archive_of(folder: Path, kind: str, members: dict[str, bytes]) -> Path:
    return (zip_of if kind == "zip" else tar_of)(folder / f"a.{kind}", members)


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_is_unpacked_where_its_members_are_placed(tmp_path: Path, kind: str) -> None:
    members = {"./top/x/1.pt": b"one", "top/y/2.pt": bytes(3_000_000), "notes.txt": b"n"}
    archive = archive_of(tmp_path, kind, members)

    def place(name: PurePosixPath) -> PurePosixPath | None:
        return PurePosixPath(*name.parts[1:]) if name.parts[0] == "top" else None

    found = unpack(archive, tmp_path / "to", limit=4_000_000, place=place)
    assert found == [tmp_path / "to" / "x" / "1.pt", tmp_path / "to" / "y" / "2.pt"]
    assert found[1].read_bytes() == bytes(3_000_000)
    # What is damaged is written again; of a zip, what is there stays.
    before = found[1].stat().st_mtime_ns
    found[0].write_bytes(b"eno")
    unpack(archive, tmp_path / "to", limit=4_000_000, place=place)
    assert found[0].read_bytes() == b"one"
    assert found[1].read_bytes() == bytes(3_000_000)
    assert found[1].stat().st_mtime_ns == before or kind != "zip"
    assert sorted(path.name for path in (tmp_path / "to").rglob("*")) == ["1.pt", "2.pt", "x", "y"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../out.pt", "lies outside its folder"),
        ("a/../../out.pt", "lies outside its folder"),
        ("/out.pt", "lies outside its folder"),
        ("..\\out.pt", "lies outside its folder"),
        ("C:\\out.pt", "lies outside its folder"),
        ("a/b/../../../out.pt", "lies outside its folder"),
        (".", "is not a file name"),
        ("good.pt/x", "lies below another file"),
        ("./good.pt", "it holds twice"),
    ],
)
def test_a_name_that_does_not_fit_is_refused_before_anything_is_written(
    tmp_path: Path, name: str, reason: str, kind: str
) -> None:
    archive = archive_of(tmp_path, kind, {"good.pt": b"1", name: b"2"})
    with pytest.raises(DownloadError, match=f"{reason}; refused"):
        unpack(archive, tmp_path / "to", limit=100)
    assert [path.name for path in tmp_path.iterdir()] == [archive.name]


@pytest.mark.parametrize("kind", KINDS)
def test_a_member_without_a_name_is_refused(tmp_path: Path, kind: str) -> None:
    archive = archive_of(tmp_path, kind, {"good.pt": b"1", "": b"2"})
    with pytest.raises(DownloadError, match="holds '', which is not a file name; refused"):
        unpack(archive, tmp_path / "to", limit=100)


def test_links_in_a_zip_and_links_on_disk_are_refused(tmp_path: Path) -> None:
    archive = zip_of(tmp_path / "a.zip", {"link": b"/etc"}, kind=stat.S_IFLNK)
    with pytest.raises(DownloadError, match="'link', which is not a regular file; refused"):
        unpack(archive, tmp_path / "to", limit=100)
    (tmp_path / "to").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "to" / "folder").symlink_to(tmp_path / "elsewhere")
    for kind in KINDS:
        archive = archive_of(tmp_path, kind, {"folder/x.pt": b"1"})
        with pytest.raises(DownloadError, match="which a link leads outside"):
            unpack(archive, tmp_path / "to", limit=100)
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize(
    "type_", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_in_a_tar_are_refused_where_they_would_be_placed(tmp_path: Path, type_: bytes) -> None:
    def change(entry: tarfile.TarInfo) -> None:
        if entry.name == "logs/latest":
            entry.type, entry.linkname, entry.size = type_, "../../etc/passwd", 0

    archive = tar_of(tmp_path / "a.tar.gz", {"a.pt": b"1", "logs/latest": b""}, change)
    with pytest.raises(DownloadError, match="'logs/latest', which is not a regular file; refused"):
        unpack(archive, tmp_path / "to", limit=100)
    assert not (tmp_path / "to").exists()

    def without_logs(name: PurePosixPath) -> PurePosixPath | None:
        return None if name.parts[0] == "logs" else name

    assert unpack(archive, tmp_path / "to", limit=100, place=without_logs) == [tmp_path / "to" / "a.pt"]
    assert [path.name for path in (tmp_path / "to").rglob("*")] == ["a.pt"]


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_that_would_fill_the_disk_is_refused(tmp_path: Path, kind: str) -> None:
    archive = archive_of(tmp_path, kind, {"zeros": bytes(10_000_000)})
    assert archive.stat().st_size < 20_000 or kind == "tar"
    with pytest.raises(DownloadError, match=r"would unpack to .*\d allowed; refused|would unpack to more than the"):
        unpack(archive, tmp_path / "to", limit=1_000_000)
    with pytest.raises(DownloadError, match="would unpack to 10000000 bytes, more than the 9999999 allowed; refused"):
        unpack(archive, tmp_path / "to", limit=9_999_999)
    assert not (tmp_path / "to").exists()


def test_what_is_left_out_has_an_end_too(tmp_path: Path) -> None:
    archive = archive_of(tmp_path, "tar.gz", {"zeros": bytes(10_000_000), "a": b"1"})
    with pytest.raises(DownloadError, match="would unpack to more than the"):
        unpack(archive, tmp_path / "to", limit=100, place=lambda name: name if name.name == "a" else None)


def test_a_header_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    archive = archive_of(tmp_path, "tar.gz", {"a" * (LARGEST_HEADER + 1): b"1"})
    with pytest.raises(DownloadError, match=r"is damaged: a header states \d+ bytes"):
        unpack(archive, tmp_path / "to", limit=10**8)


def test_a_zip_that_understates_its_size_is_damaged_and_writes_no_more_than_stated(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.zip", {"zeros": bytes(10_000_000)})
    content = path.read_bytes()
    # Both the local header and the table of contents state the size.
    path.write_bytes(content.replace((10_000_000).to_bytes(4, "little"), (1000).to_bytes(4, "little")))
    with pytest.raises(DownloadError, match="is damaged"):
        unpack(path, tmp_path / "to", limit=1_000_000)
    assert not [found for found in (tmp_path / "to").rglob("*") if found.is_file()]


def test_an_encrypted_member_is_one_line(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.zip", {"x.pt": bytes(100)})
    content = bytearray(path.read_bytes())
    content[6] |= 1  # in the local header,
    content[content.index(b"PK\x01\x02") + 8] |= 1  # and in the table of contents
    path.write_bytes(content)
    with pytest.raises(DownloadError, match=r"'x.pt', which is encrypted; refused"):
        unpack(path, tmp_path / "to", limit=1000)


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damaged_compression_is_one_line_that_does_not_blame_the_disk(tmp_path: Path, method: int) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("x.pt", bytes(range(256)) * 40)
    content = bytearray(path.read_bytes())
    (name, extra) = struct.unpack("<HH", content[26:30])
    content[30 + name + extra + 9] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DownloadError, match=rf"{path} is damaged: .*Delete it and download it again"):
        unpack(path, tmp_path / "to", limit=10**6)
    assert not [found for found in (tmp_path / "to").rglob("*") if found.is_file()]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("content", [b"", b"no archive", None])
def test_what_is_no_archive_is_one_line(tmp_path: Path, content: bytes | None, kind: str) -> None:
    path = archive_of(tmp_path, kind, {"x": bytes(100)})
    if content is None:
        content = path.read_bytes()[: 1000 if kind == "tar" else -30]
    path.write_bytes(content)
    with pytest.raises(DownloadError, match=rf"{path} is damaged"):
        unpack(path, tmp_path / "to", limit=1000)
    assert not (tmp_path / "to").exists()
    with pytest.raises(DownloadError, match=r"missing.* cannot be read: No such file"):
        unpack(tmp_path / f"missing.{kind}", tmp_path / "to", limit=1000)


@pytest.mark.parametrize("kind", ["tar", "tar.zst"])
def test_a_tar_that_ends_between_two_members_is_truncated(tmp_path: Path, kind: str) -> None:
    whole = tar_of(tmp_path / "whole.tar", {"a": b"1", "b": b"2"}).read_bytes()
    path = tmp_path / f"a.{kind}"
    path.write_bytes(compressed(path, whole[:1024]))
    with pytest.raises(DownloadError, match="is damaged: a header cannot be read"):
        unpack(path, tmp_path / "to", limit=1000)
    # As several frames, of which the last ones are missing.
    if kind == "tar.zst":
        path.write_bytes(zstd(whole[:1024]) + zstd(whole[1024:]))
        assert [found.name for found in unpack(path, tmp_path / "to", limit=1000)] == ["a", "b"]


def test_a_damaged_header_does_not_end_a_tar(tmp_path: Path) -> None:
    path = tar_of(tmp_path / "a.tar", {"a": b"1", "b": b"2"})
    content = bytearray(path.read_bytes())
    content[1024] ^= 1
    path.write_bytes(content)
    with pytest.raises(DownloadError, match="is damaged: a header cannot be read: bad checksum"):
        unpack(path, tmp_path / "to", limit=1000)
    assert not (tmp_path / "to").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_no_flipped_bit_gives_another_file_or_a_raw_error(tmp_path: Path, kind: str) -> None:
    path = archive_of(tmp_path, kind, FLIPPED)
    if kind == "tar.zst":
        path.write_bytes(PACKED)
    whole = path.read_bytes()
    for place in range(0, len(whole), 7 if kind != "tar" else 97):
        content = bytearray(whole)
        content[place] ^= 1 << place % 8
        path.write_bytes(content)
        to = tmp_path / str(place)
        try:
            found = unpack(path, to, limit=10_000)
        except ResiError:
            continue
        # A bare tar has no checksum of its content, and names of a zip stand in no checksum.
        if kind not in ("tar", "zip"):
            assert {str(name.relative_to(to)): name.read_bytes() for name in found} == FLIPPED
        elif kind == "zip":
            assert {name.read_bytes() for name in found} <= set(FLIPPED.values())


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_disk_has_no_space_for_is_not_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    archive = archive_of(tmp_path, kind, {"top/a.pt": bytes(3000), "top/b.pt": bytes(2000), "notes.txt": bytes(9000)})

    def place(name: PurePosixPath) -> PurePosixPath | None:
        return name if name.parts[0] == "top" else None

    disk = SimpleNamespace(free=4999)
    monkeypatch.setattr("resi.store.space.shutil.disk_usage", lambda _path: disk)
    with pytest.raises(DownloadError, match=rf"{tmp_path} has 5 kB free, but unpacking {archive} needs 5 kB"):
        unpack(archive, tmp_path / "new", limit=10**6, place=place)
    assert not (tmp_path / "new").exists()
    (tmp_path / "new" / "top").mkdir(parents=True)
    (tmp_path / "new" / "top" / "a.pt").write_bytes(bytes(3000))  # not counted again
    disk.free = 2000
    assert len(unpack(archive, tmp_path / "new", limit=10**6, place=place)) == 2
