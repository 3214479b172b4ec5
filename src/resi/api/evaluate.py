"""``resi.evaluate``: your own models in one of the tests, from arrays or files."""

from __future__ import annotations

import contextlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resi.api.views import ScoreViews
from resi.choices import ModelSource, OnError, Protocol, Stage
from resi.errors import UsageError, unknown_name
from resi.groundings import GROUNDINGS

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    import polars as pl

    from resi.config.schema import RunConfig
    from resi.domains.custom.table import Table
    from resi.measures.base import Measure


@dataclass(frozen=True, repr=False)
class Evaluation(ScoreViews):
    """The results of a test on given models; shown as a compact table in a notebook.

    Attributes
    ----------
    scores, comparisons : polars.DataFrame
        The tables of a run, see docs/results.md.
    left_out : tuple of str
        Which representations were left out and why, one line each.
    shard : Path or None
        Where the tables are kept; None if they are not kept.
    """

    scores: pl.DataFrame
    comparisons: pl.DataFrame
    left_out: tuple[str, ...] = ()
    shard: Path | None = None

    def _left_out(self) -> tuple[str, ...]:
        return self.left_out


@dataclass(frozen=True, kw_only=True)
class _Options:
    groups: Sequence[str] | None
    seeds: Sequence[int] | None
    layer: str | None
    dataset: str | None
    protocol: str
    device: str
    memory: str | int
    threads: int | None
    samples: int | None
    null: int | None


def evaluate(  # noqa: PLR0913 - all but the first two are options
    models: Any,
    test: str,
    measures: Any = "benchmark",
    *,
    groups: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
    layer: str | None = None,
    dataset: str | None = None,
    protocol: str = Protocol.corrected,
    device: str = "auto",
    memory: str | int = "auto",
    threads: int | None = None,
    samples: int | None = None,
    null: int | None = None,
    root: str | os.PathLike[str] | None = None,
    **unknown: Any,
) -> Evaluation:
    """Evaluate measures on your own models with one of the tests.

    Does the same as ``resi domain=custom`` with a table of files, and gives the same numbers.

    Parameters
    ----------
    models : list of Model, table, or path
        A table has one row per representation: a Polars or pandas frame, mappings, or the path of a CSV or Parquet
        file; docs/custom.md describes its columns.
    test : str
        ``accuracy_correlation``, ``output_correlation``, ``label_randomization``, ``shortcut``, ``augmentation`` or
        ``layer_monotonicity``.
    measures : str, class, function, sequence or mapping
        As for :func:`resi.pairwise`; for a function, state whether large values mean similar with ``resi.as_measure``.
    groups : sequence of str, optional
        The settings to compare; by default, all.
    seeds : sequence of int, optional
        The models of each group; by default, all.
    layer : str, optional
        The layer used by tests between models; by default, the last.
    dataset : str, optional
        Which dataset to use, if the models are of several.
    protocol : str
        ``corrected`` or ``published``.
    device : str
        ``auto`` (CUDA if there is one), ``cpu``, ``cuda`` or ``cuda:N``.
    memory : str or int
        Memory budget for prepared representations, such as ``4GB``; ``auto`` is half the machine's memory.
    threads : int, optional
        Number of threads; torch's default if not given.
    samples : int, optional
        Compare only that many samples, if there are more.
    null : int, optional
        Number of permutations of the samples, such as 200. Every measure then has a second variant with calibrated
        values (docs/chance.md), whose parameters contain ``null``.
    root : path, optional
        A data root: results are kept there, and stored comparisons are reused. Without one, nothing is kept.
        Representations are never copied.

    Returns
    -------
    Evaluation
        With the tables ``scores`` and ``comparisons``.

    Raises
    ------
    UsageError
        If an argument is unknown, or the models lack something the test needs.

    Examples
    --------
    >>> import numpy as np, resi
    >>> rng = np.random.default_rng(0)
    >>> kinds = {name: rng.normal(size=(50, 6)) for name in ("plain", "altered")}
    >>> models = [
    ...     resi.Model(kinds[name] + 0.1 * rng.normal(size=(50, 6)), setting=name, seed=seed)
    ...     for name in kinds
    ...     for seed in range(3)
    ... ]
    >>> found = resi.evaluate(models, test="shortcut", measures=["cka"])
    >>> found.scores.filter(metric="auprc")["value"].to_list()
    [1.0]
    """
    from resi.api.models import table_of
    from resi.console import PATIENCE_SECONDS, quiet_for
    from resi.pipeline.run import run_config

    for argument in unknown:
        guess = "; did you mean measures=?" if argument == "measure" else ""
        raise UsageError(f"evaluate: unknown argument {argument!r}{guess}")
    chosen = _measures(measures)
    options = _Options(
        groups=groups,
        seeds=seeds,
        layer=layer,
        dataset=dataset,
        protocol=protocol,
        device=device,
        memory=memory,
        threads=threads,
        samples=samples,
        null=null,
    )
    with contextlib.ExitStack() as stack:
        place = Path(root or stack.enter_context(tempfile.TemporaryDirectory(prefix="resi-"))).expanduser().absolute()
        config = _config(place, table_of(models), test, chosen, options)
        stack.enter_context(quiet_for(PATIENCE_SECONDS))
        found = run_config(config)
    notes = config.domain.content.notes  # type: ignore[attr-defined]
    return Evaluation(found.scores, found.comparisons, notes, found.shard if root else None)


def _measures(given: Any) -> dict[str, Measure]:
    """Return the measures by name, each with a known direction."""
    from resi.api.measuring import choose
    from resi.config.validate import check_scorable

    chosen = choose(given)
    if not chosen.measures:
        raise UsageError("evaluate: measures is empty; name one, several, or benchmark")
    check_scorable(chosen.measures)
    return chosen.measures


def _config(root: Path, table: Table, test: str, measures: dict[str, Measure], options: _Options) -> RunConfig:
    """Return the config of a run on a table, as the command line makes it for a table in a file."""
    from resi.config.schema import CompareConfig, ModelOrigin, RunConfig
    from resi.config.validate import chosen, of_given
    from resi.domains.custom import CustomDomain
    from resi.domains.custom.selection import DEFAULT_DATASET

    if test not in GROUNDINGS:
        raise unknown_name("test", str(test), list(GROUNDINGS))
    grounding = GROUNDINGS[test]()
    protocol = Protocol.parse("protocol", options.protocol)
    groups = None if options.groups is None else tuple(map(str, options.groups))
    seeds = None if options.seeds is None else tuple(map(int, options.seeds))
    dataset = options.dataset or DEFAULT_DATASET
    domain = CustomDomain(protocol, options.layer, table).bound(chosen(grounding, None, dataset, groups, seeds))
    dataset, architectures, found = of_given(domain)
    return RunConfig(
        root=root,
        domain=domain,
        dataset=dataset,
        dataset_root=None,
        architectures=architectures,
        models=ModelOrigin(ModelSource.train, None),
        test=grounding,
        measures=measures,
        protocol=protocol,
        seeds=found,
        groups=groups,
        device=options.device,
        stage=Stage.all,
        compare=CompareConfig(memory=str(options.memory), threads=options.threads, subsample=options.samples),
        on_error=OnError.record,
        shards=None,
        composed={},
        null=options.null,
    )
