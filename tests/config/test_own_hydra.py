"""A program that has a Hydra of its own can run resi, and has it afterwards as it was."""

from __future__ import annotations

import contextlib
import copy
import logging
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hydra
import pytest
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.core.singleton import Singleton
from hydra.core.utils import JobRuntime
from hydra.version import VersionBase
from omegaconf import OmegaConf
from omegaconf.basecontainer import BaseContainer

import resi
from resi.config.compose import compose
from resi.errors import UsageError
from tests.conftest import TINY


def state() -> dict[str, Any]:
    root = logging.getLogger()
    own = HydraConfig.instance().cfg
    return {
        "hydra": GlobalHydra.instance().hydra,
        "config": None if own is None else OmegaConf.to_yaml(own),
        "version": VersionBase.instance().version_base,
        "job": JobRuntime.instance().get("name"),
        "store": repr(ConfigStore.instance().repo),
        "resolvers": dict(BaseContainer._resolvers),
        "folder": Path.cwd(),
        "logging": (root.level, list(root.handlers), root.manager.disable),
        "words": list(sys.argv),
        "environment": dict(os.environ),
    }


@pytest.fixture
def own_hydra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A program inside ``initialize``, whose configs have the names of resi's."""
    Plugins.instance()
    compose([])  # loads libraries, which set variables of the environment
    # Of its own: initialize changes the one that is there, and puts another in its place at the end.
    others = {kind: one for kind, one in Singleton._instances.items() if kind is not GlobalHydra}
    monkeypatch.setattr(Singleton, "_instances", others)
    monkeypatch.setattr(BaseContainer, "_resolvers", dict(BaseContainer._resolvers))
    store = ConfigStore.__new__(ConfigStore)
    store.repo = copy.deepcopy(ConfigStore.instance().repo)
    Singleton._instances[ConfigStore] = store
    store.store(name="run_schema", node={"mine": 1})
    store.store(group="model", name="gcn", node={"mine": 2})
    store.store(name="config", node={"lr": 0.1, "year": "${now:%Y}"})
    OmegaConf.register_new_resolver("now", lambda _pattern: "never", replace=True)
    HydraConfig.instance().cfg = OmegaConf.create({"hydra": {"job": {"name": "mine"}}})
    with hydra.initialize(version_base="1.2", config_path=None, job_name="mine"):
        yield


def test_a_run_inside_another_hydra_leaves_it_as_it_was(own_hydra: None, tmp_path: Path) -> None:
    before = state()
    result = resi.run([*TINY, "measure=cka", f"root={tmp_path}"])
    assert result.count("ok") == 6
    with pytest.raises(UsageError, match="unknown measure 'ckaa'"):
        resi.run(["measure=ckaa"])
    after = state()
    after["environment"] = {
        name: value for name, value in after["environment"].items() if name in before["environment"]
    }
    assert after == before
    assert hydra.compose("config").lr == 0.1


def test_several_threads_run_at_a_time(tmp_path: Path) -> None:
    found: list[Any] = []

    def work(number: int) -> None:
        try:
            found.append(resi.run([*TINY, "measure=cka", "stage=models", f"root={tmp_path / str(number)}"]).shard)
        except BaseException as error:  # whatever it is, the thread must not lose it
            found.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(path.parts[-3] for path in found) == ["0", "1", "2"]


def test_without_a_hydra_of_ones_own_none_is_left(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(Singleton, "_instances", {Plugins: Plugins.instance(), **Singleton._instances})
    with contextlib.suppress(KeyError):
        del Singleton._instances[GlobalHydra]
    monkeypatch.setattr(
        BaseContainer,
        "_resolvers",
        {name: found for name, found in BaseContainer._resolvers.items() if name.startswith("oc.")},
    )
    before = VersionBase.instance().version_base
    assert compose([f"root={tmp_path}/${{now:%Y}}"]).root.name.startswith("2")
    assert VersionBase.instance().version_base is before
    assert not GlobalHydra.instance().is_initialized()
    assert not OmegaConf.has_resolver("now")
