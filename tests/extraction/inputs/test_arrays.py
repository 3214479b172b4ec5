"""Arrays, datasets, loaders and iterables, as batches of tensors."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from resi.errors import DatasetError, UsageError
from resi.extraction.batches import Batches, batches_of
from resi.extraction.inputs.forward import accepted
from resi.extraction.inputs.reading import reason_of
from resi.extraction.networks import Network, resolve

X = torch.randn(7, 4, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(7) + 50


class Two(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.eye(4))

    def forward(self, a: torch.Tensor, b: torch.Tensor | None = None) -> torch.Tensor:
        return a @ self.weight if b is None else a @ self.weight - b


class Wrapped(nn.Module):
    """Wraps a module as ``torch.compile`` does."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self._orig_mod = module

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self._orig_mod(*args, **kwargs)


class Items(Dataset[Any]):
    """Gives what a function makes of a row, and counts how often it is asked."""

    def __init__(self, make: Any, length: int = 7) -> None:
        self.make, self.length, self.asked = make, length, 0

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, row: int) -> Any:
        self.asked += 1
        return self.make(row)


def test_coordinates_of_xarray_are_ids() -> None:
    import xarray as xr

    network = resolve(nn.Linear(4, 2))
    array = xr.DataArray(X.numpy().T, {"sample": list("gfedcba")}, ("feature", "sample"))
    batches = list(batches_of(array, 3, network).start())
    assert [sample for batch in batches for sample in batch.samples] == list("gfedcba")
    assert torch.equal(torch.cat([batch.args[0] for batch in batches]), X)
    for plain, options in [(array, {"id": False}), (array.drop_vars("sample"), {})]:
        assert next(batches_of(plain, 3, network, **options).start()).samples == ["0", "1", "2"]
    with pytest.raises(UsageError, match=r"id=sample names a column of a table, .* but the data are one array"):
        batches_of(array, 3, network, id="sample")


class Half:
    shape, dtype = (2, 4), "bfloat"

    def __getitem__(self, rows: slice) -> Any:
        raise AssertionError


class Streamed(IterableDataset[torch.Tensor]):
    def __iter__(self) -> Iterator[torch.Tensor]:
        return iter(X)


NET = resolve(Two())


def run(batches: Batches, network: Network = NET) -> torch.Tensor:
    """Return what the network makes of all rows."""
    return torch.cat([network.module(*batch.args, **batch.kwargs).detach() for batch in batches.start()])


def rows_hash(x: torch.Tensor, dtype: str = "torch.float32") -> str:
    """Return the hash of the rows of the one positional argument, by its definition."""
    chain = ""
    for number, row in enumerate(x.numpy()):
        content = hashlib.sha256(f"0 {dtype} {row.shape}\n".encode() + row.tobytes()).digest()
        chain = hashlib.sha256(chain.encode() + f"{number}\n".encode() + content).hexdigest()
    return chain


def memory_mapped(folder: Path) -> str:
    np.save(folder / "x.npy", X.numpy())
    return str(folder / "x.npy")


