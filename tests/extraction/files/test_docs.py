"""What docs/files.md shows works, and its table says what the formats hold."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from resi.cli.main import run_command
from resi.extraction.files.contents import FLOATS
from resi.extraction.files.formats import FORMATS

if TYPE_CHECKING:
    import pytest

PAGE = Path(__file__).parents[3] / "docs/files.md"


def test_the_table_says_what_formats_hold() -> None:
    text = PAGE.read_text(encoding="utf-8")
    yes = {True: "yes", False: "no"}
    for format_ in FORMATS:
        dtypes = ", ".join(name for name in FLOATS if name in format_.dtypes)
        cells = (
            ", ".join(f"`{suffix}`" for suffix in format_.suffixes),
            "several" if format_.holds_many else "one",
            dtypes,
            yes[format_.holds_ids],
            yes[format_.holds_facts],
        )
        assert f"| {' | '.join(cells)} |" in text


def test_its_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    scope: dict[str, object] = {}
    blocks = re.findall(r"```(python|sh)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert {kind for kind, _ in blocks} == {"python", "sh"}
    for kind, code in blocks:
        if kind == "python":
            exec(compile(code, str(PAGE), "exec"), scope)
            continue
        for line in code.splitlines():
            words = shlex.split(line, comments=True)
            assert words[0] == "resi"
            assert run_command(words[1:]) == 0, capsys.readouterr().err
