"""``resi download`` against a local server that speaks like Zenodo, and as a mirror of it: real names and layouts."""

from __future__ import annotations

import gzip
import io
import json
import random
import re
import tarfile
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
import torch

from resi.cli.main import run_command
from resi.domains.graph import GraphDomain
from resi.domains.vision import VisionDomain
from resi.published.downloads import place
from resi.published.releases import releases
from resi.specs import ModelSpec
from resi.store.downloads import download_lock
from tests.conftest import REPOSITORY
from tests.file_server import FileServer, publish, serve
from tests.published.zoo import packed, tarred, zipped
from tests.store.test_archives import zstd

if TYPE_CHECKING:
    from resi.domains.releases import Release

CKPT = "groupid_0/checkpoints/final.ckpt"


def weights() -> bytes:
    buffer = io.BytesIO()
    torch.save({"convs.0.bias": torch.arange(4.0)}, buffer)
    return buffer.getvalue()


@pytest.fixture(params=["zenodo"])
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """Return a server that is Zenodo, or a mirror that the environment names."""
    with serve() as running:
        monkeypatch.setattr("resi.published.records.ZENODO", f"{running.url}/api")
        if request.param == "mirror":
            monkeypatch.setattr("resi.published.records.ZENODO", "http://127.0.0.1:9/nobody")
            monkeypatch.setenv("RESI_MIRROR", f"{running.url}/mirror/")
        yield running


def run(root: Path, *words: str) -> int:
    return run_command(["download", *words, "--root", str(root)])


@pytest.mark.parametrize("server", ["zenodo", "mirror"], indirect=True)
@pytest.mark.parametrize("prefix", ["", "graph_data/", "graph_data/models/graphs/"])
def test_graph_models_land_where_a_run_looks_for_them(server: FileServer, tmp_path: Path, prefix: str) -> None:
    member = f"{prefix}cora/GCN/Normal/model_s0.pt"
    archive = zipped({member: weights(), f"{prefix}readme.txt": b"about", f"{prefix}cora/GCN/Normal/log.csv": b"1"})
    publish(server, "11565486", {"graph_data.zip": archive, "nlp_data.zip": b"not asked for"})
    assert run(tmp_path, "graph") == 0
    spec = ModelSpec("graph", "cora", "content", "gcn", "standard", 0, {}, 1)
    path = GraphDomain().checkpoint(tmp_path, spec)
    assert path == tmp_path / "models" / "graphs" / "cora" / "GCN" / "Normal" / "model_s0.pt"
    assert torch.equal(torch.load(path, weights_only=True)["convs.0.bias"], torch.arange(4.0))
    assert not list(tmp_path.rglob("*.zip"))
    assert not list(tmp_path.rglob("readme.txt"))
    asked = len(server.asked)
    assert run(tmp_path, "graph") == 0
    assert len(server.asked) == asked + 1  # the record