KINDS = {
    "tensor": lambda _: X,
    "array": lambda _: X.numpy(),
    "other byte order": lambda _: X.numpy().astype(">f4"),
    "memory-mapped": lambda folder: np.load(memory_mapped(folder), mmap_mode="r"),
    "npy": memory_mapped,
    "dataset of tuples": lambda _: TensorDataset(X, LABELS),
    "dataset of tensors": lambda _: Items(lambda row: X[row]),
    "dataset of arrays": lambda _: Items(lambda row: (X[row].numpy(), 1)),
    "streamed dataset": lambda _: Streamed(),
    "loader": lambda _: DataLoader(TensorDataset(X, LABELS), batch_size=2),
    "list of batches": lambda _: [X[:3], X[3:]],
    "list of pairs": lambda _: [(X[:3], LABELS[:3]), (X[3:].numpy(), LABELS[3:])],
    "generator": lambda _: (X[start : start + 2] for start in range(0, 7, 2)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_gives_the_same_rows_in_their_order(kind: str, tmp_path: Path) -> None:
    batches = batches_of(KINDS[kind](tmp_path), 3, NET)
    assert batches.n_samples == (None if kind in ("streamed dataset", "generator") else 7)
    found = list(batches.start())
    assert torch.equal(torch.cat([batch.args[0] for batch in found]), X)
    assert [sample for batch in found for sample in batch.samples] == list("0123456")
    assert all(not batch.kwargs and batch.mask is None for batch in found)
    assert found[-1].running == batches.hash() == rows_hash(X)


@pytest.mark.parametrize(
    "data",
    [
        {"a": X, "b": X + 1},
        Items(lambda row: {"a": X[row], "b": X[row] + 1, "label": 3, "text": "x"}),
        Items(lambda row: ((X[row], X[row] + 1), 3)),
        DataLoader(Items(lambda row: ((X[row], X[row] + 1), 3)), batch_size=4),
        [{"a": X, "b": X + 1, "labels": LABELS}],
        [((X, X + 1), LABELS)],
    ],
    ids=["dictionary of arrays", "dictionaries", "tuples", "loader of tuples", "batches", "batches of tuples"],
)
def test_several_arguments_are_given_by_name_or_as_a_tuple_within_the_tuple(data: Any) -> None:
    torch.testing.assert_close(run(batches_of(data, 3, NET)), X - (X + 1))


def test_a_column_of_dictionaries_can_be_the_input_and_another_the_ids(tmp_path: Path) -> None:
    data = Items(lambda row: {"vector": X[row], "name": f"s{row}", "id": row + 10})
    batches = batches_of(data, 3, NET, column="vector")
    assert torch.equal(run(batches), X)
    assert next(batches.start()).samples == ["10", "11", "12"]
    assert next(batches_of(data, 2, NET, column="vector", id="name").start()).samples == ["s0", "s1"]
    assert next(batches_of(data, 2, NET, column="vector", id=False).start()).samples == ["0", "1"]
    loader = DataLoader(data, batch_size=2)
    assert next(batches_of(loader, 1, NET, column="vector").start()).samples == ["10", "11"]
    assert next(batches_of({"a": X, "id": LABELS}, 2, NET).start()).samples == ["50", "51"]
    with pytest.raises(UsageError, match=r"unknown column 'vektor'; did you mean vector\?"):
        next(batches_of(data, 3, NET, column="vektor").start())
    with pytest.raises(UsageError, match=r"unknown column for id= 'nam'; did you mean name\?"):
        next(batches_of(data, 3, NET, column="vector", id="nam").start())
    for given, said in {
        "dataset of tuples": "the data give tuple",
        "tensor": "the data are one array",
        "npy": "the data are one array",
        "loader": "one of the batches of the DataLoader is Tensor",
        "generator": "one of the batches is Tensor",
    }.items():
        for options in ({"column": "a"}, {"id": "a"}):
            with pytest.raises(UsageError, match=rf"=a names a column of a table, or an entry of dict.*, but {said}"):
                next(batches_of(KINDS[given](tmp_path), 3, NET, **options).start())  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"a batch has vector, name, of which Two.forward takes nothing: it"):
        next(batches_of(data, 3, NET).start())


def test_floating_inputs_get_the_type_of_the_weights_and_it_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    batches = batches_of(X.double().numpy(), 3, NET)
    assert torch.equal(run(batches), X)
    note = "inputs are converted from float64 to float32, the type of the weights of Two"
    assert batches.notes == [note]
    assert capsys.readouterr().err == f"{note}\n"
    half = resolve(Two().bfloat16())
    assert next(batches_of(X, 3, half).start()).args[0].dtype == torch.bfloat16
    ids = next(batches_of(LABELS, 3, half).start()).args[0]
    assert ids.dtype == torch.int64
    mixed = resolve(nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4).double()))
    assert next(batches_of(X.double(), 3, mixed).start()).args[0].dtype == torch.float64


def test_what_is_left_out_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    run(batches_of([{"a": X[:3], "label": LABELS[:3]}, {"a": X[3:], "label": LABELS[3:]}], 3, NET))
    assert capsys.readouterr().err == "left out of the batches: label, which Two does not take\n"


def test_a_compiled_module_is_asked_for_its_own_arguments() -> None:
    compiled = resolve(Wrapped(Two()))
    assert compiled.name == "Two"
    assert list(next(batches_of([{"a": X, "c": X}], 3, compiled).start()).kwargs) == ["a"]


@pytest.mark.parametrize("kind", ["tensor", "dataset of tuples", "loader", "list of batches", "generator"])
def test_a_stopped_pass_goes_on_and_only_over_the_same_rows(kind: str, tmp_path: Path) -> None:
    size = 2 if kind == "loader" else 3
    make = KINDS[kind]
    whole = list(batches_of(make(tmp_path), size, NET).start())
    row = len(whole[0].samples)
    rest = list(batches_of(make(tmp_path), size, NET).start(row, whole[0].running))
    assert [batch.samples for batch in rest] == [batch.samples for batch in whole[1:]]
    assert all(torch.equal(a.args[0], b.args[0]) for a, b in zip(rest, whole[1:], strict=True))
    assert rest[-1].running == whole[-1].running
    assert list(batches_of(make(tmp_path), size, NET).start(7, whole[-1].running)) == []
    with pytest.raises(DatasetError, match=rf"the first {row} rows of the .* have changed since"):
        next(batches_of(make(tmp_path), size, NET).start(row, whole[1].running))


