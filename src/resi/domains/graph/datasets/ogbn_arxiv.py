"""ogbn-arxiv in the raw format of the Open Graph Benchmark (OGB): found on disk or downloaded, hashed, and read.

OGB's own loader asks at the terminal before it downloads, looks for its newest version on the network, and keeps a
pickle that recent torch does not open; the files are plain tables.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

from resi.domains.graph.datasets.base import GraphDataset
from resi.domains.graph.datasets.raw_files import RawFiles
from resi.errors import DatasetError, ResiError

if TYPE_CHECKING:
    import numpy as np

    from resi.domains.graph.data import Graph

    Table = np.ndarray[Any, Any]

FILES = (
    "raw/edge.csv.gz",
    "raw/node-feat.csv.gz",
    "raw/node-label.csv.gz",
    "raw/num-node-list.csv.gz",
    *(f"split/time/{name}.csv.gz" for name in ("train", "valid", "test")),
)
CLASSES = 40
URL = "https://snap.stanford.edu/ogb/data/nodeproppred/arxiv.zip"
# The archive has 81 MB. OGB publishes no checksum, so that the connection has to vouch for it.
DOWNLOAD_LIMIT = 2**28
UNPACKED_LIMIT = 2 * 2**30


class Tables(NamedTuple):
    """The content of the files; node ids count from 0.

    Attributes
    ----------
    edges : int64 array of shape (2, n_edges)
        One direction each: who cites, who is cited.
    features : float32 array of shape (n_nodes, n_features)
    labels : int64 array of shape (n_nodes,)
    train, validation, test : int64 array
        In the order of the files.
    """

    edges: Table
    features: Table
    labels: Table
    train: Table
    validation: Table
    test: Table


def _read(folder: Path) -> Graph:
    import torch
    from torch_geometric.utils import to_undirected

    from resi.domains.graph.data import Graph, compress, probe_nodes

    tables = read_tables(folder)
    test = torch.from_numpy(tables.test)
    return Graph(
        features=compress(torch.from_numpy(tables.features)),
        edges=to_undirected(torch.from_numpy(tables.edges), num_nodes=len(tables.labels)),
        labels=torch.from_numpy(tables.labels),
        train=torch.from_numpy(tables.train),
        validation=torch.from_numpy(tables.validation),
        test=test,
        probe=probe_nodes(test),
        classes=CLASSES,
    )


def read_tables(folder: Path) -> Tables:
    """Read the raw files.

    Raises
    ------
    DatasetError
        Naming the file that is damaged or inconsistent with the others.
    """
    n_nodes = int(_column(folder, "raw/num-node-list.csv.gz")[0])
    edges = _table(folder, "raw/edge.csv.gz", "int64").T
    features = _table(folder, "raw/node-feat.csv.gz", "float32")
    labels = _column(folder, "raw/node-label.csv.gz")
    splits = [_column(folder, f"split/time/{name}.csv.gz") for name in ("train", "valid", "test")]
    for name, found in (("raw/node-feat.csv.gz", features), ("raw/node-label.csv.gz", labels)):
        if len(found) != n_nodes:
            raise DatasetError(f"{folder / name} has {len(found)} rows instead of one for each of {n_nodes} nodes")
    for name, ids in zip((FILES[0], *FILES[-3:]), (edges, *splits), strict=True):
        if (wrong := _beyond(ids, n_nodes)) is not None:
            raise DatasetError(f"{folder / name} has the node {wrong}, but nodes go from 0 to {n_nodes - 1}")
    if (wrong := _beyond(labels, CLASSES)) is not None:
        raise DatasetError(f"{folder / FILES[2]} has the label {wrong}, but labels go from 0 to {CLASSES - 1}")
    return Tables(edges, features, labels, *splits)


def _beyond(numbers: Table, limit: int) -> int | None:
    """Return the first number that is not from 0 to ``limit - 1``; None if there is none."""
    wrong = numbers[(numbers < 0) | (numbers >= limit)]
    return int(wrong[0]) if len(wrong) else None


def _table(folder: Path, name: str, dtype: str) -> Table:
    import polars as pl

    try:
        rows = pl.read_csv(folder / name, has_header=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DatasetError(f"{folder / name} cannot be read as a table: {error}") from error
    is_right = all(found.is_integer() or (found.is_numeric() and dtype == "float32") for found in rows.dtypes)
    if not is_right or sum(rows.null_count().row(0)):
        kind = "whole numbers" if dtype == "int64" else "numbers"
        raise DatasetError(f"{folder / name} does not hold {kind}. Download the file again.")
    return rows.to_numpy().astype(dtype)


def _column(folder: Path, name: str) -> Table:
    return _table(folder, name, "int64")[:, 0]


def _download(downloads: Path) -> Path:
    from resi.store.archives import unpack
    from resi.store.downloads import download, download_lock

    folder = downloads / "ogbn_arxiv"
    archive = downloads / "arxiv.zip"
    try:
        with download_lock(downloads):
            if all((folder / name).is_file() for name in FILES):  # as of another process meanwhile
                return folder
            download(URL, archive, limit=DOWNLOAD_LIMIT)
            try:
                unpack(archive, folder, limit=UNPACKED_LIMIT, place=_without_first_folder)
            finally:  # a damaged one, too: the next run fetches it again
                archive.unlink()
    except ResiError as error:
        raise DatasetError(
            f"ogbn-arxiv is not in {downloads} and cannot be downloaded: {error} Without a network, unpack OGB's "
            f"arxiv.zip so that {folder / FILES[0]} is there, or name its folder with dataset.root."
        ) from error
    return folder


def _without_first_folder(name: PurePosixPath) -> PurePosixPath | None:
    below = PurePosixPath(*name.parts[1:])
    return below if str(below) in FILES else None


OGBN_ARXIV = GraphDataset(
    "ogbn_arxiv",
    "169343 papers, 128 word features, edges are citations, 40 fields; 10000 of 48603 test nodes",
    "OGB",
    size=170_000_000,
    probe_nodes=10_000,
    features=128,
    classes=40,
    find=RawFiles("ogbn-arxiv", FILES, ("", "ogbn_arxiv", "ogbn_arxiv_pyg", "arxiv"), _download).find,
    read=_read,
    published_name="ogbn-arxiv",
)
