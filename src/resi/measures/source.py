"""The code of a measure, as part of the identity of comparisons by measures that are not built in.

Built-in measures have a version that is raised when values change. The author of another measure changes its code and
runs it again; so all the source of its package counts, and what a function was given when it was made. Of a module in
no package, such as a script or a file that a command names, the modules beside it count that it imports. What is read
from elsewhere, such as a file or another package, does not: raise ``version`` when that changes values.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import hashlib
import inspect
import sys
import sysconfig
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resi.fingerprints import LENGTH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from resi.measures.base import Measure

MOST_FILES = 500
"""Of a larger package, the folder of the measure's module alone counts."""
STEM, SOURCES = "__resi_stem__", "__resi_sources__"
"""What a module that was made from a file by itself has: the name it would be imported by, and its source."""


def code_hash(measure: type[Measure], provider: str = "") -> str:
    """Return the hash of a measure's code, 32 hexadecimal digits: the same in every process and on every machine.

    Parameters
    ----------
    provider : str
        Name and version of the distribution; without one, the names of the classes stand for it.
    """
    digest = hashlib.sha256()
    files = list(_files(measure.__module__) if provider else files_of(measure))
    provider = provider or " ".join(f"{module_name(base)}.{base.__qualname__}" for base in measure.__mro__)
    held = _Held(measure.__module__.split(".")[0] if files else None)
    for name, text in [("provider", provider), *files, *held.by_class(measure)]:
        digest.update(f"{name}\0{len(text)}\0{text}\0".encode(errors="surrogateescape"))
    return digest.hexdigest()[:LENGTH]


def module_name(value: Any) -> str:
    """Return the name of the module that a class or function is from; of one in a file, what it would be imported by.

    So that the same code is the same, whether a program imports it or a command names its file.
    """
    name = getattr(value, "__module__", "")
    return str(getattr(sys.modules.get(name), STEM, name))


def files_of(measure: type[Measure]) -> list[tuple[str, str]]:
    """Return the source files of a measure that no distribution provides, by their path in the folder they lie in.

    Those of its package; else its own, and the modules and packages beside it that it imports, directly or not.
    """
    module = sys.modules.get(measure.__module__)
    if known := getattr(module, SOURCES, None):
        return list(known)
    files = list(_files(measure.__module__))
    if not files or _package_folder(measure.__module__) is not None:
        return files
    return [*files, *beside(Path(str(getattr(module, "__file__", ""))))]


def beside(file: Path) -> list[tuple[str, str]]:
    """Return the modules and packages beside a file that it imports, directly or not: paths in the folder, and texts.

    Nothing of a file among installed packages: what lies beside it is not its own.
    """
    folder = file.resolve().parent
    if any(folder.is_relative_to(place) for place in _installed()):
        return []
    found: dict[Path, str] = {}
    pending = [file.resolve()]
    while pending:
        path = pending.pop()
        if path not in found and len(found) <= MOST_FILES:
            found[path] = _text(path)
            pending += [place for name in _imported(found[path]) for place in _places(folder, name)]
    del found[file.resolve()]
    return sorted((path.relative_to(folder).as_posix(), text) for path, text in found.items())


def _installed() -> set[Path]:
    """Return the folders of Python itself and of installed packages."""
    kinds = ("stdlib", "platstdlib", "purelib", "platlib")
    return {Path(sysconfig.get_paths()[kind]).resolve() for kind in kinds}


def _imported(text: str) -> set[str]:
    """Return the first names of what a source file imports, wherever it stands in it."""
    try:
        nodes = list(ast.walk(ast.parse(text)))
    except (SyntaxError, ValueError):  # of a file that no measure can be from
        return set()
    names = [item.name for node in nodes if isinstance(node, ast.Import) for item in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and node.level == 0]
    return {name.partition(".")[0] for name in names} - {"", __name__.partition(".")[0]}


def _places(folder: Path, name: str) -> list[Path]:
    """Return the files of a module or package of a name in a folder."""
    package = folder / name
    if (package / "__init__.py").is_file():
        return sorted(package.rglob("*.py"))
    module = folder / f"{name}.py"
    return [module] if module.is_file() else []


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="surrogateescape")  # line endings of any system are one


def _files(module: str) -> Iterator[tuple[str, str]]:
    """Yield the source files that a module's package has, by their path in it."""
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None or not Path(file).is_file():
        return
    own = Path(file)
    folder = _package_folder(module)
    paths = [own] if folder is None else sorted(folder.rglob("*.py"))
    if len(paths) > MOST_FILES:
        folder = own.parent
        paths = sorted(folder.glob("*.py"))
    for path in paths:
        name = path.name if folder is None else path.relative_to(folder).as_posix()
        yield name, _text(path)


