"""What differs between two results: scores, and which measures cannot be distinguished from the best."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from resi.report.answer import Answer, answers
from resi.report.leaderboard import NOTHING, headline_scores, leaderboards
from resi.report.names import KINDS, Named, counted, listed, named, title
from resi.results.schema import PUBLISHED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SAME = ["test", "domain", "dataset", "architecture", "setting", "measure", "parameters", "metric", "functional"]
SAME += ["protocol", "origin", "pooling", "model_source", "groups", "models"]
"""Scores with equal values in these columns correspond to each other in both results."""
EQUAL = 1e-6
"""Scores that differ by less are the same: they were computed again, perhaps on another machine."""
SHOWN = 500
THINGS = {"domain": "domain", "dataset": "dataset", "architecture": "architecture", "measure": "measure"}
THINGS |= {"test": "test", "protocol": "protocol"}
"""The columns listed for scores that are in only one of the results."""


class Change(NamedTuple):
    """A score that has changed; None where there was or is none.

    Attributes
    ----------
    beyond : str
        Whether the score lies outside the other one's 95 % interval, in words.
    """

    measure: Named
    imported: bool
    domain: str
    test: str
    about: str
    before: float | None
    now: float | None
    beyond: str

    @property
    def change(self) -> float | None:
        """How much larger the score is than before."""
        return None if self.now is None or self.before is None else self.now - self.before

    @property
    def size(self) -> float:
        """The key by which changes are sorted."""
        return 9.0 if self.change is None else abs(self.change)


class Changes(NamedTuple):
    """What differs from ``other`` results; ``more`` changes of scores are not listed.

    Attributes
    ----------
    only : list of str
        What only one of the two has scores of.
    """

    other: str
    sentence: str
    only: list[str]
    answers: list[str]
    rows: list[Change]
    more: int


def changes(now: pl.DataFrame, before: pl.DataFrame, other: str) -> Changes:
    """Return what differs between two tables of scores.

    Parameters
    ----------
    now, before : DataFrame
        With the columns :data:`resi.results.schema.SCORES`.
    other : str
        What the results before are called.
    """
    columns = ["value", "low", "high", "compared", "key"]
    sides = [headline_scores(scores).select(*SAME, "settings", *columns) for scores in (now, before)]
    # Scores of earlier versions do not name their groups.
    if all((side["settings"].fill_null("") != "").all() for side in sides):
        same = [*SAME, "settings"]
    else:
        same = SAME
    # Runs with all names equal are distinguished by their order.
    sides = [side.sort(*same, "compared", "key").with_columns(run=pl.int_range(pl.len()).over(same)) for side in sides]
    both = sides[0].join(sides[1], on=[*same, "run"], how="full", coalesce=True, nulls_equal=True, suffix="_before")
    added, gone = both.filter(pl.col("key_before").is_null()), both.filter(pl.col("key").is_null())
    kept = both.filter(pl.col("key").is_not_null() & pl.col("key_before").is_not_null())
    differs = ((pl.col("value") - pl.col("value_before")).abs() > EQUAL) | (
        pl.col("value").is_null() != pl.col("value_before").is_null()
    )
    changed = kept.filter(differs)
    rows = sorted(map(_change, changed.iter_rows(named=True)), key=lambda row: -row.size)
    beyond = sum(row.beyond == "yes" for row in rows)
    sentence = (
        f"{counted(kept.height, 'score')} {'is' if kept.height == 1 else 'are'} in both, {changed.height} of them with "
        f"another value, {beyond} of these outside the earlier 95 % interval; new: {added.height}, gone: {gone.height}."
    )
    only = [*_only(sides[0], sides[1], "here"), *_only(sides[1], sides[0], f"in {other}")]
    return Changes(other, sentence, only, list(_changed_answers(now, before)), rows[:SHOWN], max(0, len(rows) - SHOWN))


def _only(these: pl.DataFrame, those: pl.DataFrame, where: str) -> Iterator[str]:
    """Yield a sentence on what only one side has scores of."""
    found = []
    for column, noun in THINGS.items():
        if names := sorted(set(these[column]) - set(those[column])):
            found.append(f"{noun}{'s' if len(names) > 1 else ''} {listed(names)}")
    if found:
        yield f"Only {where}: {'; '.join(found)}."


def _change(row: Mapping[str, Any]) -> Change:
    words = [row["dataset"], row["architecture"], row["setting"], row["functional"]]
    words += [f"pooling {row['pooling']}"] if row["pooling"] not in NOTHING else []
    words += ["published models"] if row["model_source"] == PUBLISHED else []
    words += [f"{row['protocol']} protocol"] if row["protocol"] != "corrected" else []
    words += ["other models"] if row["compared"] != row["compared_before"] else []
    return Change(
        named(row["measure"], row["parameters"]),
        row["origin"] == PUBLISHED,
        row["domain"],
        title(row["test"]),
        ", ".join(str(word) for word in words if word),
        row["value_before"],
        row["value"],
        _beyond(row),
    )


def _beyond(row: Mapping[str, Any]) -> str:
    low, high, value = row["low_before"], row["high_before"], row["value"]
    if low is None or high is None or value is None:
        return "unknown"
    return "no" if low <= value <= high else "yes"


def _changed_answers(now: pl.DataFrame, before: pl.DataFrame) -> Iterator[str]:
    """Yield a sentence for each domain and kind of test with another answer than before."""
    new, old = (_by_question(scores) for scores in (now, before))
    for about in sorted(new.keys() | old.keys()):
        conditions, domain, kind = about
        labels = [_labels(found.get(about)) for found in (new, old)]
        if labels[0] == labels[1] or about not in new:  # the scores already say that it is gone
            continue
        where = f"{domain}{f' ({conditions})' if conditions else ''}, {KINDS[kind].lower()}"
        came, went = (sorted(set(a or ()) - set(b or ())) for a, b in ((labels[0], labels[1]), (labels[1], labels[0])))
        if labels[0] and labels[1]:
            said = [f"{listed(came)} joined" if came else "", f"{listed(went)} left" if went else ""]
            yield f"{where}: {' and '.join(filter(None, said))} those that cannot be distinguished from the best."
        elif labels[0]:
            yield f"{where}: {'could not be decided' if about in old else 'no scores'} before; now {listed(labels[0])}."
        else:
            yield f"{where}: can no longer be decided; before: {listed(labels[1] or [])}."


def _by_question(scores: pl.DataFrame) -> dict[tuple[str, str, str], Answer]:
    return {(found.conditions, found.domain, found.kind): found for found in answers(list(leaderboards(scores)))}


def _labels(found: Answer | None) -> list[str]:
    return [label.label for label, _ in found.best] if found else []
