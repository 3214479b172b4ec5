"""45 graph networks of one architecture trained at once, with stacked parameters, against one by one.

An experiment: it says what training them in lockstep would gain on a GPU. The network is the benchmark's GCN; the stack
computes the same for each of its members, with weights and dropout of its own.
"""

from __future__ import annotations

import itertools
import math
import statistics
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import nn
from torch.nn import functional

from on_gpu import noise
from resi.domains.arithmetic import plain_networks
from resi.domains.graph import GraphDomain
from resi.domains.graph.training import train_on
from resi.randomness import forked_torch
from resi.specs import ModelSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from on_gpu.report import Run
    from resi.domains.graph.data import Graph

MODELS = 45
ALONE = 6
"""So many are trained one by one, and stand for all."""
WARM_UP = 3
"""Epochs before one is captured as a CUDA graph."""
ALLOWED_ERRORS = 4.0
"""Standard errors by which the mean accuracies may differ."""


class Result(NamedTuple):
    """What training gave: seconds for all models, and the accuracy of each on the test nodes."""

    seconds: float
    accuracies: Sequence[float]


def section(run: Run) -> None:
    """Train on a graph of the size of Cora in each way that works, and compare times and accuracies."""
    small = not run.full
    n_models, epochs = (4, 10) if small else (MODELS, 200)
    graph = noise.graph(300, 600, 64, 5) if small else noise.graph(2708, 5278, 1433, 7)
    values = GraphDomain().hyperparameters("gcn", "cora", "standard", {"epochs": epochs})
    ways: dict[str, Callable[[], Result]] = {
        "one by one": lambda: one_by_one(run, graph, values, min(ALONE, n_models), n_models),
        "stacked": lambda: stacked(run, graph, values, n_models, capture=False),
    }
    if run.on_gpu:
        run.spent = True  # by a capture that fails
        ways["one, its epoch a CUDA graph"] = lambda: captured_alone(run, graph, values, n_models)
        ways["stacked, their epoch a CUDA graph"] = lambda: stacked(run, graph, values, n_models, capture=True)
    found: dict[str, Result] = {}
    for name, train in ways.items():
        if not run.has(6.0 if run.on_gpu else 1.0, name):
            break
        with run.part(name):
            found[name] = train()
            run.say(f"{name}: {found[name].seconds:.2f} s")
    report(run, found, n_models, epochs)


def report(run: Run, found: dict[str, Result], n_models: int, epochs: int) -> None:
    """Print times, and check that accuracies are the same but for chance."""
    first = next(iter(found.values()), None)
    rows: list[tuple[Any, ...]] = []
    for name, (seconds, accuracies) in found.items():
        mean, error = statistics.fmean(accuracies), standard_error(accuracies)
        ratio = first.seconds / seconds if first else math.nan
        rows.append((name, seconds, 1e3 * seconds / epochs, ratio, mean, error))
        if first is not None and name != next(iter(found)):
            apart = abs(mean - statistics.fmean(first.accuracies))
            allowed = ALLOWED_ERRORS * math.hypot(error, standard_error(first.accuracies)) + 0.005
            run.check(
                f"accuracy, {name}", apart <= allowed, f"{apart:.4f} from that of one by one, {allowed:.4f} allowed"
            )
    header = ("way", "seconds for all", "ms an epoch of all", "times faster", "mean accuracy", "standard error")
    run.table(f"{n_models} GCNs, {epochs} epochs", header, rows)


def standard_error(values: Sequence[float]) -> float:
    """Return the standard error of a mean."""
    return statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0


def one_by_one(run: Run, graph: Graph, values: Any, count: int, n_models: int) -> Result:
    """Train as runs do; the time of some stands for all."""
    accuracies = []

    def train() -> None:
        for seed in range(count):
            spec = ModelSpec("graph", "cora", "noise", "gcn", "standard", seed, values, 1)
            accuracies.append(train_on(graph, spec, run.device).accuracies["test"])

    warm = ModelSpec("graph", "cora", "noise", "gcn", "standard", 99, {**values, "epochs": 2}, 1)
    train_on(graph, warm, run.device)
    seconds = run.timed(train)
    run.say(f"one by one: {count} of {n_models} models trained, their time multiplied")
    return Result(seconds * n_models / count, accuracies)


