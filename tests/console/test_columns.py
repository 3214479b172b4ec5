"""Tables in columns: what fits is whole, what does not fit is left out and named."""

from __future__ import annotations

import io
import re
import sys

import pytest

from resi.console import show, shown, width
from resi.console.columns import Column, lay_out, size, wrap
from resi.console.tables import Section, print_table

COLUMNS = [
    Column("name", rank=0),
    Column("family", rank=2),
    Column("number", is_number=True, rank=1),
    Column("about", is_text=True, rank=3),
]
ROWS = [
    ["permutation_procrustes", "alignment", "12", "the distance that is left after the best permutation of neurons"],
    ["cka", "kernels", "3", "centred kernel alignment"],
    ["größe_名前", "other", "-0.25", "wide 名前 characters take two cells each, and are counted so in every column"],
]


@pytest.mark.parametrize("limit", [40, 60, 80, 200, None])
def test_lines_are_no_wider_than_asked_and_cells_are_whole(limit: int | None) -> None:
    table = lay_out(COLUMNS, ROWS, limit)
    lines = [table.header, *(line for lines in table.lines for line in lines)]
    assert all(size(line) <= (limit or 10_000) for line in lines)
    assert {"name", "family", "number", "about"} - set(table.header.split()) == set(table.left_out)
    for row, lines in zip(ROWS, table.lines, strict=True):
        words = [word for line in lines for word in line.split()]
        for column, cell in zip(COLUMNS, row, strict=True):
            if column.title not in table.left_out:
                assert [word for word in words if word in cell.split()] == cell.split()


def test_columns_of_the_highest_rank_are_left_out_first() -> None:
    assert lay_out(COLUMNS, ROWS, 200).left_out == []
    assert lay_out(COLUMNS, ROWS, 45).left_out == ["about"]
    assert lay_out(COLUMNS, ROWS, 35).left_out == ["family", "about"]
    assert lay_out(COLUMNS, ROWS, 10).left_out == ["family", "number", "about"]
    assert lay_out(COLUMNS, ROWS, 10).lines[0] == ["permutation_procrustes"]


def test_numbers_stand_below_each_other() -> None:
    table = lay_out(COLUMNS[:3:2], [[row[0], row[2]] for row in ROWS], 80)
    assert table.header == "name                    number"
    assert [lines[0][-6:] for lines in table.lines] == ["    12", "     3", " -0.25"]


def test_lines_are_broken_between_words_and_only_long_words_at_commas() -> None:
    text = "test=accuracy_correlation,output_correlation,shortcut measure=fast a-hyphenated-word"
    lines = wrap(text, 30, "  ")
    assert lines == [
        "test=accuracy_correlation,",
        "  output_correlation,shortcut",
        "  measure=fast",
        "  a-hyphenated-word",
    ]
    assert wrap("model=gcn measure=[cka,rsa]", 20) == ["model=gcn", "measure=[cka,rsa]"]
    assert wrap("one_word_that_is_longer", 5) == ["one_word_that_is_longer"]
    assert wrap("", 5) == [""]


def test_the_width_is_that_of_columns_and_of_a_file_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for text, expected in (("40", 40), ("", None), ("0", None), ("-3", None), ("wide", None)):
        monkeypatch.setenv("COLUMNS", text)
        assert width() == expected


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8", "cp1252"])
def test_any_encoding_takes_a_table_and_its_columns_stay_aligned(
    encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding=encoding))
    columns = [Column("AUPRC ↑", rank=0), Column("next", rank=0)]
    print_table(columns, [Section([["±…", "x"], ["a\x1b[31m", "x"]], heading="größe ↓")], title="— title", within=40)
    sys.stdout.flush()
    text = written.getvalue().decode(encoding)
    assert "\x1b" not in text
    rows = [line for line in text.splitlines() if line.endswith(("x", "next"))]
    places = {re.search(r"(x|next)$", line).start() for line in rows}
    assert len(rows) == 3
    assert len(places) == 1


def test_a_text_in_memory_holds_every_character(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    show("─ ↑", "bold")
    assert sys.stdout.getvalue() == "─ ↑\n"
    assert shown("名\nb") == "名\\nb"


def test_no_color_and_dumb_outputs_have_no_escape_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm-256color")
    for name, value, is_coloured in (("NO_COLOR", "1", False), ("NO_COLOR", "", True)):
        monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "stdout", Terminal())
        show("text", "bold green")
        assert ("\x1b" in sys.stdout.getvalue()) == is_coloured
