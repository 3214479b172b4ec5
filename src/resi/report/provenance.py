"""Where results come from: runs with their commands, machines, versions and dates, without absolute paths."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from resi import registry
from resi.console import format_seconds
from resi.console.redaction import redact_config
from resi.errors import ResiError
from resi.report.names import counted, without_paths
from resi.results.embedded import runs_of
from resi.results.manifests import MERGED
from resi.results.shards import Shard, find_shards

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

PRIVATE = ("root", "cache", "shards", "suite", "stage", "file")
"""Last parts of keys whose values are paths on a machine, or do not change the numbers."""
LEFT_OUT = ("hydra", "models.root", "workers", "compare.memory", "compare.threads", "compare.overwrite")
SHOWN_RUNS = 400


class Run(NamedTuple):
    """A run, or an import of published results, from its manifest."""

    name: str
    test: str
    command: str
    finished: str
    machine: str
    versions: str
    devices: str
    seconds: float | None
    missing_models: list[str]


class Provenance(NamedTuple):
    """The runs behind tables, the newest last; ``more`` counts those that are not listed.

    ``taken`` says how long all of them took, empty if that is unknown.
    """

    runs: list[Run]
    more: int
    machines: list[str]
    versions: list[str]
    first: str
    last: str
    taken: str
    unreadable: int

    @property
    def sentence(self) -> str:
        """How many runs there are, when they finished, and how long they took."""
        count = len(self.runs) + self.more
        finished = f"finished {self.last}" if self.first == self.last else f"finished {self.first} to {self.last}"
        taken = f" ({self.taken}{' in all' if count > 1 else ''})" if self.taken else ""
        return f"{counted(count, 'run')}{taken}{f', {finished}' if self.first else ''}."


def read_provenance(tables: Shard, root: Path | None) -> Provenance:
    """Return the runs whose shards are in the tables, if their manifests are in the data root."""
    manifest = tables.manifest()
    found = [_run(name, about) for name, about in runs_of(tables.folder)]
    unreadable = 0
    shards = list(_shards(tables, manifest, root))
    for shard in shards:
        try:
            found.append(_run(shard.folder.name, shard.manifest()))
        except ResiError:
            unreadable += 1
    found.sort(key=lambda run: (run.finished, run.name))
    known = [run.seconds is not None for run in found]
    dates = [run.finished for run in found if run.finished]
    return Provenance(
        found[:SHOWN_RUNS],
        max(0, len(found) - SHOWN_RUNS),
        sorted({run.machine for run in found if run.machine}),
        sorted({run.versions for run in found if run.versions}),
        min(dates, default=""),
        max(dates, default=""),
        format_seconds(sum(run.seconds for run in found if run.seconds is not None)) if any(known) else "",
        unreadable,
    )


def _shards(tables: Shard, manifest: Mapping[str, Any], root: Path | None) -> Iterator[Shard]:
    if manifest.get("kind") != MERGED:
        yield tables
        return
    if root is None:
        return
    merged = set(manifest.get("shards", {}))
    yield from (shard for shard in find_shards(root) if shard.is_complete and shard.folder.name in merged)


def _run(name: str, manifest: Mapping[str, Any]) -> Run:
    seconds = [value for value in manifest.get("seconds", {}).values() if isinstance(value, int | float)]
    return Run(
        without_paths(name),
        str(manifest.get("test", "")),
        command(manifest),
        _date(str(manifest.get("finished", ""))),
        _machine(manifest),
        _versions(manifest),
        ", ".join(manifest.get("devices", [])),
        sum(seconds) if seconds else None,
        [str(model) for model in manifest.get("missing_models") or []],
    )


def _date(text: str) -> str:
    """Return a date in readable form; other text is returned unchanged."""
    try:
        return datetime.datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M %Z").strip()
    except ValueError:
        return text


def _machine(manifest: Mapping[str, Any]) -> str:
    words = [str(manifest[name]) for name in ("host", "platform") if manifest.get(name)]
    if manifest.get("cpus"):
        words.append(f"{manifest['cpus']} CPUs")
    gpus = manifest.get("gpus")
    words += [str(gpu) for gpu in gpus] if isinstance(gpus, list) else []
    return without_paths(", ".join(words))


def _versions(manifest: Mapping[str, Any]) -> str:
    words = [f"{name} {manifest[name]}" for name in ("resi", "python") if manifest.get(name)]
    words += [f"{name} {version}" for name, version in manifest.get("packages", {}).items() if version]
    if manifest.get("git"):
        words.append(f"commit {manifest['git']}")
    return without_paths(", ".join(words))


def command(manifest: Mapping[str, Any]) -> str:
    """Return the command of a run or an import from its manifest."""
    config = manifest.get("config")
    if not isinstance(config, dict):
        source = manifest.get("source")
        name = source.get("name", "FILE") if isinstance(source, dict) else "FILE"
        return without_paths(f"resi-merge --published {name}") if manifest.get("source") else ""
    words = ["resi", *_words(redact_config(config))]
    return without_paths(" ".join(words))


def _words(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield the words of a command line: the groups first, then what differs from their defaults."""
    yield f"domain={config.get('domain', '')}"
    if isinstance(dataset := config.get("dataset"), dict) and dataset.get("name"):
        yield f"dataset={dataset['name']}"
    for group in ("model", "test", "measure"):
        yield from _group(group, config.get(group))
    for key, value in config.items():
        if key not in ("domain", "dataset", "model", "test", "measure"):
            yield from _options(key, value)


def _group(group: str, content: Any) -> Iterator[str]:
    if not isinstance(content, dict):
        return
    if group == "test":
        yield f"test={content.get('name', '')}"
        return
    names = [str(name) for name in content if isinstance(content[name], dict)]
    given = [name.replace("--", ":") for name in names]  # the form of distribution:name in a key
    yield f"{group}={given[0]}" if len(names) == 1 else f"{group}=[{','.join(given)}]"
    if group == "measure" and content.get("file"):
        yield from _options("measure.file", content["file"])
    for name, spoken in zip(names, given, strict=True):
        usual = registry.defaults(spoken) if group == "measure" else {}
        for key, value in content[name].items():
            if key not in usual or usual[key] != value:
                yield from _options(f"{group}.{name}.{key}", value)


def _options(key: str, value: Any) -> Iterator[str]:
    last = key.rpartition(".")[2]
    if value is None or last in PRIVATE or key in LEFT_OUT or key.partition(".")[0] in LEFT_OUT:
        return
    if isinstance(value, dict):
        for name, below in value.items():
            yield from _options(f"{key}.{name}", below)
    elif not (last in ("device", "isolate", "on_error") or (key, value) == ("models.source", "train")):
        yield f"{key}={_text(value)}"


def _text(value: Any) -> str:
    if isinstance(value, list):
        return f"[{','.join(_text(item) for item in value)}]"
    return str(value).lower() if isinstance(value, bool) else str(value)
