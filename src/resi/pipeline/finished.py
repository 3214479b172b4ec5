"""Whether a plan's results are stored: what a run reads instead of computing, and plan and progress call finished."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from resi.errors import ArtifactError
from resi.results.manifests import OWN_HASH
from resi.results.outdated import VERSIONS, noted_versions
from resi.results.schema import SCORE_VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resi.pipeline.plan import Plan
    from resi.results.shards import Shard


class OtherRunError(ArtifactError):
    """A whole shard that holds the results of another run than its folder's name says."""


def check_shard(plan: Plan, shard: Shard | None = None) -> dict[str, Any]:
    """Return the manifest of a plan's finished shard, after checking that its tables are whole and of this plan.

    Parameters
    ----------
    shard : Shard, optional
        ``plan.shard`` where it is known already; it takes long to name.

    Raises
    ------
    ArtifactError
        If a file is missing or damaged, or if the shard holds the results of another run (:class:`OtherRunError`).
    """
    shard = shard or plan.shard
    manifest = shard.steadily(shard.verify)
    # Earlier versions have not noted the name.
    is_named = manifest.get("shard", shard.folder.name) == shard.folder.name
    is_same_test = manifest.get("test") == plan.config.test.name and manifest.get("protocol") == plan.config.protocol
    if not (is_named and is_same_test):
        raise OtherRunError(f"{shard.folder} holds the results of another run.", advice="Its run recomputes it.")
    return manifest


def is_scored_by_an_earlier_version(manifest: Mapping[str, Any]) -> bool:
    """Return whether this version would compute other scores from a shard's comparisons."""
    return bool(noted_versions(manifest).get("scores", SCORE_VERSION) != SCORE_VERSION)


def with_new_scores(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return the manifest of a shard whose scores were computed again, and nothing else."""
    kept = {name: value for name, value in manifest.items() if name != OWN_HASH}
    return {**kept, VERSIONS: {**noted_versions(manifest), "scores": SCORE_VERSION}}
