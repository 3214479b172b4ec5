"""``resi download`` against a local server that speaks like Zenodo: from records to models a run can read."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest
import torch

from resi.cli.main import run_command
from resi.domains.graph import GraphDomain
from resi.domains.vision import VisionDomain
from resi.published.releases import place, releases
from resi.specs import ModelSpec
from resi.store.downloads import download_lock
from tests.conftest import REPOSITORY
from tests.file_server import FileServer, serve

CKPT = "groupid_0/checkpoints/final.ckpt"


def weights() -> bytes:
    buffer = io.BytesIO()
    torch.save({"convs.0.bias": torch.arange(4.0)}, buffer)
    return buffer.getvalue()


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def publish(server: FileServer, record: str, files: dict[str, bytes], **changes: object) -> None:
    """Put files on the server, and a record that describes them as Zenodo does."""
    described = []
    for name, content in files.items():
        address = f"/files/{record}/{name}"
        server.files[address] = content
        about = {
            "key": name,
            "size": len(content),
            "checksum": f"md5:{hashlib.md5(content).hexdigest()}",
            "links": {"self": f"{server.url}{address}"},
        }
        described.append({**about, **changes})
    server.files[f"/api/{record}"] = json.dumps({"id": record, "files": described}).encode()


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serve() as running:
        yield running


def run(server: FileServer, root: Path, *words: str) -> int:
    return run_command(["download", *words, "--root", str(root), "--api", f"{server.url}/api"])


@pytest.mark.parametrize("prefix", ["", "graph_data/", "graph_data/models/graphs/"])
def test_graph_models_land_where_a_run_looks_for_them(server: FileServer, tmp_path: Path, prefix: str) -> None:
    member = f"{prefix}cora/GCN/Normal/model_s0.pt"
    archive = zipped({member: weights(), f"{prefix}readme.txt": b"about", f"{prefix}cora/GCN/Normal/log.csv": b"1"})
    publish(server, "11565486", {"graph_data.zip": archive, "nlp_data.zip": b"not asked for"})
    assert run(server, tmp_path, "graph") == 0
    spec = ModelSpec("graph", "cora", "content", "gcn", "standard", 0, {}, 1)
    path = GraphDomain().checkpoint(tmp_path, spec)
    assert path == tmp_path / "models" / "graphs" / "cora" / "GCN" / "Normal" / "model_s0.pt"
    assert torch.equal(torch.load(path, weights_only=True)["convs.0.bias"], torch.arange(4.0))
    assert not list(tmp_path.rglob("*.zip"))
    assert not list(tmp_path.rglob("readme.txt"))
    asked = len(server.asked)
    assert run(server, tmp_path, "graph") == 0
    assert [path for path, _ in server.asked[asked:]] == ["/api/11565486"]


def test_an_interrupted_download_goes_on(
    server: FileServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = torch.rand(300_000, generator=torch.Generator().manual_seed(0)).numpy().tobytes()
    archive = zipped({"cora/GCN/Normal/model_s0.pt": content})
    publish(server, "11565486", {"graph_data.zip": archive})
    server.break_after = None
    assert run(server, tmp_path, "graph", "--keep-archives") == 0
    for path in (tmp_path / "downloads" / "11565486").iterdir():
        path.unlink()
    (tmp_path / "downloads" / "11565486" / "graph_data.zip.part").write_bytes(archive[:400_000])
    assert run(server, tmp_path, "graph", "--keep-archives") == 0
    assert server.asked[-1] == ("/files/11565486/graph_data.zip", "bytes=400000-")
    assert (tmp_path / "downloads" / "11565486" / "graph_data.zip").read_bytes() == archive
    assert "cannot" not in capsys.readouterr().err


def test_two_downloads_of_one_archive_fetch_it_once(
    server: FileServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(server, "11565486", {"graph_data.zip": zipped({"cora/GCN/Normal/model_s0.pt": b"1"})})
    codes = []
    second = threading.Thread(target=lambda: codes.append(run(server, tmp_path, "graph")))
    with download_lock(tmp_path / "downloads" / "11565486"):
        second.start()
        second.join(0.5)
        assert [path for path, _ in server.asked] == ["/api/11565486"]
        assert "waiting for process " in capsys.readouterr().err
        assert second.is_alive()
    second.join()
    assert codes == [0]
    assert run(server, tmp_path, "graph") == 0
    assert [path for path, _ in server.asked].count("/files/11565486/graph_data.zip") == 1


@pytest.mark.parametrize(
    ("members", "changes", "message"),
    [
        ({"cora/../../../../evil": b"1", "cora/a": b"1"}, {}, "lies outside its folder; refused"),
        ({"cora/zeros": bytes(10**7)}, {}, "more than the"),
        ({"cora/a": b"1"}, {"checksum": "md5:" + "0" * 32}, "is damaged on arrival and was deleted"),
        ({"cora/a": b"1"}, {"size": 10}, "is larger than the 10 bytes it should have at most"),
        ({"elsewhere/a": b"1"}, {}, "holds no folder cora|flickr|ogbn-arxiv"),
        ({"cora/a": b"1"}, {"key": "../graph_data.zip"}, "has no file graph_data"),
        ({"cora/a": b"1"}, {"size": "many"}, "is not a Zenodo record: ValueError"),
        ({"cora/a": b"1"}, {"size": 10**18}, "GB are needed; use --root"),
    ],
)
def test_what_is_wrong_is_one_line_and_nothing_lands(
    server: FileServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], members, changes, message: str
) -> None:
    publish(server, "11565486", {"graph_data.zip": zipped(members)}, **changes)
    root = tmp_path / "root"
    assert run(server, root, "graph") == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("resi: ")]
    assert len(lines) == 1
    assert message in lines[0]
    assert not (root / "models").exists()
    assert not (tmp_path / "evil").exists()


def test_a_server_that_is_not_there_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["download", "graph", "--root", str(tmp_path), "--api", "http://127.0.0.1:9/api"]) == 1
    said = capsys.readouterr().err
    assert "http://127.0.0.1:9/api/11565486 cannot be reached: " in said
    assert "fetch the files graph_data.zip on another machine" in said


def test_language_vision_and_results_have_their_own_places(server: FileServer, tmp_path: Path) -> None:
    nlp = zipped({"nlp_data/models/nlp/sst2/x.bin": b"1", "nlp_data/datasets/y": b"2"})
    publish(server, "11565486", {"nlp_data.zip": nlp, "results.parquet": b"PAR1"})
    publish(server, "11544180", {"normal.zip": zipped({f"Normal__ImageNet100__ResNet18/{CKPT}": b"3"})})
    publish(server, "11548523", {"augment.zip": zipped({f"x/Aug__ImageNet100__ViT/{CKPT}": b"4"})})
    assert run(server, tmp_path, "language", "results", "vision_imagenet100") == 0
    assert (tmp_path / "models" / "nlp" / "sst2" / "x.bin").read_bytes() == b"1"
    assert (tmp_path / "published" / "results.parquet").read_bytes() == b"PAR1"
    vision = tmp_path / "models" / "vision" / "vision_models_simbench"
    assert (vision / "Normal__ImageNet100__ResNet18" / CKPT).read_bytes() == b"3"
    assert (vision / "Aug__ImageNet100__ViT" / CKPT).read_bytes() == b"4"
    assert not (tmp_path / "datasets").exists()


def test_no_message_names_a_file_that_is_not_installed() -> None:
    for path in (REPOSITORY / "src" / "resi").rglob("*.py"):
        assert "scripts/" not in path.read_text(encoding="utf-8"), path


def test_a_member_is_placed_by_the_first_folder_of_the_right_name() -> None:
    (source,) = releases()["graph"]
    assert place(source, PurePosixPath("a/cora/GCN/cora/m.pt")) == PurePosixPath("cora/GCN/cora/m.pt")
    assert place(source, PurePosixPath("a/b/cora")) is None


def tarred(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        latest = tarfile.TarInfo("x/Normal__CIFAR100__VGG11/groupid_0/LOGS/latest")
        latest.type, latest.linkname = tarfile.SYMTYPE, "/home/somebody/logs"
        archive.addfile(latest)
    return buffer.getvalue()


def test_models_of_cifar100_come_from_their_four_records_without_their_logs(server: FileServer, tmp_path: Path) -> None:
    records = {
        "15148773": ("normal_c100.tar.gz", "Normal__CIFAR100__VGG11"),
        "15148777": ("shortcut_c100.tar.gz", "Shortcut__ColorDot_75_C100DataModule__VGG11"),
        "15148781": ("randomlabel_c100.tar.gz", "Randomlabel__RandomLabel_50_C100_DataModule__VGG11"),
        "15148783": ("augment_c100.tar.gz", "GaussNoise__Gauss_Max_CIFAR100DataModule__VGG11"),
    }
    built = json.dumps({"n_cls": 100, "early_downsampling": False, "global_average_pooling": 4}).encode()
    for record, (name, folder) in records.items():
        members = {f"x/{folder}/{CKPT}": weights(), f"x/{folder}/groupid_0/output.json": built}
        members[f"x/{folder}/groupid_0/activations/a.npy"] = bytes(1000)
        publish(server, record, {name: gzip.compress(tarred(members))})
    assert run(server, tmp_path, "vision_cifar100") == 0
    for setting in ("standard", "shortcut_75", "label_randomization_50", "augmentation_100"):
        spec = ModelSpec("vision", "cifar100", "content", "vgg11", setting, 0, {}, 1)
        assert VisionDomain().checkpoint(tmp_path, spec).read_bytes() == weights()
    left = {path.name for path in (tmp_path / "models").rglob("*") if not path.is_dir()}
    assert left == {"final.ckpt", "output.json"}
    assert not list(tmp_path.rglob("*.tar.gz"))


def test_archives_that_were_fetched_by_hand_are_unpacked_without_a_network(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.store.test_archives import zstd

    given, root = tmp_path / "given", tmp_path / "root"
    given.mkdir()
    member = "ft_smollm2_1-7b_sst2_seed0_bs16_ff/checkpoint-500/model.safetensors"
    words = ["download", "smollm2", "--root", str(root)]
    assert run_command(words) == 2
    assert "resi download smollm2 --archives FOLDER" in capsys.readouterr().err
    assert run_command([*words, "--archives", str(given)]) == 1
    assert "given holds no archive of smollm2: expected smollm_" in capsys.readouterr().err
    (given / "smollm_sst2_checkpoints.tar.zst").write_bytes(zstd(tarred({f"smollm/{member}": b"1"})))
    assert run_command([*words, "--archives", str(given)]) == 0
    assert (root / "models" / "nlp" / "smollm" / member).read_bytes() == b"1"
    assert [path.name for path in given.iterdir()] == ["smollm_sst2_checkpoints.tar.zst"]

    (given / "normal_c100.tar.gz").write_bytes(gzip.compress(tarred({f"Normal__CIFAR100__VGG11/{CKPT}": b"2"})))
    assert run_command(["download", "vision_cifar100", "--root", str(root), "--archives", str(given)]) == 0
    assert "has no shortcut_c100" in capsys.readouterr().err
    assert len(list(root.rglob("final.ckpt"))) == 1
