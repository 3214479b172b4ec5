"""A whole configuration: its experiments as runs, or a merge of results as a command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from resi.errors import UsageError
from resi.published.convert.experiments import convert_experiment
from resi.published.convert.flags import EXPERIMENTS, read_flags
from resi.published.convert.outcome import Outcome, Remark

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from resi.domains.published_models import PublishedModel

PARTS = "parquets_to_merge"
MERGED = "output_parquet"
AS_PUBLISHED = (("models.source", "published"), ("protocol", "published"))
"""Words of a run that reads the published models, and computes the published numbers."""

TRAINED = (
    "different: models are trained here; with --published, runs use the published models and compute their numbers"
)


def convert(document: Mapping[str, Any], known: Sequence[PublishedModel], as_published: bool = False) -> Outcome:
    """Convert a configuration.

    Parameters
    ----------
    document : mapping
        As :func:`resi.published.convert.reading.read_configuration` returns it.
    known : sequence of PublishedModel
        All models that can be selected.
    as_published : bool
        Whether runs read the published models, and compute the published numbers, defects included.

    Raises
    ------
    UsageError
        If it is not a configuration, or its keys contradict each other.
    """
    if PARTS in document or MERGED in document:
        return _merge(document)
    experiments = document.get(EXPERIMENTS)
    if not isinstance(experiments, list) or not experiments:
        raise UsageError(f"expected `{EXPERIMENTS}:` with a list of experiments, or `{PARTS}:` with a list of files")
    flags = read_flags(document)
    outcome = Outcome()
    for position, given in enumerate(experiments):
        try:
            outcome.add(convert_experiment(given, position, known))
        except UsageError as error:
            where, _, reason = str(error).partition(": ")
            outcome.refused.append(Remark(where, reason))
    further = flags.values + (AS_PUBLISHED if as_published else ())
    jobs = [job._replace(values=job.values + further) for job in outcome.jobs]
    outcome.jobs = list({job.values: job for job in jobs}.values())
    outcome.add(flags.outcome)
    if outcome.jobs and not as_published:
        outcome.remark("models", TRAINED)
    return outcome


def _merge(document: Mapping[str, Any]) -> Outcome:
    """Return the command that reads the results files that a configuration merges."""
    parts = document.get(PARTS)
    if not isinstance(parts, list) or not parts or not all(isinstance(part, str) and part for part in parts):
        raise UsageError(f"{PARTS}: expected a list of files")
    outcome = Outcome()
    words = [word for part in parts for word in ("--published", part)]
    outcome.merges.append(("merge", *words))
    outcome.remark(PARTS, "the published code looks for them in its results folder: add the folder, or run it there")
    if MERGED in document:
        outcome.remark(
            MERGED, "different: the merged tables are comparisons.parquet and scores.parquet of results/ in the data "
            "root, or of the folder that --out names; runs of resi are merged by resi-merge alone"
        )  # fmt: skip
    for key in document:
        if key not in (PARTS, MERGED):
            outcome.remark(key, "no counterpart: the published code ignores it when merging; left out")
    return outcome
