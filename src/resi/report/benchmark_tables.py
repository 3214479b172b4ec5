"""The tables of the published benchmark: its overview, and one of all scores for each domain and test.

Scores of the corrected protocol are shown in the corrected way: the best score is the best before rounding, by how far
it comes from chance. Those of the published protocol are shown as published: what is equal to the best after rounding
is bold.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from resi import registry
from resi.choices import Protocol
from resi.groundings import GROUNDINGS
from resi.groundings.base import LEVEL
from resi.groundings.corrections import CORRECTION, NAMES
from resi.groundings.ranks import COLUMN, with_ranks
from resi.groundings.scores import LOSSES
from resi.registry.labels import measure_label
from resi.report.grids import ABSENT, Grid, GridCell, GridRow, in_family_order
from resi.report.leaderboard import BOARD, NOTHING, ROW, conditions
from resi.report.names import counted, file_name, listed, named, title
from resi.report.tables import without_nan
from resi.results.schema import OWN, PUBLISHED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from resi.report.leaderboard import Key

    Score = Mapping[str, Any]

REPRESENTATIVES = {"graph": ("flickr", "graphsage"), "language": ("sst2", "bert"), "vision": ("imagenet100", "resnet18")}
"""The dataset and architecture of each domain in the published overview."""
OVERVIEW_POOLING = "cls"
"""Of two poolings, the one in the published overview."""
OVERVIEW_FUNCTIONAL = {"accuracy_correlation": "accuracy_difference", "output_correlation": "jsd"}
SHORT_TITLES = {
    "accuracy_correlation": "accuracy",
    "output_correlation": "outputs",
    "label_randomization": "random labels",
    "shortcut": "shortcuts",
    "augmentation": "augmentation",
    "layer_monotonicity": "layers",
}
CONFORMITY = "conformity"
"""One minus the violation rate: larger is better, as in all other columns."""
WORDS = {"auprc": "AUPRC", "spearman": "Spearman", "jsd": "JSD", "accuracy_difference": ""}
STARS = {False: ((LEVEL / 5, "**"), (LEVEL, "*")), True: ((0.01, "**"), (0.05, "*"))}
"""Largest p-values, by whether the protocol is the published one, whose p-values are two-sided."""
SHOWN_NAMES = 8
APPENDIX = "appendix"
"""Folder of the tables of single tests."""


class Task(NamedTuple):
    """What measures are scored by."""

    test: str
    functional: str
    metric: str

    @property
    def words(self) -> str:
        """The metric, and what similarities are correlated with if there is a choice."""
        parts = WORDS.get(self.functional, self.functional), WORDS.get(self.metric, self.metric)
        return ", ".join(part for part in parts if part)


class Site(NamedTuple):
    """What measures are scored on; ``setting`` is that of the reader's own models, else empty."""

    domain: str
    dataset: str
    architecture: str
    pooling: str
    setting: str

    @property
    def network(self) -> str:
        """The architecture with what else is known of it."""
        parts = [self.architecture, self.setting, "" if self.pooling in NOTHING else f"{self.pooling} pooling"]
        return ", ".join(part for part in parts if part)


class Columns(NamedTuple):
    """The scores of one protocol and source of models.

    Attributes
    ----------
    protocol : str
    conditions : str
        What differs from trained models and the corrected protocol.
    scores : dict
        By task and site, then by run (models that have nothing else to tell them apart), then by measure.
    correction : str
        By which method p-values were corrected; empty if they were not.
    """

    protocol: str
    conditions: str
    scores: dict[tuple[Task, Site], dict[Key, dict[Key, Score]]]
    correction: str

    @property
    def is_published(self) -> bool:
        """Whether the table is to be as published."""
        return self.protocol == Protocol.published

    def sites(self, domain: str | None = None) -> list[Site]:
        """Return the sites of a domain, or all of them, in order."""
        return sorted({site for _, site in self.scores if domain in (None, site.domain)})

    def tests_on(self, site: Site) -> set[str]:
        """Return the tests of which a site has scores."""
        return {task.test for task, where in self.scores if where == site}