def _package_folder(module: str) -> Path | None:
    """Return the folder of the outermost package with code that a module is in; None if it is in none."""
    names = module.split(".")
    for count in range(1, len(names) + 1):
        package = sys.modules.get(".".join(names[:count]))
        if hasattr(package, "__path__") and (file := getattr(package, "__file__", None)):
            return Path(file).parent
    return None


class _Held:
    """What functions and classes hold that source files do not show, as text.

    Parameters
    ----------
    known : str or None
        The package whose files are looked at anyway.
    """

    def __init__(self, known: str | None) -> None:
        self._known = (known, __name__.split(".")[0])
        self._seen: dict[int, object] = {}

    def by_class(self, measure: type) -> Iterator[tuple[str, str]]:
        """Yield the parts of a class and of those that it is derived from, up to those of resi and of Python."""
        for kind in measure.__mro__:
            if kind.__module__.split(".")[0] in ("builtins", __name__.split(".")[0]):
                continue
            for name, value in sorted(vars(kind).items()):
                # Other methods of such names are mostly made by dataclasses.
                if not name.startswith("__") or name in ("__call__", "__post_init__"):
                    yield f"{kind.__qualname__}.{name}", self.of(value)

    def of(self, value: Any) -> str:
        """Return the text of a value that a class or function holds."""
        if value is None or isinstance(value, bool | int | float | complex | str | bytes):
            return repr(value)
        if id(value) in self._seen:
            return "seen"
        self._seen[id(value)] = value
        if isinstance(value, tuple | list):
            return f"[{','.join(map(self.of, value))}]"
        if isinstance(value, set | frozenset):
            return f"{{{','.join(sorted(map(self.of, value)))}}}"
        if isinstance(value, dict):
            return f"{{{','.join(f'{self.of(key)}:{self.of(item)}' for key, item in value.items())}}}"
        return self._of_object(value)

    def _of_object(self, value: Any) -> str:
        if isinstance(value, types.FunctionType):
            return self._of_function(value)
        if isinstance(value, functools.partial):
            return f"partial {self.of(value.func)} {self.of(value.args)} {self.of(value.keywords)}"
        if isinstance(value, staticmethod | classmethod | types.MethodType | property):
            return self.of(value.fget if isinstance(value, property) else value.__func__)
        if hasattr(value, "tobytes") or hasattr(value, "data_ptr"):
            return _of_array(value)
        if isinstance(value, type | types.ModuleType | types.BuiltinFunctionType):
            return f"{module_name(value)}.{getattr(value, '__qualname__', value.__name__)}"
        kind = type(value)
        return f"{module_name(kind)}.{kind.__qualname__} {self.of(getattr(value, '__dict__', None))}"

    def _of_function(self, function: types.FunctionType) -> str:
        cells = [cell.cell_contents for cell in function.__closure__ or () if _is_filled(cell)]
        held = self.of((cells, function.__defaults__, function.__kwdefaults__))
        if function.__module__.split(".")[0] in self._known:
            return f"{function.__qualname__} {held}"
        if Path(function.__code__.co_filename).is_file():
            with contextlib.suppress(OSError, TypeError, SyntaxError):
                return f"{inspect.getsource(function)} {held}"
        # Typed in or executed: other functions beside it are not seen otherwise. Python may have a text under such a
        # name, as "<string>" is what `python -c` runs, but it need not be this function's.
        used = [function.__globals__.get(name) for name in _names(function.__code__)]
        return f"{_of_code(function.__code__)} {held} {self.of([other for other in used if _is_beside(other)])}"


def _names(code: types.CodeType) -> list[str]:
    """Return the names that code uses, and the functions and comprehensions within it."""
    inner = [name for item in code.co_consts if isinstance(item, types.CodeType) for name in _names(item)]
    return [*code.co_names, *inner]


def _is_beside(value: Any) -> bool:
    """Return whether what a function finds by a global name is part of its code, and is no module or class."""
    kinds = (types.FunctionType, functools.partial, int, float, str, tuple, list, dict)
    return isinstance(value, kinds) or hasattr(value, "tobytes") or hasattr(value, "data_ptr")


def _of_code(code: types.CodeType) -> str:
    return f"{code.co_code.hex()} {code.co_names} {[_of_constant(item) for item in code.co_consts]}"


def _of_constant(value: Any) -> str:
    if isinstance(value, types.CodeType):
        return _of_code(value)
    if isinstance(value, tuple):
        return f"({','.join(map(_of_constant, value))})"
    # The order of a set's items is another one in each process.
    return f"{{{','.join(sorted(map(_of_constant, value)))}}}" if isinstance(value, frozenset) else repr(value)


def _of_array(array: Any) -> str:
    if hasattr(array, "data_ptr"):
        array = array.detach().cpu().numpy()
    return f"{array.dtype} {array.shape} {hashlib.sha256(array.tobytes()).hexdigest()}"


def _is_filled(cell: types.CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018 - raises if there is nothing
    except ValueError:
        return False
    return True
