"""The work of several runs as plain data: models, layers and comparisons, and what of them is left to do."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from resi.measures.base import Measure
    from resi.measures.shapes import Sampling
    from resi.results.summary import Stored
    from resi.specs import ModelSpec, ProbeSpec

Pair = tuple[str, str]
Shape = tuple[int, ...]
Shapes = tuple[Shape | None, Shape | None]
"""Of the two sides of a comparison, where they are known."""
LOOKED_UP = 100_000
"""Keys that are looked up at once."""
LOOKED_AT = 5
"""Models of one kind whose files are looked at."""
FLOAT_BYTES = 4
HEADER_BYTES = 1200
"""About, of a file of one layer, beside its numbers."""
MODEL_HEADER_BYTES = 2100
"""About, of a model's file: its specification, and a line for each tensor."""


class Amount(NamedTuple):
    """An amount as far as it is known, and how many parts of it are not."""

    known: float = 0
    unknown: int = 0

    def plus(self, part: float | None, times: int = 1) -> Amount:
        """Return the amount with one more part, several times; None if it is not known how large that is."""
        if part is None:
            return Amount(self.known, self.unknown + times)
        return Amount(self.known + part * times, self.unknown)

    def with_all(self, other: Amount) -> Amount:
        """Return the sum of two amounts."""
        return Amount(self.known + other.known, self.unknown + other.unknown)


NOTHING = Amount()


class Place(NamedTuple):
    """Where models and comparisons belong; none belongs to two places."""

    domain: str
    dataset: str
    architecture: str


class Kind(NamedTuple):
    """A measure with its version and parameters, or a function of outputs.

    Attributes
    ----------
    samples : int or None
        How many are compared at most (``compare.subsample``).
    null : int or None
        Number of permutations by which its values are calibrated; None for the measure itself.
    """

    name: str
    key: str
    symmetric: bool
    samples: int | None = None
    null: int | None = None


class Masks(NamedTuple):
    """Sets of measures, the symmetric ones and the others: bit i stands for the i-th kind."""

    symmetric: int
    directed: int


NO_MEASURES = Masks(0, 0)


class Layer(NamedTuple):
    """One layer of a model on a probe set, as it is stored: several tests may take it."""

    model: str
    probe: str
    pooling: str
    name: str


@dataclass
class Work:
    """What runs need in one place.

    Attributes
    ----------
    shape : tuple of int or None
        Of the representations that are compared where ``shape_of`` says no other, by which time is estimated.
    shapes : set of tuple of int
        Those of all layers that are compared, by which memory is.
    models : dict from ModelSpec to bool
        Whether each is trained.
    small : set of ModelSpec
        Those of them that are trained with one thread, several at a time.
    extractions : dict from (fingerprint, probe) to bool
        Whether the representations of a model are there.
    running : Counter of ModelSpec
        The models that are to be run, and how often.
    weights : Amount
        Bytes of the weights that are left to be written.
    layers : dict from Layer to int or None
        Bytes of the representations and outputs that are left to be written; None where they are not known.
    comparisons, left : Counter of Kind
        All of them, and those that are not stored.
    left_of : Counter of (Kind, Shapes)
        The latter by the shapes of what is compared, where one differs from ``shape``.
    stored : dict from pair to int
        Bits of the measures whose comparison of a pair is stored.
    """

    place: Place
    shape: Shape | None
    models: dict[ModelSpec, bool] = field(default_factory=dict)
    extractions: dict[tuple[str, ProbeSpec], bool] = field(default_factory=dict)
    running: Counter[ModelSpec] = field(default_factory=Counter)
    weights: Amount = NOTHING
    layers: dict[Layer, int | None] = field(default_factory=dict)
    comparisons: Counter[Kind] = field(default_factory=Counter)
    left: Counter[Kind] = field(default_factory=Counter)
    left_of: Counter[tuple[Kind, Shapes]] = field(default_factory=Counter)
    shapes: set[Shape] = field(default_factory=set)
    shape_of: dict[str, Shape] = field(default_factory=dict)
    small: set[ModelSpec] = field(default_factory=set)
    stored: dict[tuple[Pair, bool], int] = field(default_factory=dict)

    @property
    def models_left(self) -> list[ModelSpec]:
        """The models to train."""
        return [model for model, is_there in self.models.items() if not is_there]

    @property
    def extractions_left(self) -> int:
        """How many models are to be run."""
        return sum(not is_there for is_there in self.extractions.values())


class Side(NamedTuple):
    """The representations, or the outputs, of an experiment that are compared with each other.

    Attributes
    ----------
    masks : Masks or None
        By which functions outputs are compared; None for representations, which each plan's own measures compare.
    """

    keys: tuple[str, ...]
    masks: Masks | None


class Made(NamedTuple):
    """A model with what it is run over, and the work of the place where it belongs."""

    work: Work
    model: ModelSpec
    probe: ProbeSpec


class Part(NamedTuple):
    """What one experiment adds to the work of a place: models with what they are run over, and comparisons."""

    work: Work
    models: tuple[Made, ...]
    sides: tuple[Side, ...]


@dataclass
class Total:
    """What all runs need, by place and by run.

    Attributes
    ----------
    measures : dict from str to (Measure, Sampling)
        By the key of its kind, each measure and which rows of maps it compares.
    kinds : list of Kind
        What each bit stands for.
    parts : list
        For each plan the experiments it has, and its measures.
    """

    works: list[Work]
    stored: Stored
    measures: dict[str, tuple[Measure, Sampling]] = field(default_factory=dict)
    kinds: list[Kind] = field(default_factory=list)
    parts: list[tuple[list[Part], Masks]] = field(default_factory=list)

    def trained(self) -> Iterator[ModelSpec]:
        """Yield the models that are there."""
        return (model for work in self.works for model, is_there in work.models.items() if is_there)


def count_pairs(items: int, masks: Masks) -> tuple[int, int]:
    """Return how many unordered pairs, and how many ordered ones, are compared among so many items."""
    symmetric, directed = masks.symmetric.bit_count(), masks.directed.bit_count()
    return items * (items - 1) // 2 * symmetric, items * (items - 1) * directed


def shapes_of(work: Work, pair: Pair) -> Shapes:
    """Return the shapes of what is compared, where they are not those that most in the place have."""
    return work.shape_of.get(pair[0]), work.shape_of.get(pair[1])


def of_mask(mask: int, kinds: Sequence[Kind]) -> Iterator[Kind]:
    """Yield the kinds that bits stand for."""
    while mask:
        lowest = mask & -mask
        yield kinds[lowest.bit_length() - 1]
        mask ^= lowest
