"""Networks of ``transformers``, built from a design, with random, pre-trained or stored weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from resi.domains.language.designs import DESIGNS
from resi.errors import ArtifactError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor
    from transformers import PreTrainedConfig

    from resi.specs import ModelSpec

Network: TypeAlias = Any
"""A ``PreTrainedModel``; the methods of ``transformers`` tell no types."""
TOKEN_MULTIPLE = 64
"""Embeddings that are resized for additional tokens have a multiple of so many rows."""
EMBEDDINGS = {
    "bert": "bert.embeddings.word_embeddings.weight",
    "albert": "albert.embeddings.word_embeddings.weight",
    "llama": "model.embed_tokens.weight",
}
OUTPUT = {"bert": "classifier.weight", "albert": "classifier.weight"}
TIED = "lm_head.weight"
# What decides how a checkpoint computes and does not show in the shapes of its weights.
CHECKED = (
    "model_type",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "intermediate_size",
    "embedding_size",
    "hidden_act",
    "layer_norm_eps",
    "rms_norm_eps",
    "rope_parameters",
)


def build_config(architecture: str, vocabulary: int, classes: int) -> PreTrainedConfig:
    """Return the config of an architecture; a causal model has no use for ``classes``."""
    from transformers import AlbertConfig, BertConfig, LlamaConfig

    design = DESIGNS[architecture]
    kinds: dict[str, Any] = {"bert": BertConfig, "albert": AlbertConfig, "llama": LlamaConfig}
    labels: dict[str, Any] = {} if design.is_causal else {"num_labels": classes}
    return kinds[design.family](
        num_hidden_layers=design.layers, vocab_size=vocabulary, **design.config, **labels, attn_implementation="sdpa"
    )


def build_network(config: PreTrainedConfig) -> Network:
    """Return a network with random weights from torch's generator, in float32."""
    return _class_of(config)(config)


def _class_of(config: PreTrainedConfig) -> Any:
    from transformers import AlbertForSequenceClassification, BertForSequenceClassification, LlamaForCausalLM

    return {
        "bert": BertForSequenceClassification,
        "albert": AlbertForSequenceClassification,
        "llama": LlamaForCausalLM,
    }[config.model_type]


def initial_network(spec: ModelSpec, tokens: int, classes: int) -> Network:
    """Return the network before training: random weights, or pre-trained ones with a random classifier.

    Parameters
    ----------
    tokens : int
        Of the tokenizer, hints included.

    Raises
    ------
    UsageError
        If pre-trained weights cannot be had, or are another network's.
    """
    design = DESIGNS[spec.architecture]
    if not design.hub:
        return build_network(build_config(spec.architecture, tokens, classes))
    source = str(spec.hyperparameters["pretrained"]).format(seed=spec.seed)
    network = _pretrained(spec.architecture, source, classes)
    if tokens > network.get_input_embeddings().weight.shape[0]:
        # New rows are drawn as all embeddings once were, not around the mean of those there are.
        network.resize_token_embeddings(tokens, pad_to_multiple_of=TOKEN_MULTIPLE, mean_resizing=False)
    return network


def _pretrained(architecture: str, source: str, classes: int) -> Network:
    import torch
    from transformers import AutoConfig

    config = build_config(architecture, DESIGNS[architecture].vocabulary, classes)
    folder = Path(source).expanduser()
    where = str(folder) if folder.is_dir() else source
    try:
        found = AutoConfig.from_pretrained(where)
        config.vocab_size = found.vocab_size
        check_config(found.to_dict(), config)
        return _class_of(config).from_pretrained(where, config=config, dtype=torch.float32)
    except ArtifactError as error:
        raise UsageError(f"pretrained={source} is no {architecture}: it {error}") from error
    except Exception as error:  # whatever the hub raises, the remedy is the same
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise UsageError(
            f"the pre-trained weights {source} cannot be read ({type(error).__name__}: {reason}). Without a network, "
            f"name a local folder with its files: model.{architecture}.pretrained=FOLDER"
        ) from error


def check_config(found: Mapping[str, Any], expected: PreTrainedConfig) -> None:
    """Check that weights belong to a network that computes as ours does.

    Raises
    ------
    ArtifactError
        Naming the first value that differs.
    """
    values = dict(found)
    if "rope_theta" in values and not values.get("rope_parameters"):  # as transformers before version 5 has it
        values["rope_parameters"] = {"rope_type": "default", "rope_theta": values["rope_theta"]}
    ours = expected.to_dict()
    for name in CHECKED:
        if name in ours and name in values and values[name] != ours[name]:
            raise ArtifactError(f"has {name}={values[name]} in its config; expected {ours[name]}")


def network_from(state: Mapping[str, Tensor], spec: ModelSpec) -> Network:
    """Return a network with stored weights, which tell the sizes of its vocabulary and output.

    Raises
    ------
    ArtifactError
        If the weights do not fit.
    """
    import torch

    family = DESIGNS[spec.architecture].family
    for name in (EMBEDDINGS[family], OUTPUT.get(family)):
        if name is not None and name not in state:
            raise ArtifactError(f"the weights of {spec.label} do not fit its architecture: {name} is missing")
    classes = state[OUTPUT[family]].shape[0] if family in OUTPUT else 0
    config = build_config(spec.architecture, state[EMBEDDINGS[family]].shape[0], classes)
    with torch.random.fork_rng(devices=[]):  # weights that are drawn only to be replaced
        network = build_network(config)
    check_fit(network, state, spec.label)
    network.load_state_dict(dict(state), strict=False)
    network.tie_weights()
    return network


def check_fit(network: Network, state: Mapping[str, Tensor], label: str) -> None:
    """Check that weights have the names and shapes of a network's; tied ones may be there once.

    Raises
    ------
    ArtifactError
        Naming the first weights that are missing, foreign or of another shape.
    """
    expected = _untied(network)
    problems = [f"{name} is missing" for name in expected if name not in state]
    problems += [f"{name} is not part of the model" for name in state if name not in expected and name != TIED]
    problems += [
        f"{name} has shape {tuple(state[name].shape)} instead of {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if name in state and state[name].shape != tensor.shape
    ]
    if problems:
        more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise ArtifactError(f"the weights of {label} do not fit its architecture: {'; '.join(problems[:3])}{more}")


def weights(network: Network) -> dict[str, Tensor]:
    """Return the weights of a network, each once, in float32 on the CPU."""
    return {name: tensor.detach().float().cpu().contiguous() for name, tensor in _untied(network).items()}


def _untied(network: Network) -> dict[str, Tensor]:
    tied = bool(network.config.tie_word_embeddings)
    return {name: tensor for name, tensor in network.state_dict().items() if not (tied and name == TIED)}
