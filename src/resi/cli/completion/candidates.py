"""What can follow on a command line."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Names = dict[str, Any]

MERGE = "resi-merge"
REPEATED = "..."
"""After the source of a word that can be given any number of times."""


class Candidate(NamedTuple):
    """What can stand in place of the last word, and what it is."""

    word: str
    about: str = ""


def candidates(words: list[str], names: Names) -> list[Candidate]:
    """Return what the last word can become.

    Parameters
    ----------
    words : list of str
        The command line up to the cursor, the name of the program first.
    names : dict
        See :func:`resi.cli.completion.collecting.collect_names`.
    """
    program, *before, last = words
    if Path(program).name == MERGE:
        before = ["merge", *before]
    name = before[0] if before and before[0] in names["abouts"] else ""
    if name == "list" and before[1:] and f"list {before[1]}" in names["commands"]:
        name = f"list {before[1]}"
    rest = before[len(name.split()) :]
    place = _Place(names, name, rest)
    found = place.after(last)
    if not before:
        found = [*_starting(names["abouts"].items(), last), *found]
    return list(dict.fromkeys(found))


class _Place:
    """A place in the command line of one command."""

    def __init__(self, names: Names, command: str, before: list[str]) -> None:
        self._names = names
        self._options, self._words, self._keys = (
            names["commands"][command][part] for part in ("options", "words", "keys")
        )
        self._before = before

    def after(self, last: str) -> list[Candidate]:
        """Return what a word can become."""
        option = self._options.get(self._before[-1]) if self._before else None
        if option and option[1] is not None:
            return self._values(option[1], last)
        if last.startswith("-"):
            name, equals, value = last.partition("=")
            if not equals:
                return _starting(((key, about) for key, (about, _) in self._options.items()), last)
            source = self._options.get(name, ["", []])[1]
            return [Candidate(f"{name}={found.word}") for found in self._values(source or [], value)]
        if "=" in last:
            return self._of_key(last)
        marks = re.match(r"[+~]*", last)[0]  # type: ignore[index]
        keys = [Candidate(f"{marks}{key}", about) for key, about in self._known_keys(last.removeprefix(marks))]
        return [*self._values(self._source(), last), *keys]

    def _source(self) -> str | list[str]:
        """Return the source of a word that is neither an option nor a key, at this place."""
        number = len(self._free())
        if self._words[-1:] == [REPEATED]:
            number = min(number, len(self._words) - 2)
        return self._words[number] if number < len(self._words) else []

    def _free(self) -> list[str]:
        """Return the words before the last that are neither options, nor their values, nor keys."""
        pairs = zip(["", *self._before], self._before, strict=False)
        is_value = [self._options.get(option, ["", None])[1] is not None for option, _ in pairs]
        return [
            word
            for word, skipped in zip(self._before, is_value, strict=True)
            if not skipped and not word.startswith("-") and "=" not in word
        ]

    def _known_keys(self, start: str) -> Iterable[tuple[str, str]]:
        """Yield the keys that begin with some letters, of several with one beginning this up to the next point."""
        domain = self._given("domain")
        launcher = self._given("hydra/launcher")
        groups: dict[str, list[str]] = {}
        for key in self._keys:
            if not key.startswith(start) or (key.startswith("hydra.") and not launcher):
                continue
            if key.startswith("model.") and domain and key.split(".")[1] not in self._of_domain("models"):
                continue
            point = key.find(".", len(start))
            groups.setdefault(key if point < 0 else key[: point + 1], []).append(key)
        for head, keys in groups.items():
            yield (f"{keys[0]}=", self._keys[keys[0]][0]) if len(keys) == 1 else (head, "")

    def _of_key(self, last: str) -> list[Candidate]:
        """Return what the value of a key can become, or the last item of a list."""
        key, _, value = last.partition("=")
        source = self._keys.get(key.lstrip("+~"), ["", []])[1] or []
        head = re.match(r"(\[?(?:[^,\[\]]*,)*)", value)[0] if source not in ("files", "folders") else ""  # type: ignore[index]
        taken = head.strip("[").split(",")
        found = [item for item in self._values(source, value.removeprefix(head)) if item.word not in taken]
        ends = (",", "]") if head.startswith("[") and len(found) == 1 else ("",)
        return [Candidate(f"{key}={head}{item.word}{end}", item.about) for item in found for end in ends]

    def _values(self, source: str | list[str], start: str) -> list[Candidate]:
        if isinstance(source, list):
            return _starting(((name, "") for name in source), start)
        found: list[Candidate] = []
        for part in source.split(" or "):
            if part in ("files", "folders"):
                found += _files(start, part == "folders")
            else:
                found += _starting(((name, "") for name in self._list(part)), start)
        return found

    def _list(self, source: str) -> Iterable[str]:
        """Return the names of a source."""
        if source == "listed":
            free = self._free()
            source = {"progress": "suites"}.get(free[0], free[0]) if free else ""
        if source in self._names["lists"]:
            more = self._yaml("hydra/launcher") if source == "launchers" else []
            return [*self._names["lists"][source], *more]
        if source in ("datasets", "models", "representations", "settings"):
            return self._of_domain(source)
        others: dict[str, Callable[[], list[str]]] = {
            "suites": lambda: self._yaml("suite"),
            "shards": self._shards,
            "names": self._described,
        }
        return others[source]() if source in others else []

    def _of_domain(self, kind: str) -> list[str]:
        """Return what the domain has that is named, or all domains have where none is."""
        domains = self._names["domains"]
        chosen = [self._given("domain")] if self._given("domain") in domains else list(domains)
        return list(dict.fromkeys(name for domain in chosen for name in domains[domain][kind]))

    def _described(self) -> list[str]:
        known = [source for source in ("measures", "tests", "domains", "datasets", "models", "suites")]
        sets = ("all", "benchmark", "fast")
        return [name for source in known for name in self._list(source) if name not in sets]

    def _shards(self) -> list[str]:
        root = Path(self._given("root") or os.environ.get("RESI_HOME") or os.environ.get("REP_SIM") or "experiments")
        folder = root.expanduser() / "shards"
        return sorted(entry.name for entry in _entries(folder) if entry.is_dir() and not entry.name.startswith("."))

    def _yaml(self, group: str) -> list[str]:
        """Return the configs of a group: resi's and, in a folder that is named, a user's."""
        folders = [self._names["configs"], *filter(None, [self._given("config-dir")])]
        found = [path.stem for folder in folders for path in Path(folder, group).expanduser().glob("*.yaml")]
        return sorted(set(found))

    def _given(self, key: str) -> str:
        """Return the value of a key or option that stands before the last word."""
        for number, word in enumerate(self._before):
            name, equals, value = word.lstrip("+-").partition("=")
            if name == key and equals:
                return value
            if word == f"--{key}" and number + 1 < len(self._before):
                return self._before[number + 1]
        return ""


def _starting(items: Iterable[tuple[str, str]], start: str) -> list[Candidate]:
    return [Candidate(name, about) for name, about in items if name.startswith(start)]


def _files(start: str, are_folders: bool) -> list[Candidate]:
    """Return the files and folders whose path begins with a text."""
    folder, slash, name = start.rpartition("/")
    found = [
        f"{folder}{slash}{entry.name}{'/' if entry.is_dir() else ''}"
        for entry in _entries(Path(f"{folder}{slash}" or ".").expanduser())
        if entry.name.startswith(name) and (name.startswith(".") or not entry.name.startswith("."))
    ]
    return [Candidate(path) for path in sorted(found) if path.endswith("/") or not are_folders]


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []
