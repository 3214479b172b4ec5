"""What is expected of a domain: the first thing that does not hold is one line that says what was found instead."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


def unmet(expectation: str, found: str) -> str:
    """Return what was expected and what was found instead, in one line."""
    return f"expected {expectation}, found {' '.join(found.split())}"


class DomainCheckError(AssertionError):
    """A domain does not keep its contract; the message names the domain, what was expected and what was found."""


@dataclass(frozen=True)
class Expectations:
    """What is expected of a domain.

    Attributes
    ----------
    domain : str
        Name of the domain, with which messages begin.
    """

    domain: str

    def that(self, holds: bool, expectation: str, found: object) -> None:
        """Raise ``DomainCheckError`` unless something holds."""
        if not holds:
            raise self.failure(expectation, str(found))

    def unique(self, expectation: str, names: Sequence[object]) -> None:
        """Expect several texts, none of them empty and none twice."""
        self.that(len(names) > 0, expectation, "none")
        for name in names:
            self.that(isinstance(name, str) and name != "", expectation, repr(name))
        twice = sorted({str(name) for name in names if names.count(name) > 1})
        self.that(not twice, expectation, f"twice: {', '.join(twice)}")

    @contextlib.contextmanager
    def works(self, expectation: str) -> Iterator[None]:
        """Expect that what is done inside raises no error."""
        try:
            yield
        except DomainCheckError:
            raise
        except Exception as error:
            raise self.failure(expectation, f"{type(error).__name__}: {error}") from error

    def refused(self, expectation: str, call: Callable[[], object], *errors: type[Exception]) -> str:
        """Expect that a call raises one of these errors; return its text."""
        try:
            found: object = call()
        except errors as error:
            return str(error)
        except Exception as error:
            raise self.failure(expectation, f"{type(error).__name__}: {error}") from error
        raise self.failure(expectation, f"no error, but {found!r}")

    def failure(self, expectation: str, found: str) -> DomainCheckError:
        """Return the error, in one line."""
        return DomainCheckError(f"{self.domain}: {unmet(expectation, found)}")
