"""The answer on the first screen: which measures cannot be distinguished from the best, how sure that is, and why."""

from __future__ import annotations

from collections import Counter
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from resi.groundings.notes import TOO_FEW_TO_TELL
from resi.groundings.ranks import best_measures, shares
from resi.report.names import KINDS, anchor, counted, listed, named, title
from resi.results.schema import PUBLISHED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from resi.report.leaderboard import Design, Key, Leaderboard
    from resi.report.names import Named

SHOWN = 8
"""The most measures named in a sentence."""
UNSURE = 4
"""The most measures named as not distinguished from chance."""
PLACED = 4
"""If more measures are not part of resi, they are named without their ranks."""
ORDER = {kind: number for number, kind in enumerate(KINDS)}


class Link(NamedTuple):
    """A place on the page."""

    text: str
    anchor: str


class Answer(NamedTuple):
    """The result of a run for one domain and kind of test.

    Attributes
    ----------
    best : list of (Named, bool)
        The measures that cannot be distinguished from the best, the smallest mean rank first, and whether they are
        imported. Empty if the measures cannot be ranked.
    unsure : list of str
        The labels of those with a score that is not distinguished from chance.
    sentence : str
        What follows the names, or why there are none.
    caveats : list of str
        Qualifications, one sentence each.
    basis : str
        The number of cases (a test on one architecture and dataset) and models it is based on.
    """

    domain: str
    conditions: str
    kind: str
    question: str
    best: list[tuple[Named, bool]]
    unsure: list[str]
    sentence: str
    caveats: list[str]
    basis: str
    evidence: list[Link]

    @property
    def shown(self) -> list[tuple[Named, bool]]:
        """The first of the best measures."""
        return self.best[:SHOWN]


class Standing(NamedTuple):
    """The mean rank of a measure in a test, and among how many measures it is."""

    test: Link
    rank: float
    measures: int


class _Column(NamedTuple):
    """A column of one of the tests, its rows counted over all of them."""

    test: str
    design: Design
    rows: list[int]


def answers(boards: Sequence[Leaderboard]) -> list[Answer]:
    """Return the answer for each kind of test in each domain, those about trained models first."""
    together: dict[tuple[str, str, str], list[Leaderboard]] = {}
    for board in boards:
        together.setdefault((board.conditions, board.domain, board.kind), []).append(board)
    ordered = sorted(together, key=lambda key: (key[0], key[1], ORDER[key[2]]))
    return [_answer(key, together[key]) for key in ordered]


def _answer(about: tuple[str, str, str], boards: Sequence[Leaderboard]) -> Answer:
    conditions, domain, kind = about
    keys: dict[Key, int] = {}
    columns = [
        _Column(board.test, design, [keys.setdefault(board.order[row], len(keys)) for row in design.ranked.rows])
        for board in boards
        for design in board.designs
        if design.ranked
    ]
    able = [column for column in columns if not _too_few(column.design) and column.design.ranked.influences is not None]  # type: ignore[union-attr]
    names = list(keys)
    rows, sentence = _verdict(able, columns, names)
    best = [(named(names[row][0], names[row][1]), names[row][2] == PUBLISHED) for row in rows]
    chance = _unsure(able)
    unsure = [label.label for (label, _), row in zip(best, rows, strict=True) if row in chance]
    every = {key for board in boards for key in board.order}  # including those that failed everywhere
    caveats = _caveats(able, columns, len(every), unsure) if best else []
    evidence = [Link(title(board.test), board_anchor(board)) for board in boards]
    used = able if best else columns
    question = KINDS[kind]
    basis = _basis(used, len(keys))
    return Answer(domain, conditions, kind, question, best, unsure, sentence, caveats, basis, evidence)


def _verdict(able: Sequence[_Column], columns: Sequence[_Column], keys: list[Key]) -> tuple[list[int], str]:
    """Return the best measures with a sentence about them, or why there are none."""
    if why_not := _why_not(able, columns):
        return [], why_not
    ranked = [column.design.ranked._replace(rows=column.rows) for column in able if column.design.ranked]
    found = best_measures(ranked, len(keys))
    if found is None:
        return [], "No two measures have scores in all cases, so they cannot be ranked."
    places: dict[int, list[float]] = {}
    for column in ranked:
        for row, place in zip(column.rows, shares(column.scores), strict=True):
            places.setdefault(row, []).append(place)
    found.sort(key=lambda row: (fmean(places[row]), keys[row]))
    everywhere = sum(len(of) == len(ranked) for of in places.values())
    if len(found) == everywhere:
        return found, f"These are all {counted(everywhere, 'measure')}: none can be distinguished from the best."
    if len(found) == 1:
        return found, f"is the best of {counted(everywhere, 'measure')}."
    return found, f"cannot be distinguished from the best of {counted(everywhere, 'measure')}."


def _why_not(able: Sequence[_Column], columns: Sequence[_Column]) -> str:
    """Return why no measure is named; empty if some can be."""
    if not columns:
        return "There is nothing to rank: fewer than two measures have a score on the same models."
    if not able:
        return _too_little([column.design for column in columns])
    if all(len(column.design.unsure) == len(column.rows) for column in able):
        return "No score can be distinguished from chance, so the measures cannot be ranked."
    return ""


def _too_few(design: Design) -> tuple[str, str] | None:
    """Return which models are too few, and their smallest possible p-value; None if they are enough."""
    found = [match for note in design.notes if (match := TOO_FEW_TO_TELL.search(note))]
    return (found[0][1], found[0][2]) if found else None


