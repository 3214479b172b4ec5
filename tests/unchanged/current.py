"""What there is now, in the form in which it is frozen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from tests.unchanged.golden import digest
from tests.unchanged.public import public
from tests.unchanged.subject import (
    GROUNDINGS,
    PROTOCOLS,
    SUITES,
    Domain,
    Plan,
    altered,
    config_keys,
    contents,
    hyperparameters,
    imagenet100,
    layer_modules,
    measure_sets,
    network,
    own_domains,
    own_measures,
    planned,
    probe,
    stand_ins,
)

if TYPE_CHECKING:
    from torch import nn

Found = dict[str, Any]
GROUPS = (2, 3, 5)


def names() -> Found:
    """Return the names of everything, settings of tests, versions, and facts and parameters of measures."""
    return {
        "domains": {name: _about(domain) for name, domain in own_domains().items()},
        "tests": {name: {"seeds": list(test.seeds)} for name, test in GROUNDINGS.items()},
        "measures": {name: _about_measure(measure) for name, measure in own_measures().items()},
        "sets of measures": {name: digest(members) for name, members in measure_sets().items() if name != "all"},
    }


def _about(domain: Domain) -> Found:
    return {
        "datasets": {info.name: {"embedded": info.embedded} for info in domain.datasets()},
        "architectures": {info.name: info.published_name for info in domain.architectures()},
        "default dataset": domain.default_dataset,
        "default models": list(domain.default_models),
        "representations": list(domain.representations),
        "training version": domain.training_version(),
        "keys of a model": config_keys(domain),
        "keys of published models": list(domain.published_keys),
        "seeds of tests": {test: list(seeds) for test, seeds in domain.seeds_by_test.items()},
        "settings": {
            test: {str(groups): list(domain.settings(test, groups)) for groups in GROUPS} for test in GROUNDINGS
        },
    }


def _about_measure(measure: Any) -> Found:
    return {
        "version": measure.version,
        "parameters": measure.parameters(),
        "family": measure.family,
        "published name": measure.published_name,
        "benchmark": measure.benchmark,
        "larger is more similar": measure.larger_is_more_similar,
        "symmetric": measure.symmetric,
        "metric": measure.metric,
        "spatial": measure.spatial,
        "resolution": measure.resolution,
        "self value": measure.self_value,
        "invariances": sorted(measure.invariances),
    }


def datasets() -> Found:
    """Return the contents of all datasets, made up where they have to be fetched, and what ImageNet100 consists of."""
    found: Found = {name: contents(domain) for name, domain in own_domains().items()}
    about = imagenet100()
    return {**found, "imagenet100": {**about, "classes": digest(about["classes"])}}


def alterations() -> Found:
    """Return hashes of what models of each setting are trained on."""
    found: Found = {}
    for name, domain in own_domains().items():
        # Of the many altered texts one level will do: they take a second.
        levels = {test: 2 if (name, test) == ("language", "augmentation") else 5 for test in GROUNDINGS}
        settings = dict.fromkeys(setting for test in GROUNDINGS for setting in domain.settings(test, levels[test]))
        found[name] = {setting: altered(name, setting) for setting in settings}
    return found


def recipes() -> Found:
    """Return hyperparameters, rules and probes of every model of both protocols, of the published where they differ."""
    corrected, published = (dict(_all_recipes(protocol)) for protocol in PROTOCOLS)
    differing = {model: values for model, values in published.items() if values != corrected[model]}
    return {"corrected": corrected, "published": differing}


def _all_recipes(protocol: str) -> Iterator[tuple[str, Any]]:
    for name, domain in own_domains(protocol).items():
        for info in domain.architectures():
            for dataset in domain.datasets():
                yield f"{name} {dataset.name} {info.name}", _recipes(domain, info.name, dataset.name)


def _recipes(domain: Domain, architecture: str, dataset: str) -> Found | str:
    """Return hyperparameters and rules by settings, those that differ once, and probes by test and representation."""
    settings = [setting for test in GROUNDINGS for groups in GROUPS for setting in domain.settings(test, groups)]
    groups: list[tuple[list[str], Any]] = []
    for setting in dict.fromkeys(settings):
        values = hyperparameters(domain, architecture, dataset, setting)
        _put(groups, setting, None if values is None else {**values, "rules": domain.rules(setting)})
    if all(values is None for _, values in groups):
        return "none"
    found: Found = {_abbreviated(names): values for names, values in groups}
    for representation in domain.representations:
        probes: list[tuple[list[str], Any]] = []
        for test in GROUNDINGS:
            view = type(domain)(domain.protocol, representation)
            values = hyperparameters(view, architecture, dataset, view.settings(test, 2)[0])
            _put(probes, test, values and probe(view, architecture, dataset, values, test))
        found[f"probes: {representation}"] = {", ".join(tests): taken for tests, taken in probes}
    return found


def _abbreviated(settings: list[str]) -> str:
    """Return settings with the levels of each kind together."""
    kinds: defaultdict[str, list[str]] = defaultdict(list)
    for setting in sorted(settings):
        kind, _, level = setting.rpartition("_")
        kinds[kind if level.isdigit() else setting].append(level if level.isdigit() else "")
    return ", ".join(" ".join([kind, *sorted(filter(None, levels), key=int)]) for kind, levels in kinds.items())


def _put(groups: list[tuple[list[str], Any]], name: str, value: Any) -> None:
    """Add a name to the group of its value."""
    for names, known in groups:
        if known == value:
            names.append(name)
            return
    groups.append(([name], value))


def runs() -> Found:
    """Return fingerprints of all models, representations and comparisons of the suites' jobs."""
    with stand_ins():
        plans = {f"{suite}: {job}": plan for suite in SUITES for job, plan in planned(f"suite={suite}").items()}
        return {
            "models": _fingerprints(plans.values()),
            "jobs": {job: _about_plan(plan) for job, plan in plans.items()},
        }


