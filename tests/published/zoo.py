"""Archives of published models with the real names and layouts, of networks with random weights."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import torch

from resi.domains.graph import GraphDomain
from resi.domains.graph.lookup import graph_network
from resi.domains.graph.settings import PUBLISHED_NAMES
from resi.randomness import forked_torch
from resi.specs import ModelSpec
from tests.store.test_archives import zstd

CPU = torch.device("cpu")
PUBLISHED_GRAPHS = {"gcn": "GCN", "graphsage": "GraphSAGE", "gat": "GAT"}
State = dict[str, torch.Tensor]


def saved(state: State) -> bytes:
    """Return weights as ``torch.save`` writes them."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def not_finite(state: State) -> State:
    """Return weights of which one number is NaN."""
    name = next(name for name, tensor in state.items() if tensor.is_floating_point())
    changed = state[name].clone()
    changed.view(-1)[0] = torch.nan
    return {**state, name: changed}


@lru_cache(1)
def cora(folder: Path):
    """Return Cora and its graph."""
    from resi.domains.graph.loading import load_graph

    dataset = GraphDomain().locate("cora", folder, Path("unused"))
    return dataset, load_graph(dataset)


def graph_state(folder: Path, architecture: str, setting: str, seed: int) -> State:
    """Return random weights of a network on Cora, as PyG names them."""
    dataset, graph = cora(folder)
    values = GraphDomain().hyperparameters(architecture, "cora", setting, {})
    spec = ModelSpec("graph", "cora", dataset.content, architecture, setting, seed, values, 1)
    with forked_torch(CPU, seed, f"zoo {setting}"):
        return dict(graph_network(architecture).build(spec, graph).state_dict())


def graph_name(architecture: str, setting: str, seed: int) -> str:
    """Return where a model on Cora lies in the archive."""
    return f"cora/{PUBLISHED_GRAPHS[architecture]}/{PUBLISHED_NAMES[setting]}/model_s{seed}.pt"


def image_members(folder: str, seed: int, state: State, built: dict[str, object]) -> dict[str, bytes]:
    """Return the files of a vision model: those that are read, and some that are not."""
    below = f"{folder}/groupid_{seed}"
    return {
        f"{below}/checkpoints/final.ckpt": saved(state),
        f"{below}/output.json": json.dumps(built).encode(),
        f"{below}/info.json": b"{}",
        f"{below}/activations/layer.npy": bytes(1000),
    }


def zipped(members: dict[str, bytes]) -> bytes:
    """Return a zip."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def tarred(members: dict[str, bytes]) -> bytes:
    """Return a tar."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def packed(name: str, members: dict[str, bytes]) -> bytes:
    """Return an archive of the kind that its name says."""
    kinds: dict[str, Callable[[bytes], bytes]] = {".tar.gz": lambda tar: gzip.compress(tar, 1), ".tar.zst": zstd}
    if name.endswith(".zip"):
        return zipped(members)
    return next(pack for end, pack in kinds.items() if name.endswith(end))(tarred(members))