def test_an_interrupted_download_goes_on(
    server: FileServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = torch.rand(300_000, generator=torch.Generator().manual_seed(0)).numpy().tobytes()
    archive = zipped({"cora/GCN/Normal/model_s0.pt": content})
    publish(server, "11565486", {"graph_data.zip": archive})
    server.break_after = None
    assert run(tmp_path, "graph", "--keep-archives") == 0
    for path in (tmp_path / "downloads" / "11565486").iterdir():
        path.unlink()
    (tmp_path / "downloads" / "11565486" / "graph_data.zip.part").write_bytes(archive[:400_000])
    assert run(tmp_path, "graph", "--keep-archives") == 0
    assert server.asked[-1] == ("/files/11565486/graph_data.zip", "bytes=400000-")
    assert (tmp_path / "downloads" / "11565486" / "graph_data.zip").read_bytes() == archive
    assert "cannot" not in capsys.readouterr().err


def test_two_downloads_of_one_archive_fetch_it_once(
    server: FileServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(server, "11565486", {"graph_data.zip": zipped({"cora/GCN/Normal/model_s0.pt": b"1"})})
    codes = []
    second = threading.Thread(target=lambda: codes.append(run(tmp_path, "graph")))
    with download_lock(tmp_path / "downloads" / "11565486"):
        second.start()
        second.join(0.5)
        assert [path for path, _ in server.asked] == ["/api/11565486"]
        assert "waiting for process " in capsys.readouterr().err
        assert second.is_alive()
    second.join()
    assert codes == [0]
    assert run(tmp_path, "graph") == 0
    assert server.count("/files/11565486/graph_data.zip") == 1


@pytest.mark.parametrize(
    ("members", "changes", "message"),
    [
        ({"cora/../../../../evil": b"1", "cora/a": b"1"}, {}, "lies outside its folder; refused"),
        ({"cora/zeros": bytes(10**7)}, {}, "more than the"),
        ({"cora/a": b"1"}, {"checksum": "md5:" + "0" * 32}, "was damaged in transfer and was deleted"),
        ({"cora/a": b"1"}, {"size": 10}, "is larger than the allowed 10 bytes"),
        ({"elsewhere/a": b"1"}, {}, "holds no folder cora|flickr|ogbn-arxiv"),
        ({"cora/a": b"1"}, {"key": ".."}, "names a file '..', which lies outside its folder"),
        (
            {"cora/a": b"1"},
            {"key": "../graph_data.zip"},
            "names a file '../graph_data.zip', which lies outside its folder",
        ),
        ({"cora/a": b"1"}, {"key": "other.zip"}, "record 11565486 has no file graph_data.zip; it has other.zip"),
        ({"cora/a": b"1"}, {"size": "many"}, "is not a Zenodo record: ValueError"),
        ({"cora/a": b"1"}, {"size": -1}, "is not a Zenodo record: ValueError"),
        (
            {"cora/a": b"1"},
            {"size": 10**18},
            "TB are needed for the download and its content; choose another data root with --root",
        ),
    ],
)
def test_what_is_wrong_is_one_line_and_nothing_lands(
    server: FileServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], members, changes, message: str
) -> None:
    publish(server, "11565486", {"graph_data.zip": zipped(members)}, **changes)
    root = tmp_path / "root"
    assert run(root, "graph") == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("resi: ")]
    assert len(lines) == 1
    assert message in lines[0]
    assert not (root / "models").exists()
    assert not (tmp_path / "evil").exists()


def test_a_server_that_is_not_there_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "graph", "--mirror", "http://127.0.0.1:9") == 1
    said = capsys.readouterr().err
    assert "http://127.0.0.1:9/11565486/record.json cannot be reached: " in said
    assert "download the file graph_data.zip on another machine" in said
    assert len(said.splitlines()) == 1
    assert run(tmp_path, "graph", "--mirror", "/srv/zenodo") == 2
    assert "--mirror=/srv/zenodo is not a URL: expected one that begins with http" in capsys.readouterr().err