def test_rows_that_were_read_are_read_again_but_not_returned() -> None:
    data = TensorDataset(X)
    stopped = next(batches_of(data, 3, NET).start())
    changed = X.clone()
    changed[1] += 1
    with pytest.raises(DatasetError, match="start again in another folder"):
        next(batches_of(TensorDataset(changed), 3, NET).start(3, stopped.running))
    with pytest.raises(DatasetError, match="no batch ends at row 3"):
        next(batches_of([X[:2], X[2:]], 3, NET).start(3, stopped.running))


def test_the_hash_depends_on_content_order_type_and_ids_alone() -> None:
    known = batches_of(X, 3, NET).hash()
    assert known == batches_of(X, 2, NET).hash() == batches_of(X, 7, resolve(nn.Linear(4, 1))).hash()
    others = [X.flip(0), X[:6], X.double(), X.reshape(7, 2, 2)]
    hashes = {batches_of(other, 3, NET).hash() for other in others}
    hashes.add(batches_of({"a": X, "id": LABELS}, 3, NET, column="a").hash())
    assert len({known, *hashes}) == 6
    data = Items(lambda row: X[row])
    batches = batches_of(data, 3, NET)
    assert batches.hash() is None
    assert data.asked == 0  # code of others runs once only
    run(batches)
    assert batches.hash() == known


def last_running(data: Any, size: int) -> str:
    return list(batches_of(data, size, NET).start())[-1].running


def test_labels_and_the_size_of_batches_do_not_enter_the_hash() -> None:
    def labelled(**labels: int) -> Items:
        return Items(lambda row: {"a": X[row], "text": f"t{row}", **labels})

    known = last_running(labelled(), 4)
    assert last_running(DataLoader(labelled(label=1), batch_size=2), 1) == known
    assert last_running(DataLoader(labelled(labels=2), batch_size=3), 1) == known
    assert last_running({"a": X}, 4) != known


def test_a_loader_leaves_the_global_generator_as_it_was() -> None:
    state = torch.random.get_rng_state()
    run(batches_of(KINDS["loader"](Path()), 2, NET))
    run(batches_of(Streamed(), 2, NET))
    assert torch.equal(state, torch.random.get_rng_state())


def test_an_error_in_a_worker_is_one_line() -> None:
    error = RuntimeError(
        "Caught ValueError in DataLoader worker process 0.\nOriginal Traceback\nValueError: row 3 is bad\n"
    )
    assert reason_of(error) == "ValueError: row 3 is bad"


def test_a_scripted_module_takes_named_arguments() -> None:
    class Scripted(nn.Module):
        forward = min  # which has no signature

    assert accepted(Scripted(), {"x": X, "labels": LABELS})[1] == ["labels"]


def test_a_graph_is_one_batch_of_its_nodes() -> None:
    from torch_geometric.data import Data
    from torch_geometric.loader import DataLoader as GraphLoader

    edges = torch.tensor([[0, 1, 2], [1, 2, 0]])
    graph = Data(x=X[:3], edge_index=edges)
    batches = batches_of(graph, 1, NET)
    (batch,) = batches.start()
    assert batch.args[0] is graph
    assert batch.samples == ["0", "1", "2"]
    other = Data(x=X[:3], edge_index=edges.flip(0))
    assert next(batches_of(other, 1, NET).start()).running != batch.running
    found = list(batches_of(GraphLoader([graph, other, graph], batch_size=2), 1, NET).start())
    assert [len(batch.samples) for batch in found] == [6, 3]
    with pytest.raises(UsageError, match="hold graphs: pass batches of them"):
        next(batches_of(Items(lambda row: graph), 2, NET).start())


def shuffled() -> DataLoader[Any]:
    return DataLoader(TensorDataset(X), batch_size=2, shuffle=True, generator=torch.Generator().manual_seed(0))


