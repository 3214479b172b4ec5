"""What a domain says of itself without planning anything: names, settings, seeds, and what has to be installed."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from resi.errors import UsageError
from resi.groundings import GROUNDINGS

if TYPE_CHECKING:
    from resi.domains.base import Domain
    from resi.testing.expectations import Expectations

NONE_SUCH = "resi_no_such_name"


def check_stated(expect: Expectations, domain: type[Domain]) -> None:
    """Check the class attributes that every domain has, and that it can be made for each protocol."""
    for fact in ("name", "title", "default_dataset"):
        value = getattr(domain, fact, None)
        expect.that(isinstance(value, str) and value != "", f"class attribute {fact!r} to be a text", repr(value))
    expect.that(isinstance(getattr(domain, "extra", None), str), "class attribute 'extra' to be a text", "none")
    expect.unique("class attribute 'representations' to be unique names", domain.representations)
    with expect.works("a domain that can be made without arguments and for each protocol"):
        made = domain()
        for protocol in ("corrected", "published"):
            domain(protocol)
    for kind, infos in (("datasets", made.datasets()), ("architectures", made.architectures())):
        expect.unique(f"{kind} with unique names", [info.name for info in infos])
        for info in infos:
            expect.that(isinstance(info.title, str) and info.title != "", f"a title of {info.name}", repr(info.title))
    _check_config(expect, domain)
    check_requirements(expect, domain)


def check_facts(expect: Expectations, domain: type[Domain]) -> None:
    """Check class attributes, the lists of datasets and architectures, settings and seeds."""
    check_stated(expect, domain)
    made = domain()
    expect.refused(
        f"representation={NONE_SUCH} to be refused with UsageError",
        lambda: domain(representation=NONE_SUCH),
        UsageError,
    )
    _check_lists(expect, made)
    for test in domain.settings_by_test:
        _check_settings(expect, made, test)
    expect.refused(f"test={NONE_SUCH} to be refused with UsageError", lambda: made.settings(NONE_SUCH, 2), UsageError)
    _check_seeds(expect, domain)


def _check_lists(expect: Expectations, domain: Domain) -> None:
    """Check that the defaults are among what is listed to users, and published names."""
    datasets, architectures = domain.datasets(), domain.architectures()
    published = [info.published_name for info in architectures if info.published_name]
    if published:
        expect.unique("architectures with unique published names", published)
    embedded = [info.name for info in datasets if info.embedded]
    expect.that(
        domain.default_dataset in embedded,
        f"default_dataset={domain.default_dataset} to be an embedded dataset",
        f"embedded ones: {', '.join(embedded) or 'none'}",
    )
    expect.unique("default_models to be unique names", domain.default_models)
    unknown = sorted(set(domain.default_models) - {info.name for info in architectures})
    expect.that(not unknown, "default_models to be architectures of the domain", f"also {', '.join(unknown)}")


def _check_config(expect: Expectations, domain: type[Domain]) -> None:
    """Check that the config of a model is a dataclass of keys that are all null."""
    expect.that(dataclasses.is_dataclass(domain.model_config), "model_config to be a dataclass", domain.model_config)
    with expect.works("model_config with defaults for all keys"):
        keys = dataclasses.asdict(domain.model_config())
    given = [f"{name}={value!r}" for name, value in keys.items() if value is not None]
    expect.that(not given, "keys of model_config that are null by default", ", ".join(given))
    unknown = sorted(set(domain.published_keys) - set(keys))
    expect.that(not unknown, "published_keys to be keys of model_config", ", ".join(unknown))


def _check_settings(expect: Expectations, domain: Domain, test: str) -> None:
    """Check that there are settings for every number of groups, which can also be chosen by name."""
    expect.that(test in GROUNDINGS, f"settings of tests that exist: {', '.join(GROUNDINGS)}", test)
    by_groups = domain.settings_by_test[test]
    expect.that(len(by_groups) > 0, f"settings of test={test}", "none")
    for groups, settings in by_groups.items():
        label = f"test={test} groups={groups}"
        expect.unique(f"{label}: unique settings", settings)
        expect.that(len(settings) in (1, groups), f"{label}: as many settings as groups, or one", ", ".join(settings))
        for asked in (groups, list(reversed(settings))):
            with expect.works(f"{label}: the settings that are asked for, {asked}"):
                found = domain.settings(test, asked)
            expect.that(found == tuple(settings), f"{label}: settings {', '.join(settings)}", ", ".join(found))
    wrong: tuple[int | list[str], ...] = (max(by_groups) + 1, [NONE_SUCH])
    for groups_asked in wrong:
        expect.refused(
            f"groups={groups_asked} of test={test} to be refused with UsageError",
            lambda asked=groups_asked: domain.settings(test, asked),  # type: ignore[misc]
            UsageError,
        )


def _check_seeds(expect: Expectations, domain: type[Domain]) -> None:
    """Check seeds that a domain sets for single tests."""
    unknown = sorted(set(domain.seeds_by_test) - set(domain.settings_by_test))
    expect.that(not unknown, "seeds_by_test of tests that the domain has", ", ".join(unknown))
    for test, seeds in domain.seeds_by_test.items():
        whole = all(isinstance(seed, int) and seed >= 0 for seed in seeds)
        expect.that(
            whole and 0 < len(seeds) == len(set(seeds)), f"seeds of test={test} that are unique numbers", repr(seeds)
        )


def check_requirements(expect: Expectations, domain: type[Domain]) -> None:
    """Check that what the domain needs is installed, and that a missing package is named with the extra."""

    class Missing(domain):  # type: ignore[misc, valid-type]
        def requires(self) -> tuple[str, ...]:
            return (NONE_SUCH,)

    with expect.works("the packages of requires() to be installed"):
        domain().check_installed()
    text = expect.refused(
        "check_installed to raise UsageError for a missing package", Missing().check_installed, UsageError
    )
    for part in (NONE_SUCH, domain.needs()):
        expect.that(part in text, f"check_installed to name {part}", text)
