"""Networks of ``transformers`` with random, pre-trained or stored weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from resi.domains.language.lookup import text_network
from resi.domains.weights import check_fit
from resi.errors import ArtifactError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from resi.domains.language.networks.base import Network, TextNetwork
    from resi.specs import ModelSpec

TOKEN_MULTIPLE = 64
"""Embeddings that are resized for additional tokens have a multiple of so many rows."""


def initial_network(spec: ModelSpec, tokens: int, classes: int) -> Network:
    """Return the network before training: random weights, or pre-trained ones with a random classifier.

    Parameters
    ----------
    tokens : int
        Of the tokenizer, hints included.

    Raises
    ------
    UsageError
        If pre-trained weights cannot be loaded, or belong to another network.
    """
    family = text_network(spec.architecture)
    if not family.architecture(spec.architecture).hub:
        return family.build(family.config(spec.architecture, tokens, classes))
    source = str(spec.hyperparameters["pretrained"]).format(seed=spec.seed)
    network = _pretrained(family, spec.architecture, source, classes)
    if tokens > network.get_input_embeddings().weight.shape[0]:
        # New rows are drawn as all embeddings once were, not around the mean of those there are.
        network.resize_token_embeddings(tokens, pad_to_multiple_of=TOKEN_MULTIPLE, mean_resizing=False)
    return network


def _pretrained(family: TextNetwork, architecture: str, source: str, classes: int) -> Network:
    import torch
    from transformers import AutoConfig

    config = family.config(architecture, family.architecture(architecture).vocabulary, classes)
    folder = Path(source).expanduser()
    where = str(folder) if folder.is_dir() else source
    try:
        found = AutoConfig.from_pretrained(where)
        config.vocab_size = found.vocab_size
        family.check_config(found.to_dict(), config)
        return family.transformers_classes()[1].from_pretrained(where, config=config, dtype=torch.float32)
    except ArtifactError as error:
        raise UsageError(f"pretrained={source} is not {architecture}: it {error}") from error
    except Exception as error:  # for every error of the hub, the remedy is the same
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise UsageError(
            f"the pre-trained weights {source} cannot be loaded ({type(error).__name__}: {reason}). Without a network, "
            f"name a local folder with its files: model.{architecture}.pretrained=FOLDER"
        ) from error


def network_from(state: Mapping[str, Tensor], spec: ModelSpec) -> Network:
    """Return a network with stored weights, which give the sizes of its vocabulary and output.

    Raises
    ------
    ArtifactError
        If the weights do not fit.
    """
    import torch

    family = text_network(spec.architecture)
    for name in (family.embeddings, family.output):
        if name and name not in state:
            raise ArtifactError(f"the weights of {spec.label} do not fit its architecture: {name} is missing")
    classes = state[family.output].shape[0] if family.output else 0
    config = family.config(spec.architecture, state[family.embeddings].shape[0], classes)
    with torch.random.fork_rng(devices=[]):  # weights that are drawn only to be replaced
        network = family.build(config)
    check_network_fit(family, network, state, spec.label)
    network.load_state_dict(dict(state), strict=False)
    network.tie_weights()
    return network


def check_network_fit(family: TextNetwork, network: Network, state: Mapping[str, Tensor], label: str) -> None:
    """Check that weights have the names and shapes of a network's; tied ones may be there once.

    Raises
    ------
    ArtifactError
        Naming the first weights that are missing, foreign or of another shape.
    """
    expected = _untied(family, network)
    own = {name: tensor for name, tensor in state.items() if name in expected or name != family.tied}
    check_fit(expected, own, label)


def weights(family: TextNetwork, network: Network) -> dict[str, Tensor]:
    """Return the weights of a network, each once, in float32 on the CPU."""
    return {name: tensor.detach().float().cpu().contiguous() for name, tensor in _untied(family, network).items()}


def _untied(family: TextNetwork, network: Network) -> dict[str, Tensor]:
    is_tied = bool(network.config.tie_word_embeddings)
    return {name: tensor for name, tensor in network.state_dict().items() if not (is_tied and name == family.tied)}
