"""What the newcomer types stays in the shell and in the console, and what fails ends the walk."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from scripts.newcomer import Newcomer, Step, print_times


@pytest.fixture
def somebody(tmp_path: Path) -> Newcomer:
    (tmp_path / "clone").mkdir()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return Newcomer(tmp_path / "clone", {"PATH": path, "OMP_NUM_THREADS": "1"})


def shell(command: str) -> Step:
    return Step("A", "shell", command)


def test_a_shell_keeps_its_variables_and_a_console_its_names(
    somebody: Newcomer, capsys: pytest.CaptureFixture[str]
) -> None:
    somebody.do(shell("export WORD='two words'"))
    somebody.do(shell('echo "$WORD here"; pwd'))
    somebody.do(Step("B", "file", "# mine.py\nnumber = 41\n"))
    somebody.do(Step("B", "python", "import mine\n\ndef more(x):\n    return x + 1\n"))
    somebody.do(Step("B", "python", "print(more(mine.number))"))
    somebody.close()
    print_times(somebody.times)
    lines = capsys.readouterr().out.splitlines()
    assert "two words here" in lines
    assert str(somebody.folder) in lines
    assert "42" in lines
    assert [step.title for step, _ in somebody.times][2:] == ["Python, 4 lines", "Python, 1 lines"]
    assert all(took.seconds >= max(took.first, took.silent) > 0 for _, took in somebody.times)
    assert lines[-1].endswith("  all")
    assert [line.strip() for line in lines if line.strip() in ("A", "B")] == ["A", "B"]


def test_what_fails_ends_the_walk(somebody: Newcomer, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match="exit code 3: exit 3"):
        somebody.do(shell("exit 3"))
    with pytest.raises(SystemExit, match="exit code 1"):  # the first command of several
        somebody.do(shell("false\ntrue"))
    with pytest.raises(SystemExit, match="Python ended with 1"):
        somebody.do(Step("B", "python", "unknown"))
    monkeypatch.setattr("scripts.newcomer.PROMISED", {"touch": "a b"})
    with pytest.raises(SystemExit, match=r"^b not there after: touch a$"):
        somebody.do(shell("touch a"))
    monkeypatch.setattr("scripts.newcomer.FIRST_SECONDS", -1.0)
    with pytest.raises(SystemExit, match="nothing was shown for 0 s: echo"):
        somebody.do(shell("echo"))
