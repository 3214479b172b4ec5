"""Fixed sets of values: those of some keys of a run, and the statuses of comparisons."""

from __future__ import annotations

import enum
from typing import Self

from resi.errors import unknown_name


class Choice(enum.StrEnum):
    """An enum of strings: a member is stored, compared and printed as its string."""

    @classmethod
    def parse(cls, key: str, given: str) -> Self:
        """Return the choice that a text names.

        Raises
        ------
        UsageError
            Naming the key, if it has no such value.
        """
        try:
            return cls(given)
        except ValueError:
            raise unknown_name(key, given, [choice.value for choice in cls]) from None


class Protocol(Choice):
    """Which numbers a run computes: corrected ones, or those of the published benchmark with its defects."""

    corrected = "corrected"
    published = "published"

    @property
    def is_published(self) -> bool:
        """Whether numbers are to be those of the published benchmark."""
        return self is Protocol.published


class ModelSource(Choice):
    """Where models come from: trained here, or published checkpoints."""

    train = "train"
    published = "published"


class OnError(Choice):
    """What an error in one comparison does: it is a row of the table, or it ends the run."""

    record = "record"
    raise_ = "raise"


class Stage(Choice):
    """How far a run goes; see ``resi --help``."""

    models = "models"
    representations = "representations"
    compare = "compare"
    score = "score"
    all = "all"

    @property
    def finishes(self) -> bool:
        """Whether a run to this stage ends with scores, and so with a finished shard."""
        return self in (Stage.score, Stage.all)


class Overwrite(Choice):
    """Which stored comparisons are computed again."""

    only_missing = "only_missing"
    failed = "failed"
    always = "always"


class Status(enum.StrEnum):
    """How a comparison ended, as stored in tables; of two rows for one comparison, the status listed first is better.

    ``undefined``: the measure has no value for these inputs. ``failed``: an error, or a value that is not finite.
    """

    ok = "ok"
    undefined = "undefined"
    failed = "failed"