def test_a_secure_record_does_not_come_by_an_insecure_way(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(server, "11565486", {"graph_data.zip": b""})
    whole = urllib.request.urlopen
    monkeypatch.setattr(
        urllib.request, "urlopen", lambda _url, timeout: whole(f"{server.url}/api/11565486", timeout=timeout)
    )
    assert run(tmp_path, "graph", "--mirror", "https://example.org") == 1
    assert "https://example.org/11565486/record.json redirects to http://127.0.0.1" in capsys.readouterr().err


def test_a_mirrors_files_come_from_beside_its_record_and_have_its_checksums(
    server: FileServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(server, "11565486", {"graph_data.zip": zipped({"cora/GCN/Normal/model_s0.pt": b"1"})})
    server.files["/mirror/11565486/graph_data.zip"] += b" "
    assert run(tmp_path, "graph", "--mirror", f"{server.url}/mirror") == 1
    assert "/mirror/11565486/graph_data.zip is larger than" in capsys.readouterr().err
    assert {path.split("/")[1] for path, _ in server.asked} == {"mirror"}
    # What has no record lies below the name of the download.
    member = "x/ft_smollm2_1-7b_mnli_seed0_bs16_ff/checkpoint-500/config.json"
    publish(server, "smollm2", {"smollm_mnli_checkpoints.tar": b""})
    words = ["smollm2", "--dataset", "mnli", "--mirror", f"{server.url}/mirror"]
    assert run(tmp_path, *words) == 1
    assert "record smollm2 has no file smollm_mnli_checkpoints.tar.zst" in capsys.readouterr().err
    publish(server, "smollm2", {"smollm_mnli_checkpoints.tar.zst": zstd(tarred({member: b"{}"}))})
    assert run(tmp_path, *words) == 0
    assert (tmp_path / "models" / "nlp" / "smollm" / member.removeprefix("x/")).read_bytes() == b"{}"


def test_language_vision_and_results_have_their_own_places(server: FileServer, tmp_path: Path) -> None:
    nlp = zipped({"nlp_data/models/nlp/sst2/x.bin": b"1", "nlp_data/datasets/y": b"2"})
    publish(server, "11565486", {"nlp_data.zip": nlp, "results.parquet": b"PAR1"})
    normal, shortcut = (
        f"Normal__ImageNet100__ResNet18/{CKPT}",
        f"Shortcut__ColorDot_0_ImageNet100DataModule__VGG11/{CKPT}",
    )
    noise, random = f"GaussNoise__Gauss_S_ImageNet100DataModule__ViT_B32/{CKPT}", f"Randomlabel__X__ViT_B32/{CKPT}"
    first = {"normal_imagenet100.zip": zipped({normal: b"3"}), "shortcut_imagenet100.zip": zipped({shortcut: b"4"})}
    second = {
        "augment_imagenet100.zip": zipped({f"x/{noise}": b"5"}),
        "randomlabel_imagenet100.zip": zipped({random: b"6"}),
    }
    publish(server, "11544180", first)
    publish(server, "11548523", second)
    assert run(tmp_path, "language", "results", "vision_imagenet100") == 0
    assert (tmp_path / "models" / "nlp" / "sst2" / "x.bin").read_bytes() == b"1"
    assert (tmp_path / "published" / "results.parquet").read_bytes() == b"PAR1"
    vision = tmp_path / "models" / "vision" / "vision_models_simbench"
    assert [(vision / name).read_bytes() for name in (normal, shortcut, noise, random)] == [b"3", b"4", b"5", b"6"]
    assert not (tmp_path / "datasets").exists()
    # Each record was read once.
    assert [path for path, _ in server.asked if path.startswith("/api")] == [
        "/api/11565486",
        "/api/11544180",
        "/api/11548523",
    ]


def test_no_message_names_a_file_that_is_not_installed() -> None:
    for path in (REPOSITORY / "src" / "resi").rglob("*.py"):
        assert "scripts/" not in path.read_text(encoding="utf-8"), path


def test_a_member_is_placed_by_the_first_folder_of_the_right_name() -> None:
    (source,) = releases()["graph"]
    assert place(source, PurePosixPath("a/cora/GCN/cora/m.pt")) == PurePosixPath("cora/GCN/cora/m.pt")
    assert place(source, PurePosixPath("a/b/cora")) is None


def with_link(members: dict[str, bytes]) -> bytes:
    """Return a tar that also has the link which the archives have among their logs."""
    buffer = io.BytesIO(tarred(members))
    with tarfile.open(fileobj=buffer, mode="a") as archive:
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
        publish(server, record, {name: gzip.compress(with_link(members))})
    assert run(tmp_path, "vision_cifar100") == 0
    for setting in ("standard", "shortcut_75", "label_randomization_50", "augmentation_100"):
        spec = ModelSpec("vision", "cifar100", "content", "vgg11", setting, 0, {}, 1)
        assert VisionDomain().checkpoint(tmp_path, spec).read_bytes() == weights()
    left = {path.name for path in (tmp_path / "models").rglob("*") if not path.is_dir()}
    assert left == {"final.ckpt", "output.json"}
    assert not list(tmp_path.rglob("*.tar.gz"))


def test_archives_that_were_fetched_by_hand_are_unpacked_without_a_network(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given, root = tmp_path / "given", tmp_path / "root"
    given.mkdir()
    member = "ft_smollm2_1-7b_sst2_seed0_bs16_ff/checkpoint-500/model.safetensors"
    words = ["download", "smollm2", "--root", str(root)]
    assert run_command(words) == 2
    said = capsys.readouterr().err
    assert "smollm2 is not in a record on Zenodo: smollm_sst2_checkpoints.tar.zst is below the share that" in said
    assert "unpack it with resi download smollm2 --archives FOLDER" in said
    assert run_command([*words, "--archives", str(given)]) == 1
    assert "given contains no archive of smollm2: expected smollm_" in capsys.readouterr().err
    (given / "smollm_sst2_checkpoints.tar.zst").write_bytes(zstd(tarred({f"smollm/{member}": b"1"})))
    assert run_command([*words, "--archives", str(given)]) == 0
    assert (root / "models" / "nlp" / "smollm" / member).read_bytes() == b"1"
    assert [path.name for path in given.iterdir()] == ["smollm_sst2_checkpoints.tar.zst"]

    (given / "normal_c100.tar.gz").write_bytes(gzip.compress(tarred({f"Normal__CIFAR100__VGG11/{CKPT}": b"2"})))
    assert run_command(["download", "vision_cifar100", "--root", str(root), "--archives", str(given)]) == 0
    assert "does not contain shortcut_c100" in capsys.readouterr().err
    assert len(list(root.rglob("final.ckpt"))) == 1


def graph_members() -> dict[str, bytes]:
    settings = ("Normal", "Shortcut_0", "Shortcut_100")
    return {
        f"{dataset}/{architecture}/{setting}/model_s{seed}.pt": bytes(1000)
        for dataset in ("cora", "flickr")
        for architecture in ("GCN", "GAT")
        for setting in settings
        for seed in range(2)
    }


PACKED = [
    (name, source)
    for name, sources in releases().items()
    for source in sources
    if source.title.endswith((".zip", ".tar.gz", ".tar.zst"))
]
MEMBERS = {
    "graph": "cora/GCN/Normal/model_s0.pt",
    "language": "nlp/bert/standard/sst2_pretrain0_finetune0/model.safetensors",
    "smollm2": "ft_smollm2_1-7b_sst2_seed0_bs16_ff/checkpoint-500/model.safetensors",
    "vision_cifar100": f"Normal__CIFAR100__VGG11/{CKPT}",
    "vision_imagenet100": f"Normal__ImageNet100__VGG11/{CKPT}",
}


@pytest.mark.parametrize(("name", "source"), PACKED, ids=[source.title for _, source in PACKED])
def test_every_archive_is_refused_by_name_if_it_is_damaged_cut_or_hostile(
    name: str, source: Release, tmp_path: Path, said: Callable[..., tuple[int, str, str]]
) -> None:
    folder, root, archive = tmp_path / "given", tmp_path / "root", source.title
    folder.mkdir()
    member, content = MEMBERS[name], random.Random(0).randbytes(5000)
    other = re.sub(r"(groupid_|pretrain|_seed|_s)0", r"\g<1>1", member)
    whole = packed(archive, {member: content})
    flipped = whole[:3000] + bytes([whole[3000] ^ 255]) + whole[3001:]
    # In a zstd stream without a checksum, as pyarrow writes it, a flipped byte is nothing wrong.
    damaged = (whole[:-40], b"nothing", *([] if archive.endswith(".zst") else [flipped]))
    wrong = {
        "is damaged": damaged,
        "outside its folder; refused": (packed(archive, {member: content, f"../{member}": b"1"}),),
        "more than the": (packed(archive, {member: content, other: bytes(10**6)}),),
    }
    for reason, contents in wrong.items():
        for number, changed in enumerate(contents):
            (folder / archive).write_bytes(changed)
            code, out, err = said("download", name, "--archives", str(folder), "--root", str(root))
            lines = [line for line in err.splitlines() if line.startswith("resi: ")]
            assert (code, out, len(lines)) == (1, "", 1), (reason, number)
            assert archive in lines[0]
            assert reason in lines[0], number
            assert not [path for path in tmp_path.rglob(Path(member).name) if path.read_bytes() != content]
    assert not list(tmp_path.glob("cora")) + list(tmp_path.glob("nlp"))
    (folder / archive).write_bytes(whole)
    assert said("download", name, "--archives", str(folder), "--root", str(root))[0] == 0
    assert (root / source.folder / member).read_bytes() == content


def unpacked(root: Path) -> set[str]:
    folder = root / "models" / "graphs"
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*.pt")}


def test_a_part_is_unpacked_alone_and_the_rest_later(server: FileServer, tmp_path: Path) -> None:
    publish(server, "11565486", {"graph_data.zip": zipped(graph_members())})
    words = ["graph", "--dataset", "cora", "--model", "gcn", "--setting", "shortcut", "--seeds", "1"]
    assert run(tmp_path, *words) == 0
    assert unpacked(tmp_path) == {f"cora/GCN/Shortcut_{level}/model_s1.pt" for level in (0, 100)}
    assert run(tmp_path, *words) == 0
    assert server.count("/files/11565486/graph_data.zip") == 1
    assert run(tmp_path, "graph", "--setting", "standard,shortcut_100", "--keep-archives") == 0
    assert len(unpacked(tmp_path)) == 2 * 2 * 2 * 2 + 1
    assert run(tmp_path, "graph") == 0
    assert server.count("/files/11565486/graph_data.zip") == 2  # the second time the archive was kept
    assert unpacked(tmp_path) == set(graph_members())
    asked = len(server.asked)
    assert run(tmp_path, *words) == 0  # a part of what is there
    assert len(server.asked) == asked + 1


def test_archives_of_which_nothing_is_wanted_are_not_asked_for(server: FileServer, tmp_path: Path) -> None:
    names = [f"Shortcut__ColorDot_{level}_C100DataModule__{name}" for level in (0, 75) for name in ("VGG11", "VGG19")]
    publish(server, "15148777", {"shortcut_c100.tar.gz": gzip.compress(tarred({f"{n}/{CKPT}": b"1" for n in names}))})
    assert run(tmp_path, "vision_cifar100", "--setting", "shortcut_75", "--model", "vgg19") == 0
    assert [path for path, _ in server.asked if path.startswith("/api")] == ["/api/15148777"]
    assert [path.parents[2].name for path in tmp_path.rglob("final.ckpt")] == [names[3]]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["graph", "--model", "bert"], "unknown model of graph: 'bert'. Known: gat, gcn, graphsage, pgnn."),
        (["graph", "--dataset", "sst2"], "unknown dataset of graph: 'sst2'"),
        (["graph", "--setting", "shortcut_33"], "unknown setting of graph: 'shortcut_33'; did you mean shortcut_"),
        (["graph", "--seeds", "10"], "unknown seed of graph: '10'"),
        (["graph", "--seeds", "one"], "--seeds=one: expected whole numbers"),
        (["graph", "--seeds", "9", "--setting", "shortcut"], "graph has no models that match all of --dataset,"),
        (["smollm2", "--setting", "augmentation"], "unknown setting of smollm2: 'augmentation'"),
        (["results", "--model", "gcn"], "results can only be downloaded as a whole"),
        (["graph", "cora", "--model", "gcn"], "cora can only be downloaded as a whole"),
        (["grahp"], "unknown name to download 'grahp'; did you mean graph"),
        ([], "name what to download; resi download --list shows what there is"),
        (["imagenet100"], "resi cannot download imagenet100: Kaggle asks for an account: download ambityga/"),
        (["cora", "--archives", "."], "cora is read from a folder with dataset.root=FOLDER"),
        (["graph", "--archives", ".", "--dry-run"], "--dry-run asks for what would be fetched"),
    ],
)  # fmt: skip
def test_what_cannot_be_chosen_is_one_line(
    server: FileServer, tmp_path: Path, said: Callable[..., tuple[int, str, str]], words: list[str], message: str
) -> None:
    code, out, err = said("download", *words, "--root", str(tmp_path / "root"))
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert message in err
    assert server.asked == []
    assert not (tmp_path / "root").exists()


