"""What a similarity measure is: facts about it, ``prepare`` once per representation, ``compare`` once per pair."""

from __future__ import annotations

import dataclasses
import weakref
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeVar, cast

from resi.errors import DegenerateInputError, FactError
from resi.measures.facts import check_stated, translated
from resi.measures.shapes import views

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import torch
    from torch import Tensor

    from resi.measures.shapes import ArrayLike, Layout, _Bound

    class Spread(Protocol):
        """What works like ``map`` on one iterable, and may do so on several threads."""

        def __call__(self, function: Callable[[Any], Any], items: Iterable[Any], /) -> Iterator[Any]:
            """Yield what the function returns for each item, in their order."""
else:
    from resi.lazy import torch

T = TypeVar("T")

FAMILIES = ("cca", "kernel", "alignment", "rsm", "neighbours", "topology", "regression", "statistics", "other")

DOUBLE_BYTES = 8

VARIANTS = ("corrected", "published")
"""Values of the parameter ``variant`` of measures whose published value differs by design."""
PAPER = "paper"
"""A further value, where neither of these is what the cited paper defines."""


class Features:
    """One representation as measures see it: its matrix, and what has been computed from it so far.

    Attributes
    ----------
    given : Tensor of shape (n_samples, n_features)
        The matrix in the precision it has; rows are samples.
    dtype : torch.dtype
        The precision that the numbers have, which the matrix may exceed: bfloat16 for numbers that a network computed
        in bfloat16 and a file keeps as float32, float32 for the averages of float32 maps in float64.
    position : int
        Place among all that are compared: of two representations, the first one keeps what belongs to the pair.
    """

    def __init__(self, given: Tensor, dtype: torch.dtype | None = None, position: int = 0) -> None:
        self.given = given
        self.dtype = given.dtype if dtype is None else dtype
        self.position = position
        self._shared: dict[tuple[Any, ...], Any] = {}
        self._partner: weakref.ref[Features] | None = None
        self._shared_with_partner: dict[Any, Any] = {}

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of samples and features."""
        n_samples, n_features = self.given.shape
        return n_samples, n_features

    @property
    def epsilon(self) -> float:
        """Distance from 1 to the next larger number of the precision that the numbers have."""
        return torch.finfo(self.dtype).eps

    @property
    def single(self) -> bool:
        """Whether the numbers have single precision or less, so that products may be computed in it."""
        return self.dtype.itemsize < DOUBLE_BYTES

    @property
    def matrix(self) -> Tensor:
        """The matrix in float64, shape (n_samples, n_features)."""
        return self.shared(_in_double) if self.given.dtype.itemsize < DOUBLE_BYTES else self.given

    def shared(self, build: Callable[..., T], **parameters: Any) -> T:
        """Return ``build(self, **parameters)``, computed once however many measures ask for it."""
        key = (build, *sorted(parameters.items())) if parameters else (build,)
        if key not in self._shared:
            self._shared[key] = self._keep(build(self, **parameters))
        return cast("T", self._shared[key])

    def known(self, build: Callable[..., T], **parameters: Any) -> T | None:
        """Return what ``shared`` would, if it has been computed already, else None."""
        return cast("T | None", self._shared.get((build, *sorted(parameters.items()))))

    def keep(self, build: Callable[..., T], value: T) -> None:
        """Keep ``value`` as what ``build(self)`` returns, if nothing has been kept: for what is found on the way."""
        self._shared.setdefault((build,), value)

    def shared_with(self, other: Features, build: Callable[[Features, Features], T]) -> T:
        """Return ``build(self, other)``, computed once for both directions, however many measures ask for it.

        ``build(other, self)`` has to be its transpose ``T``, or the same number. Only what belongs to the latest
        partner is kept: comparisons of one pair follow each other, and products of all pairs would not fit into memory.
        """
        if other.position < self.position:
            result: Any = other.shared_with(self, build)
            return cast("T", result.T if hasattr(result, "T") else result)
        if self._partner is None or self._partner() is not other:
            self._partner = weakref.ref(other)
            self._shared_with_partner = {}
        if build not in self._shared_with_partner:
            self._shared_with_partner[build] = self._keep(build(self, other), of_pair=True)
        return cast("T", self._shared_with_partner[build])

    def held(self) -> tuple[Any, ...]:
        """Return the matrix and everything computed from it so far."""
        return (self.given, *self._shared.values(), *self._shared_with_partner.values())

    def _keep(self, value: T, of_pair: bool = False) -> T:
        """Return what is about to be kept; a subclass may look at it."""
        del of_pair
        return value


def _in_double(x: Features) -> Tensor:
    return x.given.double()


class Measure:
    """A representational similarity measure.

    A subclass states its facts as class attributes and gives either

    - ``prepare(x) -> state``, what one representation ``x`` (:class:`Features`) is turned into once, and
      ``compare(state, state) -> float``, or
    - ``__call__(R, S) -> float`` alone, given two float64 torch matrices with the same samples as rows.

    Parameters of a measure are the fields of its dataclass; they become config keys such as ``measure.jaccard.k``.
    """

    name: ClassVar[str]
    """Identifier in configs, tables and Python, in snake_case."""
    family: ClassVar[str] = "other"
    """One of ``FAMILIES``."""
    version: ClassVar[int] = 1
    """Raise it when values change: stored comparisons of other versions are not reused."""
    larger_is_more_similar: ClassVar[bool]
    symmetric: ClassVar[bool] = True
    metric: ClassVar[bool] = False
    invariances: ClassVar[frozenset[str]] = frozenset()
    """Names from :data:`resi.measures.facts.INVARIANCES`: changes to either side that leave the value as it is."""
    self_value: ClassVar[float | None] = None
    """Value of a representation compared with itself, where it is always the same."""
    spatial: ClassVar[Literal["align", "flatten"]] = "flatten"
    """How ``nchw`` becomes a matrix, see :mod:`resi.measures.shapes`."""
    deterministic: ClassVar[bool] = True
    """False where random draws, keyed by a parameter ``seed``, decide which samples are looked at."""
    resolution: ClassVar[float] = 1e-12
    """Share of a value, computed in float64, up to which rounding may change it: values nearer to each other are equal.
    The best value itself, such as 1 or 0, is exact where it is the value by definition."""
    benchmark: ClassVar[bool] = False
    """Whether it is one of the benchmark's 24 measures."""
    published_name: ClassVar[str] = ""
    """Class name in the published benchmark's results files."""
    cost: ClassVar[str] = ""
    """Cost of a comparison after preparing, for N samples and D features."""
    reference: ClassVar[str] = ""
    """The paper that defines it."""

    def prepare(self, x: Features) -> Any:
        """Return the state of one representation that ``compare`` needs."""
        return x.matrix

    def compare(self, a: Any, b: Any) -> float:
        """Return the value for two prepared states."""
        return float(self(a, b))

    def compare_many(
        self, states: Sequence[Any], pairs: Sequence[tuple[int, int]], spread: Spread
    ) -> Sequence[float | None]:
        """Compare many pairs of prepared states at once, where that takes less work than one by one.

        Parameters
        ----------
        states : sequence
            What ``prepare`` returned.
        pairs : sequence of (int, int)
            Positions in ``states``.
        spread : callable
            Does what ``map`` does, on as many threads as there are.

        Returns
        -------
        sequence
            One value for each pair; None for those that are to be compared one by one. A value must not depend on
            which other pairs there are, not even in its last bit.
        """
        del states, spread
        return [None] * len(pairs)

    def note(self, a: Any, b: Any) -> str:
        """Return why the value for two prepared states says little about them, in one sentence; else an empty text.

        For example, because unrelated representations of so few samples have about the same value. Tables, the terminal
        and the report show it beside the value.
        """
        del a, b
        return ""

    def __call__(self, R: ArrayLike, S: ArrayLike, shape: Layout = "nd") -> float:
        """Return the value for two representations: here, what ``evaluate`` does; a subclass may define it instead."""
        return self.evaluate(R, S, shape)

    def evaluate(self, R: ArrayLike, S: ArrayLike, shape: Layout = "nd") -> float:
        """Return the value for two representations of the same samples, numpy arrays or torch tensors.

        Raises
        ------
        ShapeError
            If the arrays do not fit the measure or each other.
        DegenerateInputError
            If the measure has no value for them.
        MeasureError
            If the measure writes to what it is given, or tries to end the program.
        """
        from resi.machine.devices import plain_arithmetic
        from resi.measures.guard import as_failure

        with plain_arithmetic():
            sides = views(self.name, (R, S), (shape, shape), self.spatial)
            try:
                return self._evaluate(sides)
            except Exception:
                raise
            except BaseException as error:
                raise as_failure(self, error) from error

    def _evaluate(self, sides: tuple[_Bound, _Bound]) -> float:
        from resi.measures.guard import Guarded, features_for

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
            value = float(self.compare(*states))
        except DegenerateInputError as reason:
            raise DegenerateInputError(f"{label}: {reason}") from None
        for features in guarded:
            features.check(self)
        return value

    def prepared_bytes(self, n_samples: int, n_features: int) -> int:
        """Return about how many bytes preparing one representation takes, its matrix included."""
        return 3 * 8 * n_samples * n_features

    def parameters(self) -> dict[str, Any]:
        """Return the parameters of this instance by name."""
        return dataclasses.asdict(self)  # type: ignore[call-overload]


