"""What differs between two results."""

from __future__ import annotations

import polars as pl

from resi.report.changes import changes
from tests.report.rows import frame, score
from tests.report.test_answer import FEW, scores_of


def test_scores_that_changed_are_listed_with_the_largest_first() -> None:
    before = [score("cka", 0.9, low=0.8, high=0.95), score("rsa", 0.5, low=0.4, high=0.6), score("gulp", 0.3)]
    now = [score("cka", 0.91), score("rsa", 0.7), score("gulp", 0.3), score("imd", 0.1)]
    found = changes(frame(now), frame(before), "old")
    rows = [(row.measure.label, row.before, row.now, row.beyond) for row in found.rows]
    assert rows == [("rsa", 0.5, 0.7, "yes"), ("cka", 0.9, 0.91, "no")]
    assert found.sentence == (
        "3 scores are in both, 2 of them with another value, 1 of these outside the earlier 95 % interval; "
        "new: 1, gone: 0."
    )
    assert found.only == ["Only here: measure imd."]
    same = [score("cka", 0.9 + 1e-9), *before[1:]]
    assert changes(frame(same), frame(before), "old").rows == []


def test_a_score_that_is_lost_counts_as_the_largest_change() -> None:
    before, now = [score("cka", 0.9), score("rsa", 0.5)], [score("cka", 0.1), score("rsa", None, key="later")]
    found = changes(frame(now), frame(before), "old")
    assert [(row.measure.label, row.change) for row in found.rows] == [("rsa", None), ("cka", 0.1 - 0.9)]


def test_changes_say_which_score_they_are_of() -> None:
    about = {"test": "output_correlation", "metric": "spearman", "functional": "jsd", "pooling": "cls"}
    rows = [score("cka", 0.9, setting=setting, **about) for setting in ("standard", "mixup")]
    now = [{**row, "value": 0.1 * n} for n, row in enumerate(rows)]
    found = changes(frame(now), frame(rows), "old")
    assert [row.about for row in found.rows] == [
        f"cora, gcn, {setting}, jsd, pooling cls" for setting in ("standard", "mixup")
    ]


def test_other_answers_are_said() -> None:
    clear = frame(scores_of({"cka": 0.9, "rsa": 0.5, "gulp": 0.1}))
    tied = frame(scores_of({"cka": 0.9, "rsa": 0.9, "gulp": 0.1}))
    small = frame(scores_of({"cka": 0.9, "rsa": 0.5, "gulp": 0.1}, note=FEW))
    where = "graph, telling models apart that were trained differently: "
    assert changes(tied, clear, "old").answers == [
        f"{where}rsa joined those that cannot be distinguished from the best."
    ]
    assert changes(clear, tied, "old").answers == [f"{where}rsa left those that cannot be distinguished from the best."]
    assert changes(clear, small, "old").answers == [f"{where}could not be decided before; now cka."]
    assert changes(small, clear, "old").answers == [f"{where}can no longer be decided; before: cka."]
    elsewhere = clear.with_columns(domain=pl.lit("vision"))
    found = changes(elsewhere, clear, "old")
    assert found.answers == ["vision, telling models apart that were trained differently: no scores before; now cka."]
    assert found.only == ["Only here: domain vision.", "Only in old: domain graph."]
