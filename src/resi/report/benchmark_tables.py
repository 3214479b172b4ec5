"""The tables of the published benchmark: its overview, and one of all scores for each domain and test.

Under the corrected protocol, the best score is the best before rounding, by its distance from chance. Scores under the
published protocol are shown as published: every score that equals the best after rounding is bold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from resi.groundings import GROUNDINGS
from resi.report.leaderboard import NOTHING
from resi.report.names import counted, file_name, listed, title
from resi.report.score_columns import Task, read_columns
from resi.report.score_grids import make_grid

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import polars as pl

    from resi.report.grids import Grid
    from resi.report.score_columns import Columns, Site

REPRESENTATIVES = {
    "graph": ("flickr", "graphsage"),
    "language": ("sst2", "bert"),
    "vision": ("imagenet100", "resnet18"),
}
"""The dataset and architecture of each domain in the published overview."""
OVERVIEW_POOLING = "cls"
"""The pooling shown in the published overview."""
OVERVIEW_FUNCTIONAL = {"accuracy_correlation": "accuracy_difference", "output_correlation": "jsd"}
SHORT_TITLES = {
    "accuracy_correlation": "accuracy",
    "output_correlation": "outputs",
    "label_randomization": "random labels",
    "shortcut": "shortcuts",
    "augmentation": "augmentation",
    "layer_monotonicity": "layers",
}
KINDS = {"seeds": "by prediction", "settings": "by design", "layers": "by design"}
"""The names of the tests in the published tables, by what they compare."""
APPENDIX = "appendix"
"""Folder of the tables of single tests."""


def benchmark_tables(scores: pl.DataFrame) -> Iterator[Grid]:
    """Yield the overview and the table of each domain and test, for each protocol and source of models.

    Parameters
    ----------
    scores : DataFrame
        With the columns :data:`resi.results.schema.SCORES`; rows of unknown tests and of single models are left out.
    """
    for columns in read_columns(scores):
        yield overview_table(columns)
        for domain in columns.domains:
            yield from (full_table(columns, domain, test) for test in columns.tests(domain))


def overviews(scores: pl.DataFrame) -> list[Grid]:
    """Return the overviews alone, that of trained models under the corrected protocol first."""
    return [overview_table(columns) for columns in read_columns(scores)]


def overview_table(columns: Columns) -> Grid:
    """Return all measures in all tests on one dataset and architecture of each domain."""
    chosen, sentences = _chosen(columns)
    wanted = [
        (
            (KINDS[GROUNDINGS[test].kind], SHORT_TITLES.get(test, title(test)), task.words, _where(site, sites)),
            task,
            site,
        )
        for test in GROUNDINGS
        for task in [Task(test, OVERVIEW_FUNCTIONAL.get(test, ""), GROUNDINGS[test].headline)]
        for sites in chosen
        for site in columns.having(task, sites)
    ]
    caption = _caption("All measures in all tests, on one dataset and architecture of each domain", columns)
    return make_grid(file_name("overview", columns.conditions), caption, wanted, columns, sentences)


def _where(site: Site, sites: Sequence[Site]) -> str:
    """Return the heading of an overview column below the test: the domain, and what distinguishes its sites."""
    pooling = f"{site.pooling} pooling" if len({one.pooling for one in sites}) > 1 else ""
    return ", ".join(part for part in (site.domain, pooling, site.setting) if part)


def full_table(columns: Columns, domain: str, test: str) -> Grid:
    """Return all measures in one test of one domain, on all datasets and architectures, by both metrics."""
    known = sorted(columns.tasks(domain, test), key=_order)
    wanted = [
        ((site.dataset, site.network, task.words), task, site)
        for site in columns.having(known, columns.sites(domain))
        for task in known
    ]
    name = f"{APPENDIX}/{file_name(domain, test, columns.conditions)}"
    return make_grid(name, _caption(f"{title(test)} in {domain}", columns), wanted, columns)


def _order(task: Task) -> tuple[int, int]:
    functional = getattr(GROUNDINGS[task.test], "functional", ())
    place = functional.index(task.functional) if task.functional in functional else 0
    return place, int(task.metric != GROUNDINGS[task.test].headline)


def _caption(words: str, columns: Columns) -> str:
    return f"{words} ({columns.conditions})" if columns.conditions else words


def _chosen(columns: Columns) -> tuple[list[list[Site]], list[str]]:
    """Return the sites of each domain in the overview, with sentences about the choice."""
    chosen, sentences = [], []
    for domain in columns.domains:
        sites = columns.sites(domain)
        pairs = {(site.dataset, site.architecture) for site in sites}
        wanted = REPRESENTATIVES.get(domain)
        pair = wanted if wanted in pairs else min(pairs, key=lambda one: _fewest_missing(columns, sites, one))
        there = [site for site in sites if (site.dataset, site.architecture) == pair]
        chosen.append([site for site in there if site.pooling == OVERVIEW_POOLING] or there)
        sentences.append(_of_choice(domain, pair, chosen[-1], len(pairs) - 1))
    absent = [domain for domain in REPRESENTATIVES if domain not in columns.domains]
    if 0 < len(absent) < len(REPRESENTATIVES):
        sentences.append(f"No scores: {listed(absent)}.")
    return chosen, sentences


def _of_choice(domain: str, pair: tuple[str, str], sites: Sequence[Site], others: int) -> str:
    """Return the sentence about the dataset and architecture that represent a domain."""
    wanted = REPRESENTATIVES.get(domain, pair)
    parts = [f"{domain}: {pair[1]} on {pair[0]}"]
    if len(sites) == 1 and sites[0].pooling not in NOTHING:
        parts[0] += f", {sites[0].pooling} pooling"
    if pair != wanted:
        parts.append(f"{wanted[1]} on {wanted[0]}, which the published overview shows, has no scores")
    if others:
        parts.append(f"{counted(others, 'other is', 'others are')} in the tables by test")
    return f"{'; '.join(parts)}."


def _fewest_missing(columns: Columns, sites: Sequence[Site], pair: tuple[str, str]) -> tuple[Any, ...]:
    """Return the key by which a dataset and architecture is chosen: its number of tests, of scores, then its name."""
    own = {site for site in sites if (site.dataset, site.architecture) == pair}
    found = {task.test: runs for (task, site), runs in columns.scores.items() if site in own}
    counts = [len(run) for (_, site), runs in columns.scores.items() if site in own for run in runs.values()]
    return -len(found), -sum(counts), pair
