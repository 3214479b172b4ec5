"""Runs that compare given models: the test, its groups and seeds, and the set on which models are represented."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from resi.domains.base import DEFAULT_GROUPS
from resi.domains.groups import STANDARD, split_setting
from resi.errors import UsageError
from resi.groundings import GROUNDINGS
from resi.published.convert.outcome import Job, Outcome, Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from resi.domains.base import Domain
    from resi.domains.published_models import OwnModel, PublishedModel

OF_STANDARD = "label_randomization"
"""A test of groups whose unaltered models are of the setting ``standard`` in every domain."""
OWN_PROBE = ("graph",)
"""Domains whose models the published code represents on their own dataset, whatever a configuration says."""
DIMENSIONS = ("setting", "architecture", "dataset")
"""What the models of different groups may differ in."""


class Bucket(NamedTuple):
    """Models of one domain that are compared with each other, with one representation.

    Attributes
    ----------
    grouping : tuple of str
        Attributes whose values make the groups.
    probe : str
        The published name of the set that they are represented on.
    known : sequence of PublishedModel
        All models that there are.
    outcome : Outcome
        Takes remarks.
    about : str
        What these are about.
    """

    domain: Domain
    models: tuple[PublishedModel, ...]
    grouping: tuple[str, ...]
    probe: str
    known: Sequence[PublishedModel]
    outcome: Outcome
    about: str

    @property
    def owns(self) -> list[OwnModel]:
        """The models under our names, each once."""
        return list(dict.fromkeys(model.own for model in self.models))


def output_jobs(bucket: Bucket, by_accuracy: bool) -> list[Job]:
    """Return the runs that correlate similarity with differences of outputs, and of accuracies if asked for."""
    tests = (["accuracy_correlation"] if by_accuracy else []) + ["output_correlation"]
    return [_of_one_setting(bucket, test) for test in tests]


def layer_job(bucket: Bucket) -> Job:
    """Return the run that compares the layers of each model."""
    return _of_one_setting(bucket, "layer_monotonicity")


def _of_one_setting(bucket: Bucket, test: str) -> Job:
    _check_one(bucket, "architecture", "dataset")
    settings, expected = _values(bucket.owns, "setting"), bucket.domain.settings(test, None)
    if settings != list(expected):
        raise UsageError(f"test={test} compares models of {', '.join(expected)}; selected are {', '.join(settings)}")
    _check_probe(bucket, expected[0])
    return _job(bucket, test, [])


def group_job(bucket: Bucket) -> Job:
    """Return the run that distinguishes the groups.

    Raises
    ------
    UsageError
        If no run has such groups.
    """
    groups = _groups(bucket)
    varied = [name for name in DIMENSIONS if len(_values(bucket.owns, name)) > 1]
    if not varied or len(groups) == 1:
        raise UsageError(
            f"one group, {', '.join(_values(bucket.owns, 'setting'))}: there is nothing to tell apart; the published "
            "score is NaN"
        )
    if len(varied) > 1:
        raise UsageError(f"models that differ in {' and '.join(varied)} are no groups of one test")
    (dimension,) = varied
    for group in groups:
        if len(values := _values(group, dimension)) > 1:
            raise UsageError(f"grouping_keys make one group of {', '.join(values)}: no test has such a group")
    if len(groups) > len(_values(bucket.owns, dimension)):
        raise UsageError(f"grouping_keys divide models of one {dimension}: no test has such groups")
    return {"setting": _by_setting, "architecture": _by_architecture, "dataset": _by_dataset}[dimension](bucket)


def _groups(bucket: Bucket) -> list[list[OwnModel]]:
    found: dict[tuple[object, ...], list[OwnModel]] = {}
    for model in bucket.models:
        found.setdefault(tuple(getattr(model, key) for key in bucket.grouping), []).append(model.own)
    return list({frozenset(group): group for group in found.values()}.values())


def _by_setting(bucket: Bucket) -> Job:
    settings = _values(bucket.owns, "setting")
    test = _test_of(bucket.domain, settings)
    _check_probe(bucket, _unaltered(bucket.domain, test))
    return _job(bucket, test, _groups_word(bucket.domain, test, settings))


def _unaltered(domain: Domain, test: str) -> str:
    """Return the first of all settings of a test, on whose data its models are represented."""
    by_groups = domain.settings_by_test[test]
    return by_groups[max(by_groups)][0]


def _test_of(domain: Domain, settings: Iterable[str]) -> str:
    kinds = dict.fromkeys(split_setting(setting)[0] for setting in settings if setting != STANDARD)
    if len(kinds) > 1 or not set(kinds) <= set(domain.settings_by_test):
        raise UsageError(f"models of {', '.join(settings)} are no groups of one test")
    return next(iter(kinds))


def _groups_word(domain: Domain, test: str, settings: Sequence[str]) -> list[tuple[str, Value]]:
    by_groups = domain.settings_by_test[test]
    if set(by_groups[DEFAULT_GROUPS]) == set(settings):
        return []
    number = next((number for number, known in by_groups.items() if set(known) == set(settings)), None)
    return [("groups", domain.settings(test, settings) if number is None else str(number))]


def _by_architecture(bucket: Bucket) -> Job:
    test, further = _of_unvaried(bucket)
    _check_probe(bucket, _unaltered(bucket.domain, test))
    return _job(bucket, test, [("by", "architecture"), *further])


def _by_dataset(bucket: Bucket) -> Job:
    test, further = _of_unvaried(bucket)
    return _job(bucket, test, [("by", "dataset"), ("trained_on", tuple(_values(bucket.owns, "dataset"))), *further])


def _of_unvaried(bucket: Bucket) -> tuple[str, list[tuple[str, Value]]]:
    """Return a test whose models have the one setting that all groups have, and the word that names it."""
    (setting,) = _values(bucket.owns, "setting")
    kind = split_setting(setting)[0]
    test = kind if kind in bucket.domain.settings_by_test else OF_STANDARD
    return test, [] if setting == _unaltered(bucket.domain, test) else [("groups", (setting,))]


def _job(bucket: Bucket, test: str, further: list[tuple[str, Value]]) -> Job:
    owns = bucket.owns
    architectures, datasets = _values(owns, "architecture"), _values(owns, "dataset")
    model: Value = architectures[0] if len(architectures) == 1 else tuple(architectures)
    dataset = datasets[0] if len(datasets) == 1 else _probe_dataset(bucket)
    values: list[tuple[str, Value]] = [
        ("domain", bucket.domain.name), ("dataset", dataset), ("model", model), ("test", test), *further
    ]  # fmt: skip
    values += _seeds(bucket, test)
    if representation := owns[0].representation:
        values.append(("representation", representation))
    return Job(tuple(values), frozenset(owns))


def _seeds(bucket: Bucket, test: str) -> list[tuple[str, Value]]:
    """Return the word for seeds, unless they are those of the test."""
    by_setting: dict[tuple[str, ...], set[int]] = {}
    for own in bucket.owns:
        by_setting.setdefault((own.dataset, own.architecture, own.setting), set()).add(own.seed)
    seeds = sorted(set().union(*by_setting.values()))
    for (*_, setting), found in by_setting.items():
        if lacking := [seed for seed in seeds if seed not in found]:
            bucket.outcome.remark(
                bucket.about,
                f"different: {setting} is compared with seed {_listed(lacking)} as well, of which no model is selected",
            )
    _tell_other_seeds(bucket)
    usual = bucket.domain.seeds_by_test.get(test, GROUNDINGS[test].seeds)
    return [] if tuple(seeds) == tuple(usual) else [("seeds", tuple(map(str, seeds)))]


def _tell_other_seeds(bucket: Bucket) -> None:
    """Add a remark on models with another seed here."""
    for setting in _values(bucket.owns, "setting"):
        seeds = {model.own.seed: model.seed for model in bucket.models if model.own.setting == setting}
        if other := {own: published for own, published in seeds.items() if own != published}:
            bucket.outcome.remark(bucket.about, f"seed {_listed(other.values())} of {setting} is {_listed(other)} here")


def _check_one(bucket: Bucket, *names: str) -> None:
    for name in names:
        if len(values := _values(bucket.owns, name)) > 1:
            raise UsageError(f"models of {', '.join(values)} are compared with each other, which this test does not do")


def _check_probe(bucket: Bucket, setting: str) -> None:
    """Add a remark if the models are represented on another set than in our test.

    Parameters
    ----------
    setting : str
        Whose training set is altered as the set of our test is.
    """
    (dataset,) = _values(bucket.owns, "dataset")
    known = _probes(bucket)
    given = known.get(bucket.domain.own_probe(bucket.probe), set())
    if (dataset, setting) in given:
        return
    if given and dataset not in {of for of, _ in given} and bucket.domain.name not in OWN_PROBE:
        raise UsageError(
            f"representation_dataset: models trained on {dataset} are represented on {bucket.probe}; a run represents "
            "them on their own dataset, unless they are compared with those of another (by=dataset)"
        )
    expected = [name for name, meant in known.items() if (dataset, setting) in meant]
    bucket.outcome.remark(
        f"{bucket.about}, representation_dataset",
        f"different: {bucket.probe or 'not given'}; this test represents its models on {_listed(expected)}",
    )


def _probe_dataset(bucket: Bucket) -> str:
    found = {dataset for dataset, _ in _probes(bucket).get(bucket.domain.own_probe(bucket.probe), ())}
    if len(found) != 1:
        raise UsageError(f"representation_dataset: unknown {bucket.probe!r}")
    return found.pop()


def _probes(bucket: Bucket) -> dict[str, set[tuple[str, str]]]:
    """Return what sets are by their published names: of a dataset, altered as for the training of a setting."""
    architectures = {model.architecture for model in bucket.models}
    found: dict[str, set[tuple[str, str]]] = {}
    for model in bucket.known:
        if model.architecture in architectures:
            found.setdefault(model.train_dataset, set()).add((model.own.dataset, model.own.setting))
    return found


def _values(owns: Iterable[OwnModel], name: str) -> list[str]:
    return list(dict.fromkeys(str(getattr(own, name)) for own in owns))


def _listed(values: Iterable[object]) -> str:
    return ", ".join(map(str, values))
