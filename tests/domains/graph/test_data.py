"""The graphs: Cora as published, digits_knn as defined, and clear words about missing or damaged files."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from resi.domains.graph.datasets.cora import CORA, FILES, LIMIT
from resi.domains.graph.datasets.digits_knn import DIGITS_KNN
from resi.domains.graph.loading import load_graph
from resi.errors import DatasetError
from tests.file_server import FileServer, serve


def dense(features):
    return (
        features.to_dense() if features.layout is not None and "sparse" in str(features.layout) else features
    ).numpy()


def test_digits_knn_is_the_graph_it_is_said_to_be() -> None:
    from sklearn.datasets import load_digits
    from sklearn.metrics.pairwise import cosine_similarity

    graph = load_graph(DIGITS_KNN.locate(None, Path("unused")))
    pixels, labels = load_digits(return_X_y=True)
    np.testing.assert_allclose(graph.features.numpy(), pixels / 16, rtol=1e-6)
    np.testing.assert_array_equal(graph.labels.numpy(), labels)
    assert [len(split) for split in (graph.train, graph.validation, graph.test)] == [50, 100, 1000]
    nodes = np.concatenate([graph.train, graph.validation, graph.test])
    assert len(set(nodes.tolist())) == 1150
    assert np.bincount(graph.labels[graph.train]).tolist() == [5] * 10

    similarity = cosine_similarity(pixels)
    np.fill_diagonal(similarity, -1)
    edges = set(map(tuple, graph.edges.T.tolist()))
    assert all((b, a) in edges and a != b for a, b in edges)
    for node in range(0, 1797, 100):
        nearest = np.argsort(-similarity[node].round(9), kind="stable")[:10]
        assert {(node, int(other)) for other in nearest} <= edges
    # Every edge is in the list of its one end or the other.
    kth = np.sort(similarity, axis=1)[:, -10]
    assert all(similarity[a, b] >= min(kth[a], kth[b]) - 1e-9 for a, b in edges)


def test_cora_is_the_published_one(data: Path) -> None:
    graph = load_graph(CORA.locate(data / "cora", Path("unused")))
    assert tuple(graph.features.shape) == (2708, 1433)
    assert graph.edges.shape[1] == 10556
    assert [len(split) for split in (graph.train, graph.validation, graph.test)] == [140, 500, 1000]
    assert graph.classes == 7
    sums = dense(graph.features).sum(1)
    np.testing.assert_allclose(sums[sums > 0], 1, rtol=1e-5)


@pytest.mark.parametrize("layout", [".", "raw", "Cora/raw"])
def test_cora_is_found_in_any_usual_layout(data: Path, tmp_path: Path, layout: str) -> None:
    shutil.copytree(data / "cora" / "raw", tmp_path / layout, dirs_exist_ok=True)
    found = CORA.locate(tmp_path, Path("unused"))
    assert found.content == CORA.locate(data / "cora", Path("unused")).content


def test_a_missing_file_of_cora_is_named(data: Path, tmp_path: Path) -> None:
    shutil.copytree(data / "cora" / "raw", tmp_path / "raw")
    (tmp_path / "raw" / "ind.cora.graph").unlink()
    with pytest.raises(DatasetError, match=r"raw/ind\.cora\.graph is missing"):
        CORA.locate(tmp_path, Path("unused"))


def test_a_damaged_file_of_cora_is_named_before_it_is_unpickled(data: Path, tmp_path: Path) -> None:
    shutil.copytree(data / "cora" / "raw", tmp_path / "raw")
    path = tmp_path / "raw" / "ind.cora.allx"
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DatasetError, match=r"raw/ind\.cora\.allx is damaged"):
        CORA.locate(tmp_path, Path("unused"))


def test_cora_that_is_replaced_after_it_was_found_is_not_unpickled(data: Path, tmp_path: Path) -> None:
    shutil.copytree(data / "cora" / "raw", tmp_path / "raw")
    found = CORA.locate(tmp_path, Path("unused"))
    path = tmp_path / "raw" / "ind.cora.ally"
    path.chmod(0o644)
    path.write_bytes(pickle.dumps(Payload(tmp_path / "opened")))
    load_graph.cache_clear()
    with pytest.raises(DatasetError, match=r"raw/ind\.cora\.ally is damaged"):
        load_graph(found)
    assert not (tmp_path / "opened").exists()
    load_graph.cache_clear()


class Payload:
    """What makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.mkdir, (self.folder,)


def test_no_cora_says_which_files_go_where(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"holds no Cora: expected the files ind\.cora\.allx.*raw"):
        CORA.locate(tmp_path, Path("unused"))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """Stand in for the server that has Cora's files."""
    from torch_geometric.datasets import Planetoid

    with serve() as running:
        monkeypatch.setattr(Planetoid, "url", running.url)
        yield running


def test_cora_that_cannot_be_downloaded_says_where_to_put_it(server: FileServer, tmp_path: Path) -> None:
    with pytest.raises(
        DatasetError,
        match=r"cannot be downloaded \(.*allx cannot be downloaded: Not Found.*"
        rf"ind\.cora\.allx.* into {tmp_path}/Cora/raw"
        r".*dataset\.root",
    ):
        CORA.locate(None, tmp_path)


def test_cora_is_downloaded_file_by_file_and_only_what_is_missing(
    data: Path, tmp_path: Path, server: FileServer
) -> None:
    source = data / "cora" / "raw"
    server.files = {f"/{name}": (source / name).read_bytes() for name in FILES}
    raw = tmp_path / "Cora" / "raw"
    raw.mkdir(parents=True)
    shutil.copy(source / "ind.cora.x", raw)
    assert CORA.locate(None, tmp_path).folder == raw
    assert sorted(path for path, _ in server.asked) == sorted(f"/{name}" for name in set(FILES) - {"ind.cora.x"})
    CORA.locate(None, tmp_path)
    assert len(server.asked) == 7


@pytest.mark.parametrize("content", [b"print('payload')", bytes(LIMIT + 1)])
def test_a_download_that_differs_is_never_kept(server: FileServer, tmp_path: Path, content: bytes) -> None:
    server.files = dict.fromkeys((f"/{name}" for name in FILES), content)
    with pytest.raises(DatasetError, match=r"cannot be downloaded \(.*(was damaged in transfer|is larger than the)"):
        CORA.locate(None, tmp_path / "data")
    assert not [path for path in (tmp_path / "data" / "Cora" / "raw").iterdir() if path.suffix != ".part"]
