"""``resi.extract``: what layers of any network compute for any data."""

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
from resi.extraction.reuse import into_folder
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
    """Run a network once over data, and return what its layers compute.

    The network is run in evaluation mode and without gradients, and is given back as it was: modes, hooks, device and
    type, also after an error.

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
        ``encoder[attentions]`` others than the first tensor that it returns. By default the blocks: the children of
        the network, lists and Sequentials of them taken apart, and so a child that mostly consists of such a list.
        :func:`resi.layers` lists all.
    pooling : str
        Of tokens and maps. ``none`` keeps them (layouts ``ntd`` and ``nchw``); ``mean`` and ``max`` are over tokens or
        cells; ``cls`` is the first token, ``last`` the last. Tokens that pad, as the attention mask says, do not
        count. Means are computed in float32 or float64, all else keeps its type.
    batch_size : int
        Samples of one forward pass, of data that do not come in batches.
    device : str
        ``auto``: where the model is, or a GPU if it is on the CPU and there is one.
    out : path, optional
        A folder for the layers, written batch by batch: memory does not grow with the number of samples. A call that
        was stopped goes on behind its last batch if it is repeated; one that is finished returns what is there.
    precision : str, optional
        ``float32``, ``bfloat16``, ``float16`` or ``float64``: type of the weights and inputs during the pass; by
        default they are as they are. Another precision, or device, than the model's needs memory for a second copy of
        its weights.
    column, id : optional
        Of tables and dictionaries, the input and the ids of samples.
    processor : optional
        A tokenizer, or a transform of images, in place of the one that comes with the model.
    layouts : mapping from layer to str, optional
        What the axes of a module's output are, one of ``nd``, ``ntd``, ``tnd`` (tokens first), ``nct``, ``nchw``,
        ``nhwc``, where that is not found.
    name : str, optional
        Of the network, for people.
    overwrite : bool
        Remove what an earlier extraction has written into ``out``.

    Returns
    -------
    Representations
        The layers in the order in which they are computed, rows in the order of the data; in ``out`` they are read when
        used.

    Raises
    ------
    UsageError
        If there is no such layer, the network cannot take a batch, a layer computes NaN or infinity, or ``out`` holds
        something else.
    DatasetError
        If data cannot be read, or are not what they were when an earlier call was stopped.

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
        return into_folder(Path(out).expanduser(), batches, (what, how), about, work.into, overwrite)


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
    """Return what decides bits beside the numbers: the kind of device and the version of torch."""
    import torch

    return {"device": runner.device.type, "torch": torch.__version__}


def _origin(network: Network, label: str) -> dict[str, Any]:
    from importlib.metadata import version

    import torch

    versions = {"resi": version("resi"), "torch": torch.__version__, **network.versions}
    return {"name": label, "model": _class_name(network), "versions": versions}


def _in_memory(work: Pass, about: Mapping[str, Any]) -> Representations:
    """Return layers that are kept in memory alone."""
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
