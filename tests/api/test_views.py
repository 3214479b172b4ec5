"""What a prompt shows of scores."""

from __future__ import annotations

from resi.api.views import score_lines
from tests.report.rows import frame, score


def test_lines_without_marks_and_without_a_reason_end_without_an_empty_line() -> None:
    nothing = [score(name, None, reason="no layer can be compared with two others") for name in ("cka", "rsa")]
    assert [line.split() for line in score_lines(frame(nothing))[1:]] == [
        [name, "undefined", "-", "-", "-", "-", "0.200"] for name in ("cka", "rsa")
    ]
