"""Plans against what came: sizes of files, what is read, what has to be fetched; and every number in ``--json``."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
import torch

import resi
from resi import registry
from resi.cli.main import run_command
from resi.cli.plan import plan_sweep
from resi.config.compose import compose
from resi.config.many import open_configs
from resi.domains.graph.lookup import graph_network
from resi.domains.language.lookup import text_architecture, text_network
from resi.domains.vision.lookup import image_dataset, image_network
from resi.errors import DatasetError
from resi.estimates import disk
from resi.estimates.counting import total_work
from resi.estimates.rates import Rate, Rates, measured_rates
from resi.estimates.summary import summarize
from resi.estimates.times import Times
from resi.estimates.work import Amount
from resi.pipeline.planner import Planner, make_plan
from resi.results.schema import COMPARISONS
from resi.results.summary import SUMMARIZED
from resi.results.summary import summarize as summarize_rows
from resi.specs import ModelSpec
from resi.sweeps.progress import find_states
from tests.conftest import TINY
from tests.estimates.schema import problems

if TYPE_CHECKING:
    from collections.abc import Iterator

JOBS = ["-m", *TINY, "test=augmentation,layer_monotonicity", "measure=cka,pwcca"]
opened: list[str] = []
"""Paths that were opened in this process, while a test watches."""
watching: list[bool] = []


@pytest.fixture
def opens() -> Iterator[list[str]]:
    """Return the paths that are opened; a hook cannot be removed, so that it is added once and switched on."""
    if not watching:
        watching.append(False)
        sys.addaudithook(lambda event, given: opened.append(str(given[0])) if watching[0] and event == "open" else None)
    opened.clear()
    watching[0] = True
    yield opened
    watching[0] = False


def document(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    """Return the JSON of a plan, which has to be as its schema says."""
    capsys.readouterr()
    run_command(["plan", *words, "--json"])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert problems(found) == []
    return found


def spec_of(domain: str, dataset: str, architecture: str, setting: str = "standard", **changes: Any) -> ModelSpec:
    values = registry.domains().get(domain)().hyperparameters(architecture, dataset, setting, changes)
    return ModelSpec(domain, dataset, "", architecture, setting, 0, values, 1)


def bytes_of(network: torch.nn.Module) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in network.state_dict().values())


@pytest.mark.parametrize("architecture", ["tiny_resnet", "resnet101", "tiny_vgg", "vgg11", "tiny_vit", "vit_b32"])
def test_weights_of_image_networks_take_what_is_estimated(architecture: str) -> None:
    domain = registry.domains().get("vision")()
    for dataset in ("digits",) if "tiny" in architecture else ("cifar100", "imagenet100"):
        model = spec_of("vision", dataset, architecture)
        with torch.device("meta"):
            network = image_network(architecture).build(architecture, model.hyperparameters, domain.classes_of(model))
        assert domain.weight_bytes(model) == bytes_of(network)


@pytest.mark.parametrize("architecture", ["bert_tiny", "albert_tiny", "smollm2_tiny", "bert", "albert"])
def test_weights_of_text_networks_are_as_many_as_estimated(architecture: str) -> None:
    family = text_network(architecture)
    with torch.device("meta"):
        network = family.build(family.config(architecture, text_architecture(architecture).vocabulary, 2))
    assert family.weight_count(architecture, 2) == sum(tensor.numel() for tensor in network.parameters())


@pytest.mark.parametrize("architecture", ["gcn", "graphsage", "gat"])
def test_weights_of_graph_networks_take_what_is_estimated(architecture: str) -> None:
    from resi.domains.graph.loading import load_graph

    domain = registry.domains().get("graph")()
    dataset = domain.locate("digits_knn", None, Path("unused"))
    graph = load_graph(dataset)
    for setting in ("standard", "six_layers"):
        model = spec_of("graph", "digits_knn", architecture, setting, hidden_channels=24)
        assert domain.weight_bytes(model) == bytes_of(graph_network(architecture).build(model, graph))


def test_disk_is_what_a_run_writes(root: Path, trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    predicted = document(capsys, *TINY, "measure=[cka,rsa]")["disk"]
    for name in ("models", "representations"):
        came = sum(path.stat().st_size for path in (trained / name).rglob("*.safetensors"))
        assert predicted[name]["unknown"] == 0
        assert predicted[name]["bytes"] == pytest.approx(came, rel=0.05)
    plan = make_plan(compose([*TINY, "measure=[cka,linear_regression]", "test=output_correlation"]))
    assert disk.count_rows(plan) == len(plan.comparisons)
    assert predicted["needed"]["bytes"] == sum(
        predicted[name]["bytes"] for name in ("models", "representations", "shards")
    )
    assert predicted["free"] == pytest.approx(shutil.disk_usage(root.parent).free, rel=0.01)


def test_what_is_there_takes_no_time_and_no_disk(root: Path, trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(trained, root)
    before = document(capsys, *JOBS)
    assert [job["job"] for job in before["by job"]] == [
        f"model=gcn model.gcn.epochs=2 model.gcn.hidden_channels=8 seeds=[0,1] groups=2 test={test} measure={measure}"
        for test in ("augmentation", "layer_monotonicity") for measure in ("cka", "pwcca")
    ]  # fmt: skip
    # The models of augmentation are there, of six layers there are none.
    assert [job["train"]["seconds"] > 0 for job in before["by job"]] == [False, False, True, True]
    assert [job["extract"]["seconds"] > 0 for job in before["by job"]] == [False, False, True, True]
    assert all(job["compare"]["seconds"] > 0 for job in before["by job"])
    assert before["longest job"] == max(before["by job"], key=lambda job: job["seconds"])
    # Models that two jobs share count in both, and once in all.
    assert before["time"]["cpu"]["train"]["seconds"] == pytest.approx(before["by job"][2]["train"]["seconds"], abs=0.01)
    # Comparisons are not shared: nothing of them is counted twice.
    for step in ("seconds", "unknown"):
        in_jobs = sum(job["compare"][step] for job in before["by job"])
        assert before["time"]["cpu"]["compare"][step] == pytest.approx(in_jobs, abs=0.01)
    run_command(JOBS)
    after = document(capsys, *JOBS)
    assert (after["finished"], after["longest job"]) == (4, None)
    assert [step["to do"] for step in after["steps"]] == [0, 0, 0]
    assert after["disk"]["needed"] == {"bytes": 0, "unknown": 0}
    assert after["download"] == []
    assert after["measures"] == {}


def test_a_job_lacks_what_no_other_has_stored(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    resi.run([*TINY, "measure=cka"])
    found = document(capsys, "-m", *TINY, "measure=[cka,pwcca],pwcca")
    both, one = (job["compare"]["seconds"] for job in found["by job"])
    assert both == one > 0
    assert found["time"]["cpu"]["compare"]["seconds"] == one
    found = document(capsys, "-m", *TINY, "measure=cka,pwcca", "stage=models,compare")
    assert [job["compare"]["seconds"] for job in found["by job"]] == [0, 0, 0, one]


def test_the_published_benchmark_is_planned_with_nothing_of_it_here(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    found = document(capsys, "suite=paper", "measure=[cka,rsa]")
    assert found["jobs"] == len(found["by job"]) == 206
    assert found["will fail"] == {}
    needed = {item["what"]: item for item in found["download"]}
    assert needed["dataset imagenet100"]["by"] == "hand"
    assert "resi prepare imagenet100" in needed["dataset imagenet100"]["how"]
    assert {needed[f"dataset {name}"]["by"] for name in ("cora", "flickr", "sst2", "cifar100")} == {"the run"}
    repositories = [name for name in needed if name.startswith("repository ")]
    # MultiBERTs' ten pre-trainings, one of ALBERT, SmolLM2 and both vision transformers.
    assert len(repositories) == 10 + 4
    # No GPU has been measured.
    assert found["rates"]["cuda"] is None
    assert found["time"]["cuda"]["seconds"] == 0
    assert found["time"]["cuda"]["compare"]["unknown"] > 30_000
    assert not root.exists()


def test_published_models_are_planned_before_they_are_fetched(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "suite=paper_vision",
        "model=resnet18,vit_b32",
        "dataset=cifar100",
        "measure=cka",
        "models.source=published",
    ]
    assert run_command(["plan", *words]) == 0
    shown = capsys.readouterr()
    assert shown.err.count("not there yet: published models on cifar100; the first: ") == 1
    fetched = " ".join(shown.out.split())
    assert "to be fetched by resi download vision_cifar100: published models: " in fetched
    assert "normal_c100.tar.gz (19.4 GB)" in fetched
    found = document(capsys, *words)
    assert found["steps"][0]["step"] == "read published models"
    archives = {item["bytes"] for item in found["download"] if item["what"].startswith("published models")}
    assert archives == {19_400_000_000, 48_600_000_000, 38_800_000_000, 48_700_000_000}
    assert found["disk"]["downloads"]["bytes"] > sum(archives)
    # Weights stay where they are, but for what is joined of transformers: a fourth of them.
    joined = 4 * 12 * 3 * (768 + 1) * 768
    assert found["disk"]["models"]["bytes"] == pytest.approx(35 * joined, rel=1e-3)
    trained = document(capsys, *words[:-1])
    assert trained["disk"]["models"]["bytes"] == pytest.approx(35 * 350_128_528 + 50 * 44_919_088, rel=1e-3)


def place_files(words: list[str], root: Path) -> set[str]:
    """Put a large file in place of every published model's; return the paths."""
    _, _, plans, _ = plan_sweep(words)
    made = set()
    for plan in plans:
        for model, _ in plan.models:
            with pytest.raises(DatasetError, match="is missing") as caught:
                plan.config.domain.checkpoint(root, model)
            path = Path(str(caught.value).partition(" is missing")[0])
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                file.truncate(2**21)
            if model.domain == "vision":
                about = image_network(model.architecture).built_from(image_dataset(model.dataset))
                (path.parents[1] / "output.json").write_text(json.dumps(about))
            made.add(str(path))
    return made


