"""Sweeps on a Ray cluster of two nodes, both on this machine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from resi.errors import UsageError
from resi.machine.memory import machine_memory
from resi.machine.resources import available_cores
from resi.sweeps.launchers.ray_cluster import _load_ray
from resi.sweeps.records import FAILED
from tests.sweeps.launchers.sweep import Sweep, environment, sweep

CLUSTER = """
import sys
from ray.cluster_utils import Cluster
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
for _ in range(2):
    cluster.add_node(num_cpus=1)
cluster.wait_for_nodes()
print(cluster.address, flush=True)
sys.stdin.read()
cluster.shutdown()
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    pytest.importorskip("ray", reason="ray is not installed; python -m nox -s ray installs it and runs this")
    with subprocess.Popen(
        [sys.executable, "-c", CLUSTER],
        env=environment(tmp_path_factory.mktemp("unused")),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as cluster:
        assert cluster.stdout is not None
        yield next(line for line in cluster.stdout if ":" in line).split()[-1]
        cluster.communicate("", timeout=120)


@pytest.fixture(scope="module")
def found(address: str, tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    words = ("hydra/launcher=ray", f"hydra.launcher.address={address}", "hydra.launcher.max_retries=1")
    # Variables reach jobs through the job's own environment alone, as on other machines.
    return sweep(
        tmp_path_factory.mktemp("ray"),
        *words,
        "+hydra.launcher.init.runtime_env.env_vars={PROBE_KILL:'1',PROBE_RAISE:'2'}",
    )


def test_a_job_whose_worker_dies_is_tried_again_and_takes_no_other_with_it(found: Sweep) -> None:
    assert found.code == 1, found.stderr
    assert found.outcomes() == ["done", FAILED, FAILED, "done"]
    assert "so did the tries after it" in found.jobs()[1]["detail"]
    assert found.jobs()[2]["detail"] == "RuntimeError: told to fail"
    assert [found.tries(number) for number in range(4)] == [1, 2, 1, 1]


@pytest.mark.parametrize("number", [0, 3])
def test_a_job_computes_with_the_cpus_it_asks_for(found: Sweep, number: int) -> None:
    seen = found.probe(number)
    assert (seen["torch"], seen["numba"], seen["polars"]) == (1, 1, 1)
    assert set(seen["pools"].values()) == {1}
    assert seen["visible"] == ""  # it asks for no GPU
    assert seen["memory"] == int(machine_memory() // available_cores() * 0.5)


def test_without_ray_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"hydra/launcher=ray needs the package ray: .*resi\[ray\]"):
        _load_ray()