BAD = {
    "batch size": (lambda: batches_of(X, 0, NET), "batch_size=0: expected a whole number of at least 1"),
    "batch size of text": (lambda: batches_of(X, "2", NET), "batch_size='2': expected a whole number"),
    "empty tensor": (lambda: batches_of(X[:0], 2, NET), "rows of the array have no rows"),
    "empty list": (lambda: batches_of([], 2, NET), "data is an empty list"),
    "empty generator": (lambda: batches_of(iter(()), 2, NET), "data is empty"),
    "empty dataset": (lambda: batches_of(TensorDataset(X[:0]), 2, NET), "items of the dataset have no rows"),
    "number": (lambda: batches_of(3, 2, NET), "data is int: expected"),
    "a single number": (lambda: batches_of(torch.tensor(1.0), 2, NET), "data is a single number"),
    "objects": (lambda: batches_of(np.array([{}, {}]), 2, NET), "data is an array of object: expected numbers"),
    "another library's type": (lambda: batches_of(Half(), 2, NET), "data is an array of bfloat: expected numbers"),
    "tuple": (lambda: batches_of((X, X), 2, NET), "data is a tuple, which may be batches or arguments"),
    "lengths": (lambda: batches_of({"a": X, "b": X[:3]}, 2, NET), "different numbers of rows: {'a': 7, 'b': 3}"),
    "no file": (lambda: batches_of("nowhere/x.npy", 2, NET), "data=nowhere/x.npy: there is no such file or folder"),
    "shuffled": (lambda: batches_of(shuffled(), 2, NET), "the DataLoader shuffles"),
    "left out": (
        lambda: batches_of(DataLoader(TensorDataset(X), batch_size=2, drop_last=True), 2, NET),
        "the DataLoader leaves out the last 1 samples: pass drop_last=False",
    ),
    "mixed": (
        lambda: batches_of(Items(lambda row: X[row] if row < 4 else "text"), 3, NET),
        "mix types: row 3 is a tensor, row 4 a text",
    ),
    "shapes": (lambda: batches_of(Items(lambda row: X[row, : 1 + row % 2]), 2, NET), "rows 0 to 1 of .* do not make a"),
    "broken item": (
        lambda: batches_of(Items(lambda row: X[row] if row < 4 else 1 / 0), 3, NET),
        "rows 3 to 5 of the items of the dataset cannot be read: ZeroDivisionError: division by zero",
    ),
    "broken loader": (
        lambda: batches_of(DataLoader(Items(lambda row: X[row] if row < 4 else 1 / 0), batch_size=4), 3, NET),
        "number 1 of the batches of the DataLoader cannot be read: ZeroDivisionError: division by zero",
    ),
    "doubled ids": (
        lambda: batches_of({"a": X, "id": list("abcabcd")}, 5, NET, column="a"),
        "repeat 'a', 'b'; name another column with id=",
    ),
    "batches of nothing": (lambda: batches_of([None, None], 5, NET), "data is empty"),
    "batches of numbers": (lambda: batches_of([1, 2], 5, NET), "one of the batches is a int"),
    "texts": (lambda: batches_of(["a", "b"], 5, NET), "Two has no tokenizer for texts: pass one with it"),
    "mixed list": (lambda: batches_of(["a", 3], 5, NET), "row 1 of the texts is 3: expected a text"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_read_is_one_line(case: str) -> None:
    make, message = BAD[case]
    with pytest.raises((UsageError, DatasetError), match=message) as caught:
        list(make().start())
    assert "\n" not in str(caught.value)


def test_data_that_change_their_length_are_named() -> None:
    data = Items(lambda row: X[row])
    batches = batches_of(data, 3, NET)
    data.length = 5
    with pytest.raises(DatasetError, match="ended after 5 rows, but had 7 before"):
        list(batches.start())
    shorter = DataLoader(Streamed(), batch_size=2)
    with pytest.raises(DatasetError, match="ended after 7 rows, but had 9 before"):
        list(batches_of(shorter, 3, NET).start(9))


def test_a_generator_is_read_but_once() -> None:
    batches = batches_of(iter([X]), 3, NET)
    assert torch.equal(run(batches), X)
    with pytest.raises(UsageError, match="can only be read once, and have been read: pass a list"):
        run(batches)


def test_a_shuffled_loader_is_read_if_it_gives_ids() -> None:
    data = Items(lambda row: {"a": X[row], "id": row})
    loader = DataLoader(data, batch_size=2, shuffle=True, generator=torch.Generator().manual_seed(0))
    found = list(batches_of(loader, 2, NET).start())
    order = [int(sample) for batch in found for sample in batch.samples]
    assert sorted(order) == list(range(7)) != order
    assert torch.equal(torch.cat([batch.kwargs["a"] for batch in found]), X[order])
