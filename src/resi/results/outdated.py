"""Stored numbers computed by earlier versions: which of them this version would compute differently, and why.

The versions of a measure, the scores, the extraction and the training are part of the keys, so no run uses such a
number; a merge keeps it with a note. Numbers computed by other versions of resi or torch keep their keys: runs use
them.
"""

from __future__ import annotations

import functools
import importlib.metadata
from dataclasses import dataclass, field
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import polars as pl

from resi import __version__, registry
from resi.choices import ModelSource
from resi.errors import count_of
from resi.measures.functional import FUNCTIONAL, FUNCTIONAL_VERSION
from resi.results.manifests import RUN, own_codes
from resi.results.schema import PUBLISHED, SCORE_VERSION
from resi.store.representations import EXTRACTION_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from resi.results.shards import Shard

VERSIONS = "versions"
"""The entry of a manifest with the versions of ``EARLIER`` that computed its numbers."""
NOTED_SINCE = 5
"""First schema version whose manifests note the versions."""
EARLIER: dict[str, Any] = {"scores": 2, "extraction": 1, "training": {"graph": 1, "vision": 1, "language": 2}}
"""The versions assumed for manifests that do not note them."""
USED = "runs use them as they are"


def current_versions(training: int) -> dict[str, int]:
    """Return the versions that a manifest notes: those of scores, extraction and training."""
    return {"scores": SCORE_VERSION, "extraction": EXTRACTION_VERSION, "training": training}


