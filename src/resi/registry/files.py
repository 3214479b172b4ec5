"""The measures of a file: what ``measure.file=my_measure.py`` gives a run, without a package around it."""

from __future__ import annotations

import ast
import contextlib
import hashlib
import importlib
import inspect
import sys
import threading
import traceback
import types
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from resi.errors import FactError, UsageError, described
from resi.machine.unchanged import unchanged_process
from resi.measures.base import Measure, check_facts
from resi.measures.functions import DIRECTION, from_function, stated_facts
from resi.measures.source import SOURCES, STEM, beside
from resi.registry.names import is_taken, measures

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

KEY = "measure.file"
FILE = "__resi_file__"
"""The attribute of a module made from a file: its ``MeasureFile``."""
EXPECTED = "a class derived from resi.Measure, a result of resi.as_measure, or a function f(R, S)"
NAMES_OF_SIDES = ("R", "S")
_lock = threading.RLock()
_loaded: dict[Path, MeasureFile] = {}


class MeasureFileError(UsageError):
    """A file with measures that cannot be used.

    Attributes
    ----------
    problems : tuple of str
        All problems, with line and reason; the message shows the first.
    """

    def __init__(self, path: Path, *problems: str) -> None:
        count = len(problems) - 1
        super().__init__(f"{problems[0]} (and {count} more: resi check-measure {path})" if count else problems[0])
        self.problems = problems


class MeasureFile(NamedTuple):
    """A file and the measures that it defines.

    Attributes
    ----------
    measures : dict from name to measure class
        All measures that can be named.
    chosen : tuple of str
        The measures used if none is named.
    sources : tuple of (str, str)
        The text of the file and of the modules beside it that it imports, by their path in its folder.
    """

    path: Path
    measures: dict[str, type[Measure]]
    chosen: tuple[str, ...]
    sources: tuple[tuple[str, str], ...]

    def without(self, name: str) -> MeasureFile:
        """Return the file without one of its measures."""
        return self._replace(measures={known: measure for known, measure in self.measures.items() if known != name})

    @property
    def sha256(self) -> str:
        """The hash of the file itself."""
        return hashlib.sha256(self.sources[0][1].encode(errors="surrogateescape")).hexdigest()


def load_files(paths: Sequence[str | Path]) -> list[MeasureFile]:
    """Return the measures of files by name, which must be unique.

    Raises
    ------
    UsageError
        If a file cannot be read or executed, or defines no valid measure (the message names file, line and reason), or
        if two measures have the same name.
    """
    found = [load_file(path) for path in dict.fromkeys(Path(path).expanduser().resolve() for path in paths)]
    counts = Counter(name for file in found for name in file.measures)
    for name in [name for name, count in counts.items() if count > 1]:
        places = [file for file in found if name in file.measures]
        if any(name in file.chosen for file in places):
            raise UsageError(f"{KEY}: {places[0].path} and {places[1].path} both define {name}; rename one of them")
        for file in places:  # a function that is probably not meant as a measure
            found[found.index(file)] = file.without(name)
    return found


def load_file(path: Path) -> MeasureFile:
    """Return the measures of a file, which is executed again only if it or a module beside it has changed."""
    with _lock:
        sources = _read(path)
        if path not in _loaded or _loaded[path].sources != sources:
            _loaded[path] = _execute(path, sources)
        return _loaded[path]


def loaded_measures() -> dict[str, type[Measure]]:
    """Return the measures of all files read by this process, by name; the last one read with each name."""
    return {name: measure for file in list(_loaded.values()) for name, measure in file.measures.items()}


def file_of(measure: type[Measure]) -> MeasureFile | None:
    """Return the file that a measure is from, if it was read as one."""
    return getattr(sys.modules.get(measure.__module__), FILE, None)


def _read(path: Path) -> tuple[tuple[str, str], ...]:
    if path.suffix != ".py":
        raise UsageError(f"{KEY}={path}: expected a Python file, such as my_measure.py")
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise UsageError(
            f"{KEY}={path}: {'the file does not exist' if not path.exists() else error.strerror}"
        ) from None
    return ((path.name, text), *beside(path))


