"""What a domain plans before a model exists: hyperparameters, identities and probes."""

from __future__ import annotations

import dataclasses
import json
import math
import pickle
from typing import TYPE_CHECKING, Any

from resi.errors import DatasetError, UsageError
from resi.fingerprints import canonical
from resi.specs import ProbeSpec
from resi.testing.facts import NONE_SUCH

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from resi.domains.base import Domain
    from resi.specs import ModelSpec
    from resi.testing.expectations import Expectations

LAYER_TEST = "layer_monotonicity"


def check_hyperparameters(expect: Expectations, domain: Domain, models: Sequence[str], dataset: str) -> None:
    """Check the hyperparameters of every model on a dataset in every setting, and what overrides do to them."""
    keys = [field.name for field in dataclasses.fields(domain.model_config)]
    for model in models:
        for test, by_groups in domain.settings_by_test.items():
            for setting in by_groups[max(by_groups)]:
                _check_values(expect, domain, (model, dataset, setting), keys, test)
        test, by_groups = next(iter(domain.settings_by_test.items()))
        _check_overrides(expect, domain, (model, dataset, by_groups[max(by_groups)][0]), keys)
    everything = set().union(*(_known_keys(expect, domain, info.name) for info in domain.architectures()))
    unused = [key for key in keys if key not in everything]
    expect.that(
        not unused,
        "every key of model_config to be a hyperparameter of an architecture",
        f"unused: {', '.join(unused)}",
    )


def _check_values(
    expect: Expectations, domain: Domain, arguments: tuple[str, str, str], keys: Sequence[str], test: str
) -> None:
    label = f"hyperparameters of {', '.join(arguments)} (test={test})"
    with expect.works(label):
        values = domain.hyperparameters(*arguments, {})
        unset = domain.hyperparameters(*arguments, dict.fromkeys(keys))
    with expect.works(f"{label} to be plain JSON"):
        read = json.loads(canonical(values))
    expect.that(read == values, f"{label} to be plain JSON", f"{values} read back as {read}")
    expect.that(unset == values, f"{label} to be the same with all overrides null", f"{unset} instead of {values}")


def _check_overrides(
    expect: Expectations, domain: Domain, arguments: tuple[str, str, str], keys: Sequence[str]
) -> None:
    """Check that every number can be changed, and that no key or value is taken that makes no sense."""
    model = arguments[0]
    values = domain.hyperparameters(*arguments, {})
    for key in keys:
        label = f"model.{model}.{key}"
        if key not in values:
            _refused(expect, domain, arguments, {key: 1})
        elif isinstance(values[key], int | float) and not isinstance(values[key], bool):
            _refused(expect, domain, arguments, {key: math.nan})
            _check_change(expect, domain, arguments, key, values)
        elif isinstance(values[key], str):
            with expect.works(f"{label}={NONE_SUCH} to be taken, or refused with UsageError"):
                _taken(domain, arguments, {key: NONE_SUCH})
    _refused(expect, domain, arguments, {NONE_SUCH: 1})


def _check_change(
    expect: Expectations, domain: Domain, arguments: tuple[str, str, str], key: str, values: Mapping[str, Any]
) -> None:
    for other in _others(values[key]):
        changed = _taken(domain, arguments, {key: other})
        if changed is not None:
            label = f"override model.{arguments[0]}.{key}={other}"
            expect.that(changed.get(key) == other, f"{label} to be taken", f"{key}={changed.get(key)!r}")
            return
    raise expect.failure(
        f"an override of model.{arguments[0]}.{key}={values[key]}", "that every other number is refused"
    )


def _others(number: float) -> Iterator[float]:
    """Yield numbers of the same kind near a number, of which a hyperparameter takes some."""
    yield from (number + 1, number - 1, number * 2) if isinstance(number, int) else (number / 2, number + 0.25, 0.5)


def _taken(domain: Domain, arguments: tuple[str, str, str], overrides: Mapping[str, Any]) -> Mapping[str, Any] | None:
    try:
        return domain.hyperparameters(*arguments, overrides)
    except UsageError:
        return None


