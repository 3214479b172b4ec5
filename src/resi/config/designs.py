"""What the groups of a run are: settings of a test, architectures, or datasets that models were trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from omegaconf import open_dict

from resi.domains.given import GivenDomain
from resi.domains.groups import choose
from resi.errors import UsageError, unknown_name
from resi.groundings import AGAINST
from resi.groundings.against import check_groups

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from resi.domains.base import Domain
    from resi.groundings.base import Grounding

SETTING = "setting"
KEYS = ("by", "trained_on")


class Design(NamedTuple):
    """The keys of a run about its groups, besides ``groups``."""

    by: str
    trained_on: tuple[str, ...]


def take_design(composed: DictConfig) -> Design:
    """Return the keys of a run about its groups; keys without a value are removed from its config.

    Raises
    ------
    UsageError
        If there are no such groups, or a name is not that of a dataset.
    """
    by, trained_on = composed.by or SETTING, tuple(map(str, composed.trained_on or ()))
    if by not in (SETTING, *AGAINST):
        raise unknown_name("by", by, [SETTING, *AGAINST])
    if trained_on and by != "dataset":
        raise UsageError(
            f"trained_on=[{','.join(trained_on)}]: datasets are compared with by=dataset; without it, a run trains and "
            "represents models on dataset=NAME"
        )
    with open_dict(composed):
        for key in KEYS:
            if composed[key] is None:
                composed.pop(key)
    return Design(by, trained_on)


def test_against(
    design: Design, test: Grounding, domain: Domain, architectures: list[str], groups: int | tuple[str, ...] | None
) -> tuple[Grounding, tuple[str, ...]]:
    """Return the test of groups that are not settings, and the settings of its models.

    Raises
    ------
    UsageError
        If there are not several groups, or the test or the domain has none.
    """
    if isinstance(domain, GivenDomain):
        raise UsageError(
            f"by={design.by}: domain={domain.name} takes groups from the column setting of its table; put there what "
            "is to be compared"
        )
    if test.kind != "settings":
        raise UsageError(
            f"by={design.by}: test={test.name} compares no groups; choose label_randomization, shortcut or augmentation"
        )
    if design.by == "architecture":
        check_groups("model", architectures)
    else:
        check_groups("trained_on", design.trained_on)
        datasets = [item.name for item in domain.datasets()]
        for name in design.trained_on:
            if name not in datasets:
                raise unknown_name(f"trained_on: dataset of domain={domain.name}:", name, datasets)
    settings = domain.settings(test.name, groups if isinstance(groups, int) else None)
    if not isinstance(groups, int):
        known = domain.known_settings(test.name)
        settings = choose(test.name, groups or known[:1], known, domain.trained_levels, fewest=1)
    return AGAINST[design.by](test.name), settings
