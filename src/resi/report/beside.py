"""Scores combined with others on models trained alike, so that measures are ranked together without rerunning them."""

from __future__ import annotations

import contextlib
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from resi.errors import UsageError
from resi.plot.reading import as_frame
from resi.registry.labels import measure_label
from resi.report.leaderboard import headline_scores
from resi.report.names import counted, listed
from resi.report.same_models import same_weights, what_differs
from resi.results.embedded import FOLDER, earlier_versions, embedded_names, embedded_results, models_of
from resi.results.found import merged_folder
from resi.results.manifests import MANIFEST, OWN_HASH, SCORES_FILE, write_manifest
from resi.results.schema import SCORE_ORDER, SCORES
from resi.results.shards import Shard, is_single
from resi.results.tables import complete, write_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Cell = Mapping[str, Any]

PLACE = ["domain", "dataset", "architecture", "test"]
DESIGN = ["protocol", "model_source", "pooling", "groups"]
CELL = [*PLACE, *DESIGN, "compared"]
"""Scores with the same of these are by the same test on models trained alike: ``compared`` is the hash of all that
shaped these, and of their layers and input."""
SCORE = ["measure", "parameters", "metric", "functional", "setting", "seed"]
"""What distinguishes the scores of a cell."""
ABSENT = {"domain": "the domain", "dataset": "the dataset", "architecture": "the architecture", "test": "the test"}
DIFFERS = {"protocol": "the protocol", "model_source": "the source of models", "pooling": "pooling", "groups": "groups"}
SHOWN = 6


class Beside(NamedTuple):
    """Scores combined with others on models trained alike.

    Attributes
    ----------
    scores : polars.DataFrame
        The given scores, and those of further measures from the other results on models trained alike.
    added : polars.DataFrame
        Only the added scores.
    notes : list of str
        What is compared, what is not and why, and what was computed by earlier versions, a sentence or two each.
    """

    scores: pl.DataFrame
    added: pl.DataFrame
    notes: list[str]


def with_baseline(scores: Any, baseline: str | Path = "baseline", root: str | Path | None = None) -> Beside:
    """Combine scores with others on models trained alike, so that all measures can be ranked together.

    Models count as trained alike if test, domain, dataset, architecture, protocol, pooling and groups are equal, and
    also ``compared``, a hash of everything that determines the models (data, hyperparameters, settings, seeds,
    training version), the layers and the input. Such models trained on another machine have other weights, because
    rounding differs; scores then vary at most as they would with other seeds. If both tables have a score of a measure,
    the given one is kept. ``docs/real_results.md`` has examples.

    Parameters
    ----------
    scores : DataFrame
        Scores of a run or a merge, with the columns :data:`resi.results.schema.SCORES`, or a Parquet file of them.
    baseline : str or Path
        The name of results shipped with resi, a data root, or a folder of merged tables.
    root : str or Path, optional
        The data root of your own models; with it, the notes say whether the weights are equal, and which
        hyperparameters or data differ.

    Returns
    -------
    Beside
        ``scores`` for :func:`resi.ranks` and :mod:`resi.plot`, and ``notes`` to read first.

    Raises
    ------
    UsageError
        If there are no such results, or ``scores`` is not a table of scores.

    Examples
    --------
    >>> import resi
    >>> result = resi.run(["domain=vision", "model=tiny_vgg", "test=shortcut", "measure=cka"])  # doctest: +SKIP
    >>> found = resi.with_baseline(result.scores)  # doctest: +SKIP
    >>> resi.ranks(found.scores, test="shortcut").table  # doctest: +SKIP
    """
    own = as_frame("resi.with_baseline", scores, ["test", "domain", "dataset", "architecture", "measure", "value"])
    if missing := sorted({"compared", "protocol", "groups"} - set(own.columns)):
        raise UsageError(
            f"resi.with_baseline: the table lacks the columns {', '.join(missing)}: it is not from this version of resi"
        )
    tables = baseline_tables(baseline)
    return beside(complete(own, SCORES), tables, None if root is None else Path(root).expanduser())


def baseline_tables(baseline: str | Path) -> Shard:
    """Return the tables of results shipped with resi, of a data root, or of a folder of merged tables.

    Raises
    ------
    UsageError
        If there are none.
    """
    if str(baseline) in embedded_names():
        return embedded_results(str(baseline))
    path = Path(baseline).expanduser()
    if not path.is_dir():
        names = ", ".join(embedded_names()) or "none"
        raise UsageError(f"{baseline} is neither a folder of results nor results that come with resi: {names}")
    found = Shard(path if is_single(path) else merged_folder(path))
    if not found.is_complete:
        raise UsageError(f"{path} holds no merged tables; run resi-merge {path} first")
    return found


def beside(own: pl.DataFrame, tables: Shard, root: Path | None = None) -> Beside:
    """Combine a table of scores with those of other tables, see :func:`with_baseline`."""
    name = _name(tables)
    others = tables.scores()
    mine, theirs = (_cells(scores) for scores in (own, others))
    matched = mine.join(theirs, on=CELL, how="semi")
    of_same = others.join(matched, on=CELL, how="semi")
    added = of_same.join(own, on=[*CELL, *SCORE], how="anti", nulls_equal=True)
    models = models_of(tables.folder)
    notes = [
        *_said(own, added, matched, name),
        *_in_both(own, of_same, name),
        *(same_weights(root, models, matched) if root is not None else ()),
        *_not_compared(mine.join(theirs, on=CELL, how="anti"), theirs, name, (root, models)),
        *_of_earlier_versions(tables, added, name),
    ]
    return Beside(pl.concat([own, added]).sort(SCORE_ORDER, nulls_last=True), added, notes)