def _execute(path: Path, sources: tuple[tuple[str, str], ...]) -> MeasureFile:
    try:
        tree = ast.parse(sources[0][1], str(path))
        code = compile(tree, str(path), "exec")
    except UnicodeError:
        raise UsageError(f"{KEY}={path}: it is not a text file in UTF-8") from None
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        raise UsageError(f"{_place(path, line)}: {type(error).__name__}: {getattr(error, 'msg', error)}") from None
    content = hashlib.sha256(repr((str(path), sources)).encode(errors="surrogateescape")).hexdigest()[:16]
    module = types.ModuleType(f"_resi_file_{content}_{path.stem}", None)
    module.__file__ = str(path)
    setattr(module, STEM, path.stem)
    setattr(module, SOURCES, sources)
    sys.modules[module.__name__] = module
    try:
        with _importing_from(path.parent), unchanged_process():
            exec(code, module.__dict__)  # noqa: S102 - a file of the user's own, which was named for that
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        del sys.modules[module.__name__]
        line = next(
            (f.lineno for f in reversed(traceback.extract_tb(error.__traceback__)) if f.filename == str(path)), 0
        )
        raise UsageError(f"{_place(path, line)}: {described(error)}") from None
    lines = {node.name: node.lineno for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    found = MeasureFile(path, *_measures(path, module, lines), sources)
    setattr(module, FILE, found)
    return found


@contextlib.contextmanager
def _importing_from(folder: Path) -> Iterator[None]:
    """In this block, import the current modules beside a file, and not modules with the same name elsewhere."""
    names = {entry.name.removesuffix(".py") for entry in folder.iterdir() if entry.suffix == ".py" or entry.is_dir()}
    ours = Path(__file__).parents[2]
    hidden = {name: module for name, module in sys.modules.items() if _is_beside(name, module, names, ours)}
    for name in hidden:
        del sys.modules[name]
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):  # the file may have changed the path itself
            sys.path.remove(str(folder))
        sys.modules.update(hidden)


def _is_beside(name: str, module: Any, names: set[str], ours: Path) -> bool:
    """Return whether a loaded module hides one beside a file; modules of installed packages do not."""
    place = getattr(module, "__file__", None)
    if name.partition(".")[0] not in names or not place or name == "__main__":
        return False
    folders = {"site-packages", "dist-packages", "lib-dynload"}
    path = Path(place)
    is_installed = bool(folders & set(path.parts)) or path.is_relative_to(Path(types.__file__).parent)
    return not is_installed and not path.is_relative_to(ours)


def _measures(
    path: Path, module: types.ModuleType, lines: dict[str, int]
) -> tuple[dict[str, type[Measure]], tuple[str, ...]]:
    """Return the measures of a module by name, and the names of those used if none is named."""
    found: dict[str, type[Measure]] = {}
    chosen: list[str] = []
    others: list[str] = []
    problems: list[str] = []
    for name, value in list(vars(module).items()):
        line = lines.get(getattr(value, "__name__", name), lines.get(name, 0))
        is_class = _is_measure(value, module)
        try:
            if name.startswith("_") or not (is_class or _is_function(value, module)):
                continue
            made: type[Measure] = value if is_class else from_function(value)
            check_facts(made) if is_class else None
            _check_name(made, found.get(made.name))
        except (FactError, UsageError) as error:
            problems += [f"{_place(path, line)}: {text}" for text in getattr(error, "problems", (error,))]
            continue
        if made.name not in found:
            found[made.name] = made
            (chosen if is_class or _is_meant(value) else others).append(made.name)
    if problems:
        raise MeasureFileError(path, *problems)
    if not found:
        raise UsageError(f"{KEY}={path}: it defines no measure: {EXPECTED}")
    return found, tuple(chosen or others)


def _check_name(made: type[Measure], other: type[Measure] | None) -> None:
    """Raise ``UsageError`` if the name of a measure is taken."""
    name = made.name
    if other is made:
        return
    if other is not None:
        raise UsageError(f"{name} is defined twice; rename one of the two")
    if is_taken(name):
        raise UsageError(f"the name {name} has another meaning here; rename the measure")
    if not name.isidentifier() or name != name.lower():
        raise UsageError(f"the name {name!r} must be a snake_case identifier")
    if name in measures():
        raise UsageError(f"{name} is a measure of {measures().origin(name).distribution}; rename this one")


def _is_measure(value: Any, module: types.ModuleType) -> bool:
    """Return whether a value is a measure class defined in a module that is not a base of others there."""
    if not isinstance(value, type) or not issubclass(value, Measure) or value is Measure:
        return False
    home = sys.modules.get(value.__module__)
    if home is not module and getattr(home, value.__name__, None) is value:
        return False  # it was imported
    bases = {base for other in vars(module).values() if isinstance(other, type) for base in other.__mro__[1:]}
    return not (value in bases and not isinstance(getattr(value, "name", None), str))


def _is_function(value: Any, module: types.ModuleType) -> bool:
    """Return whether a value is a function of two matrices that was written in a module."""
    if not isinstance(value, types.FunctionType) or value.__module__ != module.__name__:
        return False
    try:
        signature = inspect.signature(value)
        signature.bind(None, None, **({"shape": "nd"} if "shape" in signature.parameters else {}))
    except TypeError:
        return DIRECTION in stated_facts(value)  # declared as a measure: problems with it are reported
    return True


def _is_meant(function: types.FunctionType) -> bool:
    """Return whether a function of two arguments is meant as a measure: declared as one, or with arguments R and S."""
    names = tuple(inspect.signature(function).parameters)[:2]
    return DIRECTION in stated_facts(function) or names == NAMES_OF_SIDES


def _place(path: Path, line: int | None) -> str:
    return f"{KEY}={path}, line {line}" if line else f"{KEY}={path}"
