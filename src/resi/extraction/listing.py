"""``resi.layers``: the layers that can be extracted from a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, overload

from resi.errors import DatasetError, UsageError
from resi.extraction.batches import batches_of
from resi.extraction.modules import named
from resi.extraction.networks import resolve
from resi.extraction.outputs import UnfitError, arranged, axes_of, tensors_of
from resi.extraction.patterns import OUTPUT, blocks
from resi.extraction.recording import chain_of
from resi.extraction.running import running
from resi.extraction.shown import html_table, text_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import polars as pl
    from torch import nn

    from resi.specs import Layout

HEADINGS = ("layer", "kind", "shape", "layout", "default")


class LayerInfo(NamedTuple):
    """A layer that can be extracted.

    Attributes
    ----------
    layer : str
        Its name.
    kind : str
        Class of the module.
    shape : tuple of int
        Shape of its output for one sample, without pooling.
    layout : str
        ``nd``, ``ntd`` or ``nchw``.
    default : bool
        Whether it is extracted by default.
    """

    layer: str
    kind: str
    shape: tuple[int, ...]
    layout: Layout
    default: bool


class LayerList(Sequence[str]):
    """Names of layers in the order in which they are computed, shown as a table.

    Attributes
    ----------
    infos : tuple of LayerInfo
    """

    def __init__(self, infos: Sequence[LayerInfo]) -> None:
        self.infos = tuple(infos)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        """Return a name, or several."""
        names = [info.layer for info in self.infos]
        return names[place]

    def __len__(self) -> int:
        return len(self.infos)

    def __repr__(self) -> str:
        return "\n".join(text_lines([HEADINGS, *self._rows()]))

    def _repr_html_(self) -> str:
        """Return the table shown in notebooks."""
        return html_table(HEADINGS, self._rows())

    def to_frame(self) -> pl.DataFrame:
        """Return a frame with the columns layer, kind, shape, layout and default."""
        import polars as pl

        rows = [(info.layer, info.kind, list(info.shape), info.layout, info.default) for info in self.infos]
        types = (pl.String, pl.String, pl.List(pl.Int64), pl.String, pl.Boolean)
        return pl.DataFrame(rows, schema=dict(zip(HEADINGS, types, strict=True)), orient="row")

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (info.layer, info.kind, " x ".join(map(str, info.shape)), info.layout, "yes" if info.default else "")
            for info in self.infos
        ]


def layers(  # noqa: PLR0913 - each is said where it is called
    model: Any,
    example: Any,
    *,
    device: str = "auto",
    precision: str | None = None,
    column: str | Sequence[str] | None = None,
    id: str | Literal[False] | None = None,
    processor: Any = None,
) -> LayerList:
    """List the layers that can be extracted from a network, by running it on the first samples of data.

    Parameters
    ----------
    model, example, device, precision, column, id, processor
        As for :func:`resi.extract`, with ``example`` as the data; one batch of two samples is run.

    Returns
    -------
    LayerList
        Names, with kind, shape of one sample, layout, and whether they are extracted by default; ``to_frame()`` gives a
        Polars frame.

    Raises
    ------
    UsageError
        If the network cannot take the example.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> layers(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten()), torch.zeros(2, 3, 6, 6))
    layer   kind        shape      layout  default
    0       Conv2d      8 x 4 x 4  nchw    yes
    1       ReLU        8 x 4 x 4  nchw    yes
    2       Flatten     128        nd      yes
    output  Sequential  128        nd
    """
    network = resolve(model, processor)
    with running(network, device, precision) as runner:
        module = runner.network.module
        modules = named(module)
        batch = next(iter(batches_of(example, 2, runner.network, column=column, id=id).start()), None)
        if batch is None:
            raise DatasetError("the example has no samples")
        calls: list[_Call] = []
        n_samples = len(batch.samples)
        hooks = [each.register_forward_hook(_hook(name, modules, n_samples, calls)) for name, each in modules.items()]
        try:
            runner.run(batch)
        finally:
            for hook in hooks:
                hook.remove()
    found = _listed(calls, modules, set(blocks(module, modules)))
    if not found:
        raise UsageError(f"{network.name} has no layer with the {n_samples} samples of the example as its first axis")
    return found


class _Call(NamedTuple):
    module: str
    item: str
    shape: tuple[int, ...]
    layout: Layout | None


def _hook(
    name: str, modules: Mapping[str, nn.Module], n_samples: int, calls: list[_Call]
) -> Callable[[nn.Module, Any, Any], None]:
    chain = chain_of(name, modules)

    def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
        calls.append(_Call(name, "", (), None))
        for number, (path, tensor) in enumerate(tensors_of(output)):
            try:
                found, layout = arranged(tensor, axes_of(tensor, path, chain), n_samples)
            except UnfitError:
                continue
            calls.append(_Call(name, path if number else "", tuple(found.shape[1:]), layout))

    return hook


def _listed(calls: Sequence[_Call], modules: Mapping[str, nn.Module], default: set[str]) -> LayerList:
    totals: dict[str, int] = {}
    for call in calls:
        totals[call.module] = totals.get(call.module, 0) + (call.layout is None)
    seen: dict[str, int] = {}
    found = []
    for call in calls:
        seen[call.module] = seen.get(call.module, 0) + (call.layout is None)
        if call.layout is None:
            continue
        number = f"#{seen[call.module]}" if totals[call.module] > 1 else ""
        kind = type(modules[call.module]).__name__
        is_default = call.module in default and not call.item
        layer = f"{call.module or OUTPUT}{number}{call.item}"
        found.append(LayerInfo(layer, kind, call.shape, call.layout, is_default))
    return LayerList(found)