@contextlib.contextmanager
def as_tables(tables: Shard, scores: pl.DataFrame) -> Iterator[Shard]:
    """Yield a copy of tables with other scores, for the duration of a block."""
    manifest = tables.manifest()
    with tempfile.TemporaryDirectory(prefix="resi-report-") as scratch:
        folder = Path(scratch) / tables.folder.name
        folder.mkdir()
        for path in tables.folder.iterdir():  # including the notes beside the tables
            if path.is_file() and path.name not in (SCORES_FILE, MANIFEST):
                (folder / path.name).symlink_to(path.resolve())
        write_table(folder / SCORES_FILE, scores)
        about = {name: value for name, value in manifest.items() if name not in (OWN_HASH, "files", "schema_version")}
        write_manifest(folder, about)
        yield Shard(folder)


def _name(tables: Shard) -> str:
    """Return the name of other results: the name of those shipped with resi, otherwise their folder."""
    folder = tables.folder
    if folder.parent == FOLDER:
        return folder.name
    return folder.parent.name if folder.name == "results" and folder.parent.name else folder.name


def _cells(scores: pl.DataFrame) -> pl.DataFrame:
    return headline_scores(scores).select(CELL).unique().sort(CELL, nulls_last=True)


def _said(own: pl.DataFrame, added: pl.DataFrame, matched: pl.DataFrame, name: str) -> Iterator[str]:
    """Yield which scores were added and where."""
    total = _cells(own).height
    if matched.is_empty():
        yield f"No test here is on models trained as those of a test in {name}; nothing is added."
        return
    labels = sorted({measure_label(*row) for row in added.select("measure", "parameters").unique().iter_rows()})
    of_all = "" if matched.height == total else f" of {total}"
    tests = f"{counted(matched.height, 'test')}{of_all} ({_places(matched.iter_rows(named=True))})"
    if labels:
        yield f"Added from {name}: the scores of {_few(labels, 'measure')} on models trained alike in {tests}."
    else:
        yield f"{name} has no more measures on models trained alike in {tests}; nothing is added."


def _in_both(own: pl.DataFrame, others: pl.DataFrame, name: str) -> Iterator[str]:
    """Yield by how much the scores of measures in both differ."""
    on = [*CELL, *SCORE]
    both = headline_scores(own).join(headline_scores(others), on=on, nulls_equal=True, suffix="_other")
    both = both.filter(pl.col("value").is_not_null() & pl.col("value_other").is_not_null())
    if both.is_empty():
        return
    apart = (both["value"] - both["value_other"]).abs().to_numpy()
    measures = _few(sorted(set(both["measure"])), "measure")
    yield (
        f"In both: {measures}, {counted(both.height, 'score')}; your own are shown. "
        f"They differ from those of {name} by {apart.max():.3f} at most ({both['measure'][int(apart.argmax())]}), "
        f"{apart.mean():.3f} on average."
    )


def _not_compared(
    cells: pl.DataFrame, others: pl.DataFrame, name: str, models: tuple[Path | None, pl.DataFrame]
) -> Iterator[str]:
    """Yield which tests are not on models trained alike, each reason once."""
    reasons: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells.iter_rows(named=True):
        reasons[_why_not(cell, others, models)].append(cell)
    for reason, found in reasons.items():
        yield f"Not compared with {name}, {reason}: {_places(found)}."


def _why_not(cell: Cell, others: pl.DataFrame, models: tuple[Path | None, pl.DataFrame]) -> str:
    for column in PLACE:
        known = others.filter(pl.col(column) == cell[column])
        if known.is_empty():
            return f"which lacks {ABSENT[column]} {cell[column]}{_there(others, column)}"
        others = known
    if cell["compared"] is None:
        return "as your scores do not record their models"
    for column in DESIGN:
        known = others.filter(pl.col(column) == cell[column])
        if known.is_empty():
            there = listed(sorted({str(value) for value in others[column]}))
            return f"as {DIFFERS[column]} differ{'' if column == 'groups' else 's'}: {cell[column]} instead of {there}"
        others = known
    root, table = models
    return f"as the models differ: {what_differs(root, table, cell)}"


def _there(others: pl.DataFrame, column: str) -> str:
    names = sorted({str(name) for name in others[column]})
    return f" (it has {listed(names)})" if len(names) <= SHOWN else ""


def _few(names: list[str], noun: str) -> str:
    """Return the number of names, and the names if they are few."""
    return counted(len(names), noun) + (f" ({listed(names)})" if len(names) <= SHOWN else "")


def _places(cells: Any) -> str:
    """Return where some cells are, in a few words: architectures, dataset and tests."""
    places: dict[tuple[str, str], list[str]] = defaultdict(list)
    for cell in cells:
        places[cell["dataset"], cell["architecture"]].append(cell["test"])
    by_tests: dict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    for (dataset, architecture), tests in places.items():
        by_tests[dataset, tuple(dict.fromkeys(tests))].append(architecture)
    words = [f"{listed(found)} on {dataset}: {listed(list(tests))}" for (dataset, tests), found in by_tests.items()]
    return "; ".join(words)


def _of_earlier_versions(tables: Shard, added: pl.DataFrame, name: str) -> Iterator[str]:
    """Yield which of the added scores this version would compute differently."""
    reasons = [] if added.is_empty() else earlier_versions(tables, set(added["measure"]))
    if reasons:
        yield f"Computed by earlier versions in {name}: {'; '.join(reasons)}."
