"""The Python functions: compare two representations, or all pairs of many."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from resi import registry
from resi.choices import Status
from resi.errors import ShapeError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl
    import torch

    from resi.engine.execution import Outcome
    from resi.engine.tiles import Task
    from resi.measures.base import Measure
    from resi.representation import ArrayLike, Representation
    from resi.specs import Layout

ALWAYS_FITS = 2**26
"""So many bytes are not worth asking how much memory there is."""


def compare(
    R: ArrayLike,
    S: ArrayLike,
    measure: str = "cka",
    shape: Layout = "nd",
    *,
    memory: str | int = "auto",
    samples: int | None = None,
    **parameters: Any,
) -> float:
    """Return the similarity of two representations of the same samples.

    Parameters
    ----------
    R, S : numpy array or torch tensor, floating point
        Of shape (n_samples, n_features), or as ``shape`` says; the number of features may differ. Values are computed
        on the device that ``R`` is on, in float64. Some measures multiply in float32 if both inputs are float32; their
        values are then correct to six digits.
    measure : str
        Name of a measure, see :func:`list_measures`.
    shape : str
        ``nd``, ``ntd`` (samples, tokens, features) or ``nchw`` (samples, channels, height, width).
    memory : str or int
        Memory limit of the comparison, such as ``4GB``; ``auto`` is half the memory of the machine or of the GPU.
    samples : int, optional
        Compare only that many samples, if there are more; the selection depends only on these two numbers.
    **parameters
        Parameters of the measure, for example ``k=20`` for ``jaccard``.

    Returns
    -------
    float
        Larger means more similar or more different, as the measure's ``larger_is_more_similar`` says.

    Raises
    ------
    UsageError
        If the measure or a parameter does not exist.
    ShapeError
        If the arrays do not fit the measure or each other.
    DegenerateInputError
        If the measure has no value for this input, such as a constant representation.
    BudgetError
        If it needs more than ``memory``; the message says how many ``samples`` would fit.

    Examples
    --------
    >>> import numpy as np
    >>> R = np.random.default_rng(0).normal(size=(100, 8))
    >>> round(compare(R, 2 * R[:, ::-1] + 1, measure="cka"), 6)
    1.0
    """
    chosen = registry.make_measure(measure, parameters)
    if samples is not None:
        R, S = _sampled(measure, R, S, shape, _checked_count("compare", "samples", samples, 2))
    _check_memory(chosen, R, S, shape, memory)
    return chosen.evaluate(R, S, shape)


def pairwise(
    representations: Mapping[str, ArrayLike],
    measures: str | Sequence[str] | Mapping[str, Mapping[str, Any]] = ("cka",),
    shape: Layout = "nd",
    memory: str | int = "auto",
    threads: int | None = None,
    samples: int | None = None,
    **unknown: Any,
) -> pl.DataFrame:
    """Compare all pairs among many representations of the same samples.

    Each representation is prepared only once.

    Parameters
    ----------
    representations : mapping from name to array
        As for :func:`compare`; computed on the device of the first one. Names that are not strings are converted to
        strings.
    measures : sequence of str, or mapping from str to mapping
        Names of measures, or of the sets ``benchmark``, ``fast`` and ``all``; or names with the parameters of each,
        such as ``{"jaccard": {"k": 20}, "cka": {}}``.
    shape : str
        ``nd``, ``ntd`` or ``nchw``.
    memory : str or int
        Budget for prepared representations, such as ``4GB``; ``auto`` is half the machine's.
    threads : int, optional
        Number of threads; torch's default if not given.
    samples : int, optional
        Compare only that many samples, the same for all representations, if there are more.

    Returns
    -------
    polars.DataFrame
        Columns ``source, target, measure, value, seconds, status, error, note``: one row per unordered pair for a
        symmetric measure, per ordered pair otherwise. ``status`` is ``ok``, ``failed`` or ``undefined``; the latter
        two have no value and say why in ``error``. ``seconds`` is the comparison's own time plus its share of
        preparing. ``note`` says why a value is barely informative, or holds a warning issued while it was computed;
        otherwise it is empty.

    Raises
    ------
    UsageError
        If an argument, a measure or a parameter does not exist.
    ShapeError
        If no array can be compared; if only some cannot, only their pairs fail.
    """
    import polars as pl

    from resi.engine.tiles import all_pairs
    from resi.machine.devices import plain_arithmetic
    from resi.results.schema import PAIRWISE

    for argument in unknown:
        raise UsageError(
            f"pairwise: unknown argument {argument!r}; parameters belong to a measure: "
            f"measures={{'jaccard': {{'k': 20}}}}"
        )
    threads = None if threads is None else _checked_count("pairwise", "threads", threads, 1)
    samples = None if samples is None else _checked_count("pairwise", "samples", samples, 2)
    chosen = _chosen(measures)
    arrays = _named(representations)
    if not arrays:
        return pl.DataFrame(schema=PAIRWISE)
    with plain_arithmetic():
        tensors, refused = _tensors(arrays, shape)
        items = {name: _representation(name, tensor, shape, samples) for name, tensor in tensors.items()}
        tasks = all_pairs(list(arrays), chosen)
        possible = [task for task in tasks if task.source in items and task.target in items]
        outcomes = _outcomes(possible, items, chosen, memory, next(iter(tensors.values())).device, threads)
    rows = []
    for task in tasks:
        if task in outcomes:
            found = outcomes[task]
            seconds = found.seconds + found.prepare_seconds
            rows.append((*task, found.value, seconds, found.status, found.error, found.note))
        else:
            error = refused.get(task.source) or refused[task.target]
            rows.append((*task, None, 0.0, Status.failed, error, ""))
    return pl.DataFrame(rows, schema=PAIRWISE, orient="row")


def _chosen(measures: str | Sequence[str] | Mapping[str, Mapping[str, Any]]) -> dict[str, Measure]:
    """Return measures by name, the sets among them in full."""
    if isinstance(measures, Mapping):
        return {name: registry.make_measure(name, parameters) for name, parameters in measures.items()}
    names = [measures] if isinstance(measures, str) else list(measures)
    sets = registry.measure_sets()
    members = [sets.get(name, [name]) if isinstance(name, str) else [name] for name in names]
    return {name: registry.make_measure(name, {}) for several in members for name in several}


def _named(representations: Any) -> dict[str, ArrayLike]:
    if not isinstance(representations, Mapping):
        kind = type(representations).__name__
        raise UsageError(f"pairwise: expected a mapping from names to arrays, such as {{'a': R, 'b': S}}, not a {kind}")
    arrays: dict[str, ArrayLike] = {}
    for given, array in representations.items():
        if str(given) in arrays:
            raise UsageError(f"pairwise: two representations have the name {str(given)!r}; give each its own")
        arrays[str(given)] = array
    return arrays


def _tensors(arrays: Mapping[str, ArrayLike], shape: Layout) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Return the arrays that can be compared as tensors, and why the others cannot."""
    from resi.measures.shapes import LAYOUTS, as_tensor

    tensors: dict[str, torch.Tensor] = {}
    refused: dict[str, str] = {}
    for name, array in arrays.items():
        try:
            tensors[name] = as_tensor("pairwise", name, array, shape)
        except ShapeError as error:
            if shape not in LAYOUTS or len(refused) == len(arrays) - 1:
                raise
            refused[name] = f"{type(error).__name__}: {error}"
    return tensors, refused


