"""The Python functions: compare two representations, or all pairs of many."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from resi import registry
from resi.errors import UsageError, unknown_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

    from resi.measures.base import Measure
    from resi.measures.shapes import ArrayLike, Layout


def compare(R: ArrayLike, S: ArrayLike, measure: str = "cka", shape: Layout = "nd", **parameters: Any) -> float:
    """Return how alike two representations of the same samples are.

    Parameters
    ----------
    R, S : numpy array or torch tensor, floating point
        Of shape (n_samples, n_features), or as ``shape`` says; the number of features may differ. Values are computed
        on the device that ``R`` is on, in float64; the products of some measures in float32, where the arrays have no
        more and six digits of the value are sure.
    measure : str
        Name of a measure, see :func:`list_measures`.
    shape : str
        ``nd``, ``ntd`` (samples, tokens, features) or ``nchw`` (samples, channels, height, width).
    **parameters
        Parameters of the measure, for example ``k=20`` for ``jaccard``.

    Returns
    -------
    float
        Larger means more similar or more different, as the measure's ``larger_is_more_similar`` says.

    Raises
    ------
    UsageError
        If there is no such measure or parameter.
    ShapeError
        If the arrays do not fit the measure or each other.
    DegenerateInputError
        If the measure has no value for this input, such as a constant representation.

    Examples
    --------
    >>> import numpy as np
    >>> R = np.random.default_rng(0).normal(size=(100, 8))
    >>> round(compare(R, 2 * R[:, ::-1] + 1, measure="cka"), 6)
    1.0
    """
    return make_measure(measure, parameters).evaluate(R, S, shape)


def pairwise(
    representations: Mapping[str, ArrayLike],
    measures: Sequence[str] = ("cka",),
    shape: Layout = "nd",
    memory: str = "auto",
    threads: int | None = None,
    samples: int | None = None,
) -> pl.DataFrame:
    """Compare all pairs among many representations of the same samples.

    Each representation is prepared once, however many pairs it is part of.

    Parameters
    ----------
    representations : mapping from name to array
        As for :func:`compare`; computed on the device that the first one is on.
    measures : sequence of str
        Names of measures, or of the sets ``benchmark``, ``fast`` and ``all``.
    shape : str
        ``nd``, ``ntd`` or ``nchw``.
    memory : str
        Budget for prepared representations, such as ``4GB``; ``auto`` is half the machine's.
    threads : int, optional
        How many to use; torch's own choice where not given.
    samples : int, optional
        Compare that many samples only, the same for all representations, where there are more.

    Returns
    -------
    polars.DataFrame
        Columns ``source, target, measure, value, seconds, status, error, note``: one row per unordered pair for a
        symmetric measure, per ordered pair otherwise. ``status`` is ``ok``, ``failed`` or ``undefined``; the latter
        two have no value and say why in ``error``. ``seconds`` is the comparison's own time plus its share of
        preparing. ``note`` says why a value carries little information, and is empty otherwise.
    """
    import polars as pl

    from resi.engine.budget import parse_memory
    from resi.engine.execute import Engine
    from resi.engine.plan import all_pairs
    from resi.measures.shapes import as_tensor
    from resi.representations.base import Representation, subsample
    from resi.results.schema import PAIRWISE

    if not hasattr(representations, "items"):
        kind = type(representations).__name__
        raise UsageError(f"pairwise: expected a mapping from names to arrays, such as {{'a': R, 'b': S}}, not a {kind}")
    sets = registry.measure_sets()
    names = [measures] if isinstance(measures, str) else list(measures)
    chosen = {name: make_measure(name, {}) for given in names for name in sets.get(given, [given])}
    tensors = {name: as_tensor("pairwise", name, array, shape) for name, array in representations.items()}
    if not tensors:
        return pl.DataFrame(schema=PAIRWISE)
    items = {
        name: subsample(
            Representation(name, tuple(tensor.shape), shape, "", lambda tensor=tensor: tensor),  # type: ignore[misc]
            samples,
        )
        for name, tensor in tensors.items()
    }
    device = next(iter(tensors.values())).device
    engine = Engine(chosen, parse_memory(memory, device), device, threads)
    tasks = all_pairs(list(items), chosen)
    outcomes = {outcome.task: outcome for outcome in engine.run(tasks, items)}
    rows = [
        (*task, found.value, found.seconds + found.prepare_seconds, found.status, found.error, found.note)
        for task, found in ((task, outcomes[task]) for task in tasks)
    ]
    return pl.DataFrame(rows, schema=PAIRWISE, orient="row")


def list_measures(pattern: str = "*") -> list[str]:
    """Return the names of all measures, built in and from plugins, that match a shell-style pattern."""
    return registry.measures().match(pattern)


def make_measure(name: str, parameters: Mapping[str, Any]) -> Measure:
    """Return a measure with its parameters set, or raise ``UsageError`` naming what exists."""
    if not isinstance(name, str):
        raise UsageError(f"expected the name of a measure, not {name!r}")
    measure = registry.measures().get(name)
    defaults = {field.name: field.default for field in dataclasses.fields(measure)}  # type: ignore[arg-type]
    for parameter, value in parameters.items():
        if parameter not in defaults:
            raise unknown_name(f"parameter of {name}", parameter, list(defaults))
        _check_type(f"{name}: {parameter}={value!r}", value, defaults[parameter])
    try:
        return measure(**parameters)
    except (TypeError, ValueError) as error:
        message = str(error)
        raise UsageError(message if message.startswith(f"{name}:") else f"{name}: {message}") from error


def _check_type(label: str, value: Any, default: Any) -> None:
    """Raise ``UsageError`` if a parameter is not of the kind of its default."""
    kinds = {bool: (bool,), int: (int,), float: (int, float), str: (str,)}
    allowed = kinds.get(type(default))
    if allowed is None or (isinstance(value, allowed) and isinstance(value, bool) == isinstance(default, bool)):
        return
    raise UsageError(f"{label}: expected a value such as {default!r}")
