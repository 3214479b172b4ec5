"""Scores as columns of tables: by task (test, metric) and site (dataset, architecture)."""

from __future__ import annotations

import itertools
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from resi.choices import Protocol
from resi.groundings import GROUNDINGS
from resi.groundings.corrections import CORRECTION, NAMES
from resi.groundings.ranks import COLUMN, with_ranks
from resi.groundings.readable import with_designs
from resi.groundings.scores import LOSSES
from resi.report.leaderboard import BOARD, NOTHING, ROW, conditions
from resi.report.tables import without_nan
from resi.results.schema import OWN

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from resi.report.leaderboard import Key

    Score = Mapping[str, Any]

SITE = ("domain", "dataset", "architecture", "pooling")
CONFORMITY = "conformity"
"""One minus the violation rate: larger is better, as in all other columns."""
WORDS = {"auprc": "AUPRC", "spearman": "Spearman", "jsd": "JSD", "accuracy_difference": ""}


class Task(NamedTuple):
    """A test and metric by which measures are scored."""

    test: str
    functional: str
    metric: str

    @property
    def words(self) -> str:
        """The metric, and what similarities are correlated with, if there is a choice."""
        parts = WORDS.get(self.functional, self.functional), WORDS.get(self.metric, self.metric)
        return ", ".join(part for part in parts if part)


class Site(NamedTuple):
    """A dataset and architecture; ``setting`` is that of the reader's own models, otherwise empty."""

    domain: str
    dataset: str
    architecture: str
    pooling: str
    setting: str

    @property
    def network(self) -> str:
        """The architecture with further details."""
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
        By task and site, then by run (for models that nothing else distinguishes; its first part is their design, see
        :func:`resi.groundings.readable.with_designs`), then by measure.
    correction : str
        The method by which p-values were corrected; empty if they were not.
    """

    protocol: str
    conditions: str
    scores: dict[tuple[Task, Site], dict[Key, dict[Key, Score]]]
    correction: str

    @property
    def is_published(self) -> bool:
        """Whether the table is in the published form."""
        return self.protocol == Protocol.published

    def sites(self, domain: str | None = None) -> list[Site]:
        """Return the sites of a domain, or all of them, in order."""
        return sorted({site for _, site in self.scores if domain in (None, site.domain)})

    @property
    def domains(self) -> list[str]:
        """The domains that have scores, in order."""
        return list(dict.fromkeys(site.domain for site in self.sites()))

    def tests(self, domain: str) -> list[str]:
        """Return the tests for which a domain has scores."""
        return [test for test in GROUNDINGS if self.tasks(domain, test)]

    def tasks(self, domain: str, test: str) -> set[Task]:
        """Return the tasks of a test in a domain."""
        return {task for task, site in self.scores if task.test == test and site.domain == domain}

    def measures(self, domains: Iterable[str]) -> set[Key]:
        """Return the measures with scores in some domains, including scores without a value."""
        chosen = set(domains)
        by_site = ((site, runs) for (_, site), runs in self.scores.items() if site.domain in chosen)
        return {key for _, runs in by_site for run in runs.values() for key in run}

    def having(self, tasks: Task | Iterable[Task], sites: Sequence[Site]) -> list[Site]:
        """Return the sites with scores by any of some tasks; at least one of those that differ only in their setting.

        Settings of the reader's own models have scores only in the tests that use a single setting.
        """
        chosen = [tasks] if isinstance(tasks, Task) else list(tasks)
        found: list[Site] = []
        for alike, group in itertools.groupby(sites, lambda site: site._replace(setting="")):
            found += [site for site in group if any((task, site) in self.scores for task in chosen)] or [alike]
        return found


def read_columns(scores: pl.DataFrame) -> list[Columns]:
    """Return the scores by protocol and source of models, with ranks among the measures of each column."""
    metrics = pl.any_horizontal(
        (pl.col("test") == test) & (pl.col("metric") == metric) for test in GROUNDINGS for metric in _metrics(test)
    )
    rows = without_nan(scores).filter(pl.col("seed").is_null() & metrics)
    is_loss = pl.col("metric").is_in(LOSSES)
    turned = [pl.when(is_loss).then(1 - pl.col(name)).otherwise(name).alias(name) for name in ("value", "chance")]
    rows = rows.with_columns(*turned, metric=pl.when(is_loss).then(pl.lit(CONFORMITY)).otherwise("metric"))
    column = [*BOARD, "metric", *COLUMN]
    ranked = with_ranks(with_designs(rows).with_columns(pl.col("design").max().over(column)), column)
    found: dict[tuple[str, str], Columns] = {}
    for score in ranked.iter_rows(named=True):
        words = conditions(score["protocol"], score["model_source"])
        correction = NAMES.get(score.get(CORRECTION) or "", "")
        columns = found.setdefault(
            (words, score["protocol"]),
            Columns(score["protocol"], words, defaultdict(lambda: defaultdict(dict)), correction),
        )
        task, site, run = _place(score)
        columns.scores[task, site][run][tuple(score[name] for name in ROW)] = score
    return [found[key] for key in sorted(found)]


def _metrics(test: str) -> list[str]:
    """Return the metrics of a test shown in the tables: the ranking one, and the second one of groups and layers."""
    return [name for name in GROUNDINGS[test].metrics if name == GROUNDINGS[test].headline or name in LOSSES]


def _place(score: Score) -> tuple[Task, Site, Key]:
    """Return the task, site and run of a score."""
    task = Task(score["test"], score["functional"] or "", score["metric"])
    setting = (score["setting"] or "") if score["model_source"] == OWN else ""
    domain, dataset, architecture, pooling = (str(score[name] or "") for name in SITE)
    site = Site(domain, dataset, architecture, pooling, setting)
    return task, site, tuple(str(score[name]) for name in ("design", "setting", "groups", "models", "compared"))
