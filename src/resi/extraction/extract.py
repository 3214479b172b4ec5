"""``resi.extract``: the outputs of the layers of any network for any data."""

from __future__ import annotations

import functools
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from resi.errors import UsageError
from resi.extraction.batches import batches_of
from resi.extraction.collection import Representations
from resi.extraction.inputs.forward import floating_dtype, plain_module
from resi.extraction.modules import named
from resi.extraction.networks import resolve
from resi.extraction.outputs import AXES
from resi.extraction.passes import Pass
from resi.extraction.patterns import check_exist, wanted_layers
from resi.extraction.pooling import check_pooling
from resi.extraction.reuse import Settings, into_folder
from resi.extraction.running import running
from resi.extraction.structure import hash_processor, hash_structure
from resi.extraction.weights import hash_weights
from resi.extraction.writing import Memory
from resi.representation import Representation, hash_samples

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from resi.extraction.networks import Network
    from resi.extraction.outputs import Axes
    from resi.extraction.pooling import Pooling
    from resi.extraction.running import Runner

FORMAT = 1


def extract(  # noqa: PLR0913, PLR0917 - each is said where it is called
    model: Any,
    data: Any,
    layers: str | Sequence[str] | None = None,
    pooling: Pooling = "none",
    batch_size: int = 32,
    device: str = "auto",
    out: str | os.PathLike[str] | None = None,
    *,
    precision: str | None = None,
    column: str | Sequence[str] | None = None,
    id: str | Literal[False] | None = None,
    processor: Any = None,
    layouts: Mapping[str, Axes] | None = None,
    name: str | None = None,
    overwrite: bool = False,
) -> Representations:
    """Run a network once over data, and return the outputs of its layers.

    The network runs in evaluation mode and without gradients. Its modes, hooks, device and type are restored
    afterwards, also after an error.

    Parameters
    ----------
    model : nn.Module, tuple or str
        A module; a module with its tokenizer or transform; or a name such as ``timm:resnet18``, see
        :func:`resi.extraction.networks.resolve`.
    data : any
        A tensor, array, ``Dataset``, ``DataLoader``, list of texts or images, table, folder or iterable of batches, see
        :func:`resi.extraction.batches.batches_of`.
    layers : str or sequence of str, optional
        Names and patterns of modules, such as ``layer3.*`` or ``encoder.layer.*.output``; ``output`` is what the
        network returns. ``relu#2`` is the second call of a module in one pass, ``lstm[1][0]`` and
        ``encoder[attentions]`` select another tensor than the first one returned. The default is the blocks of the
        network: its children, with lists and Sequentials (and children that mostly consist of one) split into their
        members. :func:`resi.layers` lists all layers.
    pooling : str
        How tokens and maps are pooled. ``none`` keeps them (layouts ``ntd`` and ``nchw``); ``mean`` and ``max`` pool
        tokens or cells; ``cls`` is the first token, ``last`` the last. Padding tokens (by the attention mask) are
        ignored. Means are computed in float32 or float64; otherwise the type is kept.
    batch_size : int
        Samples per forward pass, for data that are not in batches already.
    device : str
        ``auto``: the model's device, or a GPU if the model is on the CPU and a GPU is available.
    out : path, optional
        A folder for the layers, written batch by batch: memory does not grow with the number of samples. Repeating a
        call that was stopped continues after its last batch; repeating a finished one returns the stored layers.
    precision : str, optional
        ``float32``, ``bfloat16``, ``float16`` or ``float64``: type of the weights and inputs during the pass; the
        default is the model's own. Another precision or device than the model's needs memory for a second copy of its
        weights.
    column, id : optional
        For tables and dictionaries: the columns with the input and with the ids of samples.
    processor : optional
        A tokenizer or image transform to use instead of the model's own.
    layouts : mapping from layer to str, optional
        The axes of a module's output where they cannot be inferred: ``nd``, ``ntd``, ``tnd`` (tokens first), ``nct``,
        ``nchw`` or ``nhwc``.
    name : str, optional
        Name of the network, for people.
    overwrite : bool
        Remove the files of an earlier extraction from ``out``.

    Returns
    -------
    Representations
        The layers in the order in which they are computed, rows in the order of the data. With ``out``, a layer is read
        when it is used.

    Raises
    ------
    UsageError
        If there is no such layer, the network cannot take a batch, a layer computes NaN or infinity, or ``out`` holds
        something else.
    DatasetError
        If data cannot be read, or have changed since an earlier call was stopped.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> network = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    >>> found = extract(network, torch.ones(5, 4))
    >>> {layer: tuple(rows.shape) for layer, rows in found.items()}
    {'0': (5, 8), '1': (5, 8), '2': (5, 2)}
    """
    check_pooling(pooling)
    axes = _checked(layouts)
    network = resolve(model, processor)
    label = name or network.name
    with running(network, device, precision) as runner:
        modules = named(runner.network.module)
        check_exist(axes, modules)
        wanted = wanted_layers(runner.network.module, modules, layers)
        batches = batches_of(data, batch_size, runner.network, column=column, id=id)
        work = Pass(runner, modules, wanted, pooling, axes, batches, label)
        about = {
            **_origin(network, label),
            "weights": hash_weights(network.module),
            "pooling": pooling,
            "precision": precision or _own_precision(network),
        }
        if out is None:
            return _in_memory(work, about)
        what = {
            "format": FORMAT,
            "model": _class_name(network),
            "structure": hash_structure(network.module),
            "weights": about["weights"],
            "processor": hash_processor(network.processor),
            "layers": layers if layers is None or isinstance(layers, str) else list(layers),
            "pooling": pooling,
            "precision": about["precision"],
            "layouts": axes,
        }
        how = {"batch_size": batches.batch_size, **_place(runner)}
        settings = Settings(what, how, lambda module, other: hash_structure(network.module, (module, other)))
        return into_folder(Path(out).expanduser(), batches, settings, about, work.into, overwrite)


