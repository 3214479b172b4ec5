"""Published models read as they are: both key styles, and never trained over."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pytest
import torch

import resi
from resi.cli.main import run_command
from resi.config.compose import compose
from resi.domains.graph import GraphDomain
from resi.domains.graph.checkpoints import read_checkpoint
from resi.domains.graph.lookup import graph_network
from resi.domains.graph.settings import PUBLISHED_NAMES
from resi.domains.graph.training import train
from resi.errors import ArtifactError, DatasetError, UsageError
from resi.pipeline.planner import make_plan
from resi.results.shards import Shard
from resi.specs import ModelSpec
from resi.store.models import ModelStore
from resi.store.root import Store
from tests.conftest import changed

CPU = torch.device("cpu")
DOMAIN = GraphDomain()


def spec_of(architecture: str, **changes) -> ModelSpec:
    values = DOMAIN.hyperparameters(architecture, "digits_knn", "standard", {"epochs": 1, **changes})
    return ModelSpec("graph", "digits_knn", "content", architecture, "standard", 0, values, 1)


def saved(state: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def digits():
    return DOMAIN.locate("digits_knn", None, Path("unused"))


def test_gat_is_read_in_the_keys_of_old_and_new_pyg(digits) -> None:
    spec = spec_of("gat")
    trained = train(spec, digits, CPU)
    old = {}
    for name, tensor in trained.state.items():
        names = [name.replace("lin.", f"lin_{end}.") for end in ("src", "dst")] if ".lin." in name else [name]
        old.update(dict.fromkeys(names, tensor))
    assert "convs.0.lin_dst.weight" in old
    for state in (old, dict(trained.state)):
        found = read_checkpoint(saved(state), spec, digits, CPU)
        assert found.state.keys() == trained.state.keys()
        assert all(torch.equal(found.state[name], tensor) for name, tensor in trained.state.items())
        assert found.accuracies == trained.accuracies


def test_pgnn_is_read_with_its_first_layer_stored_twice(digits) -> None:
    spec = spec_of("pgnn")
    trained = train(spec, digits, CPU)
    twice = {
        **trained.state,
        **{name.replace("convs.0.", "init_conv."): t for name, t in trained.state.items() if "convs.0." in name},
    }
    assert len(twice) > len(trained.state)
    assert read_checkpoint(saved(twice), spec, digits, CPU).state.keys() == trained.state.keys()
    with pytest.raises(
        ArtifactError, match=r"holds different weights under two names of convs\.0\.linear_hidden\.bias"
    ):
        graph_network("pgnn").from_published({**twice, "init_conv.linear_hidden.bias": torch.ones(32)})


class Payload:
    def __reduce__(self):
        return print, ("code ran",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read as a checkpoint"),
        (b"not a checkpoint", "cannot be read as a checkpoint"),
        (saved([1, 2]), "does not hold a dictionary of weights"),
        (saved({1: torch.ones(3)}), "does not hold a dictionary of weights"),
        (saved({"convs.0.bias": torch.ones(3).to_sparse()}), "does not hold a dictionary of weights"),
        (saved({"convs.0.bias": torch.ones(3)}), "do not fit the architecture: convs.0.lin.weight is missing"),
        (saved({"convs.0.bias": Payload()}), "cannot be read as a checkpoint"),
    ],
)
def test_what_is_no_checkpoint_is_refused_and_none_of_its_code_runs(
    digits, content: bytes, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ArtifactError, match=message):
        read_checkpoint(content, spec_of("gcn"), digits, CPU)
    assert "code ran" not in capsys.readouterr().out


@pytest.mark.parametrize("below", ["", "graphs", "models/graphs"])
def test_a_checkpoint_is_found_in_the_published_layout(tmp_path: Path, below: str) -> None:
    spec = ModelSpec("graph", "ogbn_arxiv", "content", "graphsage", "shortcut_25", 3, {}, 1)
    path = tmp_path / below / "ogbn-arxiv" / "GraphSAGE" / "Shortcut_25" / "model_s3.pt"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    assert DOMAIN.checkpoint(tmp_path, spec) == path
    path.unlink()
    with pytest.raises(DatasetError, match=rf"{path} is missing: .* graphsage on ogbn_arxiv, shortcut_25, seed 3"):
        DOMAIN.checkpoint(tmp_path, spec)


def test_the_names_of_published_results_are_understood() -> None:
    assert DOMAIN.own_names("ogbn-arxiv", "Shortcut_25") == ("ogbn_arxiv", "shortcut_25")
    assert DOMAIN.own_names("cora", "MultiLayer") == ("cora", "six_layers")
    for unaltered in ("Normal", "Augmentation_0", "RandomLabels_0"):
        assert DOMAIN.own_names("flickr", unaltered) == ("flickr", "standard")
    for setting, published in PUBLISHED_NAMES.items():
        assert DOMAIN.own_names("cora", published) == ("cora", setting)
    for trained_on, setting in (("reddit", "Normal"), ("ogbn_arxiv", "Normal"), ("cora", "Twisted_25")):
        with pytest.raises(ValueError, match=r"unknown (training set|setting)"):
            DOMAIN.own_names(trained_on, setting)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["models.source=zoo"], "unknown models.source 'zoo'.*Known: published, train"),
        (["models.root=there"], "models.root=there: it is used with models.source=published only"),
        (
            ["models.source=published", "model=gcn", "model.gcn.epochs=3"],
            "model.gcn.epochs=3: models.source=published reads models without changes",
        ),
        (["models.sauce=train"], "unknown key 'models.sauce'; did you mean models.source"),
        (["representation=logits"], "unknown representation of domain=graph: 'logits'.*conv_output, post_activation"),
    ],
)
def test_wrong_words_about_models_are_one_clear_line(words: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        compose(words)


def test_digits_have_no_published_models(root: Path) -> None:
    with pytest.raises(UsageError, match="no models on dataset=digits_knn are published, only on cora, flickr"):
        resi.run(["models.source=published", "measure=cka"])


@pytest.fixture(scope="module")
def cora_words(data: Path) -> list[str]:
    return ["dataset=cora", f"dataset.root={data / 'cora'}", "models.source=published"]


@pytest.fixture
def zoo(data: Path, tmp_path: Path) -> Path:
    """Return a copy of the published models; of GAT there are three seeds, the third made from the second."""
    folder = tmp_path / "zoo"
    shutil.copytree(data / "published-cora" / "models", folder, copy_function=shutil.copyfile)
    for setting in ("Normal", "Augmentation_100"):
        path = folder / "graphs" / "cora" / "GAT" / setting / "model_s1.pt"
        state = torch.load(path, weights_only=True)
        state["convs.0.bias"] += 0.1
        torch.save(state, path.with_name("model_s2.pt"))
    return folder


def test_published_models_are_planned_by_their_content_and_never_trained(
    cora_words: list[str],
    zoo: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from resi.cli.plan import print_plan_of

    words = [*cora_words, f"models.root={zoo}", f"root={tmp_path / 'home'}", "model=gat", "seeds=[0,1]", "groups=2"]
    monkeypatch.setattr(GraphDomain, "train", lambda *_: pytest.fail("a published model was trained"))
    first = make_plan(compose([*words, "measure=cka"]))
    assert len(first.missing_models()) == 4
    resi.run([*words, "measure=cka"])
    print_plan_of([*words, "measure=cka"])
    assert "read published models" in capsys.readouterr().out
    path = zoo / "graphs" / "cora" / "GAT" / "Normal" / "model_s0.pt"
    spec = next(model for model, _ in first.models if model.setting == "standard" and model.seed == 0)
    assert ModelStore(Store(tmp_path / "home")).about(spec)["accuracies"]["test"] > 0.7

    # Other content is another model; none is an error that names the file.
    torch.save({name: tensor + 0.1 for name, tensor in torch.load(path).items() if tensor.is_floating_point()}, path)
    assert [model.seed for model in make_plan(compose([*words, "measure=cka"])).missing_models()] == [0]
    path.unlink()
    plan = make_plan(compose([*words, "measure=cka"]))
    assert [(model.setting, model.seed) for model in plan.left_out] == [("standard", 0)]
    shutil.rmtree(zoo)
    with pytest.raises(
        DatasetError, match=r"model_s0.pt is missing: with models.source=published it holds gat on cora"
    ):
        make_plan(compose(changed(words, "measure=cka", f"root={tmp_path / 'empty'}")))


def test_a_missing_checkpoint_costs_its_pairs_and_not_the_job(
    cora_words: list[str], zoo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*cora_words, f"models.root={zoo}", f"root={tmp_path / 'home'}", "model=gat", "seeds=[0,1,2]", "groups=2"]
    path = zoo / "graphs" / "cora" / "GAT" / "Normal" / "model_s1.pt"
    path.rename(tmp_path / "elsewhere")
    assert run_command([*words, "measure=cka"]) == 1
    assert f"left out: {path} is missing: with models.source=published it holds gat on cora" in capsys.readouterr().err
    partly = resi.run([*words, "measure=cka"])
    assert partly.missing == ("gat on cora, standard, seed 1",)
    assert (partly.reused, partly.count("ok"), len(partly.comparisons)) == (True, 10, 10)
    scores = partly.scores.filter(metric="auprc")
    assert (scores["models"].item(), scores["note"].item()) == (
        5,
        "no interval: a group has fewer than 3 models; with 2 groups of 3 and 2 models no p-value can be below 0.1; "
        "the files of 1 of the published models were missing",
    )
    assert Shard(partly.shard).manifest()["missing_models"] == ["gat on cora, standard, seed 1"]
    assert run_command(["plan", *words, "measure=cka"]) == 0
    assert f"left out: {path} is missing" in capsys.readouterr().err
    # Once it is there, the whole run is made, and what was compared is used.
    (tmp_path / "elsewhere").rename(path)
    whole = resi.run([*words, "measure=cka"])
    assert (whole.missing, whole.count("ok"), whole.shard != partly.shard) == ((), 15, True)
    assert "comparing: 5/5" in capsys.readouterr().err
    assert set(whole.scores["note"]) == {"with 2 groups of 3 models no p-value can be below 0.1"}


def test_published_and_trained_models_are_never_mistaken_for_each_other(
    cora_words: list[str], zoo: Path, tmp_path: Path
) -> None:
    published, trained = (
        make_plan(compose([*words, "seeds=[0,1]", "groups=2", f"root={tmp_path}"]))
        for words in ([*cora_words, f"models.root={zoo}"], cora_words[:2])
    )
    assert len(published.models) == 8
    assert len(trained.models) == 12
    assert not {m.fingerprint for m, _ in published.models} & {m.fingerprint for m, _ in trained.models}