def test_the_disk_is_checked_for_all_that_a_call_names_together_and_not_for_what_is_done(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: Callable[..., tuple[int, str, str]]
) -> None:
    graph, nlp = zipped({"cora/GCN/Normal/model_s0.pt": bytes(10**6)}), zipped({"nlp/bert/x": bytes(10**6)})
    publish(server, "11565486", {"graph_data.zip": graph, "nlp_data.zip": nlp}, size=1000)
    disk = SimpleNamespace(free=0)
    monkeypatch.setattr("resi.store.space.shutil.disk_usage", lambda _path: disk)
    root = tmp_path / "root"
    # First an archive of 1000 bytes with 1100 of content; then, beside that content, the next ones.
    for disk.free, code in ((2099, 1), (3199, 1), (3200, 0)):
        found, out, err = said("download", "graph", "language", "--root", str(root), "--dry-run")
        assert (found, out.count("too little"), err) == (0, code, "")
    for disk.free, names, needed in ((2099, ["graph"], "2.1 kB"), (3199, ["graph", "language"], "3.2 kB")):
        found, _, err = said("download", *names, "--root", str(root))
        assert found == 1
        assert f"{tmp_path} has {disk.free / 1000:.3g} kB free, but {needed} are needed for the download" in err
    _, _, err = said("download", "graph", "language", "--root", str(root), "--keep-archives")
    assert "but 4.2 kB are needed" in err
    assert not root.exists()
    # What has come already is not counted.
    part = root / "downloads" / "11565486" / "graph_data.zip.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(bytes(900))
    disk.free = 1199
    assert "but 1.2 kB are needed" in said("download", "graph", "--root", str(root))[2]
    part.with_name("graph_data.zip.unpacked").write_text(server.checksums["graph_data.zip"])
    disk.free = 0
    assert said("download", "graph", "--root", str(root))[0] == 0
    assert said("download", "graph", "language", "--root", str(root), "--dry-run")[1].count("too little") == 1


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(
    server: FileServer, tmp_path: Path, said: Callable[..., tuple[int, str, str]]
) -> None:
    graph = zipped(graph_members())
    publish(server, "11565486", {"graph_data.zip": graph, "results.parquet": b"PAR1"})
    root = tmp_path / "root"
    code, out, err = said("download", "graph", "results", "imagenet100", "--root", str(root), "--dry-run", "--json")
    assert code == 0
    assert "imagenet100 has to be downloaded by you: Kaggle" in err
    about = json.loads(out)
    first, second, third = about["files"]
    assert {key: first[key] for key in ("file", "state", "size", "to fetch", "into")} == {
        "file": "graph_data.zip",
        "state": "to fetch",
        "size": len(graph),
        "to fetch": len(graph),
        "into": str(root / "models" / "graphs"),
    }
    assert first["unpacked, about"] == int(1.1 * len(graph))
    assert (second["file"], second["size"], second["unpacked, about"]) == ("results.parquet", 4, 0)
    assert (third["file"], third["state"]) == ("imagenet100", "by hand")
    assert [space["needed"] for space in about["space"]] == [int(1.1 * len(graph)) + max(len(graph), 4)]
    assert list(tmp_path.iterdir()) == []
    assert {path for path, _ in server.asked} == {"/api/11565486"}
    assert run(root, "graph", "results") == 0
    _, out, _ = said("download", "graph", "results", "--root", str(root), "--dry-run")
    assert out.count(" done ") == 2