def benchmark_tables(scores: pl.DataFrame) -> Iterator[Grid]:
    """Yield the overview and the table of each domain and test, for each protocol and source of models.

    Parameters
    ----------
    scores : DataFrame
        With the columns :data:`resi.results.schema.SCORES`; rows of unknown tests and of single models are left out.
    """
    for columns in _columns(scores):
        yield overview_table(columns)
        domains = dict.fromkeys(site.domain for site in columns.sites())
        yield from (full_table(columns, domain, test) for domain in domains for test in _tests(columns, domain))


def overviews(scores: pl.DataFrame) -> list[Grid]:
    """Return the overviews alone, that of trained models under the corrected protocol first."""
    return [overview_table(columns) for columns in _columns(scores)]


def _columns(scores: pl.DataFrame) -> list[Columns]:
    """Return the scores by protocol and source of models, with ranks among the measures of each column."""
    metrics = pl.any_horizontal(
        (pl.col("test") == test) & (pl.col("metric") == metric) for test in GROUNDINGS for metric in _metrics(test)
    )
    rows = without_nan(scores).filter(pl.col("seed").is_null() & metrics)
    is_loss = pl.col("metric").is_in(LOSSES)
    turned = [pl.when(is_loss).then(1 - pl.col(name)).otherwise(name).alias(name) for name in ("value", "chance")]
    rows = rows.with_columns(*turned, metric=pl.when(is_loss).then(pl.lit(CONFORMITY)).otherwise("metric"))
    ranked = with_ranks(rows, [*BOARD, "metric", *COLUMN])
    found: dict[tuple[str, str], Columns] = {}
    for score in ranked.iter_rows(named=True):
        words = conditions(score["protocol"], score["model_source"])
        correction = NAMES.get(score.get(CORRECTION) or "", "")
        columns = found.setdefault(
            (words, score["protocol"]), Columns(score["protocol"], words, defaultdict(lambda: defaultdict(dict)), correction)
        )
        task, site, run = _place(score)
        columns.scores[task, site][run][tuple(score[name] for name in ROW)] = score
    return [found[key] for key in sorted(found)]


def _metrics(test: str) -> list[str]:
    """Return the metrics of a test that the tables show: the one that ranks, and the other one of groups and layers."""
    return [name for name in GROUNDINGS[test].metrics if name == GROUNDINGS[test].headline or name in LOSSES]


def _place(score: Score) -> tuple[Task, Site, Key]:
    """Return by what, on what and in which run a score is."""
    task = Task(score["test"], score["functional"] or "", score["metric"])
    setting = (score["setting"] or "") if score["model_source"] == OWN else ""
    names = (str(score[name] or "") for name in ("domain", "dataset", "architecture", "pooling"))
    return task, Site(*names, setting), tuple(str(score[name]) for name in ("setting", "groups", "models", "compared"))


def _tests(columns: Columns, domain: str) -> list[str]:
    known = {task.test for task, site in columns.scores if site.domain == domain}
    return [test for test in GROUNDINGS if test in known]


def overview_table(columns: Columns) -> Grid:
    """Return all measures in all tests on one dataset and architecture of each domain."""
    chosen, sentences = _chosen(columns)
    wanted = [
        (("by prediction" if GROUNDINGS[test].kind == "seeds" else "by design", SHORT_TITLES.get(test, title(test)),
          task.words, where), task, site)
        for test in GROUNDINGS
        for task in [Task(test, OVERVIEW_FUNCTIONAL.get(test, ""), GROUNDINGS[test].headline)]
        for where, site in chosen
    ]  # fmt: skip
    caption = _caption("All measures in all tests, on one dataset and architecture of each domain", columns)
    return _grid(file_name("overview", columns.conditions), caption, wanted, columns, sentences)


