"""The graphs: Cora as published, digits_knn as defined, and clear words about missing or damaged files."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from resi.domains.graph import files
from resi.domains.graph.data import load_graph
from resi.errors import DatasetError


def dense(features):
    return (
        features.to_dense() if features.layout is not None and "sparse" in str(features.layout) else features
    ).numpy()


def test_digits_knn_is_the_graph_it_is_said_to_be() -> None:
    from sklearn.datasets import load_digits
    from sklearn.metrics.pairwise import cosine_similarity

    graph = load_graph(files.locate_digits_knn())
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


def test_cora_is_the_published_one(shared: Path) -> None:
    graph = load_graph(files.locate_cora(shared / "data" / "cora", Path("unused")))
    assert tuple(graph.features.shape) == (2708, 1433)
    assert graph.edges.shape[1] == 10556
    assert [len(split) for split in (graph.train, graph.validation, graph.test)] == [140, 500, 1000]
    assert graph.classes == 7
    sums = dense(graph.features).sum(1)
    np.testing.assert_allclose(sums[sums > 0], 1, rtol=1e-5)


@pytest.mark.parametrize("layout", [".", "raw", "Cora/raw"])
def test_cora_is_found_in_any_usual_layout(shared: Path, tmp_path: Path, layout: str) -> None:
    shutil.copytree(shared / "data" / "cora" / "raw", tmp_path / layout, dirs_exist_ok=True)
    found = files.locate_cora(tmp_path, Path("unused"))
    assert found.content == files.locate_cora(shared / "data" / "cora", Path("unused")).content


def test_a_missing_file_of_cora_is_named(shared: Path, tmp_path: Path) -> None:
    shutil.copytree(shared / "data" / "cora" / "raw", tmp_path / "raw")
    (tmp_path / "raw" / "ind.cora.graph").unlink()
    with pytest.raises(DatasetError, match=r"raw/ind\.cora\.graph is missing"):
        files.locate_cora(tmp_path, Path("unused"))


def test_a_damaged_file_of_cora_is_named_before_it_is_unpickled(shared: Path, tmp_path: Path) -> None:
    shutil.copytree(shared / "data" / "cora" / "raw", tmp_path / "raw")
    path = tmp_path / "raw" / "ind.cora.allx"
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DatasetError, match=r"raw/ind\.cora\.allx is damaged"):
        files.locate_cora(tmp_path, Path("unused"))


def test_no_cora_says_which_files_go_where(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"holds no Cora: expected the files ind\.cora\.allx.*raw"):
        files.locate_cora(tmp_path, Path("unused"))


def serve(source: Path | None, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Stand in for the network: files come from a folder, or not at all; return the list of those asked for."""
    import torch_geometric.data

    asked: list[str] = []

    def download_url(url: str, folder: str, *, log: bool, filename: str) -> None:
        asked.append(url.rsplit("/", 1)[1])
        if source is None:
            raise OSError("no route to host")
        shutil.copy(source / asked[-1], Path(folder) / filename)

    monkeypatch.setattr(torch_geometric.data, "download_url", download_url)
    return asked


def test_cora_that_cannot_be_downloaded_says_where_to_put_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(None, monkeypatch)
    with pytest.raises(
        DatasetError,
        match=rf"downloaded \(no route to host\).*ind\.cora\.allx.* into {tmp_path}/Cora/raw.*dataset\.root",
    ):
        files.locate_cora(None, tmp_path)


def test_cora_is_downloaded_file_by_file_and_only_what_is_missing(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = serve(shared / "data" / "cora" / "raw", monkeypatch)
    raw = tmp_path / "Cora" / "raw"
    raw.mkdir(parents=True)
    shutil.copy(shared / "data" / "cora" / "raw" / "ind.cora.x", raw)
    assert files.locate_cora(None, tmp_path).folder == raw
    assert sorted(asked) == sorted(set(files.CORA) - {"ind.cora.x"})
    files.locate_cora(None, tmp_path)
    assert len(asked) == 7


def test_a_download_that_differs_is_never_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in files.CORA:
        (source / name).write_text("print('payload')")
    serve(source, monkeypatch)
    with pytest.raises(DatasetError, match="is not the Planetoid release of Cora any more"):
        files.locate_cora(None, tmp_path / "data")
    assert not list((tmp_path / "data" / "Cora" / "raw").iterdir())