@dataclass(frozen=True)
class Outdated:
    """Why the numbers of one shard were computed by earlier versions; empty if they were not.

    Attributes
    ----------
    measures : mapping from (measure, version) to str
        Reasons for comparisons of a measure version.
    shard : str
        Reason for all comparisons, as far as the manifest states it.
    scores : str
        Reason for all scores.
    codes : mapping from measure to str
        Reasons for measures that are not built in, if a later run used other code for them.
    """

    measures: Mapping[tuple[str, int], str] = field(default_factory=dict)
    shard: str = ""
    scores: str = ""
    codes: Mapping[str, str] = field(default_factory=dict)

    def mark_comparisons(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return rows with the reasons added to their notes."""
        for (measure, version), reason in self.measures.items():
            rows = _noted(rows, (pl.col("measure") == measure) & (pl.col("measure_version") == version), reason)
        for measure, reason in self.codes.items():
            rows = _noted(rows, pl.col("measure") == measure, reason)
        return _noted(rows, pl.lit(value=True), self.shard)

    def mark_scores(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return scores with the reasons added to their notes, including reasons for their measure's comparisons."""
        for measure, reason in [*((name, reason) for (name, _), reason in self.measures.items()), *self.codes.items()]:
            rows = _noted(rows, pl.col("measure") == measure, reason)
        return _noted(_noted(rows, pl.lit(value=True), self.shard), pl.lit(value=True), self.scores)


def find_outdated(
    manifest: Mapping[str, Any], comparisons: pl.DataFrame, latest: Mapping[str, str] | None = None
) -> Outdated:
    """Return which numbers of a finished shard this version would compute differently.

    Parameters
    ----------
    comparisons : DataFrame
        With the columns ``measure`` and ``measure_version``.
    latest : mapping from measure to str, optional
        What :func:`latest_codes` returns for all considered shards.
    """
    codes = {
        name: f"computed by other code of {name} than its last run"
        for name, code in own_codes(manifest).items()
        if (latest or {}).get(name, code) != code
    }
    measures = {}
    for name, version in comparisons.select("measure", "measure_version").unique().sort(pl.all()).iter_rows():
        current = _measure_versions().get(name)
        if version is not None and current is not None and version != current:
            measures[name, version] = f"computed by version {version} of {name}, which is now at {current}"
    noted = noted_versions(manifest)
    scores = _changed("computed by", noted, "scores", SCORE_VERSION)
    return Outdated(measures, "; ".join(_of_models(manifest, noted)), scores, codes)


def noted_versions(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return the versions that computed the numbers of a shard, as far as they are known."""
    is_earlier = manifest["schema_version"] < NOTED_SINCE and manifest.get("kind", RUN) in (RUN, PUBLISHED)
    return {**(EARLIER if is_earlier else {}), **manifest.get(VERSIONS, {})}


def latest_codes(manifests: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the hash of the code of each measure that is not built in, from the run that ended last."""
    # Manifests are large, and there may be thousands: only this is kept of each.
    by_time = sorted(
        ((str(manifest.get("finished", "")), own_codes(manifest)) for manifest in manifests), key=itemgetter(0)
    )
    return {name: code for _, codes in by_time for name, code in codes.items()}


def reasons(shard: Shard, with_used: bool = True, latest: Mapping[str, str] | None = None) -> list[str]:
    """Return which numbers of a finished shard were computed by earlier or other versions, and why.

    Parameters
    ----------
    with_used : bool
        Whether to also name those computed by other versions of resi and torch, which runs still use.
    latest : mapping from measure to str, optional
        What :func:`latest_codes` returns for all shards of the folder.

    Raises
    ------
    ArtifactError
        If the shard is damaged.
    """
    manifest, rows, scores = shard.manifest(), shard.comparisons(), shard.scores()
    found = find_outdated(manifest, rows, latest)
    counts = {
        (name, version): count for name, version, count in rows.group_by("measure", "measure_version").len().iter_rows()
    }
    words = [f"{count_of(counts[which], 'comparison')} {reason}" for which, reason in found.measures.items()]
    words += [
        f"{count_of(rows.filter(measure=name).height, 'comparison')} {reason}" for name, reason in found.codes.items()
    ]
    if found.shard:
        words.append(f"{count_of(rows.height, 'comparison')} {found.shard}")
    if found.scores and scores.height:
        words.append(f"{count_of(scores.height, 'score')} {found.scores}")
    return [*words, *(_other_programs(manifest, rows) if with_used else ())]


def _of_models(manifest: Mapping[str, Any], noted: Mapping[str, Any]) -> Iterator[str]:
    """Yield why all numbers about the models of a run are from an earlier version."""
    if manifest.get("kind", RUN) != RUN:
        return
    if reason := _changed("computed from representations of", noted, "extraction", EXTRACTION_VERSION):
        yield reason
    domain = manifest.get("domain")
    then = noted.get("training")
    if isinstance(then, dict):
        then = then.get(domain)
    trained, read = _model_versions().get(str(domain), (None, None))
    now = read if _are_published(manifest) else trained
    if then is not None and now is not None and then != now:
        yield f"computed from models of version {then} of their training, which is now at {now}"


def _changed(what: str, noted: Mapping[str, Any], name: str, current: int) -> str:
    then = noted.get(name, current)
    thing = {"scores": "the tests", "extraction": "the extraction"}[name]
    return "" if then == current else f"{what} version {then} of {thing}, which is now at {current}"


def _other_programs(manifest: Mapping[str, Any], rows: pl.DataFrame) -> Iterator[str]:
    """Yield which comparisons were computed by other versions of resi and torch, which are not part of their keys."""
    by_resi = rows.filter(pl.col("resi_version") != __version__).group_by("resi_version").len().sort("resi_version")
    for version, count in by_resi.iter_rows():
        yield f"{count_of(count, 'comparison')} computed by resi {version}, which is now {__version__}; {USED}"
    torch = manifest.get("packages", {}).get("torch")
    if manifest.get("kind", RUN) == RUN and torch and torch != _torch_version():
        count = count_of(rows.height, "comparison")
        yield f"{count} computed with torch {torch}, which is now {_torch_version()}; {USED}"


def _noted(rows: pl.DataFrame, where: pl.Expr, reason: str) -> pl.DataFrame:
    """Return rows with a reason added to their notes, unless it is already there."""
    if not reason or rows.is_empty():
        return rows
    note = pl.col("note").fill_null("")
    added = pl.when(note == "").then(pl.lit(reason)).otherwise(note + pl.lit(f"; {reason}"))
    return rows.with_columns(note=pl.when(where & ~note.str.contains(reason, literal=True)).then(added).otherwise(note))


@functools.cache
def _measure_versions() -> dict[str, int]:
    found = {name: registry.measures().get(name).version for name in registry.measures()}
    return {**found, **dict.fromkeys(FUNCTIONAL, FUNCTIONAL_VERSION)}


def _are_published(manifest: Mapping[str, Any]) -> bool:
    """Return whether a run used published models."""
    models = (manifest.get("config") or {}).get("models") or {}
    return bool(models.get("source") == ModelSource.published)


@functools.cache
def _model_versions() -> dict[str, tuple[int, int]]:
    """Return, by domain, the versions of training models and of reading published ones."""
    found = {}
    for name in registry.domains():
        try:
            domain = registry.domains().get(name)()
            found[name] = domain.training_version(), domain.reading_version()
        except Exception:  # noqa: S112 - what is missing here, or a plugin's error: its version is not known
            continue
    return found


@functools.cache
def _torch_version() -> str | None:
    try:
        return importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return None
