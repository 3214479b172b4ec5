"""Base of similarity measures: their facts, ``prepare`` once per representation, ``compare`` once per pair."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeVar

from resi.errors import DegenerateInputError, FactError, ShapeError
from resi.measures.facts import stated_problems, take_published, translated
from resi.measures.guard import Guarded, as_failure, as_number, features_for
from resi.measures.needs import Needs, Size
from resi.measures.shapes import views

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from torch import Tensor

    from resi.measures.features import Features
    from resi.measures.shapes import _Bound
    from resi.measures.shared.permutation_moments import Moments
    from resi.representation import ArrayLike
    from resi.specs import Layout

    class Spread(Protocol):
        """A function like ``map`` on one iterable, possibly on several threads."""

        def __call__(self, function: Callable[[Any], Any], items: Iterable[Any], /) -> Iterator[Any]:
            """Yield the results of the function for each item, in order."""


T = TypeVar("T")

FAMILIES = ("cca", "kernel", "alignment", "rsm", "neighbours", "topology", "regression", "statistics", "other")

VARIANTS = ("corrected", "published")
"""Values of the parameter ``variant`` of measures whose published value differs by design."""
PAPER = "paper"
"""A further value, if neither of these is the definition of the cited paper."""


class Measure:
    """A representational similarity measure.

    A subclass states its facts as class attributes and gives either

    - ``prepare(x) -> state``, called once per representation ``x`` (:class:`Features`), and
      ``compare(state, state) -> float``, or
    - ``__call__(R, S) -> float`` alone, given two float64 torch matrices with the same samples as rows.

    Parameters of a measure are the fields of its dataclass; they become config keys such as ``measure.jaccard.k``.
    """

    name: ClassVar[str]
    """Identifier in configs, tables and Python, in snake_case."""
    family: ClassVar[str] = "other"
    """One of ``FAMILIES``."""
    version: ClassVar[int] = 1
    """Version number. Increase it when values change: stored comparisons of other versions are not reused."""
    larger_is_more_similar: ClassVar[bool]
    """True for a similarity, False for a distance."""
    knows_direction: ClassVar[bool] = True
    """False for a plain function that does not state whether larger values are more similar."""
    symmetric: ClassVar[bool] = True
    """Whether the value is the same if the two sides are swapped; pairs are then compared in one order."""
    metric: ClassVar[bool] = False
    """Whether it is a metric: a symmetric distance that is 0 for equal inputs and satisfies the triangle inequality."""
    invariances: ClassVar[frozenset[str]] = frozenset()
    """Names from :data:`resi.measures.facts.INVARIANCES`: changes to either side that do not change the value."""
    self_value: ClassVar[float | None] = None
    """Value of a representation compared with itself, if it is always the same."""
    spatial: ClassVar[Literal["align", "flatten"]] = "flatten"
    """How ``nchw`` becomes a matrix, see :mod:`resi.measures.shapes`."""
    deterministic: ClassVar[bool] = True
    """False if random draws, keyed by a parameter ``seed``, decide which samples are used."""
    on_cpu: ClassVar[bool] = False
    """Whether it always computes on the CPU, for example with numpy, scipy or numba. It then gets matrices on the CPU;
    in a run on a GPU it runs while the GPU is busy with other measures."""
    resolution: ClassVar[float] = 1e-12
    """Relative rounding error of a value computed in float64: values that differ by less are equal. The best value,
    such as 1 or 0, is exact where it is the value by definition."""
    copies: ClassVar[bool] = False
    """Whether values are meaningful with repeated samples, so that intervals can be drawn with replacement. If not,
    they come from halves of the samples: copies would be each other's nearest neighbours."""
    benchmark: ClassVar[bool] = False
    """Whether it is one of the benchmark's 24 measures."""
    published_name: ClassVar[str] = ""
    """Class name in the published benchmark's results files."""
    cost: ClassVar[str] = ""
    """Cost of a comparison after preparing, for N samples and D features."""
    reference: ClassVar[str] = ""
    """The paper that defines it."""

    def __init_subclass__(cls, **keywords: Any) -> None:
        """Accept facts under the names of the published extension guide, such as ``is_symmetric``."""
        super().__init_subclass__(**keywords)
        mixed_in = [kind for kind in reversed(cls.__mro__) if kind is cls or not issubclass(kind, Measure)]
        take_published(cls, {name: value for kind in mixed_in for name, value in vars(kind).items()})

    def prepare(self, x: Features) -> Any:
        """Return the state of one representation that ``compare`` needs."""
        return x.matrix

    def compare(self, a: Any, b: Any) -> float:
        """Return the value for two prepared states."""
        return as_number(self.name, self(a, b))

    def compare_many(
        self, states: Sequence[Any], pairs: Sequence[tuple[int, int]], spread: Spread
    ) -> Sequence[float | None]:
        """Compare many pairs of prepared states at once, if that takes less work than one by one.

        Parameters
        ----------
        states : sequence
            Results of ``prepare``.
        pairs : sequence of (int, int)
            Positions in ``states``.
        spread : callable
            Like ``map``, on all threads.

        Returns
        -------
        sequence
            One value for each pair; None for pairs that must be compared one by one. A value must not depend on the
            other pairs, not even in its last bit.
        """
        del states, spread
        return [None] * len(pairs)

    def permuted(self, state: Any, order: Tensor) -> Any | None:
        """Return the result of ``prepare`` for the rows in another order, if that takes less work than preparing.

        Parameters
        ----------
        state
            Result of ``prepare``; it must not be changed.
        order : Tensor of shape (n_rows,), int64
            Row i of the result is row ``order[i]``.

        Returns
        -------
        state or None
            None if the rows must be prepared again.
        """
        del state, order
        return None

    def permuted_values(
        self, states: Sequence[Any], pairs: Sequence[tuple[int, int]], orders: Tensor, spread: Spread
    ) -> Sequence[Tensor | None]:
        """Compare many pairs with the rows of the second side in many orders, if that takes less work.

        Parameters
        ----------
        states, pairs, spread
            As for :meth:`compare_many`.
        orders : Tensor of shape (n_orders, n_rows), int64
            Row i of a permuted second side is its row ``order[i]``.

        Returns
        -------
        sequence
            The values of each pair, shape (n_orders,); None for pairs that must be permuted and compared one by one.
            They must not depend on the other pairs.
        """
        del states, orders, spread
        return [None] * len(pairs)

    def chance_moments(self, a: Any, b: Any) -> Moments | None:
        """Return the exact mean and variance of the value over all orders of one side's samples, if they are known.

        Parameters
        ----------
        a, b
            Two prepared states.
        """
        del a, b
        return None

    def resampled_values(
        self, states: Sequence[Any], pairs: Sequence[tuple[int, int]], counts: Tensor, spread: Spread
    ) -> Sequence[Tensor | None]:
        """Compare many pairs in many draws of their rows, if that takes less work than preparing and comparing each.

        Parameters
        ----------
        states, pairs, spread
            As for :meth:`compare_many`.
        counts : Tensor of shape (n_draws, n_rows), float64
            How often each row of both sides is in a draw, 0 included; more than once only if ``copies`` is true.

        Returns
        -------
        sequence
            The values of each pair, shape (n_draws,), to six digits, NaN for missing ones; None for pairs that must be
            drawn, prepared and compared one by one. They must not depend on the other pairs.
        """
        del states, counts, spread
        return [None] * len(pairs)

    def note(self, a: Any, b: Any) -> str:
        """Return one sentence on why the value for two prepared states is barely informative; else an empty text.

        For example, because unrelated representations of so few samples have about the same value. Tables, the terminal
        and the report show it with the value.
        """
        del a, b
        return ""

    def __call__(self, R: ArrayLike, S: ArrayLike, shape: Layout = "nd") -> float:
        """Return the value for two representations by calling ``evaluate``; a subclass may define it instead."""
        return self.evaluate(R, S, shape)

    def evaluate(self, R: ArrayLike, S: ArrayLike, shape: Layout = "nd") -> float:
        """Return the value for two representations of the same samples, numpy arrays or torch tensors.

        Raises
        ------
        ShapeError
            If the arrays do not fit the measure or each other.
        DegenerateInputError
            If the measure is undefined for them.
        MeasureError
            If the measure writes to its input, or tries to end the program.
        """
        from resi.machine.devices import plain_arithmetic

        with plain_arithmetic():
            sides = views(self.name, (R, S), (shape, shape), self.spatial)
            if self.on_cpu:
                sides = sides[0].on_cpu(), sides[1].on_cpu()
            try:
                return self._evaluate(sides)
            except Exception:
                raise
            except BaseException as error:
                raise as_failure(self, error) from error

    def _evaluate(self, sides: tuple[_Bound, _Bound]) -> float:
        label = self.name
        guarded: list[Guarded] = []
        try:
            states = []
            for argument, side in zip("RS", sides, strict=True):
                label = f"{self.name}: {argument} of shape {tuple(side.array.shape)}"
                features = features_for(self, side(), side.array.dtype)
                states.append(self.prepare(features))
                if isinstance(features, Guarded):
                    features.check(self)
                    features.mark(states[-1])
                    guarded.append(features)
            label = self.name
            value = as_number(self.name, self.compare(*states))
        except DegenerateInputError as reason:
            raise DegenerateInputError(f"{label}: {reason}") from None
        except ShapeError as reason:
            if str(reason).startswith(f"{self.name}: "):
                raise
            raise ShapeError(f"{label}: {reason}") from None
        for features in guarded:
            features.check(self)
        return value

    def prepared_bytes(self, n_samples: int, n_features: int) -> int:
        """Return about how many bytes preparing one representation takes, including its matrix, or half of a pair's."""
        return 3 * 8 * n_samples * n_features

    def memory_needs(self, size: Size) -> Needs:
        """Return the memory needed for one representation, by parts; only for built-in measures."""
        return Needs({self.name: self.prepared_bytes(size.n_samples, size.n_features)})

    def relative_time(self, n_samples: int, n_features: int) -> float | None:
        """Return how the time of preparing and comparing two representations grows with their size, in any unit.

        ``resi plan`` scales measured times by it. None where the growth is that of the declared cost.
        """
        del n_samples, n_features
        return None

    def parameters(self) -> dict[str, Any]:
        """Return the parameters of this instance by name."""
        return dataclasses.asdict(self)  # type: ignore[call-overload]