def _too_little(designs: Sequence[Design]) -> str:
    """Return why a run cannot tell measures apart."""
    reasons = Counter(_too_few(design) for design in designs)
    said = [f"{reason[0]}: p cannot be below {reason[1]}" for reason in reasons if reason is not None]
    if reasons[None]:
        said.append("the uncertainty of scores is unknown, as an interval needs more models")
    text = "; ".join(said)
    return f"{text[:1].upper()}{text[1:]}. The measures cannot be ranked."


def _caveats(able: Sequence[_Column], columns: Sequence[_Column], measures: int, unsure: list[str]) -> list[str]:
    """Yield what an answer leaves out, and which of the best measures may be no better than chance."""
    caveats = []
    if left_out := len(columns) - len(able):
        caveats.append(
            f"{counted(left_out, 'case')} of {len(columns)} {'is' if left_out == 1 else 'are'} left out: "
            "too few models to tell measures apart."
        )
    here = Counter(row for column in able for row in column.rows)
    if missing := measures - sum(number == len(able) for number in here.values()):
        lacks = "has" if missing == 1 else "have"
        which = "the case" if len(able) == 1 else "one or more of the cases"
        caveats.append(f"{counted(missing, 'measure')} that {lacks} no score in {which} {_is(missing)} not compared.")
    if unsure:
        of = "this case" if len(able) == 1 else "one or more cases"
        names = listed(unsure) if len(unsure) <= UNSURE else f"{len(unsure)} of the measures named"
        caveats.append(f"Not distinguished from chance in {of}: {names}.")
    return caveats


def _unsure(able: Sequence[_Column]) -> set[int]:
    """Return the measures with a score that is not distinguished from chance."""
    return {column.rows[number] for column in able for number in column.design.unsure}


def _is(number: int) -> str:
    return "is" if number == 1 else "are"


def _basis(columns: Sequence[_Column], measures: int) -> str:
    """Return in words how many models and cases an answer is based on."""
    if not columns:
        return counted(measures, "measure")
    names = [column.design.names for column in columns]
    architectures = len({name["architecture"] for name in names})
    datasets = len({name["dataset"] for name in names})
    models = sorted({name["models"] for name in names if name["models"] is not None})
    each = f"{models[0]}" if len(models) == 1 else f"{models[0]} to {models[-1]}" if models else "an unknown number of"
    tests = len({column.test for column in columns})
    words = [counted(tests, "test"), counted(architectures, "architecture"), counted(datasets, "dataset")]
    return f"Based on {counted(len(columns), 'case')} ({listed(words)}) with {each} models each."


def board_anchor(board: Leaderboard) -> str:
    """Return the anchor of a leaderboard."""
    return anchor("test", board.domain, board.test, board.conditions)


def standings(boards: Iterable[Leaderboard], first: Iterable[Answer]) -> dict[Named, list[Standing]]:
    """Return the measures that are not part of resi, each with its mean ranks in the tests behind some answers."""
    evidence = {link.anchor for one in first for link in one.evidence}
    found: dict[Named, list[Standing]] = {}
    for board in boards:
        for row in board.rows:
            name = named(row.key[0], row.key[1])
            if not name.mark:
                continue
            places = found.setdefault(name, [])
            if board_anchor(board) in evidence and row.mean_rank is not None and row.measures > 1:
                test = Link(f"{board.domain}: {title(board.test).lower()}", board_anchor(board))
                places.append(Standing(test, row.mean_rank, row.measures))
    return {name: found[name] if len(found) <= PLACED else [] for name in sorted(found)}


def lead(found: Sequence[Answer]) -> str:
    """Return the answer over all domains and kinds of tests in a sentence or two."""
    if not found:
        return "There are no scores to rank: runs with stage=all or stage=score compute them."
    able = [answer for answer in found if answer.best]
    if not able:
        return (
            "These results cannot tell which measure is best: there are too few models, or no score can be "
            "distinguished from chance. The scores below show that everything works; they do not rank the measures."
        )
    counts = Counter(label.label for answer in able for label, _ in answer.best if label.label not in answer.unsure)
    if not counts:
        return (
            "No measure is recommended: each of those that may be the best has at least one score that chance alone "
            "could give."
        )
    most = max(counts.values())
    top = [label for label, count in counts.items() if count == most]
    names = listed(top) if len(top) <= SHOWN else f"{len(top)} measures"
    silent = len(found) - len(able)
    more = f" {counted(silent, 'question')} below cannot be answered with these results." if silent else ""
    if most < len(able):
        verb = "comes" if len(top) == 1 else "come"
        nearest = f"{names} {verb} nearest, with {most} of {len(able)}."
        return f"No measure is better than chance and among the best in all answers below. {nearest}{more}"
    where = f"In all {len(able)} answers below, " if len(able) > 1 else ""
    those = f"{where}{names} {_is(len(top))}"
    return f"{those} better than chance and cannot be distinguished from the best.{more}"


def main_answers(found: Iterable[Answer]) -> tuple[list[Answer], list[Answer]]:
    """Return the answers for the first screen, all of one domain under the same conditions, and the others."""
    every = list(found)
    first: dict[str, str] = {}
    for one in every:
        first.setdefault(one.domain, one.conditions)
    main = [one for one in every if one.conditions == first[one.domain]]
    return main, [one for one in every if one.conditions != first[one.domain]]
