"""A sweep whose jobs say what they may use, started as resi's own: ``python -m tests.sweeps.launchers.probe -m ...``.

``PROBE_KILL=1,3`` lets jobs 1 and 3 die by SIGKILL, ``PROBE_RAISE=2`` lets job 2 raise; ``PROBE_PREEMPT=0`` sends job 0
submitit's signal the first time it runs; ``PROBE_WAIT=0,1`` lets jobs 0 and 1 wait until they are interrupted.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any


def probe(config: Any) -> int:
    from hydra.core.hydra_config import HydraConfig

    from resi.sweeps.records import note_job, note_start

    hydra = HydraConfig.get()
    number, folder = hydra.job.num, Path(hydra.runtime.output_dir)
    record = {"number": number, "job": " ".join(hydra.overrides.task), "counts": {}}
    note_start(folder, record)
    tries = folder / "tries"
    with tries.open("a") as file:
        file.write(f"{os.getpid()}\n")
    if is_told("PROBE_KILL", number):
        os.kill(os.getpid(), signal.SIGKILL)
    if is_told("PROBE_RAISE", number):
        raise RuntimeError("told to fail")
    if is_told("PROBE_PREEMPT", number) and len(tries.read_text().splitlines()) == 1:
        os.kill(os.getpid(), signal.SIGUSR2)
    if is_told("PROBE_WAIT", number):
        wait_for_interrupt(folder)
    (folder / "probe.json").write_text(json.dumps(what_there_is()))
    note_job(folder, {**record, "outcome": "done", "detail": "", "exit_code": 0})
    return 0


def wait_for_interrupt(folder: Path) -> None:
    try:
        (folder / "waiting").touch()
        time.sleep(120)
    except KeyboardInterrupt:
        time.sleep(0.5)  # as long as it takes to keep what is finished: a second interrupt would break in here
        (folder / "kept").touch()
        raise


def is_told(variable: str, number: int) -> bool:
    return str(number) in os.environ.get(variable, "").split(",")


def what_there_is() -> dict[str, Any]:
    import numba
    import numpy as np
    import polars
    import torch
    from threadpoolctl import threadpool_info

    from resi.machine.memory import parse_memory
    from resi.machine.resources import job_cores, read_slot

    np.ones((2, 2)) @ np.ones((2, 2))
    return {
        "torch": torch.get_num_threads(),
        "numba": numba.get_num_threads(),
        "polars": polars.thread_pool_size(),
        "pools": {f"{pool['internal_api']} {pool['prefix']}": pool["num_threads"] for pool in threadpool_info()},
        "slot": read_slot(os.environ),
        "cores": job_cores(os.environ),
        "memory": parse_memory("auto"),
        "visible": os.environ.get("CUDA_VISIBLE_DEVICES"),
        "pid": os.getpid(),
    }


def main() -> int:
    import hydra

    from resi.config.loading import config_folder
    from resi.config.register import register
    from resi.sweeps.sweep import Sweep

    register()
    sweep = Sweep()
    try:
        with sweep.running():
            hydra.main(version_base="1.3", config_path=str(config_folder()), config_name="config")(probe)()
    except KeyboardInterrupt:
        return 130
    return sweep.exit_code


if __name__ == "__main__":
    sys.exit(main())
