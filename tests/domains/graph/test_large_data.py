"""Flickr and ogbn-arxiv in their real on-disk formats, small: what is read, which nodes are probed, what is refused."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

import resi
from resi.config.compose import compose
from resi.domains.graph import GraphDataset, GraphDomain
from resi.domains.graph.data import probe_nodes
from resi.domains.graph.datasets import flickr, ogbn_arxiv
from resi.domains.graph.datasets.flickr import FLICKR
from resi.domains.graph.datasets.ogbn_arxiv import OGBN_ARXIV
from resi.domains.graph.loading import load_graph
from resi.domains.graph.training import train
from resi.errors import DatasetError
from resi.pipeline.planner import make_plan
from resi.pipeline.prepare import train_models
from resi.specs import ModelSpec, ProbeSpec
from tests.domains.passes import extracted
from tests.file_server import serve

DOMAIN = GraphDomain()
CPU = torch.device("cpu")
NODES = 120


@pytest.fixture
def flickr_folder(tmp_path: Path) -> Path:
    """Write a graph of 120 nodes as GraphSAINT's Flickr files; the last node has no edge."""
    raw = tmp_path / "flickr" / "raw"
    raw.mkdir(parents=True)
    draws = np.random.default_rng(0)
    adjacency = np.triu(draws.random((NODES - 1, NODES - 1)) < 0.05, 1)
    whole = np.zeros((NODES, NODES))
    whole[:-1, :-1] = adjacency | adjacency.T
    matrix = csr_matrix(whole)
    np.savez(raw / "adj_full.npz", data=matrix.data, indices=matrix.indices, indptr=matrix.indptr, shape=matrix.shape)
    np.save(raw / "feats.npy", draws.normal(size=(NODES, 9)))
    (raw / "class_map.json").write_text(json.dumps({str(node): node % 7 for node in range(NODES)}))
    role = {"tr": list(range(60)), "va": list(range(60, 90)), "te": [119, *range(90, 119)]}
    (raw / "role.json").write_text(json.dumps(role))
    return tmp_path / "flickr"


