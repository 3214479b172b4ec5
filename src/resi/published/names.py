"""The names in the published benchmark's results files, and what they are called here.

One side of a published comparison is a string: of a layer,
``{setting}__{architecture}__{training set}__{seed}__{probe}__{layer}``; of a model's output or accuracy,
``{domain}_{architecture}_{training set}_{setting}_{seed}__{probe}__output``, for language models with an addition after
the seed. Architectures know their published names; what the other words mean is known to their domain.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from resi import registry

if TYPE_CHECKING:
    from collections.abc import Iterable

    from resi.domains.base import Domain
    from resi.domains.published_models import PublishedModel

FUNCTIONAL = {"AbsoluteAccDiff": "accuracy_difference", "Disagreement": "disagreement", "JSD": "jsd"}
"""Functions of outputs by their published names."""


class Side(NamedTuple):
    """One side of a published comparison.

    ``layer`` is empty for a model's output and accuracy; ``pooling`` is None where the files do not say how tokens were
    pooled.
    """

    domain: str
    dataset: str
    architecture: str
    setting: str
    seed: int
    layer: str
    probe: str
    pooling: str | None


class PublishedNames:
    """What the published names mean, as the domains that are installed know it."""

    def __init__(self) -> None:
        self._architectures: dict[str, tuple[Domain, str]] = {}
        self._outputs: list[re.Pattern[str]] = []
        for domain in registry.usable_domains():
            own = {info.published_name: (domain, info.name) for info in domain.architectures() if info.published_name}
            self._architectures |= own
            if own and domain.published_prefix:
                self._outputs.append(_output_pattern(domain, own))

    def side(self, text: str) -> Side:
        """Return what one side of a published comparison is.

        Raises
        ------
        ValueError
            If a name in it is not known.
        """
        parts = text.split("__")
        if len(parts) == 6:
            setting, architecture, trained_on, seed, probe, layer = parts
            if not (seed.isdecimal() and layer.isdecimal()):
                raise ValueError(f"{text}: seed and layer must be numbers")
        elif len(parts) == 3 and parts[2] in ("output", "accuracy") and (found := self._output(parts[0])):
            architecture, trained_on, setting, seed = found.group("architecture", "trained_on", "setting", "seed")
            probe, layer = parts[1], ""
        else:
            raise ValueError(f"{text} is not a layer, an output or an accuracy of a model")
        if architecture not in self._architectures:
            raise ValueError(f"{text}: unknown architecture {architecture!r}")
        domain, name = self._architectures[architecture]
        dataset, own_setting = domain.own_names(trained_on, setting)
        pooling = domain.published_pooling(name)
        return Side(domain.name, dataset, name, own_setting, int(seed), layer, domain.own_probe(probe), pooling)

    def _output(self, name: str) -> re.Match[str] | None:
        """Return what the name of a model's output consists of; None if it is not one."""
        return next(filter(None, (pattern.fullmatch(name) for pattern in self._outputs)), None)


def _output_pattern(domain: Domain, architectures: Iterable[str]) -> re.Pattern[str]:
    return re.compile(
        rf"{re.escape(domain.published_prefix)}_(?P<architecture>{'|'.join(map(re.escape, architectures))})"
        rf"_(?P<trained_on>.+?)_(?P<setting>{domain.published_settings})_(?P<seed>\d+)(?:_(?:None|\{{.*\}}))?"
    )


def published_poolings() -> tuple[str, ...]:
    """Return how representations may have been pooled where the files do not say it."""
    return tuple(dict.fromkeys(name for domain in registry.usable_domains() for name in domain.published_poolings))


def measure_names() -> dict[str, str]:
    """Return the names of the installed measures by their published class names."""
    known = registry.measures()
    return {published: name for name in known if (published := known.get(name).published_name)}


def published_models() -> tuple[PublishedModel, ...]:
    """Return the models that published configurations can select, of the domains that are installed."""
    return tuple(model for domain in registry.usable_domains() for model in domain.published_models())
