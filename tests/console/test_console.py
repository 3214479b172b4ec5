"""What is printed: control characters are seen and not obeyed, and every text fits every encoding."""

from __future__ import annotations

import io
import sys

import pytest
from rich.table import Table

from resi.cli.main import run_command
from resi.console import cell, output, progress, say, time_left, time_taken, write
from resi.console.plain_text import encodable, visible

CLEAR = "\x1b[2J\x1b[1;1H"
FORGED = f"bad{CLEAR}\n6 comparisons; written to /tmp\r0 jobs\u202etxt.exe\x9b31m\udcff"
WRITTEN_OUT = r"bad\x1b[2J\x1b[1;1H\n6 comparisons; written to /tmp\r0 jobs\u202etxt.exe\x9b31m\xff"


def is_harmless(text: str) -> bool:
    return not any(character < " " and character != "\n" for character in text) and visible(text, "\n") == text


def test_control_characters_are_written_out() -> None:
    assert visible(FORGED) == WRITTEN_OUT
    assert visible("two\nlines", keep="\n") == "two\nlines"
    assert visible("naïve Ünïcode, 中文, שלום, क्‍ष ↑ ‖") == "naïve Ünïcode, 中文, שלום, क्‍ष ↑ ‖"


def test_a_message_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    say(f"resi: measure {FORGED}\n")
    assert capsys.readouterr().err == f"resi: measure {WRITTEN_OUT}\n"


def test_nothing_in_a_table_moves_the_cursor_or_adds_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table(title=cell(f"title {FORGED}"), box=None)
    table.add_column("col\x1b[31m")
    table.add_row(cell(f"first [bold]{FORGED}"))
    table.add_row(CLEAR)  # also where nobody thinks of it
    console = output()
    console.print(table)
    console.print(f"{cell(FORGED)} :smile:")
    console.print(f"plain {CLEAR}", markup=False)
    text = capsys.readouterr().out
    assert is_harmless(text)
    assert len(text.splitlines()) == 6
    for part in (f"title {WRITTEN_OUT}", f"first [bold]{WRITTEN_OUT}", r"col\x1b[31m", r"plain \x1b[2J", ":smile:"):
        assert part in text


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_texts_that_an_encoding_lacks_are_replaced(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    streams = [io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict") for _ in range(2)]
    monkeypatch.setattr(sys, "stdout", streams[0])
    monkeypatch.setattr(sys, "stderr", streams[1])
    table = Table("AUPRC ↑", "violations ↓", title="‖RᵀS‖² Σ é 中 \udcff")
    table.add_row("0.5", "0.1")
    output().print(table)
    write("‖x‖²\n")
    say("é ↑ 中 \udcff")
    out, err = (stream.buffer.getvalue().decode(encoding) for stream in streams if not stream.flush())  # type: ignore[attr-defined]
    if encoding == "utf-8":
        assert "AUPRC ↑" in out
        assert err == "é ↑ 中 \\xff\n"
    else:
        assert "AUPRC ^" in out
        assert "violations v" in out
        assert "||x||" in out
        assert err == ("e" if encoding == "ascii" else "é") + " ^ \\u4e2d \\xff\n"


def test_each_character_is_replaced_by_itself() -> None:
    assert encodable("a ≤ b² — ½ …", "ascii") == "a <= b^2 -- \\xbd ..."
    assert encodable("plain", "no such encoding") == "plain"
    assert encodable("é", None) == "e"


def test_commands_print_on_a_terminal_of_ascii_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for words in (["describe", "distance_correlation"], ["list", "measures", "r*"], ["--help"]):
        stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="strict")
        monkeypatch.setattr(sys, "stdout", stream)
        assert run_command(words) == 0
        stream.flush()
        text = stream.buffer.getvalue().decode()  # type: ignore[attr-defined]
        assert len(text) > 100
        assert words[0] != "describe" or ("dCov^2" in text and "Szekely" in text)


def test_a_warning_is_shown_with_its_control_characters_written_out() -> None:
    from resi.cli.main import _visible_warning

    text = _visible_warning(UserWarning(f"odd {FORGED}"), UserWarning, "plugin.py", 3)
    assert text == f"plugin.py:3: UserWarning: odd {WRITTEN_OUT}\n"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (114.2, "1 min 54 s"), (600, "10 min"), (7200, "2 h 0 min")],
)
def test_times_along_a_run_are_said_by_one_rule(seconds: float, text: str) -> None:
    assert time_taken(seconds) == text


def test_what_is_left_is_estimated_without_the_start(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr("resi.console.time.monotonic", lambda: now)
    with progress("training models", 45) as advance:
        for seconds in (42, 11, 11, 11, 64):  # the first is mostly start-up
            now += seconds
            advance()
    assert capsys.readouterr().err.splitlines()[:-1] == [
        "training models: 1/45, 42 s so far",
        "training models: 2/45, 53 s so far",
        "training models: 3/45, 1 min 4 s so far, about 7 min 42 s to go",
        "training models: 4/45, 1 min 15 s so far, about 7 min 31 s to go",
        "training models: 5/45, 2 min 19 s so far, about 16 min to go",
    ]


def test_a_speed_of_less_than_some_seconds_is_not_known() -> None:
    assert time_left(3, 45, 2.0) is None
    assert time_left(2, 45, 60.0) is None
    assert time_left(3, 1000, 60.0) is None  # the first of many may be over when most of the work for others is done
    assert time_left(11, 45, 60.0) == 6 * 34
