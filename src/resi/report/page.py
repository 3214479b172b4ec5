"""The page of ``resi report``: one self-contained HTML file.

Everything read from files is shown as text: the template engine escapes every string, without exception.
"""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING, Any

import polars as pl

from resi.console import progress
from resi.groundings import SCORED
from resi.groundings.base import LEVEL
from resi.groundings.corrections import NAMES, correct_on_request
from resi.report import answer, cards, failures, heatmaps, models, names, overview, provenance
from resi.report.assets import load_assets
from resi.report.benchmark_tables import overviews
from resi.report.figures import domain_figures
from resi.report.leaderboard import leaderboards
from resi.report.sections import sections
from resi.results.manifests import CONFLICTS_FILE, SCORE_CONFLICTS_FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from jinja2 import Environment

    from resi.report.changes import Changes
    from resi.report.leaderboard import Leaderboard
    from resi.results.shards import Shard

SHOWN_REASONS = 100
MANY = 5000
"""From this number of scores on, progress is shown."""


def make_page(
    shard: Shard,
    notes: Sequence[str] = (),
    root: Path | None = None,
    changes: Changes | None = None,
    *,
    correct: str | None = None,
) -> str:
    """Return the page of merged tables, or of one run.

    The same tables and data root give the same page.

    Parameters
    ----------
    shard : Shard
        A folder of merged tables, or a finished run's.
    notes : sequence of str
        Notes for the top of the page, one sentence each.
    root : Path, optional
        The data root whose models and runs are described.
    changes : Changes, optional
        What differs from other results.
    correct : str, optional
        How p-values are corrected for the number of measures, see :func:`resi.groundings.corrections.correct`.

    Raises
    ------
    ArtifactError
        If a table is damaged or of a later version.
    """
    manifest, scores = shard.verify(), correct_on_request(shard.scores(), correct)
    with _progress(scores.height) as advance:
        boards = sorted(leaderboards(scores), key=_order)
        advance()
        content = _head(manifest, scores, boards, notes) | {"correction": NAMES.get(correct or "", "")}
        advance()
        content |= _of_comparisons(shard, scores, boards)
        advance()
        content |= {**_of_models(root, shard), "runs": provenance.read_provenance(shard, root)}
        content |= {"matrices": overview.matrices(boards), "score_matrix": overview.score_matrix(scores)}
        content |= {"benchmark": overviews(scores)}
        content |= {"sections": sections(scores, boards), "figures": domain_figures(scores)}
        advance()
        page = _engine().get_template("page.html.jinja").render({**content, **_helpers(), "changes": changes})
        advance()
    return page


def _progress(scores: int) -> contextlib.AbstractContextManager[Callable[[], None]]:
    """Return progress over five steps, shown only if there are many scores."""
    return progress("making the page", 5) if scores >= MANY else contextlib.nullcontext(lambda: None)


def _helpers() -> dict[str, Any]:
    """Return the helpers that the templates use."""
    return {
        "level": LEVEL,
        "library": load_assets(),
        "anchor": names.anchor,
        "title": names.title,
        "listed": names.listed,
        "counted": names.counted,
    }


@functools.cache
def _engine() -> Environment:
    """Return the template engine, which caches its templates."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    engine = Environment(
        loader=PackageLoader("resi.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    engine.filters["breakable"] = names.breakable
    return engine


def _order(board: Leaderboard) -> tuple[Any, ...]:
    return board.conditions, board.domain, list(SCORED).index(board.test)


def _head(
    manifest: Mapping[str, Any], scores: pl.DataFrame, boards: Sequence[Leaderboard], notes: Sequence[str]
) -> dict[str, Any]:
    """Return the first screen, and the notes above it."""
    first, others = answer.main_answers(answer.answers(boards))
    labels: dict[names.Named, set[bool]] = {}
    for board in boards:
        for row in board.rows:
            labels.setdefault(names.named(row.key[0], row.key[1]), set()).add(row.imported)
    origins = {imported for found in labels.values() for imported in found}
    versions = scores["resi_version"].drop_nulls().unique().sort()
    return {
        "lead": answer.lead(first),
        "answers": first,
        "other_answers": others,
        "domains": list(dict.fromkeys(found.domain for found in first)),
        "notes": [names.without_paths(note) for note in [*notes, *_notes(manifest, scores, boards)]],
        "own": answer.standings(boards, first),
        "both": {found.anchor for found, imported in labels.items() if len(imported) > 1},
        "mixed": len(origins) > 1,
        "all_imported": origins == {True},
        "scores": scores.height,
        "versions": ", ".join(map(str, versions)),
    }


def _of_comparisons(shard: Shard, scores: pl.DataFrame, boards: Sequence[Leaderboard]) -> dict[str, Any]:
    summary = failures.summary(shard)
    reasons, remarks, costs = failures.reasons(summary), failures.notes(summary, scores), failures.costs(summary)
    experiments, left_out = heatmaps.experiments(shard)
    return {
        "counts": failures.counts(summary),
        "costs": costs,
        "cards": cards.cards(boards, costs),
        "reasons": reasons[:SHOWN_REASONS],
        "more_reasons": len(reasons) - SHOWN_REASONS,
        "remarks": remarks[:SHOWN_REASONS],
        "more_remarks": len(remarks) - SHOWN_REASONS,
        "experiments": experiments,
        "more_experiments": left_out,
    }


def _of_models(root: Path | None, shard: Shard) -> dict[str, Any]:
    found = models.read_models(root, shard)
    groups = models.groups(found)
    said = {"model_verdict": models.verdict(found), "doubts": models.doubts(found)}
    return {"model_groups": groups, "model_columns": models.columns(groups), **said}


def _notes(manifest: Mapping[str, Any], scores: pl.DataFrame, boards: Sequence[Leaderboard]) -> Iterator[str]:
    for name, of in ((CONFLICTS_FILE, "Comparisons"), (SCORE_CONFLICTS_FILE, "Scores")):
        if name in manifest["files"]:
            yield f"{of} from different shards contradict each other and have no value here; they are listed in {name}."
    if ambiguous := sum(board.ambiguous for board in boards):
        yield (
            f"Cells with several scores from runs that cannot be distinguished: {ambiguous}. They are not ranked; "
            "report such runs separately (resi report shards/NAME)."
        )
    if scores.filter(pl.col("compared").is_null() & pl.col("seed").is_null()).height:
        yield (
            "Some scores do not record their models: they come from an earlier version, or were scored by hand. "
            "Scores in one column may be based on different models."
        )
    if unknown := sorted(set(scores["test"]) - set(SCORED)):
        yield f"Scores of unknown tests are left out: {', '.join(unknown)}."