def full_table(columns: Columns, domain: str, test: str) -> Grid:
    """Return all measures in one test of one domain, on all datasets and architectures, by both metrics."""
    known = sorted({task for task, site in columns.scores if task.test == test and site.domain == domain}, key=_order)
    wanted = [
        ((site.dataset, site.network, task.words), task, site) for site in columns.sites(domain) for task in known
    ]
    name = f"{APPENDIX}/{file_name(domain, test, columns.conditions)}"
    return _grid(name, _caption(f"{title(test)} in {domain}", columns), wanted, columns)


def _order(task: Task) -> tuple[int, int]:
    functional = getattr(GROUNDINGS[task.test], "functional", ())
    place = functional.index(task.functional) if task.functional in functional else 0
    return place, int(task.metric != GROUNDINGS[task.test].headline)


def _caption(words: str, columns: Columns) -> str:
    return f"{words} ({columns.conditions})" if columns.conditions else words


def _chosen(columns: Columns) -> tuple[list[tuple[str, Site]], list[str]]:
    """Return the sites of the overview with their headings, and what is said of the choice."""
    chosen, sentences = [], []
    for domain in dict.fromkeys(site.domain for site in columns.sites()):
        sites = columns.sites(domain)
        pairs = {(site.dataset, site.architecture) for site in sites}
        wanted = REPRESENTATIVES.get(domain)
        pair = wanted if wanted in pairs else min(pairs, key=lambda one: _fewest_missing(columns, sites, one))
        there = [site for site in sites if (site.dataset, site.architecture) == pair]
        there = [site for site in there if site.pooling == OVERVIEW_POOLING] or there
        chosen += [(domain if len(there) == 1 else f"{domain}, {site.network}", site) for site in there]
        sentences.append(_of_choice(domain, pair, there, len(pairs) - 1))
    if absent := [domain for domain in REPRESENTATIVES if not columns.sites(domain)]:
        sentences.append(f"No scores: {listed(absent)}.")
    return chosen, sentences


def _of_choice(domain: str, pair: tuple[str, str], sites: Sequence[Site], others: int) -> str:
    """Return what is said of the dataset and architecture that stand for a domain."""
    wanted = REPRESENTATIVES.get(domain, pair)
    parts = [f"{domain}: {pair[1]} on {pair[0]}"]
    if len(sites) == 1 and sites[0].pooling not in NOTHING:
        parts[0] += f", {sites[0].pooling} pooling"
    if pair != wanted:
        parts.append(f"{wanted[1]} on {wanted[0]}, which the published overview shows, has no scores")
    if others:
        parts.append(f"{counted(others, 'other pair')} of them {'is' if others == 1 else 'are'} in the tables by test")
    return f"{'; '.join(parts)}."


def _fewest_missing(columns: Columns, sites: Sequence[Site], pair: tuple[str, str]) -> tuple[Any, ...]:
    """Return by what a dataset and architecture is chosen: the number of its tests, then of its scores, then its name."""
    own = [site for site in sites if (site.dataset, site.architecture) == pair]
    tests = set().union(*(columns.tests_on(site) for site in own))
    counts = [len(run) for (_, site), runs in columns.scores.items() if site in own for run in runs.values()]
    return -len(tests), -sum(counts), pair


