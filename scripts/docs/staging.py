"""The folder that the site is built from: the pages of ``docs``, filled, with links that lead somewhere on the site.

On the site there is no repository around the pages. What they link to outside of ``docs`` becomes a page as well: a
README as it is, a file of code as a listing.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path, PurePosixPath

from scripts.docs.markdown import code, gaps
from scripts.docs.places import DOCS, REPOSITORY, relative
from scripts.docs.reference import filled

FENCE = re.compile(r"^(```|~~~).*?^\1\s*$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"""(\]\(|^\[[^\]]+\]: +|(?:src|href)=")(?!\w+:|#|/|//)([^)#\s"]+)(?=[)#\s"])""", re.MULTILINE)
SHOWN_AS_THEY_ARE = {".png", ".jpg", ".svg", ".css", ".js", ".ico", ".gif", ".webp", ".pdf", ".ipynb", ".html"}
LANGUAGES = {".py": "python", ".toml": "toml", ".yaml": "yaml", ".yml": "yaml", ".json": "json", ".sh": "bash"}
HIDDEN = "---\nsearch:\n  exclude: true\n---\n\n"
"""What code and READMEs begin with, so that a search finds the pages that explain them."""
ALSO = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "benchmarks/README.md", "LICENSE")
"""Files outside of ``docs`` that have a page whether or not a page links to them."""


def site_path(path: Path) -> str:
    """Return the place on the site of a file or folder of the repository.

    Examples
    --------
    >>> [site_path(REPOSITORY / name) for name in ("docs/graph.md", "benchmarks/README.md", "src/resi/errors.py")]
    ['graph.md', 'repository/benchmarks.md', 'repository/src/resi/errors.py.md']
    """
    inside = path.is_relative_to(DOCS)
    place = PurePosixPath(path.relative_to(DOCS if inside else REPOSITORY).as_posix())
    if path.is_dir():
        place = place / "README.md"
    if place.suffix in SHOWN_AS_THEY_ARE:
        return str(place if inside else "repository" / place)
    if not inside:
        place = "repository" / place
        if place.name == "README.md":
            place = (
                place.parent.with_name(f"{place.parent.name}.md")
                if len(place.parts) > 2
                else place.with_name("readme.md")
            )
    return str(place) if place.suffix == ".md" else f"{place}.md"


def stage(into: Path) -> list[str]:
    """Write the pages into a folder, in place of what is there; return their places on the site.

    Raises
    ------
    ValueError
        If a page links to nothing, or something is not documented; the message names all of it.
    """
    shutil.rmtree(into, ignore_errors=True)
    first = [*sorted(path for path in DOCS.rglob("*") if path.is_file()), *(REPOSITORY / name for name in ALSO)]
    waiting = [(path, path) for path in first]
    done: dict[Path, str] = {}
    problems: list[str] = []
    while waiting:
        path, source = waiting.pop()
        if not path.exists():
            problems.append(f"{_named(source)} links to {_named(path)}, which does not exist")
        elif path not in done:
            done[path] = site_path(path)
            text, linked = _copy(path, into / done[path])
            problems += [f"{_named(path)}: not documented: {gap}" for gap in gaps(text)]
            waiting += [(target, path) for target in linked]
    if problems:
        raise ValueError("\n".join(sorted(problems)))
    return sorted(done.values())


def _named(path: Path) -> str:
    return os.path.relpath(path, REPOSITORY)


def _copy(path: Path, target: Path) -> tuple[str, list[Path]]:
    """Write a file to its place on the site; return its text, and which files it links to."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix in SHOWN_AS_THEY_ARE:
        shutil.copyfile(path, target)
        return "", []
    text, linked = page(path)
    target.write_text(text, encoding="utf-8")
    return text, linked


def page(path: Path) -> tuple[str, list[Path]]:
    """Return a page of the site for a file or folder, and which files it links to."""
    source = path / "README.md" if path.is_dir() else path
    if source.suffix != ".md":
        text = source.read_text(encoding="utf-8")
        name = source.relative_to(REPOSITORY)
        return f"{HIDDEN}# {name}\n\n{code(text, LANGUAGES.get(source.suffix, 'text'))}", []
    text = filled(source.read_text(encoding="utf-8"))
    here, linked = site_path(path), []

    def moved(found: re.Match[str]) -> str:
        target = (source.parent / found[2]).resolve()
        linked.append(target)
        return found[1] + relative(site_path(target), here)

    parts = _apart(text)
    text = "".join(part if place % 2 else LINK.sub(moved, part) for place, part in enumerate(parts))
    return (text if source.is_relative_to(DOCS) else HIDDEN + text), linked


def _apart(text: str) -> list[str]:
    """Return text and blocks of code in turn."""
    parts, end = [], 0
    for found in FENCE.finditer(text):
        parts += [text[end : found.start()], found[0]]
        end = found.end()
    return [*parts, text[end:]]
