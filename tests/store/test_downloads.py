"""Downloads go on where they stopped, are checked, and have an end."""

from __future__ import annotations

import hashlib
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from resi.errors import DownloadError
from resi.store.downloads import download
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
    with pytest.raises(DownloadError, match=r"/file cannot be downloaded: .*The partial download is kept"):
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


def test_a_part_that_is_longer_than_the_file_is_deleted(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(CONTENT + b"more")
    with pytest.raises(DownloadError, match=r"file\.part was not a part of .*/file and was deleted; try again"):
        download(f"{server.url}/file", tmp_path / "file", checksum=SHA)
    download(f"{server.url}/file", tmp_path / "file", checksum=SHA)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_what_differs_from_its_checksum_is_deleted(server: FileServer, tmp_path: Path) -> None:
    server.files["/file"] = CONTENT[:-1] + b"x"
    with pytest.raises(DownloadError, match=rf"{server.url}/file was damaged in transfer and was deleted; .*sha256"):
        download(f"{server.url}/file", tmp_path / "file", checksum=SHA)
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").write_bytes(b"another")
    with pytest.raises(DownloadError, match=r"file is not the file at .*; delete it to download it again"):
        download(f"{server.url}/file", tmp_path / "file", checksum=SHA)
    assert (tmp_path / "file").read_bytes() == b"another"


def test_more_than_the_stated_size_is_refused(server: FileServer, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="is larger than the allowed 1000 bytes"):
        download(f"{server.url}/file", tmp_path / "file", limit=1000)
    assert (tmp_path / "file.part").stat().st_size <= 1000


@pytest.mark.parametrize("address", ["file:///etc/passwd", "ftp://host/file", "here"])
def test_only_web_addresses_are_opened(address: str, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="is not the URL of a file"):
        download(address, tmp_path / "file")


def test_a_server_that_is_not_there_or_lacks_the_file_is_one_line(server: FileServer, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"cannot be downloaded: .*refused"):
        download("http://127.0.0.1:9/file", tmp_path / "file")
    with pytest.raises(DownloadError, match="/other cannot be downloaded: Not Found"):
        download(f"{server.url}/other", tmp_path / "file")


def test_another_part_than_the_one_asked_for_is_not_taken_for_it(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(CONTENT[:1000])
    server.shift = 1
    with pytest.raises(DownloadError, match=r"the server sent bytes 1001-.* instead of what follows byte 1000"):
        download(f"{server.url}/file", tmp_path / "file")
    assert (tmp_path / "file.part").read_bytes() == CONTENT[:1000]


def test_a_secure_address_does_not_lead_to_an_insecure_one(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = urllib.request.urlopen
    monkeypatch.setattr(
        urllib.request, "urlopen", lambda _request, timeout: whole(f"{server.url}/file", timeout=timeout)
    )
    with pytest.raises(DownloadError, match=r"https://example\.org/file redirects to http://127.*; refused"):
        download("https://example.org/file", tmp_path / "file")
    assert not list(tmp_path.iterdir())