def as_measure(
    function: Callable[[Any, Any, str], float],
    *,
    name: str,
    larger_is_more_similar: bool,
    **facts: Any,
) -> type[Measure]:
    """Wrap a plain function ``f(R, S, shape) -> float`` into a measure class.

    Parameters
    ----------
    function
        Called with two float64 torch matrices of shape (n_samples, n_features) and the shape ``"nd"``.
    name, larger_is_more_similar, **facts
        The class attributes of :class:`Measure`; ``is_symmetric``, ``is_metric`` and ``invariant_to_...`` of the
        published extension guide are understood, too.

    Raises
    ------
    FactError
        If a fact does not exist or does not fit.

    Examples
    --------
    >>> shift = as_measure(lambda R, S, shape: float((R.mean() - S.mean()).abs()),
    ...                    name="shift", larger_is_more_similar=False)
    >>> shift()([[0.0], [1.0]], [[1.0], [2.0]])
    1.0
    """

    def compare(self: Measure, a: Tensor, b: Tensor) -> float:
        return float(function(a, b, "nd"))

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
    if not isinstance(measure, type) or not issubclass(measure, Measure):
        raise FactError(f"{measure!r} is not a class derived from resi.Measure (wrap a function with resi.as_measure)")
    label = measure.__qualname__
    check_stated(measure)
    if measure.compare is Measure.compare and measure.__call__ is Measure.__call__:
        raise FactError(f"measure {label} defines neither compare(a, b) nor __call__(R, S)")
    if not dataclasses.is_dataclass(measure):
        raise FactError(f"measure {label} must be a dataclass (add @dataclass above it)")
