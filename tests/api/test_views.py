"""What a prompt shows of scores."""

from __future__ import annotations

from resi.api.views import score_lines
from tests.report.rows import frame, score


def test_why_scores_are_undefined_is_said_below_the_lines() -> None:
    nothing = [score(name, None, reason="no layer can be compared with two others") for name in ("cka", "rsa")]
    *lines, last = score_lines(frame(nothing))[1:]
    assert [line.split() for line in lines] == [
        [name, "undefined", "-", "-", "-", "-", "0.200"] for name in ("cka", "rsa")
    ]
    assert last == "undefined: no layer can be compared with two others"
    *_, last = score_lines(frame([score("jaccard", 0.5), *nothing]))
    assert last == "undefined: no layer can be compared with two others (cka, rsa)"