def progress_of(words: list[str], root: Path) -> str:
    """Return the state of a job."""
    return find_states([tuple(words)], open_configs(), root)[tuple(words)].name


def test_planning_reads_no_weights(root: Path, opens: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    words = ["-m", "test=augmentation", "seeds=[0,1]", "groups=2", "measure=cka", "models.source=published"]
    made: set[str] = set()
    for chosen in (
        ["domain=graph", "dataset=cora", "model=gcn"],
        ["domain=vision", "dataset=cifar100", "model=resnet18"],
        ["domain=language", "dataset=sst2", "model=bert"],
    ):
        files = place_files([*words[1:], *chosen], root)
        assert len(files) == 4
        opens.clear()
        found = document(capsys, *words, *chosen)
        assert (found["steps"][0]["to do"], found["not read yet"]) == (4, 4)
        assert progress_of([*words[1:], *chosen], root) == "missing"
        assert not files & set(opens)
        made |= files
    assert len(made) == 12


def test_planning_knows_what_runs_have_read(
    root: Path, data: Path, opens: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resi.store.known_files.SETTLED_SECONDS", 0.0)
    zoo = data / "published-cora" / "models"
    words = ["dataset=cora", f"dataset.root={data / 'cora'}", "model=gat", "seeds=[0,1]", "groups=2", "measure=cka"]
    words += ["models.source=published", f"models.root={zoo}"]
    resi.run(words)
    # Weights lie where they lay; what is kept beside them is less than half of one.
    (weights,) = {path.stat().st_size for path in (zoo / "graphs" / "cora" / "GAT" / "Normal").glob("*_s[01].pt")}
    kept = [path.stat().st_size for path in (root / "models").rglob("*.safetensors")]
    assert (len(kept), max(kept) < weights / 20) == (4, True)
    opens.clear()
    found = document(capsys, *words)
    assert (found["state"], found["not read yet"], found["longest job"]) == ("finished", 0, None)
    assert [path for path in opens if path.endswith(".pt")] == []
    # So do later runs of other measures.
    opens.clear()
    make_plan(compose([*words[:5], "measure=rsa", *words[6:]]))
    assert [path for path in opens if path.endswith(".pt")] == []
    # Elsewhere the same models lie in other files; progress does not look at them.
    assert words.pop() == f"models.root={zoo}"
    words.append(f"models.root={shutil.copytree(zoo, root / 'copy')}")
    opens.clear()
    assert document(capsys, *words)["not read yet"] == 4
    assert progress_of(words, root) == "done"
    assert [path for path in opens if path.endswith(".pt")] == []


def test_given_representations_are_not_read_either(tmp_path: Path, root: Path, opens: list[str]) -> None:
    import numpy as np

    rows = ["setting,seed,file"]
    for seed in range(4):
        np.save(tmp_path / f"{seed}.npy", np.full((1200, 256), float(seed)))  # more than a megabyte
        rows.append(f"{'ab'[seed % 2]},{seed // 2},{seed}.npy")
    (tmp_path / "table.csv").write_text("\n".join(rows) + "\n")
    config = compose(["domain=custom", f"dataset.root={tmp_path / 'table.csv'}", "test=augmentation", "measure=cka"])
    plan = Planner(may_download=False, reads_weights=False).plan(config)
    assert {path.name for path in plan.unread} == {"0.npy", "1.npy", "2.npy", "3.npy"}
    summary = summarize([plan], [False], lambda error: pytest.fail(str(error)))
    assert [step.left for step in summary.steps()] == [6]
    assert "models" not in summary.disk.parts


def test_time_is_that_of_the_layers_that_are_compared(root: Path) -> None:
    words = ["domain=vision", "dataset=cifar100", "model=vgg11", "test=layer_monotonicity", "seeds=[0]", "measure=cka"]
    plan = Planner(may_download=False, needs_datasets=False).plan(compose(words))
    total = total_work([plan], lambda error: pytest.fail(str(error)))
    (work,) = total.works
    # The last five layers: three convolutions on maps of 4 x 4 and 2 x 2 cells, flattened, and the features.
    sizes = {layer: plan.config.domain.layer_size("vgg11", "cifar100", plan.models[0][0].hyperparameters, layer)
             for layer in plan.models[0][1].layers}  # fmt: skip
    assert sorted(shape[1:] for shape in sizes.values()) == [(512,), (512, 2, 2), (512, 2, 2), (512, 4, 4), (512, 4, 4)]

    def alone(features: int) -> float:
        found = Rates().comparison("cka", (10_000, features))
        assert found is not None
        return found.seconds

    flat = [512, 2048, 2048, 8192, 8192]
    expected = sum((alone(a) + alone(b)) / 2 for i, a in enumerate(flat) for b in flat[i + 1 :])
    found = Times(total, Rates()).comparing(work)
    assert found == Amount(pytest.approx(expected), 0)


def test_each_device_has_rates_of_its_own(root: Path) -> None:
    about = {"domain": "graph", "dataset": "cora", "architecture": "gcn", "measure": "cka", "status": "ok"}
    rows = [
        {**about, "key": device, "device": device, "shape_a": "1000x64", "seconds": seconds, "prepare_seconds": 0.0}
        for device, seconds in (("cpu", 4.0), ("cuda:0", 1.0))
    ]
    frame = pl.DataFrame(rows, schema_overrides={name: COMPARISONS[name] for name in rows[0]})
    missing = [pl.lit(None, COMPARISONS[name]).alias(name) for name in SUMMARIZED if name not in frame.columns]
    stored = summarize_rows(frame.with_columns(missing).lazy())
    plan = make_plan(compose([*TINY, "measure=cka"]))
    rates = measured_rates(stored, plan.model_store, [])
    assert {device: found.comparison("cka", (1000, 64)) for device, found in rates.items()} == {
        "cpu": (4.0, True),
        "cuda": (1.0, True),
    }
    assert rates["cuda"].comparison("rsa", (1000, 64)) is None
    assert rates["cuda"].training(plan.models[0][0]) is None
    assert rates["cuda"].comparisons == {"cka": [Rate(1000, 64, 1.0)]}
