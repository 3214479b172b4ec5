"""Downloads go on where they stopped and are checked; archives never write outside their folder or without end."""

from __future__ import annotations

import hashlib
import io
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

from resi.downloads import download, extract_zip
from resi.errors import DownloadError
from tests.file_server import FileServer, serve

CONTENT = bytes(range(256)) * 20_000  # 5 MB, several chunks
SHA = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serve() as running:
        running.files["/file"] = CONTENT
        yield running


def test_a_file_arrives_whole_and_is_not_fetched_twice(server: FileServer, tmp_path: Path) -> None:
    counts: list[int] = []
    for _ in range(2):
        download(f"{server.url}/file", tmp_path / "below" / "file", checksum=SHA, advance=counts.append)
    assert (tmp_path / "below" / "file").read_bytes() == CONTENT
    assert len(server.asked) == 1
    assert sum(counts) == 2 * len(CONTENT)
    assert [path.name for path in (tmp_path / "below").iterdir()] == ["file"]


def test_a_broken_download_is_kept_and_goes_on(server: FileServer, tmp_path: Path) -> None:
    server.break_after = 3_000_000
    with pytest.raises(DownloadError, match=r"/file cannot be fetched: .*What has arrived is kept"):
        download(f"{server.url}/file", tmp_path / "file", checksum=SHA)
    assert not (tmp_path / "file").exists()
    kept = (tmp_path / "file.part").stat().st_size
    assert 0 < kept <= 3_000_000
    counts: list[int] = []
    download(f"{server.url}/file", tmp_path / "file", checksum=SHA, advance=counts.append)
    assert server.asked[-1] == ("/file", f"bytes={kept}-")
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert sum(counts) == len(CONTENT)


def test_a_server_without_ranges_sends_it_all_again(server: FileServer, tmp_path: Path) -> None:
    server.ranges = False
    (tmp_path / "file.part").write_bytes(b"something else")
    download(f"{server.url}/file", tmp_path / "file", checksum=SHA)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_part_that_is_whole_already_is_checked_and_named(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(CONTENT)
    download(f"{server.url}/file", tmp_path / "file", checksum=SHA)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_what_differs_from_its_checksum_is_deleted(server: FileServer, tmp_path: Path) -> None:
    server.files["/file"] = CONTENT[:-1] + b"x"
    with pytest.raises(DownloadError, match=rf"{server.url}/file is damaged on arrival and was deleted; .*sha256"):
        download(f"{server.url}/file", tmp_path / "file", checksum=SHA)
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").write_bytes(b"another")
    with pytest.raises(DownloadError, match=r"file is not the file at .*; delete it to fetch it again"):
        download(f"{server.url}/file", tmp_path / "file", checksum=SHA)
    assert (tmp_path / "file").read_bytes() == b"another"


def test_more_than_the_stated_size_is_refused(server: FileServer, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="is larger than the 1000 bytes it should have at most"):
        download(f"{server.url}/file", tmp_path / "file", limit=1000)
    assert (tmp_path / "file.part").stat().st_size <= 1000


@pytest.mark.parametrize("address", ["file:///etc/passwd", "ftp://host/file", "here"])
def test_only_web_addresses_are_opened(address: str, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="is no address of a file"):
        download(address, tmp_path / "file")


def test_a_server_that_is_not_there_or_lacks_the_file_is_one_line(server: FileServer, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"cannot be fetched: .*refused"):
        download("http://127.0.0.1:9/file", tmp_path / "file")
    with pytest.raises(DownloadError, match="/other cannot be fetched: Not Found"):
        download(f"{server.url}/other", tmp_path / "file")


def archive_of(path: Path, members: dict[str, bytes], kind: int = stat.S_IFREG) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (kind | 0o644) << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return path


def test_an_archive_is_unpacked_where_its_members_are_placed(tmp_path: Path) -> None:
    archive = archive_of(tmp_path / "a.zip", {"top/x/1.pt": b"one", "top/y/2.pt": b"two", "notes.txt": b"n"})

    def place(name: PurePosixPath) -> PurePosixPath | None:
        return PurePosixPath(*name.parts[1:]) if name.parts[0] == "top" else None

    found = extract_zip(archive, tmp_path / "to", limit=100, place=place)
    assert found == [tmp_path / "to" / "x" / "1.pt", tmp_path / "to" / "y" / "2.pt"]
    assert found[1].read_bytes() == b"two"
    # What is there stays; what is damaged is written again.
    before = found[1].stat().st_mtime_ns
    found[0].write_bytes(b"eno")
    extract_zip(archive, tmp_path / "to", limit=100, place=place)
    assert found[0].read_bytes() == b"one"
    assert found[1].stat().st_mtime_ns == before


@pytest.mark.parametrize(
    "name", ["../out.pt", "a/../../out.pt", "/out.pt", "..\\out.pt", "C:\\out.pt", "a/b/../../../out.pt"]
)
def test_an_archive_that_leaves_its_folder_is_refused_before_anything_is_written(tmp_path: Path, name: str) -> None:
    archive = archive_of(tmp_path / "a.zip", {"good.pt": b"1", name: b"2"})
    with pytest.raises(DownloadError, match="lies outside its folder; refused"):
        extract_zip(archive, tmp_path / "to", limit=100)
    assert not (tmp_path / "to").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_links_in_an_archive_and_links_on_disk_are_refused(tmp_path: Path) -> None:
    archive = archive_of(tmp_path / "a.zip", {"link": b"/etc"}, kind=stat.S_IFLNK)
    with pytest.raises(DownloadError, match="'link', which is no plain file; refused"):
        extract_zip(archive, tmp_path / "to", limit=100)
    (tmp_path / "to").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "to" / "folder").symlink_to(tmp_path / "elsewhere")
    archive = archive_of(tmp_path / "b.zip", {"folder/x.pt": b"1"})
    with pytest.raises(DownloadError, match="which a link leads outside"):
        extract_zip(archive, tmp_path / "to", limit=100)
    assert not list((tmp_path / "elsewhere").iterdir())


def test_an_archive_that_would_fill_the_disk_is_refused(tmp_path: Path) -> None:
    archive = archive_of(tmp_path / "a.zip", {"zeros": bytes(10_000_000)})
    assert archive.stat().st_size < 20_000
    with pytest.raises(DownloadError, match="would unpack to 10000000 bytes, more than the 1000000 allowed; refused"):
        extract_zip(archive, tmp_path / "to", limit=1_000_000)
    assert not (tmp_path / "to").exists()


def test_an_archive_that_understates_its_size_is_damaged_and_writes_no_more_than_stated(tmp_path: Path) -> None:
    path = archive_of(tmp_path / "a.zip", {"zeros": bytes(10_000_000)})
    content = path.read_bytes()
    # Both the local header and the table of contents state the size.
    path.write_bytes(content.replace((10_000_000).to_bytes(4, "little"), (1000).to_bytes(4, "little")))
    with pytest.raises(DownloadError, match="is damaged"):
        extract_zip(path, tmp_path / "to", limit=1_000_000)
    assert not [found for found in (tmp_path / "to").rglob("*") if found.is_file()]


@pytest.mark.parametrize("content", [b"", b"no archive", None])
def test_what_is_no_archive_is_one_line(tmp_path: Path, content: bytes | None) -> None:
    path = archive_of(tmp_path / "a.zip", {"x": bytes(100)})
    if content is None:
        whole = io.BytesIO(path.read_bytes())
        content = whole.getvalue()[:-30]
    path.write_bytes(content)
    with pytest.raises(DownloadError, match=rf"{path} is damaged"):
        extract_zip(path, tmp_path / "to", limit=1000)
