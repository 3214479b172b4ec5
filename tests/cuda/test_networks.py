"""On a GPU, networks are trained and run, and nothing of the process is left changed."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
import torch
from torch import nn

import resi
from resi.machine.devices import plain_arithmetic
from resi.randomness import forked_torch
from tests.conftest import TINY


def test_a_run_on_the_gpu_is_reused_by_the_next_and_says_where_it_compared(gpu: torch.device, root: Path) -> None:
    words = [*TINY, "measure=[cka,rtd,permutation_procrustes]", "device=cuda"]
    result = resi.run(words)
    assert set(result.comparisons["status"]) == {"ok"}
    where = {name: device.partition(":")[0] for name, device in result.comparisons["measure", "device"].iter_rows()}
    assert where == {"cka": "cuda", "rtd": "cpu", "permutation_procrustes": "cpu"}
    assert resi.run(words).reused


def test_isolated_comparisons_are_those_of_the_run_itself(gpu: torch.device, root: Path) -> None:
    words = [*TINY, "measure=[cka,rtd,svcca]", "device=cuda"]
    expected = resi.run(words).comparisons.select("measure", "pair", "value").sort("measure", "pair")
    again = resi.run([*words, "compare.isolate=true", "compare.overwrite=always"])
    found = again.comparisons.select("measure", "pair", "value").sort("measure", "pair")
    assert found.drop("value").equals(expected.drop("value"))
    assert found["value"].to_list() == pytest.approx(expected["value"].to_list(), rel=1e-9, abs=1e-9)


def test_generators_of_the_gpu_are_restored(gpu: torch.device) -> None:
    before = torch.cuda.get_rng_state(gpu)
    with forked_torch(gpu, 0, "test"):
        first = torch.rand(3, device=gpu)
    with forked_torch(gpu, 0, "test"):
        assert torch.equal(first, torch.rand(3, device=gpu))
    assert torch.equal(before, torch.cuda.get_rng_state(gpu))


def test_layers_of_a_network_are_those_of_the_cpu(gpu: torch.device) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 5))
        images = torch.randn(12, 3, 8, 8)
    found, expected = (resi.extract(network, images, ["1", "4"], device=device) for device in ("cuda", "cpu"))
    for name, item in expected.layers.items():
        array = torch.as_tensor(found.layers[name].load())
        assert array.device.type == "cpu"
        assert torch.allclose(array, torch.as_tensor(item.load()), rtol=1e-4, atol=1e-5)
    assert all(parameter.device.type == "cpu" for parameter in network.parameters())


def test_products_have_full_precision_while_resi_computes(gpu: torch.device) -> None:
    a = torch.randn(512, 512, generator=torch.Generator().manual_seed(0)).to(gpu)
    expected = a.double() @ a.double()
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = True
    try:
        with plain_arithmetic(gpu):
            inside = float(((a @ a).double() - expected).abs().max())
        outside = float(((a @ a).double() - expected).abs().max())
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before
    assert inside < 1e-3
    if torch.cuda.get_device_capability(gpu)[0] >= 8:  # which have TF32
        assert outside > 3 * inside


def test_what_is_stored_of_a_gpu_is_read_without_one(gpu: torch.device, root: Path) -> None:
    resi.run([*TINY, "measure=cka", "device=cuda", "stage=representations"])
    result = resi.run([*TINY, "measure=cka", "device=cpu"])
    assert set(result.comparisons["device"]) == {"cpu"}
    assert result.comparisons.filter(pl.col("status") != "ok").is_empty()
