"""A choice among the models of a release: by dataset, architecture, setting and seed."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from resi.domains.groups import split_setting
from resi.errors import UsageError, unknown_name
from resi.fingerprints import fingerprint
from resi.specs import ModelSpec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import PurePosixPath

    from resi.domains.base import Domain
    from resi.domains.releases import Holding, Release


@dataclass(frozen=True)
class Choice:
    """Which models are selected; an empty tuple is no restriction.

    Attributes
    ----------
    settings : tuple of str
        Settings, such as ``shortcut_75``, or kinds of them, such as ``shortcut``.
    """

    datasets: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.datasets or self.architectures or self.settings or self.seeds)

    @property
    def id(self) -> str:
        """The identifier of this choice; empty if everything is selected."""
        if not self:
            return ""
        names = [sorted(map(str, part)) for part in (self.datasets, self.architectures, self.settings, self.seeds)]
        return fingerprint({"wanted": names})[:12]

    def takes(self, model: ModelSpec) -> bool:
        """Return whether a model is wanted."""
        kind = split_setting(model.setting)[0]
        return (
            (not self.datasets or model.dataset in self.datasets)
            and (not self.architectures or model.architecture in self.architectures)
            and (not self.settings or model.setting in self.settings or kind in self.settings)
            and (not self.seeds or model.seed in self.seeds)
        )


class Selection:
    """The selected models of a release, and their paths in it.

    Attributes
    ----------
    share : float
        The share of the release's models that are selected, from 0 to 1.
    """

    def __init__(self, domain: Domain | None, source: Release, choice: Choice) -> None:
        self.share = 1.0
        self._paths: frozenset[str] | None = None
        if domain is not None and choice:
            known = list(published_models(domain, source))
            models = [model for model in known if choice.takes(model)]
            self.share = len(models) / max(len(known), 1)
            self._paths = frozenset(path for model in models for path in domain.published_paths(model))

    @property
    def is_empty(self) -> bool:
        """Whether nothing of the release is selected."""
        return self._paths is not None and not self._paths

    def has(self, path: PurePosixPath) -> bool:
        """Return whether a file, by its path below the data root, belongs to a selected model."""
        return self._paths is None or any(str(above) in self._paths for above in (path, *path.parents))


def published_models(domain: Domain, source: Release, holdings: Sequence[Holding] | None = None) -> Iterator[ModelSpec]:
    """Yield the models listed for a release, or for some of its holdings: only their names."""
    held = {
        pair
        for holding in (source.holdings if holdings is None else holdings)
        for pair in product(holding.datasets, holding.architectures)
    }
    for own in dict.fromkeys(model.own._replace(representation=None) for model in domain.published_models()):
        is_kind = not source.kinds or split_setting(own.setting)[0] in source.kinds
        if is_kind and (own.dataset, own.architecture) in held:
            yield ModelSpec(own.domain, own.dataset, "", own.architecture, own.setting, own.seed, {}, 0)


def whole(name: str) -> str:
    """Return the error for releases without a choice of models."""
    return (
        f"{name} can only be downloaded as a whole: --dataset, --model, --setting and --seeds select published models"
    )


def check_choice(name: str, domain: Domain | None, sources: Sequence[Release], choice: Choice) -> None:
    """Check that a release has the selected models.

    Raises
    ------
    UsageError
        If there is nothing to select from, or it has no such dataset, architecture, setting or seed.
    """
    if not choice:
        return
    if domain is None:
        raise UsageError(whole(name))
    models = [model for source in sources for model in published_models(domain, source)]
    settings = {model.setting for model in models}
    known: dict[str, tuple[Sequence[object], set[object]]] = {
        "dataset": (choice.datasets, {model.dataset for model in models}),
        "model": (choice.architectures, {model.architecture for model in models}),
        "setting": (choice.settings, {*settings, *(split_setting(setting)[0] for setting in settings)}),
        "seed": (choice.seeds, {model.seed for model in models}),
    }
    for what, (wanted, there) in known.items():
        for value in wanted:
            if value not in there:
                raise unknown_name(f"{what} of {name}:", str(value), sorted(map(str, there)))
    if not any(choice.takes(model) for model in models):
        raise UsageError(f"{name} has no models that match all of --dataset, --model, --setting and --seeds")