def write_csv(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt") as file:
        np.savetxt(file, array, delimiter=",", fmt={"i": "%d", "f": "%.6g", "U": "%s"}[array.dtype.kind])


@pytest.fixture
def arxiv_folder(tmp_path: Path) -> Path:
    """Write a graph of 120 nodes as OGB's ogbn-arxiv files; edges have one direction, the last node none."""
    folder = tmp_path / "arxiv" / "ogbn_arxiv"
    draws = np.random.default_rng(1)
    pairs = np.unique(draws.integers(0, NODES - 1, (400, 2)), axis=0)
    edges = pairs[pairs[:, 0] != pairs[:, 1]]
    write_csv(folder / "raw" / "edge.csv.gz", edges)
    write_csv(folder / "raw" / "node-feat.csv.gz", draws.normal(size=(NODES, 16)))
    write_csv(folder / "raw" / "node-label.csv.gz", draws.integers(0, 9, (NODES, 1)))
    write_csv(folder / "raw" / "node_year.csv.gz", draws.integers(2000, 2020, (NODES, 1)))
    write_csv(folder / "raw" / "num-node-list.csv.gz", np.array([[NODES]]))
    write_csv(folder / "raw" / "num-edge-list.csv.gz", np.array([[len(edges)]]))
    order = draws.permutation(NODES)[:, None]
    for name, part in (("train", order[:60]), ("valid", order[60:90]), ("test", order[90:])):
        write_csv(folder / "split" / "time" / f"{name}.csv.gz", part)
    return tmp_path / "arxiv"


def test_flickr_is_read_from_its_raw_files_and_nothing_is_written_beside_them(flickr_folder: Path) -> None:
    before = sorted(flickr_folder.rglob("*"))
    spec = DOMAIN.locate("flickr", flickr_folder, Path("unused"))
    graph = load_graph(spec)
    assert sorted(flickr_folder.rglob("*")) == before
    raw = flickr_folder / "raw"
    np.testing.assert_array_equal(graph.features.numpy(), np.load(raw / "feats.npy").astype("float32"))
    stored = np.load(raw / "adj_full.npz")
    dense = csr_matrix((stored["data"], stored["indices"], stored["indptr"]), stored["shape"]).toarray()
    found = np.zeros((NODES, NODES))
    found[tuple(graph.edges.numpy())] = 1
    np.testing.assert_array_equal(found, dense)
    assert graph.labels.tolist() == [node % 7 for node in range(NODES)]
    assert graph.train.tolist() == list(range(60))
    assert graph.test.tolist() == graph.probe.tolist() == list(range(90, 120))
    assert graph.classes == 7
    assert DOMAIN.locate("flickr", raw, Path("unused")).content == spec.content


def test_arxiv_is_read_as_ogb_reads_it(arxiv_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("asked at the terminal"))
    graph = load_graph(DOMAIN.locate("ogbn_arxiv", arxiv_folder, Path("unused")))
    raw = arxiv_folder / "ogbn_arxiv" / "raw"
    reader = pytest.importorskip("ogb.io.read_graph_raw", reason="ogb is not installed")
    (expected,) = reader.read_csv_graph_raw(str(raw), additional_node_files=["node_year"])
    np.testing.assert_array_equal(graph.features.numpy(), expected["node_feat"])
    forward = set(map(tuple, expected["edge_index"].T.tolist()))
    both = forward | {(b, a) for a, b in forward}
    assert sorted(map(tuple, graph.edges.T.tolist())) == sorted(both)
    labels = np.loadtxt(raw / "node-label.csv.gz", dtype=int)
    np.testing.assert_array_equal(graph.labels.numpy(), labels)
    for name, nodes in (("train", graph.train), ("valid", graph.validation), ("test", graph.test)):
        path = arxiv_folder / "ogbn_arxiv" / "split" / "time" / f"{name}.csv.gz"
        assert nodes.tolist() == np.loadtxt(path, dtype=int).tolist()
    assert graph.test.tolist() == graph.probe.tolist() != sorted(graph.test.tolist())
    assert graph.classes == 40  # of the dataset, not of these nodes


def test_more_than_ten_thousand_test_nodes_are_subsampled_as_published() -> None:
    test = torch.arange(5, 22_318)
    expected = np.random.RandomState(2024).choice(np.arange(5, 22_318), size=10_000, replace=False)
    assert probe_nodes(test).tolist() == expected.tolist()
    assert len(set(expected.tolist())) == 10_000
    assert probe_nodes(test[:10_000]) is not test
    assert torch.equal(probe_nodes(test[:10_000]), test[:10_000])


@pytest.mark.parametrize("dataset", ["flickr", "ogbn_arxiv"])
def test_models_train_and_are_probed_on_both_with_isolated_last_nodes(
    dataset: str, flickr_folder: Path, arxiv_folder: Path
) -> None:
    found = DOMAIN.locate(dataset, flickr_folder if dataset == "flickr" else arxiv_folder, Path("unused"))
    for architecture in ("gcn", "graphsage", "gat"):
        values = DOMAIN.hyperparameters(architecture, dataset, "shortcut_50", {"epochs": 1})
        spec = ModelSpec("graph", dataset, found.content, architecture, "shortcut_50", 0, values, 1)
        state = train(spec, found, CPU).state
        probe = DOMAIN.probe(architecture, dataset, values, "shortcut")
        extraction = extracted(DOMAIN.extract, spec, state, found, probe)
        assert extraction.representations["1"].shape == (30, 256)
        assert bool(extraction.representations["1"].isfinite().all())


def test_a_run_on_arxiv_goes_from_files_to_scores(arxiv_folder: Path, tmp_path: Path) -> None:
    words = ["dataset=ogbn_arxiv", f"dataset.root={arxiv_folder}", "model=gcn", "model.gcn.epochs=1", "seeds=[0,1]"]
    result = resi.run([*words, "groups=2", "measure=cka", f"root={tmp_path / 'home'}"])
    assert result.count("ok") == 6
    assert set(result.comparisons["shape_a"]) == {"30x256"}


@pytest.mark.parametrize("dataset", [FLICKR, OGBN_ARXIV])
def test_missing_files_are_named(
    dataset: GraphDataset, flickr_folder: Path, arxiv_folder: Path, tmp_path: Path
) -> None:
    folder = flickr_folder if dataset is FLICKR else arxiv_folder
    with pytest.raises(DatasetError, match=r"dataset\.root=.*empty holds no .*: expected the files"):
        dataset.locate(tmp_path / "empty", Path("unused"))
    with pytest.raises(DatasetError, match=r"is not in .* yet; a run downloads it, or reads it from dataset\.root"):
        dataset.locate(None, tmp_path / "empty", may_download=False)
    victim = next(path for path in sorted(folder.rglob("*")) if path.name in ("feats.npy", "node-feat.csv.gz"))
    victim.unlink()
    with pytest.raises(DatasetError, match=rf"{victim} is missing"):
        dataset.locate(folder, Path("unused"))


def test_other_content_is_another_dataset(flickr_folder: Path, arxiv_folder: Path) -> None:
    for dataset, folder, name in (
        (FLICKR, flickr_folder, "raw/role.json"),
        (OGBN_ARXIV, arxiv_folder / "ogbn_arxiv", "split/time/valid.csv.gz"),
    ):
        before = dataset.locate(folder, Path("unused")).content
        path = folder / name
        path.write_bytes(path.read_bytes() + (b" " if path.suffix == ".json" else gzip.compress(b"")))
        assert dataset.locate(folder, Path("unused")).content != before


def test_a_dataset_that_is_replaced_after_it_was_found_is_not_used(flickr_folder: Path, arxiv_folder: Path) -> None:
    for dataset, folder, name in (
        ("flickr", flickr_folder, "raw/class_map.json"),
        ("ogbn_arxiv", arxiv_folder, "ogbn_arxiv/raw/node-label.csv.gz"),
    ):
        found = DOMAIN.locate(dataset, folder, Path("unused"))
        path = folder / name
        if path.suffix == ".json":
            path.write_text(path.read_text().replace(": 1", ": 2", 1))
        else:
            write_csv(path, np.zeros((NODES, 1), dtype=int))
        with pytest.raises(
            DatasetError, match=rf"files of {dataset} in {folder}.* changed after the run began; run again"
        ):
            load_graph(found)
        load_graph(DOMAIN.locate(dataset, folder, Path("unused")))


def test_a_run_that_waits_while_its_dataset_is_replaced_trains_nothing(flickr_folder: Path, tmp_path: Path) -> None:
    words = ["dataset=flickr", f"dataset.root={flickr_folder}", "model=gcn", "model.gcn.epochs=1", "seeds=[0,1]"]
    config = compose([*words, "test=output_correlation", "measure=cka", f"root={tmp_path / 'home'}"])
    plan = make_plan(config)
    path = flickr_folder / "raw" / "class_map.json"
    path.write_text(path.read_text().replace(": 1", ": 2", 1))
    with pytest.raises(DatasetError, match="changed after the run began"):
        train_models(plan)
    assert not (tmp_path / "home" / "models").exists()


def test_damaged_flickr_is_one_line_that_names_the_folder(flickr_folder: Path) -> None:
    path = flickr_folder / "raw" / "adj_full.npz"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DatasetError, match=rf"{flickr_folder}/raw cannot be read as Flickr"):
        load_graph(DOMAIN.locate("flickr", flickr_folder, Path("unused")))


