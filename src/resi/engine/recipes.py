"""How another process makes a measure: by its name, or from the file or module that its class is in."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from resi import registry
from resi.errors import UsageError
from resi.measures.source import code_hash
from resi.registry.files import file_of, load_file

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resi.measures.base import Measure


class Recipe(NamedTuple):
    """Description of a measure that is sent to a process; all of it can be pickled.

    Attributes
    ----------
    place : str
        The file of the measure, or the name of the module of its class; empty for one that is registered.
    kind : str
        The name of the class in its module.
    code : str
        The hash of its code, if it is not registered.
    path : tuple of str
        Where modules are found.
    """

    name: str
    parameters: Mapping[str, Any]
    place: str = ""
    kind: str = ""
    code: str = ""
    path: tuple[str, ...] = ()

    @classmethod
    def of(cls, measure: Measure) -> Recipe:
        """Return how to make a measure.

        Raises
        ------
        UsageError
            If another process could not find its class.
        """
        kind = type(measure)
        if registry.measures().registered(kind):
            return cls(measure.name, measure.parameters())
        if file := file_of(kind):
            return cls(measure.name, measure.parameters(), str(file.path), code=code_hash(kind))
        module = kind.__module__
        if module == "__main__" or getattr(sys.modules.get(module), kind.__qualname__, None) is not kind:
            raise UsageError(
                f"compare.isolate=true: {measure.name} is compared in another process, which cannot find it; put it "
                "into a file of its own and name that as measure.file=FILE"
            )
        return cls(measure.name, measure.parameters(), module, kind.__qualname__, code_hash(kind), tuple(sys.path))

    def make(self) -> Measure:
        """Return the measure.

        Raises
        ------
        UsageError
            If its code has changed since this was made.
        """
        if not self.place:
            return registry.make_measure(self.name, self.parameters)
        if self.kind:
            sys.path[:] = [*sys.path, *(place for place in self.path if place not in sys.path)]
            kind = getattr(importlib.import_module(self.place), self.kind)
        else:
            kind = load_file(Path(self.place)).measures[self.name]
        if code_hash(kind) != self.code:
            raise UsageError(f"{self.name}: its code in {self.place} has changed since the run began; run again")
        return registry.configured(kind, self.parameters)
