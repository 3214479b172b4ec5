"""The whole published path, archive by archive, with real names: download, unpack, read, run, score, report.

The walk over graphs is part of every test run. RESI_WALK=1 adds language, vision at its real size, and the results:
python -m nox -s published.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

import resi
from resi.cli.main import run_command
from resi.domains.language.published import published_folders
from resi.domains.vision.datasets import imagenet100 as imagenet100_file
from resi.domains.vision.published import FOLDER_NAMES, NOISE_LEVELS
from tests.domains.language.conftest import small_sst2  # noqa: F401 - a fixture
from tests.domains.language.test_published import model_of, save_model, save_tokenizer, small_networks  # noqa: F401
from tests.domains.vision.conftest import cifar100, write_jpeg  # noqa: F401
from tests.domains.vision.test_published_networks import filled
from tests.file_server import FileServer, publish, serve
from tests.published.zoo import State, graph_name, graph_state, image_members, not_finite, packed, saved

if TYPE_CHECKING:
    from resi.specs import DatasetSpec

AT_LENGTH = pytest.mark.skipif("RESI_WALK" not in os.environ, reason="some minutes: python -m nox -s published")
COMMON = ["models.source=published", "measure=[cka,procrustes]", "groups=2", "compare.threads=1", "workers=1"]

ARCHIVES = {
    "imagenet100": {
        "standard": ("11544180", "normal_imagenet100.zip"),
        "shortcut": ("11544180", "shortcut_imagenet100.zip"),
        "augmentation": ("11548523", "augment_imagenet100.zip"),
        "label_randomization": ("11548523", "randomlabel_imagenet100.zip"),
    },
    "cifar100": {
        "standard": ("15148773", "normal_c100.tar.gz"),
        "shortcut": ("15148777", "shortcut_c100.tar.gz"),
        "label_randomization": ("15148781", "randomlabel_c100.tar.gz"),
        "augmentation": ("15148783", "augment_c100.tar.gz"),
    },
}
NAMES = {
    "imagenet100": {
        "standard": "ImageNet100",
        "augmentation": "ImageNet100DataModule",
        "shortcut": "ImageNet100DataModule",
        "label_randomization": "IN100_DataModule",
    },
    "cifar100": {
        "standard": "CIFAR100",
        "augmentation": "CIFAR100DataModule",
        "shortcut": "C100DataModule",
        "label_randomization": "C100_DataModule",
    },
}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """Return a server in the place of Zenodo."""
    with serve() as running:
        monkeypatch.setattr("resi.published.records.ZENODO", f"{running.url}/api")
        yield running


@pytest.fixture
def imagenet100(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an ImageNet100 of all its classes with few images each."""
    counts = {"train": 2, "val": 1}
    monkeypatch.setattr(imagenet100_file, "IMAGES_PER_CLASS", counts)
    for part, count in counts.items():
        for label, wnid in enumerate(imagenet100_file.WNIDS):
            for number in range(count):
                write_jpeg(tmp_path / "Imagenet100" / part / wnid / f"{wnid}_{number}.JPEG", label, number)
    return tmp_path / "Imagenet100"


def walk(root: Path, download: list[str], run: list[str], left_out: int = 0) -> resi.RunResult:
    """Download, run, and report; return the result of the run."""
    assert run_command(["download", *download]) == 0
    words = [*run, *COMMON]
    assert run_command(words) == (1 if left_out else 0)
    result = resi.run(words)
    assert result.reused
    assert len(result.missing) == left_out
    assert result.count("ok") == len(result.comparisons) > 0
    means = result.scores.filter(pl.col("seed").is_null())
    assert set(means["measure"]) == {"cka", "procrustes"}
    assert means.filter(pl.col("reason") == "")["value"].is_finite().all()
    assert run_command(["report", str(root)]) == 0
    assert "procrustes" in (root / "results" / "report.html").read_text(encoding="utf-8")
    return result