def _checked(layouts: Mapping[str, Axes] | None) -> dict[str, Axes]:
    for layer, axes in (layouts or {}).items():
        if axes not in AXES:
            raise UsageError(f"layouts: {layer} has {axes!r}: expected one of {', '.join(AXES)}")
    return dict(layouts or {})


def _class_name(network: Network) -> str:
    found = type(plain_module(network.module))
    return f"{found.__module__}.{found.__qualname__}"


def _own_precision(network: Network) -> str:
    found = floating_dtype(network.module)
    return "mixed" if found is None else str(found).removeprefix("torch.")


def _place(runner: Runner) -> dict[str, str]:
    """Return what else determines the exact bits: the kind of device and the version of torch."""
    import torch

    return {"device": runner.device.type, "torch": torch.__version__}


def _origin(network: Network, label: str) -> dict[str, Any]:
    from importlib.metadata import version

    import torch

    versions = {"resi": version("resi"), "torch": torch.__version__, **network.versions}
    return {"name": label, "model": _class_name(network), "versions": versions}


def _in_memory(work: Pass, about: Mapping[str, Any]) -> Representations:
    """Return layers that are kept only in memory."""
    memory = Memory(work.batches.n_samples)
    work.into(memory)
    tensors, digest = memory.tensors(), hash_samples(memory.samples)
    known = {**about, "data": memory.running}
    found = {
        layer: Representation(
            key=f"{about['name']}:{layer}:{uuid.uuid4().hex}",
            size=tuple(rows.shape),
            layout=memory.layers[layer].layout,  # type: ignore[arg-type]
            samples=digest,
            load=functools.partial(_same, rows),
            dtype=memory.layers[layer].computed_in,
            label=layer,
            itemsize=rows.itemsize,
        )
        for layer, rows in tensors.items()
    }
    dtypes = {layer: facts.dtype for layer, facts in memory.layers.items()}
    return Representations(found, memory.samples, str(about["name"]), dict.fromkeys(found, known), dtypes)


def _same(rows: Tensor) -> Tensor:
    return rows
