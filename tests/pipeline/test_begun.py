"""Shards that have begun are found without the keys of all comparisons, by notes of the runs that began them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from resi.config.compose import compose
from resi.pipeline.begun import BegunShards, note_shard
from resi.pipeline.planner import Planner
from tests.conftest import changed

if TYPE_CHECKING:
    from resi.pipeline.plan import Plan

WORDS = ("domain=graph", "dataset=digits_knn", "model=[gcn,gat]", "test=augmentation", "measure=[cka,gulp,pwcca]")


def plan(root: Path, *words: str) -> Plan:
    """Return the plan of a small run with further words, planned by itself."""
    return Planner(may_download=False).plan(compose(changed(WORDS, f"root={root}", *words)))


def begin(begun: Plan) -> None:
    """Leave what a run does that has just begun."""
    begun.shard.folder.mkdir(parents=True)


@pytest.mark.parametrize("is_noted", [True, False])
def test_a_shard_is_found(tmp_path: Path, is_noted: bool) -> None:
    first = plan(tmp_path)
    begin(first)
    if is_noted:
        note_shard(first)
    again = plan(tmp_path)
    found = BegunShards(again.store).find(again)
    assert found is not None
    assert found.folder == first.shard.folder
    assert ("comparisons" in vars(again)) is not is_noted  # only what no run has noted is worked out


def test_of_a_plan_that_has_not_begun_nothing_is_found_or_worked_out(tmp_path: Path) -> None:
    first = plan(tmp_path)
    begin(first)
    note_shard(first)
    for word in ("seeds=[0,1]", "groups=2", "measure=[cka,gulp]", "protocol=published", "null=50", "model=gcn"):
        other = plan(tmp_path, word)
        assert BegunShards(other.store).find(other) is None, word
        assert "comparisons" not in vars(other)
    note_shard(other)  # by a run that was stopped before it had a shard
    assert BegunShards(other.store).find(other) is None


def test_plans_whose_shards_have_one_name_share_a_note(tmp_path: Path) -> None:
    first = plan(tmp_path)
    begin(first)
    note_shard(first)
    for word in ("model=[gat,gcn]", "measure=[pwcca,cka,gulp]", "compare.threads=2", "on_error=raise"):
        other = plan(tmp_path, word)
        found = BegunShards(other.store).find(other)
        assert found is not None, word
        assert "comparisons" not in vars(other)
        assert other.shard.folder == found.folder