@pytest.mark.parametrize(
    ("name", "rows", "message"),
    [
        ("raw/node-feat.csv.gz", np.zeros((5, 16)), "node-feat.csv.gz has 5 rows instead of one for each of 120 nodes"),
        ("raw/edge.csv.gz", np.array([[0, 500]]), "edge.csv.gz has the node 500, but nodes go from 0 to 119"),
        ("split/time/test.csv.gz", np.array([[120]]), "test.csv.gz has the node 120"),
        ("split/time/test.csv.gz", np.array([[3], [-1]]), "test.csv.gz has the node -1, but nodes go from 0"),
        ("split/time/test.csv.gz", np.array([[0.5]]), "test.csv.gz does not hold whole numbers"),
        ("raw/node-feat.csv.gz", np.full((NODES, 2), "x"), "node-feat.csv.gz does not hold numbers"),
        ("raw/node-label.csv.gz", np.full((NODES, 1), 40), "has the label 40, but labels go from 0 to 39"),
    ],
)
def test_arxiv_files_that_do_not_fit_each_other_are_named(arxiv_folder: Path, name: str, rows, message: str) -> None:
    write_csv(arxiv_folder / "ogbn_arxiv" / name, rows)
    with pytest.raises(DatasetError, match=message):
        load_graph(DOMAIN.locate("ogbn_arxiv", arxiv_folder, Path("unused")))


