"""A plugin with a domain whose trainings do what their hyperparameters say; it needs nothing but torch."""

from __future__ import annotations

import os
import signal
import sys
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import resi
from resi.domains.base import Domain, NetworkFamily
from resi.domains.datasets import Found, FoundDataset
from resi.errors import TrainingError
from resi.specs import ArchitectureInfo, Extraction, ProbeSpec, Trained

SAMPLES, CLASSES = 20, 3


@dataclass
class ToyConfig:
    """What the model of seed 0 of the first setting does while it is trained, and the others as well if so said."""

    acts: str | None = None
    everywhere: bool | None = None
    note: str | None = None


@dataclass(frozen=True, kw_only=True)
class ToyDataset(FoundDataset[None]):
    """Nothing at all."""

    domain = "toy"


class ToyNetwork(NetworkFamily):
    """A matrix."""

    domain = "toy"
    architectures = tuple(ArchitectureInfo(name, "a matrix", "", "") for name in ("matrix", "table"))


class ToyDomain(Domain):
    """Random matrices."""

    name = "toy"
    title = "random matrices"
    default_dataset = "nothing"
    default_models = ("matrix",)
    model_config = ToyConfig
    settings_by_test: ClassVar = {"augmentation": {2: ("standard", "altered")}}

    def hyperparameters(self, architecture, dataset, setting, overrides):
        values = {"acts": "", "everywhere": False, "note": ""}
        return {**values, **{name: value for name, value in overrides.items() if value is not None}}

    def probe(self, architecture, dataset, hyperparameters, test):
        return ProbeSpec("all", ("0",))

    def locate(self, dataset, root, downloads, may_download=True):
        return NOTHING.locate(root, downloads, may_download)

    def is_small(self, model):
        return model.architecture == "matrix"

    def train(self, spec, dataset, device, unfinished=None):
        import torch

        from resi.randomness import torch_generator

        values = spec.hyperparameters
        if values["note"]:
            with Path(values["note"]).open("a") as file:
                file.write(f"{os.getpid()} {torch.get_num_threads()} {spec.fingerprint}\n")
        if values["everywhere"] or (spec.seed == 0 and spec.setting == "standard"):
            ACTS.get(values["acts"], lambda _: None)(spec)
        draws = torch_generator(device, spec.seed, "weights", spec.setting)
        return Trained({"w": torch.randn(SAMPLES, CLASSES, generator=draws)}, {"test": 0.5})

    def extract(self, run):
        rows = run.state["w"]
        yield Extraction({"0": rows * 2}, rows, 0.5, [str(number) for number in range(SAMPLES)])


def fail(spec):
    raise TrainingError(f"{spec.label} is not to be trained")


def break_(spec):
    raise ZeroDivisionError("a fault of somebody else's")


def die(spec):
    os.kill(os.getpid(), signal.SIGKILL)


def die_once(spec):
    path = Path(spec.hyperparameters["note"])
    if path.read_text().count(spec.fingerprint) == 1:
        die(spec)


def tell(spec):
    print("pri", end="", flush=True)
    print("nted", end="")
    for step in range(3):
        print(f"\rtold {step}", end="", file=sys.stderr, flush=True)
    warnings.warn("beware", UserWarning, stacklevel=2)


def rest(spec):
    time.sleep(600)


ACTS = {"fail": fail, "break": break_, "die": die, "die once": die_once, "tell": tell, "rest": rest}
NOTHING = ToyDataset(
    "nothing", "nothing", "nowhere", embedded=True, find=lambda *_: Found(None, "0"), read=lambda _: None
)


@resi.hookimpl
def resi_domains():
    return (ToyDomain,)


@resi.hookimpl
def resi_datasets():
    return (NOTHING,)


@resi.hookimpl
def resi_networks():
    return (ToyNetwork(),)