def _grid(
    name: str,
    caption: str,
    wanted: Iterable[tuple[tuple[str, ...], Task, Site]],
    columns: Columns,
    sentences: Sequence[str] = (),
) -> Grid:
    """Return the table of some tasks and sites; one without scores is a column of dashes."""
    heads: list[tuple[str, ...]] = []
    parts: list[Mapping[Key, Score]] = []
    domains = set()
    for head, task, site in wanted:
        domains.add(site.domain)
        runs = columns.scores.get((task, site), {})
        for number, run in enumerate(sorted(runs), 1):
            heads.append((*head[:-1], f"{head[-1]}, run {number}" if len(runs) > 1 else head[-1]))
            parts.append(runs[run])
        if not runs:
            heads.append(head)
            parts.append({})
    keys = {key for (_, site), runs in columns.scores.items() if site.domain in domains for run in runs.values() for key in run}
    labels, remarks = _labels(keys)
    best = [_best(part, columns.is_published) for part in parts]
    rows = [
        GridRow(labels[key], named(key[0], key[1]).family,
                [_cell(part.get(key), key in top, columns.is_published) for part, top in zip(parts, best, strict=True)])
        for key in keys
    ]  # fmt: skip
    marks = _marks(parts, columns)
    return Grid(name, caption, heads, in_family_order(rows), (*sentences, *marks, *remarks, *_without_scores(keys)))


def _best(part: Mapping[Key, Score], is_published: bool) -> set[Key]:
    """Return the best measures of a column: by rank, or if as published by what is printed."""
    name = "value" if is_published else "rank"
    known = {key: score[name] for key, score in part.items() if score["several"] == 1 and score[name] is not None}
    if not known:
        return set()
    if is_published:
        printed = {key: round(value, 2) for key, value in known.items()}
        return {key for key, value in printed.items() if value == max(printed.values())}
    return {key for key, rank in known.items() if rank == min(known.values())}


def _cell(score: Score | None, is_best: bool, is_published: bool) -> GridCell:
    if score is None:
        return GridCell(why_missing=ABSENT)
    if score["several"] > 1:
        return GridCell(why_missing="with several scores")
    if score["value"] is None:
        return GridCell(why_missing="undefined")
    p_value = score["p_value"]
    stars = next((mark for most, mark in STARS[is_published] if p_value is not None and p_value <= most), "")
    return GridCell(score["value"], is_best, stars, bool(score["failed_pairs"]), "")


def _labels(keys: Iterable[Key]) -> tuple[dict[Key, str], list[str]]:
    """Return what each measure is called in a table, as short as it can be, and what that leaves out."""
    found = sorted(keys)
    several = {name for name, *_ in found if len({key[1] for key in found if key[0] == name}) > 1}
    mixed = len({key[2] for key in found}) > 1
    labels, left_out = {}, []
    for key in found:
        name, parameters, origin = key
        whole = measure_label(name, parameters)
        label = whole if name in several else str(name)
        if label != whole:
            left_out.append(whole)
        labels[key] = f"{label} (published results)" if mixed and origin == PUBLISHED else label
    return labels, [f"Not at their default parameters: {', '.join(dict.fromkeys(left_out))}."] if left_out else []


def _marks(parts: Sequence[Mapping[Key, Score]], columns: Columns) -> Iterator[str]:
    """Yield what bold type and stars mean."""
    if any(_best(part, columns.is_published) for part in parts):
        yield f"Bold: the best of a column{', after rounding' if columns.is_published else ''}."
    if all(score["p_value"] is None for part in parts for score in part.values()):
        return
    (low, _), (high, _) = STARS[columns.is_published]
    sides = "two-sided, of the correlations" if columns.is_published else "one-sided"
    corrected = f", with {columns.correction}'s correction" if columns.correction else ", not corrected for the number of measures"
    yield f"*, **: p at most {high:g}, {low:g} ({sides}{corrected})."


def _without_scores(keys: Iterable[Key]) -> Iterator[str]:
    """Yield a sentence on the measures of the benchmark of which there is no score at all."""
    known = {key[0] for key in keys}
    every = [measure.name for measure in registry.measures().in_order() if measure.benchmark]
    absent = [name for name in every if name not in known]
    if absent:
        names = absent[:SHOWN_NAMES] + ([f"{len(absent) - SHOWN_NAMES} more"] if len(absent) > SHOWN_NAMES else [])
        yield f"Not in these results: {counted(len(absent), 'measure')} of the {len(every)} of the benchmark ({listed(names)})."