class StackedGCN(nn.Module):
    """Networks of one shape, member by member what PyG's GCN with batch norm computes.

    Parameters
    ----------
    count : int
        Members.
    widths : sequence of int
        Features, hidden channels, classes.
    """

    def __init__(self, count: int, widths: Sequence[int], dropout: float) -> None:
        super().__init__()
        self.count, self.dropout = count, dropout
        pairs = list(itertools.pairwise(widths))
        self.weights = nn.ParameterList(nn.Parameter(torch.empty(count, *pair)) for pair in pairs)
        self.biases = nn.ParameterList(nn.Parameter(torch.zeros(count * width)) for width in widths[1:])
        self.norms = nn.ModuleList(nn.BatchNorm1d(count * width) for width in widths[1:-1])
        for weight in self.weights:
            bound = math.sqrt(6 / (weight.shape[1] + weight.shape[2]))  # Glorot's, as PyG draws
            nn.init.uniform_(weight, -bound, bound)

    def forward(self, features: torch.Tensor, adjacency: torch.Tensor) -> torch.Tensor:
        """Return logits of shape (n_nodes, count, classes)."""
        n_nodes = len(features)
        x = features.expand(self.count, *features.shape)
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            if layer == 0:
                mapped = features @ weight.permute(1, 0, 2).reshape(weight.shape[1], -1)
            else:
                mapped = torch.bmm(x, weight).permute(1, 0, 2).reshape(n_nodes, -1)
            out = _Sum.apply(mapped, adjacency) + bias
            if layer == len(self.weights) - 1:
                return out.view(n_nodes, self.count, -1)
            activated = functional.dropout(self.norms[layer](out).relu(), self.dropout, self.training)
            x = activated.view(n_nodes, self.count, -1).permute(1, 0, 2)
        raise AssertionError("a network without layers")


class _Sum(torch.autograd.Function):
    """Product with a symmetric sparse matrix, whose gradient is the product with the same one."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
        ctx.matrix = matrix
        return matrix @ x

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        return ctx.matrix @ gradients[0], None


def normalized(graph: Graph, device: torch.device) -> torch.Tensor:
    """Return ``D^-1/2 (A + 1) D^-1/2`` as a CSR matrix, every node with one loop."""
    n_nodes = len(graph.labels)
    edges = graph.edges[:, graph.edges[0] != graph.edges[1]]
    loops = torch.arange(n_nodes).expand(2, -1)
    source, target = torch.cat([edges, loops], dim=1)
    root = torch.bincount(target, minlength=n_nodes).double().rsqrt()
    values = (root[source] * root[target]).float()
    matrix = torch.sparse_coo_tensor(torch.stack([target, source]), values, (n_nodes, n_nodes)).coalesce()
    return matrix.to_sparse_csr().to(device)


def stacked(run: Run, graph: Graph, values: Any, count: int, *, capture: bool, seed: int = 0) -> Result:
    """Train all members in one loop, whose epochs may be the replay of a captured one."""
    with plain_networks(run.device), forked_torch(run.device, seed, "lockstep"):
        widths = [graph.features.shape[1], *[values["hidden_channels"]] * (values["layers"] - 1), graph.classes]
        model = StackedGCN(count, widths, values["dropout"]).to(run.device)
        features, adjacency = graph.features.to(run.device), normalized(graph, run.device)
        train, test, labels = (part.to(run.device) for part in (graph.train, graph.test, graph.labels))
        targets = labels[train].unsqueeze(1).expand(-1, count).reshape(-1)
        optimizer = torch.optim.Adam(
            model.parameters(), lr=values["learning_rate"], weight_decay=values["weight_decay"], capturable=capture
        )

        def epoch() -> None:
            optimizer.zero_grad(set_to_none=not capture)
            logits = model(features, adjacency).index_select(0, train)
            # The sum over members: each has the gradient that it would have alone.
            loss = functional.cross_entropy(logits.reshape(len(targets), -1), targets, reduction="sum") / len(train)
            loss.backward()
            optimizer.step()

        model.train()
        seconds = run.timed(lambda: repeated(epoch, values["epochs"], capture=capture))
        model.eval()
        with torch.no_grad():
            found = model(features, adjacency)[test].argmax(2) == labels[test].unsqueeze(1)
    return Result(seconds, found.double().mean(0).tolist())


def repeated(epoch: Callable[[], None], times: int, *, capture: bool) -> None:
    """Run epochs, or capture one after a few and replay it."""
    if not capture:
        for _ in range(times):
            epoch()
        return
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(WARM_UP):
            epoch()
    torch.cuda.current_stream().wait_stream(side)
    captured = torch.cuda.CUDAGraph()
    with torch.cuda.graph(captured):
        epoch()
    # Capturing runs nothing.
    for _ in range(times - WARM_UP):
        captured.replay()


def captured_alone(run: Run, graph: Graph, values: Any, n_models: int) -> Result:
    """Train one member at a time, its epoch captured; the time of some stands for all."""
    count = min(ALONE, n_models)
    results = []

    def train() -> None:
        for seed in range(count):
            results.append(stacked(run, graph, values, 1, capture=True, seed=seed))

    seconds = run.timed(train)
    return Result(seconds * n_models / count, [result.accuracies[0] for result in results])
