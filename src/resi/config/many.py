"""The configs of many runs, composed with the work shared that Hydra would do again for each.

Hydra takes some 100 ms to compose one config. Of a run, though, each part of the config depends on a few words alone:
the measures on those about measures and the protocol, the models on those about the domain and models. So each part is
composed once for all runs that have it in common, several parts at a time. Lists of seeds, of which a sweep may have
hundreds, are read without Hydra where they are written plainly, as in ``seeds=[0,1,2]``. Runs with words beyond these
parts, from its own search path with groups, or of given representations are composed one by one. Either way the result
is what composing each gives.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from resi.config.compose import compose_with
from resi.config.loading import composing, config_folder, open_loader
from resi.config.own_measures import copied
from resi.config.register import own_store
from resi.config.schema import RunConfig
from resi.config.validate import checked_seeds
from resi.domains.given import GivenDomain
from resi.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from hydra.core.config_loader import ConfigLoader

    from resi.errors import ResiError

PARTS: dict[tuple[str, ...], tuple[str, ...]] = {
    ("domain", "protocol", "representation"): ("domain", "protocol"),
    ("domain", "dataset"): ("dataset", "dataset_root", "keeps_decoded"),
    ("domain", "model", "models", "root"): ("architectures", "models", "root"),
    ("domain", "test", "groups", "seeds", "stage"): ("test", "groups", "seeds"),
    ("protocol", "measure"): ("measures",),
    ("compare", "device", "on_error", "shards", "stage"): ("compare", "device", "on_error", "shards", "stage"),
    ("null",): ("null",),
    ("workers",): ("workers",),
}
"""Heads of words (``measure`` of ``measure.jaccard.k=20``), and the fields of a ``RunConfig`` that they decide."""
HEADS = {head for heads in PARTS for head in heads}
PLAIN_SEEDS = re.compile(r"seeds=\[((?:0|[1-9][0-9]{0,17})(?:,(?:0|[1-9][0-9]{0,17}))*)\]")
"""What Hydra, too, reads as a list of numbers: it takes 007 for a text, and has more ways to write a list."""
GROUPS = ("domain", "dataset", "model", "test", "measure", "protocol")

Words = tuple[str, ...]


class Part(NamedTuple):
    """The words under some heads, in the order in which they were given."""

    heads: tuple[str, ...]
    words: Words


class Parted(NamedTuple):
    """The parts of a job, and the seeds that are given plainly, which none of its parts has then."""

    parts: list[Part]
    seeds: tuple[int, ...] | None


def open_configs(folder: Path | None = None) -> ConfigLoader:
    """Return what reads configs: resi's own, and those in a folder of a user's.

    Raises
    ------
    UsageError
        If the folder does not exist.
    """
    return open_loader(config_folder(), copied(own_store()), folder)


def compose_all(
    jobs: Sequence[Sequence[str]], loader: ConfigLoader, common: Sequence[str] = ()
) -> list[RunConfig | ResiError]:
    """Return the config of each job, or the error that composing it alone would raise.

    ``RunConfig.composed`` is left empty.

    Parameters
    ----------
    jobs : sequence of sequence of str
        The words of each; none a sweep over several values.
    common : sequence of str
        Words of Hydra's that hold for all, such as ``hydra.searchpath=[file:///FOLDER]``.
    """
    composer = _Composer(loader, common)
    by_job = [composer.parts_of(job) for job in jobs]
    composer.compose_parts({part: None for parted in by_job if parted for part in parted.parts})
    return [composer.assemble(job, parted) for job, parted in zip(jobs, by_job, strict=True)]


class _Composer:
    def __init__(self, loader: ConfigLoader, common: Sequence[str]) -> None:
        self._loader = loader
        self._common = common
        self._fields: dict[Part, dict[str, Any]] = {}
        self._alone: dict[Words, RunConfig | ResiError] = {}
        # Groups of a user's own may set anything.
        self._is_ours = not common and _only_ours(loader)

    def parts_of(self, job: Sequence[str]) -> Parted | None:
        """Return the parts of a job, or None if it has words beyond them."""
        words, seeds = _without_plain_seeds(job)
        heads = [_head(word) for word in words]
        if not self._is_ours or not all(head in HEADS for head in heads):
            return None
        parts = [
            Part(part, tuple(word for word, head in zip(words, heads, strict=True) if head in part)) for part in PARTS
        ]
        return Parted(parts, seeds)

    def compose_parts(self, parts: Iterable[Part]) -> None:
        """Compose all parts, in each config as many as agree on the words they share."""
        left = list(parts)
        while left:
            chosen: dict[str, Words] = {}
            taken: list[Part] = []
            rest: list[Part] = []
            for part in left:
                given = {head: tuple(word for word in part.words if _head(word) == head) for head in part.heads}
                fits = all(chosen.get(head, words) == words for head, words in given.items())
                (taken if fits else rest).append(part)
                if fits:
                    chosen |= given
            # Where none is asked for it makes no difference which measure there is, and one takes less than 24.
            chosen.setdefault("measure", ("measure=cka",))
            config = self._compose([word for words in chosen.values() for word in words])
            if isinstance(config, RunConfig) and not isinstance(config.domain, GivenDomain):
                for part in taken:
                    self._fields[part] = {name: getattr(config, name) for name in PARTS[part.heads]}
            elif len(taken) > 1:
                for part in taken:
                    self.compose_parts([part])
            left = rest

    def assemble(self, job: Sequence[str], parted: Parted | None) -> RunConfig | ResiError:
        """Return the config of a job from its parts; by itself if it has others, or a part that is not valid alone."""
        if parted is None or not all(part in self._fields for part in parted.parts):
            return self._compose_alone(tuple(job))
        values: dict[str, Any] = {"composed": {}}
        for part in parted.parts:
            values |= self._fields[part]
        if parted.seeds is not None:
            try:
                values["seeds"] = checked_seeds(parted.seeds, values["test"], values["stage"])
            except UsageError as error:
                return error
        return RunConfig(**values)

    def _compose_alone(self, words: Words) -> RunConfig | ResiError:
        if words not in self._alone:
            self._alone[words] = self._compose(words)
        return self._alone[words]

    def _compose(self, words: Sequence[str]) -> RunConfig | ResiError:
        with composing():
            return compose_with(self._loader, [*self._common, *words])


def _without_plain_seeds(job: Sequence[str]) -> tuple[list[str], tuple[int, ...] | None]:
    """Return a job's words without the one that gives its seeds, and these; all words if Hydra has to read them."""
    given = [word for word in job if _head(word) == "seeds"]
    found = PLAIN_SEEDS.fullmatch(given[0]) if len(given) == 1 else None
    if found is None:
        return list(job), None
    return [word for word in job if word != given[0]], tuple(map(int, found[1].split(",")))


def _head(word: str) -> str:
    """Return the first name of a word's key; of one that adds, deletes or moves, something else."""
    found = re.match(r"([a-z_]+)[.=]", word)
    return found[1] if found else word


def _only_ours(loader: ConfigLoader) -> bool:
    """Return whether only resi's own folders have configs in the groups of a run."""
    ours = {"main", "hydra", "schema"}
    others = [source for source in loader.get_sources() if source.provider not in ours and source.path]
    return not any(source.is_group(group) for source in others for group in GROUPS)