def test_cora_is_downloaded_as_a_run_would(
    server: FileServer,
    tmp_path: Path,
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    said: Callable[..., tuple[int, str, str]],
) -> None:
    from torch_geometric.datasets import Planetoid

    monkeypatch.setattr(Planetoid, "url", f"{server.url}/planetoid")
    for path in (data / "cora" / "raw").iterdir():
        server.files[f"/planetoid/{path.name}"] = path.read_bytes()
    rows = {row["name"]: row for row in json.loads(said("download", "--list", "--json", "--root", str(tmp_path))[1])}
    assert (rows["cora"]["here"], rows["cora"]["evidence"]) == ("no", "fetched by resi")
    assert run(tmp_path, "cora") == 0
    asked = len(server.asked)
    assert asked == 8
    assert (
        said("download", "cora", "--root", str(tmp_path))[2] == f"cora is in {tmp_path}/datasets/graph/cora/Cora/raw\n"
    )
    assert len(server.asked) == asked
    assert json.loads(said("download", "cora", "--list", "--json", "--root", str(tmp_path))[1])[0]["here"] == "yes"
    server.files.clear()
    code, _, err = said("download", "cora", "--root", str(tmp_path / "other"))
    assert (code, "put the files ind.cora.allx" in err) == (1, True)


def test_the_list_says_what_is_known_and_what_is_here(
    server: FileServer, tmp_path: Path, said: Callable[..., tuple[int, str, str]]
) -> None:
    publish(server, "11565486", {"graph_data.zip": zipped(graph_members())})
    assert run(tmp_path, "graph") == 0
    asked = len(server.asked)
    code, out, _ = said("download", "--list", "--json", "--root", str(tmp_path))
    assert (code, len(server.asked)) == (0, asked)
    rows = json.loads(out)
    assert {row["name"] for row in rows} >= {*releases(), "cora", "sst2", "mnli", "cifar100", "imagenet100"}
    described = {row["content"] for row in rows if row["evidence"] == "only by the publishers' description"}
    networks = "resnet18, resnet34, resnet101, vgg11, vgg19, vit_b32, vit_l32"
    assert described == {
        "pgnn on cora", "albert on sst2, mnli", "smollm2 on sst2", "smollm2 on mnli", "results of pgnn on cora",
        "results of albert, smollm2 on sst2, mnli", f"results of {networks} on cifar100",
    }  # fmt: skip
    here = {(row["name"], row["content"]): row["here"] for row in rows if row["here"] != "no"}
    assert here == {("graph", "gcn, graphsage, gat on cora, flickr, ogbn_arxiv"): f"{len(graph_members())} models"}
    sizes = {row["from"].partition(",")[0]: row["size"] for row in rows}
    assert sizes["normal_c100.tar.gz"] == 19_400_000_000
    assert sizes["smollm_sst2_checkpoints.tar.zst"] == 207 * 2**30


