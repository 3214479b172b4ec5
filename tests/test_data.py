"""The data in the repository: complete, described, and never missing silently."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import check_files


def test_all_data_are_summed_and_described(data: Path) -> None:
    found = {path.relative_to(data).as_posix() for path in data.rglob("*") if path.is_file()}
    summed = {line.split(maxsplit=1)[1] for line in (data / "SHA256SUMS").read_text(encoding="utf-8").splitlines()}
    unsummed = {name for name in found - summed if not name.endswith((".md", "LICENSE", "make.sh"))}
    assert unsummed == {"SHA256SUMS"}
    text = (data / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in data.iterdir() if path.is_dir() and f"| `{path.name}" not in text] == []


@pytest.mark.parametrize(
    ("content", "message"), [(None, "missing; it is part of the repository"), (b"other", "differs from SHA256SUMS")]
)
def test_a_missing_or_changed_file_fails_and_is_named(content: bytes | None, message: str, tmp_path: Path) -> None:
    (tmp_path / "SHA256SUMS").write_text(f"{'0' * 64}  sst2/dev.tsv\n", encoding="utf-8")
    if content is not None:
        (tmp_path / "sst2").mkdir()
        (tmp_path / "sst2" / "dev.tsv").write_bytes(content)
    with pytest.raises(pytest.fail.Exception, match=rf"sst2/dev\.tsv (is )?{message}"):
        check_files(tmp_path)
