"""``resi list`` and ``resi describe`` without a word: the kinds of things that there are, and what to type next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from resi import registry

if TYPE_CHECKING:
    from pathlib import Path

    Row = dict[str, Any]


class Kind(NamedTuple):
    """A kind of things.

    Attributes
    ----------
    example : str
        What can be typed behind ``resi list KIND``.
    described : str
        One of them that comes with resi, for ``resi describe``; empty of kinds that it does not describe.
    """

    about: str
    example: str = ""
    described: str = ""


KINDS = {
    "measures": Kind("similarity measures", "'r*'", "cka"),
    "models": Kind("architectures", "'resnet*'", "resnet18"),
    "datasets": Kind("what models are trained on", described="cora"),
    "tests": Kind("what scores measures", described="augmentation"),
    "domains": Kind("kinds of models and data", described="graph"),
    "plugins": Kind("what was loaded, or failed to"),
    "suites": Kind("named lists of runs", described="smoke"),
    "shards": Kind("runs in the data root"),
    "progress": Kind("jobs of each suite, by state", "smoke"),
    "results": Kind("results that come with resi"),
    "scores": Kind("how well measures did"),
    "comparisons": Kind("similarities of models"),
}


def listed_kinds(root: Path, config_dir: Path | None) -> list[Row]:
    """Return the kinds of ``resi list``: how many there are of each where that is quickly counted, and an example."""
    from resi.results.embedded import embedded_names
    from resi.results.shards import find_shards

    counts: dict[str, int] = _counts(config_dir) | {
        "plugins": len(_plugins()),
        "shards": sum(1 for _ in find_shards(root)) if root.is_dir() else 0,
        "results": len(embedded_names()),
    }
    return [
        {
            "name": name,
            "number": counts.get(name),
            "example": f"resi list {name} {kind.example}".rstrip(),
            "about": kind.about,
        }
        for name, kind in KINDS.items()
    ]


def described_kinds(config_dir: Path | None) -> list[Row]:
    """Return the kinds of ``resi describe``: how many there are of each, and an example."""
    counts = _counts(config_dir)
    return [
        {"name": name, "number": counts[name], "example": f"resi describe {kind.described}", "about": kind.about}
        for name, kind in KINDS.items()
        if kind.described
    ]


def suite_names(config_dir: Path | None) -> list[str]:
    """Return the names of the suites that come with resi, and of those in a folder of a user's."""
    from resi.config.loading import config_folder

    folders = [config_folder(), *([config_dir] if config_dir else [])]
    return sorted({path.stem for folder in folders for path in (folder / "suite").glob("*.yaml")})


def _counts(config_dir: Path | None) -> dict[str, int]:
    from resi.groundings import GROUNDINGS

    domains = registry.usable_domains()
    return {
        "measures": len(registry.measures()),
        "models": sum(len(domain.architectures()) for domain in domains),
        "datasets": sum(len(domain.datasets()) for domain in domains),
        "tests": len(GROUNDINGS),
        "domains": len(registry.domains()),
        "suites": len(suite_names(config_dir)),
    }


def _plugins() -> list[Any]:
    from resi.registry.discovery import load_plugins

    return load_plugins().infos