def test_the_page_lists_what_the_code_states(said: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    from resi.cli.download_lists import size_text

    page = (REPOSITORY / "docs" / "published_files.md").read_text(encoding="utf-8")
    shown = [line for line in page.splitlines() if line.startswith("| `")]
    rows = json.loads(said("download", "--list", "--json", "--root", str(tmp_path))[1])
    assert shown == [
        f"| `{row['name']}` | {row['content']} | {row['evidence']} | {size_text(row['size'])} | {row['from']} |"
        for row in rows
    ]


def test_descriptions_say_what_is_known_of_models_datasets_and_suites(
    said: Callable[..., tuple[int, str, str]],
) -> None:
    def facts(name: str) -> dict[str, str]:
        return json.loads(said("describe", name, "--json")[1])

    unsure = "only by the publishers' description"
    assert facts("albert")["published models"] == f"sst2, mnli: {unsure}, resi download language"
    assert facts("bert")["published models"] == "sst2, mnli: known to be there, resi download language"
    assert facts("cifar100")["published results"].endswith(f"{unsure}, resi download results")
    assert "published models" not in facts("tiny_vgg")
    assert "ambityga/imagenet100" in facts("imagenet100")["by hand"]
    suite = facts("paper_language")
    assert suite["published models"].startswith(f"{unsure}: albert on sst2")
    assert "bert on" not in suite["published models"].replace("albert on", "")
    assert facts("paper_vision")["published results"].endswith("vit_l32 on cifar100")
    assert "published results" not in facts("smoke")
