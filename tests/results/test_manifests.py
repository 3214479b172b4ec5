"""A manifest that holds anything but what this program writes is named in one line and costs its shard alone."""

from __future__ import annotations

import json
import os
from argparse import Namespace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resi.cli.list_work import list_shards
from resi.errors import ArtifactError
from resi.results import manifests
from resi.results.manifests import MANIFEST, OWN_HASH, TYPES, read_manifest
from resi.results.merge import merge_shards
from resi.results.stored import Scope, find_comparisons, read_stored
from tests.results.rows import comparison, finish


def rewrite(folder: Path, **changes: object) -> None:
    """Change a manifest as somebody would who also gives it the hash of its new content."""
    content = {**json.loads((folder / MANIFEST).read_text()), **changes}
    content = json.loads(json.dumps(content))
    content[OWN_HASH] = manifests._hash_of(content)
    (folder / MANIFEST).write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"schema_version": 1e999}, "schema_version is inf; expected a positive integer"),
        ({"schema_version": -1e999}, "schema_version is -inf; expected a positive integer"),
        ({"schema_version": float("nan")}, "schema_version is nan; expected"),
        ({"schema_version": True}, "schema_version is True; expected"),
        ({"schema_version": "3"}, "schema_version is '3'; expected"),
        ({"schema_version": 0}, "schema_version is 0; expected"),
        ({"schema_version": 10**400}, "upgrade it"),
        ({"config": "x"}, "config is 'x'; expected a mapping"),
        ({"config": {"models": "x"}}, "config.models is 'x'; expected a mapping"),
        ({"kind": ["run"]}, "kind is ['run']; expected a text"),
        ({"domain": {}}, "domain is {}; expected a text"),
        ({"measures": "cka"}, "measures is 'cka'; expected a list"),
        ({"measures": [1]}, "measures is [1]; expected a list of texts"),
        ({"counts": [1]}, "counts is [1]; expected a mapping"),
        ({"counts": {"ok": "many"}}, "counts is {'ok': 'many'}; expected a number"),
        ({"counts": {"ok": 1e999}}, "counts is {'ok': inf}; expected a number"),
        ({"files": []}, "files is []; expected a mapping"),
        ({"shards": {"one": 1}}, "shards is {'one': 1}; expected the hashes"),
        ({"packages": "torch"}, "packages is 'torch'; expected a mapping"),
        ({"versions": 5}, "versions is 5; expected a mapping"),
    ],
)
def test_an_entry_of_another_type_is_named_and_the_other_shards_are_merged(
    tmp_path: Path, changes: dict[str, object], reason: str
) -> None:
    bad = finish(tmp_path, "bad", [comparison("a")])
    finish(tmp_path, "good", [comparison("b")])
    rewrite(bad.folder, **changes)
    merged = merge_shards([tmp_path], tmp_path / "results")
    assert (merged.shards, merged.comparisons) == (1, 1)
    (problem,) = merged.problems
    assert problem.startswith(f"left out: {bad.folder / MANIFEST} ")
    assert reason in problem
    problems: list[Exception] = []
    assert set(find_comparisons(tmp_path, ["a", "b"], problems.append, scope=Scope("x", "x"))) == {"b"}
    assert len(problems) == 1


ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=3)
    | st.sampled_from(["run", "published", "merged", 1e999, "x"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["models", "source", "torch", "ok", "failed", "training", "extraction", "scores", "a"]),
            inner,
            max_size=2,
        )
    ),
    max_leaves=6,
)
ENTRIES = st.sampled_from([*TYPES, "schema_version", "source"])


@settings(max_examples=25, deadline=None)
@given(changes=st.dictionaries(ENTRIES, ANY, min_size=1, max_size=3), version=st.sampled_from([1, 2, 3, 4, 5]))
def test_whatever_a_manifest_with_a_right_hash_holds_its_shard_is_used_or_named(
    tmp_path_factory: pytest.TempPathFactory, changes: dict[str, object], version: int
) -> None:
    root = tmp_path_factory.mktemp("root")
    shard = finish(root, "one", [comparison("a")])
    finish(root, "two", [comparison("b")])
    rewrite(shard.folder, **{"schema_version": version, **changes})
    merged = merge_shards([root], root / "results")
    assert merged.comparisons >= 1
    assert merged.shards + len(merged.problems) in (1, 2)  # 1 where it says that it is merged tables
    assert all("\n" not in problem for problem in merged.problems)
    problems: list[Exception] = []
    assert "b" in find_comparisons(root, ["a", "b"], problems.append, scope=Scope("x", "x"))
    read_stored(root, problems.append)
    assert {row["name"] for row in list_shards(Namespace(root=root))} >= {"two"}
    list_shards(Namespace(root=root, outdated=True))


@pytest.mark.parametrize("content", ["[" * 100_000, "1" * 5000, "null", '"x"', "[]", "{}", '{"files": {}}', "\ud800"])
def test_text_that_is_no_manifest_is_one_line(tmp_path: Path, content: str) -> None:
    (tmp_path / MANIFEST).write_bytes(content.encode("utf-8", "surrogatepass"))
    with pytest.raises(ArtifactError, match=r"manifest\.json is damaged: .* merge to write it again\.$"):
        read_manifest(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_file_that_may_not_be_read_is_not_called_damaged(tmp_path: Path) -> None:
    shard = finish(tmp_path, "one", [comparison("a")])
    for name in (MANIFEST, "comparisons.parquet"):
        (shard.folder / name).chmod(0)
        with pytest.raises(ArtifactError, match=rf"{name} cannot be read: Permission denied\. Check its permissions"):
            shard.verify()
        (shard.folder / name).chmod(0o600)
