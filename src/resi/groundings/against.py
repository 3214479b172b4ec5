"""Comparisons between architectures, or between training datasets: groups that are not settings.

The models of such a test differ in something that a row has only one column for. Rows about models of one group are the
same as in any run: their ``architecture`` is the group. In rows about two groups the column names both, ``gat+gcn``,
and the setting of each side starts with its group, ``gat/standard``. For models trained on one dataset and represented
on another, ``dataset`` is ``mnli@sst2``; for two such groups it is ``mnli+sst2@sst2``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from resi.errors import UsageError
from resi.groundings.base import Experiment, Item
from resi.groundings.group_separation import GroupSeparation

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from resi.groundings.base import Models

BETWEEN = "+"
"""Separator between names of groups."""
ON = "@"
"""Separator between the training dataset and the dataset of the representations."""
OF = "/"
"""Separator between the group of a model and its setting."""


class Against(GroupSeparation):
    """Tests by groups that are not settings: all models have the same setting.

    Parameters
    ----------
    of : str
        The test that provides the models: it determines the unaltered setting and the input of the representations.
    """

    by: ClassVar[str]
    """The column of tables that identifies groups."""

    def __init__(self, of: str = "label_randomization") -> None:
        self.of = of

    def plan(self, models: Models) -> list[Experiment]:
        """Return the experiments of one group, which has no other group to compare with."""
        return self.plan_groups({models.architecture: models}, models.settings(self.of))

    def plan_groups(self, groups: Mapping[str, Models], settings: Sequence[str]) -> list[Experiment]:
        """Return one experiment per setting: the models of all groups, each at its last layer before the output."""
        first = next(iter(groups.values()))
        found = []
        for setting in settings:
            items = []
            for group, models in groups.items():
                probe = models.probe(settings[0], self.of)
                items += [Item(model, probe.layers[-1], group, probe) for model in models.of(setting)]
            is_dataset = self.by == "dataset"
            found.append(
                Experiment(
                    test=self.name,
                    domain=first.domain.name,
                    dataset=join(groups, first.probed.name) if is_dataset else first.probed.name,
                    architecture=first.architecture if is_dataset else join(groups),
                    items=tuple(items),
                    probe=probe,
                    by=self.by,
                )
            )
        return found


class ArchitectureSeparation(Against):
    """Models of different architectures, trained alike."""

    name = by = "architecture"
    title = "models of different architectures"
    description = (
        "Models of one architecture should be more similar than models of different architectures, all of them trained "
        "on the same data. by=architecture compares those under model=[A,B,...]."
    )


class DatasetSeparation(Against):
    """Models trained on different datasets, represented on one of them or a third."""

    name = by = "dataset"
    title = "models trained on different datasets"
    description = (
        "Models trained on one dataset should be more similar than models trained on different datasets, all of them "
        "represented on the same data. by=dataset compares those under trained_on=[A,B,...] on dataset=C."
    )


def join(groups: Iterable[str], on: str = "") -> str:
    """Return the joint name of groups, independent of their order.

    Examples
    --------
    >>> join(["gcn", "gat"]), join(["sst2", "mnli"], "sst2"), join(["mnli"], "sst2"), join(["sst2"], "sst2")
    ('gat+gcn', 'mnli+sst2@sst2', 'mnli@sst2', 'sst2')
    """
    names = sorted(set(groups))
    return BETWEEN.join(names) + (f"{ON}{on}" if on and names != [on] else "")


def split_join(name: str) -> tuple[list[str], str]:
    """Return the groups in a joint name, and the dataset of their representations if it is in the name.

    Examples
    --------
    >>> split_join("gat+gcn"), split_join("mnli+sst2@sst2")
    ((['gat', 'gcn'], ''), (['mnli', 'sst2'], 'sst2'))
    """
    groups, _, on = name.partition(ON)
    return groups.split(BETWEEN), on


def named(experiment: Experiment, source: Item, target: Item) -> dict[str, str]:
    """Return the columns of a row that depend on the groups of the two sides."""
    names = {
        "dataset": experiment.dataset,
        "architecture": experiment.architecture,
        "setting_a": source.model.setting,
        "setting_b": target.model.setting,
        "pooling": experiment.probe.pooling,
    }
    if not experiment.by:
        return names
    ends = sorted((item.group, experiment.probe_of(item).pooling) for item in (source, target))
    names["pooling"] = BETWEEN.join(dict.fromkeys(pooling for _, pooling in ends))
    on = split_join(experiment.dataset)[1] if experiment.by == "dataset" else ""
    names[experiment.by] = join((source.group, target.group), on)
    if source.group != target.group:
        names["setting_a"] = f"{source.group}{OF}{source.model.setting}"
        names["setting_b"] = f"{target.group}{OF}{target.model.setting}"
    return names


def check_groups(key: str, groups: Sequence[str]) -> None:
    """Raise ``UsageError`` unless there are several groups, each once, with names that can be joined."""
    if len(groups) < 2 or len(set(groups)) < len(groups):
        raise UsageError(f"{key}=[{','.join(groups)}]: name several to compare, each once")
    for name in groups:
        if set(name) & {BETWEEN, ON, OF}:
            raise UsageError(f"{key}: {name} cannot be a group: its name contains one of {BETWEEN} {ON} {OF}")
