"""Outputs of chosen layers over successive forward passes, recorded by forward hooks and pooled at once."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from resi.errors import UsageError, listed
from resi.extraction.outputs import UnfitError, arranged, axes_of, tensors_of
from resi.extraction.patterns import OUTPUT
from resi.extraction.pooling import ADVICE, pool, real_tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType
    from typing import Self

    import torch
    from torch import Tensor, nn

    from resi.extraction.batches import Batch
    from resi.extraction.outputs import Axes
    from resi.extraction.patterns import Wanted
    from resi.specs import Layout
else:
    from resi.lazy import torch


class Place(NamedTuple):
    """Origin of an array: module, number of the call, and output."""

    module: str
    call: int
    item: str


class Taken(NamedTuple):
    """The output of a layer for a batch.

    Attributes
    ----------
    rows : Tensor
        Pooled, samples first.
    layout : str
    computed_in : torch.dtype
        Type of the module's output.
    """

    rows: Tensor
    layout: Layout
    computed_in: torch.dtype


class Recorder:
    """Records chosen layers in every forward pass while it is open.

    The first pass determines the layers; later ones must give the same.

    Parameters
    ----------
    modules : mapping from name to nn.Module
        All modules of the network, as :func:`resi.extraction.modules.named` names them.
    wanted : sequence of Wanted
    pooling : str
    layouts : mapping from layer to str
        Axes of layers for which :func:`resi.extraction.outputs.axes_of` is wrong.
    """

    def __init__(
        self, modules: Mapping[str, nn.Module], wanted: Sequence[Wanted], pooling: str, layouts: Mapping[str, Axes]
    ) -> None:
        self._modules, self._wanted, self._pooling, self._layouts = modules, wanted, pooling, layouts
        self._calls: Counter[str] = Counter()
        self._taken: dict[Place, Taken] = {}
        self._unfit: dict[Place, str] = {}
        self._items: dict[str, list[str]] = {}
        self._axes: dict[Place, Axes] = {}
        self._names: dict[Place, str] = {}
        self._expected_calls: Counter[str] | None = None
        self._samples: Sequence[str] = ()
        self._real: Tensor | None = None
        names = set[str]().union(*(each.names for each in wanted))
        self._hooks = [
            module.register_forward_hook(self._hook(name)) for name, module in modules.items() if name in names
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for hook in self._hooks:
            hook.remove()

    @property
    def left_out(self) -> dict[str, str]:
        """Layers that match a pattern but cannot be extracted, and why."""
        return {self._name(place): why for place, why in self._unfit.items()}

    def begin(self, batch: Batch) -> None:
        """Prepare for the forward pass of a batch."""
        self._calls.clear()
        self._taken = {}
        self._samples, self._real = batch.samples, real_tokens(batch.mask, batch.samples)

    def end(self) -> dict[str, Taken]:
        """Return the outputs of the layers for the batch, in the order of computation.

        Raises
        ------
        UsageError
            If a layer was not reached, more or less often than before, or computed NaN or infinity.
        """
        if self._expected_calls is None:
            self._check_reached()
            self._expected_calls = self._calls.copy()
            self._names = {place: self._name(place) for place in self._taken}
        self._check_calls(self._expected_calls)
        taken = {self._names[place]: self._taken[place] for place in self._names}
        for layer, found in taken.items():
            _check_finite(layer, found.rows, self._samples)
        self._taken = {}
        return taken

    def _hook(self, name: str) -> Callable[[nn.Module, Any, Any], None]:
        wanted = [each for each in self._wanted if name in each.names]

        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            self._calls[name] += 1
            found = dict(tensors_of(output))
            self._items.setdefault(name, list(found))
            first = next(iter(found), "")
            asked = {each.item or first for each in wanted if each.call in (None, self._calls[name])}
            for item in found or [""]:
                if item in asked:
                    self._take(Place(name, self._calls[name], "" if item == first else item), found.get(item), item)

        return hook

    def _take(self, place: Place, tensor: Tensor | None, item: str) -> None:
        if self._expected_calls is not None and place not in self._names:
            return  # not extracted from the first batch, or an additional call, which is reported at the end
        try:
            if tensor is None:
                raise UnfitError("it computes no tensor")
            axes = self._axes.get(place) or self._axes_of(place, tensor, item)
            rows, layout = arranged(tensor, axes, len(self._samples))
        except UnfitError as error:
            if self._expected_calls is not None:
                raise UsageError(f"layer {self._name(place)}: {error}; samples {listed(self._samples, 3)}") from error
            self._unfit[place] = str(error)
            return
        self._axes[place] = axes
        try:
            pooled, layout = pool(rows, layout, self._pooling, self._real)
        except UsageError as error:
            raise UsageError(f"layer {self._name(place)} {error}") from error
        self._taken[place] = Taken(pooled, layout, tensor.dtype)

    def _axes_of(self, place: Place, tensor: Tensor, item: str) -> Axes:
        for name in (f"{place.module or OUTPUT}{place.item}", place.module or OUTPUT):
            if name in self._layouts:
                return self._layouts[name]
        return axes_of(tensor, item, chain_of(place.module, self._modules))

    def _name(self, place: Place) -> str:
        calls = (self._expected_calls or self._calls)[place.module]
        return f"{place.module or OUTPUT}{f'#{place.call}' if calls > 1 else ''}{place.item}"

    def _check_reached(self) -> None:
        """Raise unless each pattern gives a layer."""
        for wanted in self._wanted:
            if any(self._fits(wanted, place) for place in self._taken):
                continue
            reasons = {self._name(place): why for place, why in self._unfit.items() if self._fits(wanted, place)}
            if reasons:
                layer, why = next(iter(reasons.items()))
                raise UsageError(f"layer {layer} cannot be extracted: {why}")
            raise UsageError(f"layers={wanted.text!r}: {self._why_absent(wanted)}")

    def _fits(self, wanted: Wanted, place: Place) -> bool:
        items = {"", next(iter(self._items.get(place.module, [])), "")} if not place.item else {place.item}
        return place.module in wanted.names and wanted.call in (None, place.call) and wanted.item in items

    def _why_absent(self, wanted: Wanted) -> str:
        name = min(wanted.names)
        calls = self._calls[name]
        if not calls:
            return "the forward pass never calls it" if wanted.is_exact else "the forward pass calls none that fits"
        if wanted.call is not None and not 0 < wanted.call <= calls:
            return f"{name} is called {calls} time{'s' * (calls > 1)} in a forward pass"
        known = ", ".join(f"{name}{item}" for item in self._items[name]) or "no tensor"
        return f"{name or OUTPUT} computes {known}"

    def _check_calls(self, expected: Counter[str]) -> None:
        for name in {**expected, **self._calls}:
            if self._calls[name] != expected[name]:
                raise UsageError(
                    f"layer {name or OUTPUT} is called {self._calls[name]} times for samples "
                    f"{listed(self._samples, 3)}, but {expected[name]} times for the "
                    "first ones: its outputs are not one layer"
                )


def chain_of(name: str, modules: Mapping[str, nn.Module]) -> list[nn.Module]:
    """Return a module and its parents, up to the network."""
    parts = name.split(".") if name else []
    above = [".".join(parts[:count]) for count in range(len(parts), 0, -1)]
    return [modules[each] for each in (*above, "") if each in modules]


def _check_finite(layer: str, rows: Tensor, samples: Sequence[str]) -> None:
    if rows.numel() == 0:
        raise UsageError(f"layer {layer} computes nothing: shape {tuple(rows.shape)}")
    low, high = torch.aminmax(rows)  # one pass, and no array of booleans; NaN prevails
    if torch.isfinite(low) and torch.isfinite(high):
        return
    is_bad = ~torch.isfinite(rows.reshape(len(rows), -1)).all(1)
    bad = [sample for sample, each in zip(samples, is_bad.tolist(), strict=True) if each]
    raise UsageError(f"layer {layer} computes NaN or infinity for {len(bad)} of {len(rows)} samples: {listed(bad, 3)}")


def check_rows(layer: str, rows: Tensor, shape: Sequence[int], samples: Sequence[str]) -> None:
    """Raise unless rows have the shape that earlier ones have.

    Raises
    ------
    UsageError
        If they have not: samples of different length.
    """
    if tuple(rows.shape[1:]) != tuple(shape):
        raise UsageError(
            f"layer {layer} computes an array of {tuple(rows.shape[1:])} per sample for {listed(samples, 3)}, but of "
            f"{tuple(shape)} for those before, which do not fit one array: {ADVICE}"
        )
