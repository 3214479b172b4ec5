"""What a job may use of a machine where others run beside it."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch

from resi.errors import UsageError
from resi.machine import memory, resources
from resi.machine.devices import resolve_device
from resi.machine.resources import JobResources
from resi.sweeps.launchers.processes import jobs_at_once


def test_a_process_reads_the_share_it_is_told() -> None:
    told = JobResources(threads=3, memory=10**9, slot=2, slots=4).environment()
    assert resources.read_slot(told) == (2, 4)
    assert resources.allotted_memory(told) == 10**9
    assert {told[name] for name in resources.THREAD_VARIABLES} == {"3"}


def test_processes_that_read_data_are_as_many_as_the_jobs_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    from resi.domains.vision.images import InMemory, Split
    from resi.domains.vision.inputs import suitable_workers

    labels = np.zeros(20_000, dtype=np.int64)
    large = Split(range(20_000), labels, InMemory(np.zeros((20_000, 1, 1, 3), dtype=np.uint8)))
    monkeypatch.setattr(
        resources, "available_cores", lambda: 6
    )  # as a container limits them, whatever the affinity says
    for given, workers in (({}, 6), ({"cores": 2}, 2), ({"cores": 100}, 6), ({"cores": None}, 3)):
        environment = JobResources(threads=3, **given).environment() if given else {resources.CORES: ""}
        monkeypatch.setenv(resources.CORES, environment[resources.CORES])
        assert suitable_workers(large) == workers
    monkeypatch.setattr(resources, "available_cores", lambda: 64)
    monkeypatch.delenv(resources.CORES)
    assert suitable_workers(large) == 8


@pytest.mark.parametrize("text", ["", "3", "a/b", "1/0", "-1/2"])
def test_without_a_place_a_job_is_the_only_one(text: str) -> None:
    assert resources.read_slot({resources.SLOT: text}) == (0, 1)


@pytest.mark.parametrize("slots", [1, 2, 3, 4, 7, 8])
@pytest.mark.parametrize("devices", [1, 2, 3, 4])
def test_jobs_spread_evenly_over_devices(slots: int, devices: int) -> None:
    taken = Counter(resources.device_index(slot, devices) for slot in range(slots))
    assert set(taken) == set(range(min(slots, devices)))
    assert max(taken.values()) - min(taken[device] for device in range(devices)) <= 1
    assert max(taken.values()) == resources.jobs_per_device(slots, devices)


@pytest.mark.parametrize(
    ("given", "count"),
    [("0", 1), ("0,1,2,3", 4), ("2, 3", 2), ("GPU-8932f937,GPU-1f", 2), ("", 0), ("-1", 0), ("0,-1,1", 1)],
)
def test_visible_devices_are_counted_as_cuda_does(given: str, count: int) -> None:
    assert resources.visible_devices({"CUDA_VISIBLE_DEVICES": given}) == count


def test_without_a_variable_the_device_files_are_counted(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("nvidia0", "nvidia1", "nvidia10", "nvidiactl", "nvidia-uvm", "null"):
        (tmp_path / name).touch()
    monkeypatch.setattr(resources, "DEVICES", tmp_path)
    assert resources.visible_devices({}) == 3


@pytest.mark.parametrize(
    ("cores", "jobs", "given", "threads"),
    [
        (16, 4, None, 4),
        (16, 5, None, 3),
        (2, 8, None, 1),
        (16, 1, None, 16),
        (16, 4, "2", 2),
        (16, 4, "8", 4),
        (16, 4, "", 4),
        (16, 4, "0", 4),
        (16, 4, "2,1", 2),
    ],
)
def test_jobs_share_the_cores(cores: int, jobs: int, given: str | None, threads: int) -> None:
    environment = {} if given is None else {"OMP_NUM_THREADS": given}
    assert resources.threads_per_job(cores, jobs, environment) == threads


def test_the_budget_is_half_of_what_is_allotted(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (resources.MEMORY, "SLURM_MEM_PER_NODE", "SLURM_MEM_PER_CPU"):
        monkeypatch.delenv(name, raising=False)
    assert memory.parse_memory("auto") == memory.machine_memory() // 2
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "512")
    assert memory.parse_memory("auto") == 256 * 2**20
    monkeypatch.delenv("SLURM_MEM_PER_NODE")
    monkeypatch.setenv("SLURM_MEM_PER_CPU", "100")
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", "4")
    assert memory.parse_memory("auto") == 200 * 2**20
    monkeypatch.setenv(resources.MEMORY, "1000000")
    assert memory.parse_memory("auto") == 500_000


def test_jobs_take_one_visible_device_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    for slot in range(6):
        monkeypatch.setenv(resources.SLOT, f"{slot}/6")
        for name in ("auto", "cuda"):
            assert resolve_device(name) == torch.device("cuda", slot % 4)
        assert resolve_device("cuda:3") == torch.device("cuda:3")
        assert resolve_device("cpu") == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)  # as Slurm and Ray let a job see the one it has
    assert resolve_device("auto") == torch.device("cuda")


def test_auto_budget_of_a_shared_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _device: (70, 80))
    for slots, expected in ((1, 40), (2, 40), (3, 20), (5, 13)):
        monkeypatch.setenv(resources.SLOT, f"0/{slots}")
        assert memory.parse_memory("auto", torch.device("cuda:0")) == expected


def test_as_many_jobs_at_once_as_the_machine_has_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    from resi.sweeps.launchers import processes

    monkeypatch.setattr(processes, "available_cores", lambda: 16)
    monkeypatch.setattr(processes, "machine_memory", lambda: 20 * 10**9)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    config = {"device": "auto"}
    assert jobs_at_once(None, 100, config) == 10  # of 2 GB each
    assert jobs_at_once(None, 3, config) == 3
    assert jobs_at_once(-1, 100, config) == 16
    assert jobs_at_once(5, 100, config) == 5
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3")
    assert jobs_at_once(None, 100, config) == 4
    assert jobs_at_once(None, 100, {"device": "cpu"}) == 10
    for given in (0, -2):
        with pytest.raises(UsageError, match=rf"hydra.launcher.n_jobs={given}: expected a number from 1 up"):
            jobs_at_once(given, 3, config)


def test_threads_are_limited_in_libraries_that_are_loaded() -> None:
    import subprocess
    import sys

    code = (
        "import torch, numpy, numba, polars; from threadpoolctl import threadpool_info; "
        "from resi.machine.resources import limit_threads; limit_threads(2); "
        "print(torch.get_num_threads(), numba.get_num_threads(), {pool['num_threads'] for pool in threadpool_info()})"
    )
    environment = {"PATH": "", "PYTHONPATH": ":".join(sys.path), **dict.fromkeys(resources.THREAD_VARIABLES, "3")}
    found = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "2 2 {2}"