def test_an_arxiv_file_that_is_no_table_is_named(arxiv_folder: Path) -> None:
    path = arxiv_folder / "ogbn_arxiv" / "raw" / "edge.csv.gz"
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(DatasetError, match=rf"{path} cannot be read as a table"):
        load_graph(DOMAIN.locate("ogbn_arxiv", arxiv_folder, Path("unused")))


def test_arxiv_is_fetched_and_unpacked_without_asking(
    arxiv_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in (arxiv_folder / "ogbn_arxiv").rglob("*.gz"):
            archive.write(path, f"arxiv/{path.relative_to(arxiv_folder / 'ogbn_arxiv')}")
        archive.writestr("arxiv/RELEASE_v1.txt", "")
    # Without a checksum, nothing but the connection vouches for the archive.
    assert ogbn_arxiv.URL.startswith("https://")
    downloads = tmp_path / "downloads"
    with serve() as server:
        monkeypatch.setattr(ogbn_arxiv, "URL", f"{server.url}/arxiv.zip")
        server.files["/arxiv.zip"] = buffer.getvalue()
        monkeypatch.setattr(ogbn_arxiv, "DOWNLOAD_LIMIT", len(buffer.getvalue()) - 1)
        with pytest.raises(
            DatasetError, match=r"cannot be downloaded: .*is larger than the .* Without a network, unpack"
        ):
            OGBN_ARXIV.locate(None, tmp_path / "refused")
        monkeypatch.setattr(ogbn_arxiv, "DOWNLOAD_LIMIT", len(buffer.getvalue()))
        server.files["/arxiv.zip"] = buffer.getvalue()[:-9]
        with pytest.raises(DatasetError, match=r"arxiv\.zip is damaged"):
            OGBN_ARXIV.locate(None, downloads)
        server.files["/arxiv.zip"] = buffer.getvalue()
        found = OGBN_ARXIV.locate(None, downloads)
    assert found.content == OGBN_ARXIV.locate(arxiv_folder, Path("unused")).content
    assert not (downloads / "arxiv.zip").exists()
    assert OGBN_ARXIV.locate(None, downloads, may_download=False) == found


def test_flickr_is_fetched_and_an_error_page_or_an_endless_file_is_not_taken(
    flickr_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torch_geometric.datasets import Flickr

    source = flickr_folder / "raw"
    assert flickr.DRIVE.startswith("https://")
    with serve() as server:
        monkeypatch.setattr(flickr, "DRIVE", f"{server.url}/{{}}")
        addresses = {name: f"/{getattr(Flickr, f'{name.partition(chr(46))[0]}_id')}" for name in flickr.FILES}
        server.files = {address: (source / name).read_bytes() for name, address in addresses.items()}
        found = FLICKR.locate(None, tmp_path / "downloads")
        assert found.content == FLICKR.locate(flickr_folder, Path("unused")).content
        assert sorted(path.name for path in found.folder.iterdir()) == sorted(flickr.FILES)

        server.files = dict.fromkeys(addresses.values(), b"<html>too many downloads</html>")
        with pytest.raises(DatasetError, match=r"cannot be downloaded .*another file for adj_full\.npz.*dataset\.root"):
            FLICKR.locate(None, tmp_path / "again")
        assert not list((tmp_path / "again" / "raw").iterdir())

        monkeypatch.setattr(flickr, "LIMIT", 10)
        with pytest.raises(DatasetError, match=r"is larger than the allowed 10 bytes"):
            FLICKR.locate(None, tmp_path / "again")


def test_the_layer_probe_of_a_large_dataset_has_all_hidden_layers() -> None:
    values = DOMAIN.hyperparameters("gat", "flickr", "six_layers", {})
    assert (values["layers"], values["hidden_channels"], values["epochs"]) == (6, 256, 500)
    expected = ProbeSpec("test", ("0", "1", "2", "3", "4"))
    assert DOMAIN.probe("gat", "flickr", values, "layer_monotonicity") == expected
