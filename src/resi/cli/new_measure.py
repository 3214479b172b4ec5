"""``resi new-measure NAME``: a distribution with a measure, its tests and its documentation, to start from."""

from __future__ import annotations

import importlib.util
import keyword
import re
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, NamedTuple

from resi import registry
from resi.cli.arguments import CommandParser
from resi.console import write
from resi.errors import UsageError

if TYPE_CHECKING:
    import argparse

PREFIX = "resi-"
TEMPLATES = Path(__file__).parent / "scaffold"
CHOOSE = '# license = "MIT"  # the one you choose, with its text in a file LICENSE'


class Names(NamedTuple):
    """What a measure is called: in configs and tables, as a class, as a module and as a distribution."""

    measure: str
    kind: str
    module: str
    distribution: str


def main(words: list[str]) -> int:
    """Write the files, and say what to do with them."""
    arguments = make_parser().parse_args(words)
    names = names_of(arguments.name)
    folder = arguments.out or Path(names.distribution)
    write_files(folder.expanduser(), names, arguments.license)
    write(
        f"{folder} has an example measure to replace with yours, src/{names.module}/__init__.py, and its tests; next:\n"
        f"  python -m pip install -e {folder} pytest\n"
        f"  python -m pytest {folder}\n"
        f"  resi domain=graph test=augmentation 'measure=[cka,{names.measure}]'\n"
    )
    return 0


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = CommandParser(
        prog="resi new-measure",
        description="Write a Python distribution with one measure: entry point, documentation and tests, which pass.",
        epilog="example: resi new-measure mean-shift",
    )
    parser.add_argument("name", metavar="NAME", help="what the measure is to be called, such as mean_shift")
    parser.add_argument("--out", type=Path, metavar="DIR", help="a new folder; default resi-NAME in this one")
    parser.add_argument("--license", metavar="SPDX", help="such as MIT; by default you choose later")
    return parser


def names_of(given: str) -> Names:
    """Return the names that follow from that of a measure, which may be written with hyphens.

    Raises
    ------
    UsageError
        If it is not an identifier, or is taken.
    """
    measure = given.removeprefix(PREFIX).replace("-", "_")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", measure):
        raise UsageError(f"new-measure {given}: expected lower-case letters, digits and _ or -, such as mean_shift")
    if keyword.iskeyword(measure) or keyword.issoftkeyword(measure):
        raise UsageError(f"new-measure {given}: {measure} is a word of Python; choose another name")
    if registry.is_taken(measure):
        raise UsageError(f"new-measure {given}: measure={measure} means something else; choose another name")
    if measure in registry.measures():
        provider = registry.measures().origin(measure).distribution
        raise UsageError(f"new-measure {given}: {provider} has a measure {measure}; choose another name")
    words = [word for word in measure.split("_") if word]
    distribution = registry.canonical_name(f"{PREFIX}{'-'.join(words)}")
    module = distribution.replace("-", "_")
    if importlib.util.find_spec(module) is not None:
        raise UsageError(f"new-measure {given}: a module {module} is installed already; choose another name")
    return Names(measure, "".join(word.capitalize() for word in words), module, distribution)


def write_files(folder: Path, names: Names, spdx: str | None = None) -> None:
    """Write all files of the distribution, or none.

    Raises
    ------
    UsageError
        If the folder has something in it: nothing is overwritten; or if the license cannot be an SPDX expression.
    """
    if spdx and not _is_spdx(spdx):
        raise UsageError(f"new-measure: --license {spdx}: expected an SPDX expression, such as MIT or Apache-2.0")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"new-measure: {folder} exists already; name another folder with --out DIR")
    for name, text in rendered(names, spdx).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _is_spdx(given: str) -> bool:
    """Return whether a text is an SPDX expression, as a build demands; an early packaging does not know."""
    try:
        from packaging.licenses import canonicalize_license_expression
    except ImportError:
        return re.fullmatch(r"[A-Za-z0-9.+() -]+", given) is not None
    try:
        return bool(canonicalize_license_expression(given))
    except ValueError:
        return False


def rendered(names: Names, spdx: str | None = None, description: str = "") -> dict[str, str]:
    """Return the text of every file by its path in the folder."""
    values = {
        **names._asdict(),
        "license": f'license = "{spdx}"' if spdx else CHOOSE,
        "description": description or f"The similarity measure {names.measure} for resi.",
    }
    templates = {
        "pyproject.toml": "pyproject.toml.txt",
        "README.md": "README.md.txt",
        f"src/{names.module}/__init__.py": "init.py.txt",
        f"tests/test_{names.measure}.py": "test.py.txt",
    }
    return {
        path: Template((TEMPLATES / template).read_text(encoding="utf-8")).substitute(values)
        for path, template in templates.items()
    }