def test_graphs(server: FileServer, root: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    states = {
        (setting, seed): graph_state(data / "cora", "gcn", setting, seed)
        for setting in ("standard", "augmentation_100")
        for seed in range(3)
    }
    states["standard", 2] = not_finite(states["standard", 2])
    members = {f"graph_data/{graph_name('gcn', *about)}": saved(state) for about, state in states.items()}
    members["graph_data/cora/GCN/Normal/train_results_s0.csv"] = b"epoch,accuracy\n"
    publish(server, "11565486", {"graph_data.zip": packed("graph_data.zip", members)})
    words = ["dataset=cora", f"dataset.root={data / 'cora'}", "model=gcn", "seeds=[0,1,2]"]
    result = walk(root, ["graph"], words, left_out=1)
    assert len(result.comparisons) == 2 * 10
    said = capsys.readouterr().err
    assert "model_s2.pt has weights that are not finite: 1 of 64 in convs.0.bias" in said
    assert "1 of 6 published models left out: gcn on cora, standard, seed 2" in said


@AT_LENGTH
@pytest.mark.parametrize("architecture", ["bert", "albert", "smollm2"])
def test_language(
    architecture: str,
    server: FileServer,
    root: Path,
    tmp_path: Path,
    small_sst2: DatasetSpec,  # noqa: F811
    small_networks: None,  # noqa: F811
) -> None:
    tokens = save_tokenizer(tmp_path / "tokenizer", small_sst2, architecture)
    rows = tokens if architecture == "smollm2" else -(-(tokens + 2) // 64) * 64
    members = {}
    for setting in ("shortcut_0", "shortcut_100"):
        for seed in (0, 1, 2):
            name = published_folders(model_of(architecture, "sst2", setting, seed))[0]
            save_model(tmp_path / "made" / name, architecture, rows, 2)
            for path in (tmp_path / "made" / name).iterdir():
                members[f"nlp_data/models/nlp/{name}/{path.name}"] = path.read_bytes()
    damaged = next(name for name in members if name.endswith("model.safetensors"))
    members[damaged] = members[damaged][:-10]
    words = [
        "domain=language", "dataset=sst2", f"dataset.root={small_sst2.folder}", f"model={architecture}",
        "test=shortcut", "seeds=[0,1,2]", f"model.{architecture}.tokenizer={tmp_path / 'tokenizer'}",
    ]  # fmt: skip
    if architecture == "smollm2":
        archives = tmp_path / "archives"
        archives.mkdir()
        name = "smollm_sst2_checkpoints.tar.zst"
        (archives / name).write_bytes(packed(name, members))
        download = ["smollm2", "--dataset", "sst2", "--archives", str(archives)]
        words.append("model.smollm2.instruction='Judge the sentence.'")
    else:
        publish(server, "11565486", {"nlp_data.zip": packed("nlp_data.zip", members)})
        download = ["language"]
    result = walk(root, download, words, left_out=1)
    assert len(result.comparisons) == 2 * 10


@AT_LENGTH
@pytest.mark.parametrize("test", ["shortcut", "augmentation", "label_randomization"])
@pytest.mark.parametrize("dataset", ["imagenet100", "cifar100"])
def test_vision(
    dataset: str, test: str, server: FileServer, root: Path, data: Path, request: pytest.FixtureRequest
) -> None:
    folder = request.getfixturevalue(dataset)
    architecture, published = ("resnet18", "ResNet18") if dataset == "imagenet100" else ("vgg11", "VGG11")
    family = "ImageNet100" if dataset == "imagenet100" else "CIFAR100"
    golden = json.loads((data / "vision-networks" / f"{published}_{family}.json").read_text(encoding="utf-8"))
    state = {name: filled(name, shape) for name, shape in golden["state_dict"].items()}
    built = {"n_cls": 100, "early_downsampling": True, "global_average_pooling": 5}
    if dataset == "cifar100":
        built |= {"early_downsampling": False, "global_average_pooling": 4}
    archives = ARCHIVES[dataset]
    archives_of: dict[tuple[str, str], dict[str, bytes]] = {}
    settings = {"shortcut": (0, 100), "augmentation": (0, 100), "label_randomization": ("standard", 75)}[test]
    for level in settings:
        kind = "standard" if level == "standard" else test
        record, archive = archives[kind]
        called = NOISE_LEVELS[level] if test == "augmentation" else level
        name = f"{FOLDER_NAMES[kind].format(level=called, dataset=NAMES[dataset][kind])}__{published}"
        members = archives_of.setdefault((record, archive), {})
        for seed in (0, 1):
            found = not_finite(state) if (kind, seed) == (test, 1) and level == settings[-1] else changed(state, seed)
            members |= image_members(name, seed, found, built)
    for (record, archive), members in archives_of.items():
        publish(server, record, {archive: packed(archive, members)})
    kinds = "standard,label_randomization" if test == "label_randomization" else test
    words = [
        "domain=vision", f"dataset={dataset}", f"dataset.root={folder}", f"model={architecture}", f"test={test}",
        "seeds=[0,1]", "protocol=published",
    ]  # fmt: skip
    result = walk(root, [f"vision_{dataset}", "--setting", kinds], words, left_out=1)
    assert len(result.comparisons) == 2 * 3
    left = {path.name for path in (root / "models" / "vision" / "vision_models_simbench").rglob("*") if path.is_file()}
    assert left == {"final.ckpt", "output.json"}


def changed(state: State, seed: int) -> State:
    """Return other weights for another seed."""
    return {name: tensor * (1 + seed / 10) if tensor.ndim == 1 and seed else tensor for name, tensor in state.items()}


@AT_LENGTH
def test_results(server: FileServer, root: Path, published_cora: Path) -> None:
    content = (published_cora / "results_augmentation.parquet").read_bytes()
    publish(server, "11565486", {"results.parquet": content})
    assert run_command(["download", "results"]) == 0
    path = root / "published" / "results.parquet"
    assert path.read_bytes() == content
    assert run_command(["merge", str(root), "--published", str(path)]) == 0
    assert run_command(["report", str(root)]) == 0
    page = (root / "results" / "report.html").read_text(encoding="utf-8")
    assert "published" in page
