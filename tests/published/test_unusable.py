"""Published models that are missing, damaged, another network's or not finite cost their comparisons alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import torch

import resi
from resi.cli.main import run_command
from resi.domains.graph import GraphDomain
from resi.errors import ArtifactError, ResiError
from resi.results.shards import Shard
from resi.store.checkpoints import check_finite
from tests.conftest import changed
from tests.published.zoo import graph_name, graph_state, not_finite, saved

Write = Callable[..., Path]


@pytest.fixture
def write(data: Path, tmp_path: Path) -> Write:
    """Return a function that writes a GCN, or another, of a setting and seed where the archive has it."""

    def write(setting: str, seed: int, architecture: str = "gcn") -> Path:
        path = tmp_path / "zoo" / graph_name(architecture, setting, seed)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(saved(graph_state(data / "cora", architecture, setting, seed)))
        return path

    return write


@pytest.fixture
def words(data: Path, tmp_path: Path) -> list[str]:
    """Return a run on published models."""
    return [
        "dataset=cora", f"dataset.root={data / 'cora'}", "models.source=published", f"models.root={tmp_path / 'zoo'}",
        f"root={tmp_path / 'home'}", "model=gcn", "measure=cka", "groups=2", "compare.threads=1", "workers=1",
    ]  # fmt: skip


def test_each_way_to_be_of_no_use_costs_its_pairs_and_is_counted(
    words: list[str],
    write: Write,
    data: Path,
    tmp_path: Path,
    said: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    paths = [write("standard", seed) for seed in range(6)]
    for seed in range(6):
        write("augmentation_100", seed)
    paths[1].unlink()
    paths[2].write_bytes(paths[2].read_bytes()[:-1000])
    torch.save(not_finite(graph_state(data / "cora", "gcn", "standard", 3)), paths[3])
    torch.save(graph_state(data / "cora", "gat", "standard", 4), paths[4])
    words = changed(words, "seeds=[0,1,2,3,4,5]")
    # Hashes of files that have just been written are not kept, and a plan reads none.
    monkeypatch.setattr("resi.store.known_files.SETTLED_SECONDS", -1.0)
    code, _, err = said(*words)
    lines = err.splitlines()
    assert code == 1
    assert "4 of 12 published models left out: gcn on cora, standard, seed 1, gcn on cora, standard, seed 2, " in err
    reasons = [line for line in lines if line.startswith("left out: ")]
    assert f"{paths[1]} is missing" in reasons[0]
    assert f"{paths[2]} cannot be read as a checkpoint" in reasons[1]
    # What is left: two models without alteration and six with, which is all of their pairs.
    result = resi.run(words)
    assert (result.reused, result.count("ok"), len(result.comparisons)) == (True, 28, 28)
    found = set(zip(*(result.comparisons[name] for name in ("setting_a", "seed_a")), strict=True))
    found |= set(zip(*(result.comparisons[name] for name in ("setting_b", "seed_b")), strict=True))
    assert found == {("standard", 0), ("standard", 5), *(("augmentation_100", seed) for seed in range(6))}
    assert result.missing == tuple(f"gcn on cora, standard, seed {seed}" for seed in (1, 2, 3, 4))
    note = result.scores.filter(metric="auprc")["note"].item()
    assert note.endswith(
        "the files of 1 of the published models were missing; the files of 3 of the published models could not be used"
    )
    about = Shard(result.shard).manifest()
    assert about["missing_models"] == list(result.missing)
    for seed, label, why in zip(
        (1, 2, 3, 4),
        result.missing,
        ("is missing", "cannot be read as a checkpoint", "has weights that are not finite", "do not fit"),
        strict=True,
    ):
        assert about["left_out"][label].startswith(f"{paths[seed]} {why}")

    # Later runs and plans know it without reading any of them again.
    with monkeypatch.context() as patch:
        patch.setattr(GraphDomain, "read_published", lambda *_: pytest.fail("a checkpoint was read again"))
        assert said("plan", *words)[2].count("left out: ") == 4
        assert resi.run(changed(words, "measure=rsa")).count("ok") == 28
    # Elsewhere, without any of the files, too.
    (tmp_path / "zoo").rename(tmp_path / "hidden")
    assert (resi.run(words).reused, resi.run(words).missing) == (True, result.missing)
    (tmp_path / "hidden").rename(tmp_path / "zoo")
    # Once a file is replaced, its model takes part.
    write("standard", 2)
    code, _, err = said(*words)
    assert "3 of 12 published models left out" in err
    assert "comparing: 8/8" in err


@pytest.mark.parametrize("test", ["output_correlation", "layer_monotonicity"])
def test_other_tests_go_on_with_what_is_left(words: list[str], write: Write, test: str) -> None:
    setting = "six_layers" if test == "layer_monotonicity" else "standard"
    paths = [write(setting, seed) for seed in range(4)]
    paths[0].write_bytes(b"")
    result = resi.run([*words, f"test={test}", "seeds=[0,1,2,3]"])
    assert result.missing == (f"gcn on cora, {setting}, seed 0",)
    assert result.count("ok") == len(result.comparisons) > 0
    assert set(result.comparisons["seed_a"]) | set(result.comparisons["seed_b"]) == {1, 2, 3}
    means = result.scores.filter(pl.col("seed").is_null())
    assert means.height
    assert means["value"].is_finite().all()


def test_architectures_against_each_other_go_on_with_what_is_left(words: list[str], write: Write) -> None:
    paths = [write("standard", seed, name) for name in ("gat", "gcn") for seed in range(3)]
    paths[0].unlink()
    words = [word for word in words if word not in ("model=gcn", "groups=2")]
    result = resi.run([*words, "by=architecture", "model=[gcn,gat]", "seeds=[0,1,2]"])
    assert result.missing == ("gat on cora, standard, seed 0",)
    assert (result.count("ok"), len(result.comparisons)) == (10, 10)
    score = result.scores.row(by_predicate=pl.col("metric") == "auprc", named=True)
    assert [score[name] for name in ("test", "architecture", "settings", "model_source", "models", "pairs")] == [
        "architecture", "gat+gcn", "gat, gcn", "published", 5, 10
    ]  # fmt: skip
    assert score["note"].endswith("the files of 1 of the published models were missing")


def test_a_run_of_which_nothing_is_left_ends_with_one_line(
    words: list[str], write: Write, tmp_path: Path, said: Callable[..., tuple[int, str, str]]
) -> None:
    paths = [write(setting, seed) for setting in ("standard", "augmentation_100") for seed in range(2)]
    for path in paths:
        path.write_bytes(b"no checkpoint")
    words = changed(words, "seeds=[0,1]")
    for _ in range(2):
        code, out, err = said(*words)
        errors = [line for line in err.splitlines() if line.startswith("resi: ")]
        assert (code, out, len(errors)) == (1, "", 1)
        assert f"{paths[0]} cannot be read as a checkpoint" in errors[0]
    # Two models of one group are left: they are compared, and there is no score.
    write("standard", 0), write("standard", 1)
    code, _, err = said(*words)
    assert code == 1, err
    assert "2 of 4 published models left out" in err
    assert "no scores: none of the 1 comparisons belongs to test=augmentation" in err
    assert "1 comparison in " in err
    # One model is left, and nothing to compare it with.
    paths[1].unlink()
    assert said(*changed(words, f"root={tmp_path / 'other'}"))[0] == 1


def test_a_model_that_vanishes_after_it_was_planned_is_left_out(
    words: list[str], write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    for setting in ("standard", "augmentation_100"):
        paths = [write(setting, seed) for seed in range(3)]
    read = GraphDomain.read_published

    def vanishing(domain: GraphDomain, path: Path, *more: object) -> object:
        paths[2].unlink(missing_ok=True)
        return read(domain, path, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(GraphDomain, "read_published", vanishing)
    result = resi.run([*words, "seeds=[0,1,2]"])
    assert result.missing == ("gcn on cora, augmentation_100, seed 2",)
    assert (result.count("ok"), len(result.comparisons)) == (10, 10)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_have_to_be_finite(value: float) -> None:
    state = {"a.weight": torch.ones(2, 3), "b": torch.tensor([1.0, value, value]), "steps": torch.tensor(1)}
    with pytest.raises(ArtifactError, match="has weights that are not finite: 2 of 3 in b"):
        check_finite(state)
    check_finite({"a.weight": torch.ones(2, 3), "steps": torch.tensor(1)})


def test_one_line_names_what_a_model_lacks(words: list[str]) -> None:
    with pytest.raises(ResiError, match=r"model_s0\.pt is missing: with models\.source=published it holds gcn on cora"):
        resi.run(changed(words, "seeds=[0,1]"))
    assert run_command(changed(words, "seeds=[0,1]")) == 1