def _fingerprints(plans: Iterable[Plan]) -> Found:
    """Return fingerprints of models by where they are, setting and seed; several where hyperparameters differ."""
    found: dict[str, dict[str, dict[str, Any]]] = defaultdict(lambda: defaultdict(dict))
    for model in {model: None for plan in plans for model, _ in plan.models}:
        place = f"{model.domain} {model.dataset} {model.architecture}"
        known = found[place][model.setting].setdefault(f"seed {model.seed}", model.fingerprint)
        assert known == model.fingerprint, f"two models are called {model.label}"
    return found


def _about_plan(plan: Plan) -> Found:
    representations = [key for experiment in plan.experiments for key in plan.keys_of(experiment)]
    probes = dict.fromkeys(probe for _, probe in plan.models)
    return {
        "content": plan.dataset.content,
        "models": f"{len(plan.models)} {digest(model.fingerprint for model, _ in plan.models)}",
        "folder": _one(model.folder.as_posix() for model, _ in plan.models),
        "probe": _one(f"{probe.probe} {probe.pooling}: {' '.join(probe.layers)}" for probe in probes),
        "representations": f"{len(representations)} {digest(representations)}",
        "comparisons": f"{len(plan.comparisons)} {digest(comparison.key for comparison in plan.comparisons)}",
        "shard": plan.shard.folder.name,
    }


def _one(texts: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(texts))


def networks() -> Found:
    """Return the names and shapes of all weights and layers, of every architecture on every dataset."""
    return {name: dict(_networks(name, domain)) for name, domain in own_domains().items()}


def _networks(name: str, domain: Domain) -> Iterator[tuple[str, Any]]:
    for info in domain.architectures():
        about: list[tuple[list[str], Any]] = []
        for dataset in domain.datasets():
            values = hyperparameters(domain, info.name, dataset.name, domain.settings("layer_monotonicity", 2)[0])
            model = values and network(name, info.name, dataset.name, values)
            if values and model:
                layers = domain.probe(info.name, dataset.name, values, "layer_monotonicity").layers
                shapes = [domain.layer_size(info.name, dataset.name, values, layer) for layer in layers]
                modules = {"modules": layer_modules(info.name, model)} if name == "vision" else {}
                _put(about, dataset.name, {**weights(model), "sizes of layers": shapes, **modules})
        yield info.name, {" ".join(datasets): found for datasets, found in about}


def weights(model: nn.Module) -> Found:
    """Return the names and shapes of a network's parameters and buffers: number, digest, the first and the last."""
    parts = {"parameters": dict(model.named_parameters()), "buffers": dict(model.named_buffers())}
    found: Found = {}
    for kind, tensors in parts.items():
        lines = [f"{name} {list(tensor.shape)} {tensor.dtype}" for name, tensor in tensors.items()]
        numbers = sum(tensor.numel() for tensor in tensors.values())
        ends = {"first": lines[0], "last": lines[-1]} if lines else {}
        found[kind] = {"tensors": len(lines), "numbers": numbers, "digest": digest(lines), **ends}
    return {**found, "state": f"{len(model.state_dict())} {digest(model.state_dict())}"}


EXACT: dict[str, Callable[[], Found]] = {
    "names": names,
    "datasets": datasets,
    "alterations": alterations,
    "recipes": recipes,
    "runs": runs,
    "networks": networks,
    "public": public,
}
"""What has to be the same to the last bit, on any machine."""
