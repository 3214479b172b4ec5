"""The result of converting a configuration: runs, remarks on differences, and what is not converted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from resi.domains.published_models import OwnModel

Value: TypeAlias = str | tuple[str, ...]
"""A text, or a list that is one value."""


class Remark(NamedTuple):
    """One line about a key, or about some models, of a configuration."""

    about: str
    text: str

    def __str__(self) -> str:
        """Return the line."""
        return f"{self.about}: {self.text}"


class Job(NamedTuple):
    """One run.

    Attributes
    ----------
    values : tuple of (str, Value)
        Keys and values of its command line.
    models : frozenset of OwnModel
        What the published configuration compares; the run compares these, and more where a remark says so.
    """

    values: tuple[tuple[str, Value], ...]
    models: frozenset[OwnModel]

    @property
    def words(self) -> tuple[str, ...]:
        """The words of its command line."""
        return tuple(f"{key}={as_text(value)}" for key, value in self.values)


@dataclass
class Outcome:
    """The result of converting a configuration, or a part of it.

    Attributes
    ----------
    jobs : list of Job
    merges : list of tuple of str
        Command lines without ``resi``, of configurations that merge results.
    remarks : list of Remark
        What has no counterpart, or is different.
    refused : list of Remark
        What is not converted, with the reason.
    """

    jobs: list[Job] = field(default_factory=list)
    merges: list[tuple[str, ...]] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    refused: list[Remark] = field(default_factory=list)

    def add(self, other: Outcome) -> None:
        """Add the result of a part."""
        self.jobs += other.jobs
        self.merges += other.merges
        self.remarks += other.remarks
        self.refused += other.refused

    def remark(self, about: str, text: str) -> None:
        """Add a remark, once."""
        if (found := Remark(about, text)) not in self.remarks:
            self.remarks.append(found)


def as_text(value: Value) -> str:
    """Return a value as a command line has it."""
    return value if isinstance(value, str) else f"[{','.join(value)}]"