def _refused(
    expect: Expectations, domain: Domain, arguments: tuple[str, str, str], overrides: Mapping[str, Any]
) -> None:
    (given,) = (f"{key}={value}" for key, value in overrides.items())
    expect.refused(
        f"override model.{arguments[0]}.{given} to be refused with UsageError",
        lambda: domain.hyperparameters(*arguments, overrides),
        UsageError,
    )


def _known_keys(expect: Expectations, domain: Domain, architecture: str) -> set[str]:
    """Return the hyperparameters of an architecture on a dataset that it can be trained on."""
    settings = {settings[0] for by_groups in domain.settings_by_test.values() for settings in by_groups.values()}
    found: set[str] = set()
    for dataset in domain.datasets():
        for setting in settings:
            with expect.works(f"hyperparameters of {architecture}, {dataset.name}, {setting}, or UsageError"):
                found |= set(_taken(domain, (architecture, dataset.name, setting), {}) or ())
    expect.that(bool(found), f"a dataset on which {architecture} can be trained", "none")
    return found


def check_probes(expect: Expectations, domain: Domain, models: Sequence[str], dataset: str) -> None:
    """Check the probe of every model on a dataset for every test, and the sizes that are planned with."""
    for model in models:
        for test, by_groups in domain.settings_by_test.items():
            setting = by_groups[max(by_groups)][-1]
            values = domain.hyperparameters(model, dataset, setting, {})
            label = f"the probe of {model} for test={test}"
            with expect.works(label):
                probe, again = (domain.probe(model, dataset, values, test) for _ in range(2))
            expect.that(isinstance(probe, ProbeSpec) and probe.probe != "", f"{label} to be a ProbeSpec", repr(probe))
            expect.that(probe == again, f"{label} to be the same twice", f"{probe} and {again}")
            expect.that(isinstance(probe.layers, tuple), f"{label} with a tuple of layers", repr(probe.layers))
            expect.unique(f"{label} with unique layers", probe.layers)
            several = test != LAYER_TEST or len(probe.layers) > 1
            expect.that(several, f"{label} with several layers", ", ".join(probe.layers))
            _check_sizes(expect, domain, (model, dataset), values, probe)


def _check_sizes(
    expect: Expectations, domain: Domain, trained: tuple[str, str], values: Mapping[str, Any], probe: ProbeSpec
) -> None:
    """Check that the declared sizes of a model's layers are sizes, all with the same number of samples."""
    model, dataset = trained
    rows = set()
    for layer in probe.layers:
        label = f"layer_size of {model}, layer {layer}"
        with expect.works(label):
            size = domain.layer_size(model, dataset, values, layer)
        if size is None:
            continue
        whole = all(isinstance(length, int) and length > 0 for length in size)
        expect.that(whole and len(size) in (2, 4), f"{label} to be two or four positive numbers", repr(size))
        rows.add(size[0])
    expect.that(len(rows) <= 1, f"layers of {model} of the same number of samples", str(sorted(rows)))


def check_fingerprint(expect: Expectations, spec: ModelSpec) -> None:
    """Check that everything about a model is part of its identity, and that another process gets the same model."""
    again = pickle.loads(pickle.dumps(spec))  # noqa: S301 - made here
    expect.that(again == spec and again.fingerprint == spec.fingerprint, "a model that can be pickled", repr(again))
    for field in dataclasses.fields(spec):
        value = getattr(spec, field.name)
        if isinstance(value, str):
            other: Any = f"{value} changed"
        elif isinstance(value, int):
            other = value + 1
        else:
            other = {**value, NONE_SUCH: 1}
        changed = dataclasses.replace(spec, **{field.name: other})
        expect.that(
            changed.fingerprint != spec.fingerprint, f"{field.name} to be part of a model's identity", "it is not"
        )


def check_nothing_published(expect: Expectations, domain: Domain, spec: ModelSpec, folder: Path) -> None:
    """Check that a published model which is not there is an error that a user can act on."""
    expect.refused(
        f"UsageError or DatasetError for a published model of {spec.label} that is not in models.root",
        lambda: domain.checkpoint(folder, spec),
        UsageError,
        DatasetError,
    )