def _outcomes(
    tasks: Sequence[Task],
    items: Mapping[str, Representation],
    measures: Mapping[str, Measure],
    memory: str | int,
    device: torch.device,
    threads: int | None,
) -> dict[Task, Outcome]:
    from resi.engine.budget import ARGUMENTS
    from resi.engine.execution import Engine
    from resi.machine.memory import parse_memory

    budget = parse_memory(memory, device, ARGUMENTS.memory)
    engine = Engine(measures, budget, device, threads, limits=ARGUMENTS)
    return {outcome.task: outcome for outcome in engine.run(tasks, items)}


def _representation(name: str, tensor: torch.Tensor, shape: Layout, samples: int | None) -> Representation:
    from resi.representation import Representation, subsample

    return subsample(Representation(name, tuple(tensor.shape), shape, "", lambda: tensor, label=name), samples)


def _sampled(measure: str, R: ArrayLike, S: ArrayLike, shape: Layout, samples: int) -> list[Any]:
    from resi.measures.shapes import as_tensor

    tensors = [as_tensor(measure, side, array, shape) for side, array in (("R", R), ("S", S))]
    return [_representation(measure, tensor, shape, samples).load() for tensor in tensors]


def _check_memory(measure: Measure, R: ArrayLike, S: ArrayLike, shape: Layout, memory: str | int) -> None:
    """Raise ``BudgetError`` if comparing two arrays needs more memory than allowed."""
    from resi.engine.budget import ARGUMENTS, check_budget
    from resi.machine.memory import parse_memory
    from resi.measures.shapes import pair_views

    sizes = tuple(tuple(getattr(array, "shape", ())) for array in (R, S))
    if not all(len(size) in (2, len(shape)) for size in sizes) or sizes[0][0] != sizes[1][0]:
        return  # lists hold little, and what does not fit together is for the measure to refuse

    def bytes_of(count: int) -> int:
        sampled = (count, *sizes[0][1:]), (count, *sizes[1][1:])
        views = pair_views(measure.name, sampled, (shape, shape), measure.spatial)
        return sum(measure.prepared_bytes(*view.size(size)) for view, size in zip(views, sampled, strict=True))

    if memory == "auto" and bytes_of(sizes[0][0]) < ALWAYS_FITS:
        return
    device = getattr(R, "device", None)
    budget = parse_memory(memory, device if hasattr(device, "type") else None, ARGUMENTS.memory)
    check_budget(measure.name, sizes[0], bytes_of, budget, ARGUMENTS)


def _checked_count(function: str, argument: str, value: Any, least: int) -> int:
    try:
        count = operator.index(value)
    except TypeError:
        count = 0
    if isinstance(value, bool) or count < least:
        raise UsageError(f"{function}: {argument}={value!r}: expected a whole number, at least {least}")
    return count


def list_measures(pattern: str = "*") -> list[str]:
    """Return the names of all measures, built in and from plugins, that match a shell-style pattern."""
    return registry.measures().match(pattern)
