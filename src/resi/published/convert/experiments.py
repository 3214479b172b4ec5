"""One experiment of a configuration: its models, by the published code's rules, and the runs that compare them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from resi import registry
from resi.errors import UsageError
from resi.published.convert.groups import Bucket, group_job, layer_job, output_jobs
from resi.published.convert.outcome import Outcome, Remark
from resi.published.convert.selection import ATTRIBUTES, by_parts, check_attributes, select, split, unused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from resi.domains.published_models import PublishedModel
    from resi.published.convert.outcome import Job

KEYS = (
    "name",
    "type",
    "representation_dataset",
    "filter_key_vals",
    "grouping_keys",
    "separation_keys",
    "use_acc_comparison",
)
GROUPS = "GroupSeparationExperiment"
OUTPUTS = "OutputCorrelationExperiment"
LAYERS = "MonotonicityExperiment"
KINDS: dict[str, Callable[[Bucket, bool], list[Job]]] = {
    GROUPS: lambda bucket, _: [group_job(bucket)],
    OUTPUTS: output_jobs,
    LAYERS: lambda bucket, _: [layer_job(bucket)],
}
"""Types of experiments, and what makes the runs of one."""


class Experiment(NamedTuple):
    """An experiment, with the types of its values checked."""

    kind: str
    probe: str
    filters: Mapping[str, Any]
    grouping: tuple[str, ...]
    separation: tuple[str, ...]
    by_accuracy: bool


def convert_experiment(given: Any, position: int, known: Sequence[PublishedModel]) -> Outcome:
    """Return the runs of an experiment, and what is said of it.

    Parameters
    ----------
    position : int
        Its place in the list, from 0, by which messages name it.
    known : sequence of PublishedModel
        All models that can be selected.

    Raises
    ------
    UsageError
        If it has no type that exists, selects no model, or a value has the wrong type.
    """
    where = f"experiments[{position}]"
    outcome = Outcome()
    experiment = _read(given, where, outcome)
    selected = select(known, experiment.filters)
    if not selected:
        raise UsageError(f"{where}.filter_key_vals: selects no published model; {_nearest(experiment.filters, known)}")
    for attribute, values in unused(selected, experiment.filters):
        outcome.remark(f"{where}.{attribute}", f"of the models that the other filters leave none is {_listed(values)}")
    for attribute, values in by_parts(selected, experiment.filters).items():
        outcome.remark(
            f"{where}.{attribute}",
            f"given as text instead of a list, it also selects names contained in it: {_listed(values)}",
        )
    for models in split(selected, experiment.separation).values():
        about = f"{where}, {', '.join(dict.fromkeys(model.own.architecture for model in models))}"
        if lacking := _lacking(experiment, models, selected):
            others = _also_called(models, lacking, known)
            outcome.remark(about, f"of its models none is selected by {_listed(lacking)}{others}")
        outcome.add(_convert_bucket(experiment, models, known, about))
    return outcome


def _convert_bucket(
    experiment: Experiment, models: Sequence[PublishedModel], known: Sequence[PublishedModel], about: str
) -> Outcome:
    """Return the runs of models that are compared with each other, one for each way in which tokens are pooled."""
    outcome = Outcome()
    pooled: dict[str | None, list[PublishedModel]] = {}
    for model in models:
        pooled.setdefault(model.own.representation, []).append(model)
    if len(pooled) > 1:
        ways = " and ".join(str(same[0].token_pos) for same in pooled.values())
        outcome.remark(
            about,
            f"different: without a filter of token_pos the published run mixes the same models with token_pos {ways}, "
            "under the same names; here each has its own run",
        )
    for same in pooled.values():
        domain = registry.domains().get(same[0].own.domain)()
        bucket = Bucket(domain, tuple(same), experiment.grouping, experiment.probe, known, outcome, about)
        try:
            outcome.jobs += KINDS[experiment.kind](bucket, experiment.by_accuracy)
        except UsageError as error:
            outcome.refused.append(Remark(about, str(error)))
    return outcome


def _lacking(experiment: Experiment, models: Sequence[PublishedModel], selected: Sequence[PublishedModel]) -> list[str]:
    """Return the values of groups that select models, but none of these."""
    return [
        str(value)
        for attribute, values in unused(models, experiment.filters)
        if attribute in experiment.grouping
        for value in values
        if any(getattr(model, attribute) == value for model in selected)
    ]


def _also_called(models: Sequence[PublishedModel], names: Sequence[str], known: Sequence[PublishedModel]) -> str:
    """Return, where models that a training set stands for are called otherwise, how they are called."""
    wanted = {(model.own.dataset, model.own.setting) for model in known if model.train_dataset in names}
    others = [
        model.train_dataset
        for model in known
        if model.architecture == models[0].architecture
        and (model.own.dataset, model.own.setting) in wanted
        and model.train_dataset not in names
    ]
    return f"; those of that setting are called {_listed(dict.fromkeys(others))}" if others else ""


def _read(given: Any, where: str, outcome: Outcome) -> Experiment:
    if not isinstance(given, dict):
        raise UsageError(f"{where}: expected a mapping, not {given!r}")
    kind = given.get("type")
    if not isinstance(kind, str) or kind not in KINDS:
        raise UsageError(f"{where}.type: unknown {kind!r}, which the published code skips; it has {', '.join(KINDS)}")
    for key in given:
        if key not in KEYS:
            outcome.remark(f"{where}.{key}", "no counterpart: not a key of the published benchmark either; left out")
    filters = given.get("filter_key_vals") or {}
    if not isinstance(filters, dict) or any(isinstance(value, dict) or _is_nested(value) for value in filters.values()):
        raise UsageError(f"{where}.filter_key_vals: expected a mapping from attributes to values or lists of values")
    check_attributes(f"{where}.filter_key_vals", filters)
    grouping, separation = (_names(given, key, where) for key in ("grouping_keys", "separation_keys"))
    if kind != GROUPS and grouping:
        outcome.remark(f"{where}.grouping_keys", f"not needed: {kind} has no groups")
    by_accuracy = given.get("use_acc_comparison", False)
    if not isinstance(by_accuracy, bool):
        raise UsageError(f"{where}.use_acc_comparison: expected true or false, not {by_accuracy!r}")
    if "name" in given:
        outcome.remark(f"{where}.name", f"not needed: a run is known by what it compares, not as {given['name']!r}")
    return Experiment(kind, str(given.get("representation_dataset") or ""), filters, grouping, separation, by_accuracy)


def _is_nested(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(part, list | dict) for part in value)


def _names(given: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    value = given.get(key) or []
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise UsageError(f"{where}.{key}: expected a list of {', '.join(ATTRIBUTES)}, not {value!r}")
    check_attributes(f"{where}.{key}", value)
    return tuple(value)


def _nearest(filters: Mapping[str, Any], known: Sequence[PublishedModel]) -> str:
    """Return which filter alone selects nothing, or that none does."""
    for key, value in filters.items():
        if not select(known, {key: value}):
            return f"no model that resi knows has {key}: {_listed(value if isinstance(value, list) else [value])}"
    return "no model passes all of its filters"


def _listed(values: Any) -> str:
    return ", ".join(str(value) for value in values)