class BuiltIn(Measure, ABC):
    """A measure that states its memory by parts, as all built-in measures do."""

    @abstractmethod
    def memory_needs(self, size: Size) -> Needs:
        """Return the memory that it needs for one representation."""

    def prepared_bytes(self, n_samples: int, n_features: int) -> int:
        """Return half of the bytes needed to prepare and compare two representations in float64."""
        return self.memory_needs(Size(n_samples, n_features)).of_one


def as_measure(
    function: Callable[[Any, Any, str], float],
    *,
    name: str,
    larger_is_more_similar: bool,
    **facts: Any,
) -> type[Measure]:
    """Wrap a plain function ``f(R, S, shape) -> float`` as a measure class.

    Parameters
    ----------
    function
        Called with two float64 torch matrices of shape (n_samples, n_features) and the shape ``"nd"``.
    name, larger_is_more_similar, **facts
        The class attributes of :class:`Measure`; ``is_symmetric``, ``is_metric`` and ``invariant_to_...`` of the
        published extension guide are also accepted.

    Raises
    ------
    FactError
        If a fact is unknown or invalid.

    Examples
    --------
    >>> shift = as_measure(lambda R, S, shape: float((R.mean() - S.mean()).abs()),
    ...                    name="shift", larger_is_more_similar=False)
    >>> shift()([[0.0], [1.0]], [[1.0], [2.0]])
    1.0
    """

    def compare(self: Measure, a: Tensor, b: Tensor) -> float:
        return as_number(name, function(a, b, "nd"))

    body = {
        "__doc__": function.__doc__ or f"{name}.",
        "__module__": function.__module__,
        "name": name,
        "larger_is_more_similar": larger_is_more_similar,
        "compare": compare,
        **translated(name, facts),
    }
    measure: type[Measure] = dataclasses.dataclass(type(name, (Measure,), body))
    check_facts(measure)
    return measure


def check_variant(name: str, variant: str, known: Sequence[str] = VARIANTS) -> None:
    """Raise ``ValueError`` unless a measure's parameter ``variant`` is known."""
    if variant not in known:
        raise ValueError(f"{name}: variant {variant!r} does not exist; known: {', '.join(known)}")


def check_facts(measure: type[Measure]) -> None:
    """Raise ``FactError``, a ``ValueError``, naming the first fact of a measure class that is missing or wrong."""
    if problems := list(fact_problems(measure)):
        raise FactError(*problems)


def fact_problems(measure: Any) -> Iterator[str]:
    """Yield all problems of a measure class that can be found without calling it, one line each."""
    if not isinstance(measure, type) or not issubclass(measure, Measure):
        yield f"{measure!r} is not a class derived from resi.Measure (wrap a function with resi.as_measure)"
        return
    label = f"measure {measure.__qualname__}"
    yield from (f"{label}: {problem}" for problem in stated_problems(measure))
    if measure.compare is Measure.compare and measure.__call__ is Measure.__call__:
        yield f"{label} defines neither compare(a, b) nor __call__(R, S)"
    if not dataclasses.is_dataclass(measure):
        yield f"{label} must be a dataclass (add @dataclass above it)"
