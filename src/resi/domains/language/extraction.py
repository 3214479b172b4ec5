"""Representations of language models: one forward pass gives all hidden states, the logits and the accuracy."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from resi.domains.arithmetic import plain_networks
from resi.domains.language.alterations import probe_texts
from resi.domains.language.building import network_from
from resi.domains.language.lookup import text_network
from resi.domains.language.tokenization import PROBE_LENGTH, STATE_KEY, answer_ids, collate, encode, stored_tokenizer
from resi.specs import Extraction

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tokenizers import Tokenizer
    from torch import Tensor

    from resi.domains.language.networks.base import Network
    from resi.domains.language.tokenization import Inputs
    from resi.specs import ForwardPass, ModelSpec

POOLINGS = ("cls", "mean", "last")
# Tokens, padding included, of one forward pass: large models fill a device with it, small ones gain little from more.
BATCH_TOKENS = 8192


@dataclass(frozen=True)
class States:
    """What a model computes for rows.

    Attributes
    ----------
    pooled : mapping from (layer, pooling) to Tensor of shape (n_rows, width)
        Layer 0 are the embeddings, layer i is what block i gives; the last one of a causal model is after its final
        norm. ``cls`` is the first token, ``last`` the last, ``mean`` the mean over all tokens of the row, special ones
        included.
    logits : Tensor of shape (n_rows, n_classes)
    """

    pooled: Mapping[tuple[int, str], Tensor]
    logits: Tensor


def extract(run: ForwardPass, batch_tokens: int = BATCH_TOKENS) -> Iterator[Extraction]:
    """Run a model once over a probe set, and keep the asked layers under the asked pooling; all comes in one piece."""
    with plain_networks(run.device):
        found = _extract(run, batch_tokens)
    yield found


def _extract(run: ForwardPass, batch_tokens: int) -> Extraction:
    spec, probe = run.model, run.probe
    texts = probe_texts(run.dataset, probe.probe)
    tokenizer = stored_tokenizer(run.state, spec)
    inputs = encode(tokenizer, texts, spec, PROBE_LENGTH)
    network = network_from({name: tensor for name, tensor in run.state.items() if name != STATE_KEY}, spec).to(
        run.device
    )
    answers = _answers(spec, tokenizer, texts.classes)
    projects = text_network(spec.architecture).projects_embeddings
    layers = [int(layer) for layer in probe.layers]
    computed = precision(spec)
    found = run_network(network, inputs, layers, [probe.pooling], answers, computed, batch_tokens)
    labels = torch.from_numpy(texts.labels)
    return Extraction(
        representations={str(layer): found.pooled[layer, probe.pooling] for layer in layers},
        logits=found.logits,
        accuracy=float((found.logits.argmax(1) == labels).double().mean()),
        samples=[f"{run.dataset.content} {texts.split} {row}" for row in range(len(texts))],
        precision={str(layer): computed for layer in layers if layer or projects},
    )


def run_network(  # noqa: PLR0913, PLR0917 - what is kept, and how it is computed
    network: Network,
    inputs: Inputs,
    layers: Sequence[int] | None = None,
    poolings: Sequence[str] = POOLINGS,
    answers: Sequence[int] | None = None,
    dtype: torch.dtype = torch.float32,
    batch_tokens: int = BATCH_TOKENS,
) -> States:
    """Run a network once over rows, and pool its hidden states.

    Rows of like length go together, so that little is padded; what a row gives does not depend on the others.

    Parameters
    ----------
    layers : sequence of int, optional
        Hidden states to keep; all if not given.
    answers : sequence of int, optional
        Of a causal model: the tokens whose logits are taken, in the order of the labels.
    dtype : torch.dtype
        ``bfloat16`` computes in it where that is safe; what is returned is float32 on the CPU always.
    batch_tokens : int
        Most tokens of a forward pass, padding included.
    """
    with plain_networks(next(network.parameters()).device), _in_evaluation(network), torch.no_grad():
        return _run(network, inputs, layers, poolings, answers, dtype, batch_tokens)


@contextlib.contextmanager
def _in_evaluation(network: Network) -> Iterator[None]:
    """Switch dropout off for a while, and leave each module as its owner had it."""
    before = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in before:
            module.training = training


def _run(  # noqa: PLR0913, PLR0917 - as above
    network: Network,
    inputs: Inputs,
    layers: Sequence[int] | None,
    poolings: Sequence[str],
    answers: Sequence[int] | None,
    dtype: torch.dtype,
    batch_tokens: int,
) -> States:
    device = next(network.parameters()).device
    order = sorted(range(len(inputs)), key=lambda row: len(inputs.ids[row]))
    pooled: dict[tuple[int, str], list[Tensor]] = {}
    logits: list[Tensor] = []
    for rows in _batches(order, inputs, batch_tokens):
        batch = {name: tensor.to(device) for name, tensor in collate([inputs[row] for row in rows]).items()}
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            states, scores = _forward(network, batch, answers)
        for layer in range(len(states)) if layers is None else layers:
            for pooling in poolings:
                part = _pool(states[layer].float(), batch["attention_mask"], pooling)
                pooled.setdefault((layer, pooling), []).append(part.cpu())
        logits.append(scores.float().cpu())
    back = torch.empty(len(order), dtype=torch.long)
    back[torch.tensor(order)] = torch.arange(len(order))
    return States({key: torch.cat(parts)[back] for key, parts in pooled.items()}, torch.cat(logits)[back])


def _forward(
    network: Network, batch: Mapping[str, Tensor], answers: Sequence[int] | None
) -> tuple[tuple[Tensor, ...], Tensor]:
    """Return hidden states and logits; of a causal model those of the answers after the last token."""
    if answers is None:
        inputs = {name: tensor for name, tensor in batch.items() if name != "labels"}
        output = network(**inputs, output_hidden_states=True)
        return output.hidden_states, output.logits
    base: Any = network.get_decoder()
    output = base(
        input_ids=batch["input_ids"],
        attention_mask=batch["attention_mask"],
        output_hidden_states=True,
        use_cache=False,
    )
    scores = network.get_output_embeddings()(_pool(output.last_hidden_state, batch["attention_mask"], "last"))
    return output.hidden_states, scores[:, list(answers)]


def _pool(state: Tensor, mask: Tensor, pooling: str) -> Tensor:
    """Return one vector a row from a hidden state of shape (n_rows, n_tokens, width)."""
    if pooling == "cls":
        return state[:, 0]
    if pooling == "last":
        return state[torch.arange(len(state), device=state.device), mask.sum(1) - 1]
    weights = mask.unsqueeze(2).to(state.dtype)
    return (state * weights).sum(1) / weights.sum(1)


def _batches(order: Sequence[int], inputs: Inputs, batch_tokens: int) -> Iterator[list[int]]:
    """Yield rows, already in the order of their length, in batches of at most so many tokens; one row at least."""
    batch: list[int] = []
    for row in order:
        if batch and (len(batch) + 1) * len(inputs.ids[row]) > batch_tokens:
            yield batch
            batch = []
        batch.append(row)
    yield batch


def accuracy(
    network: Network, spec: ModelSpec, inputs: Inputs, tokenizer: Tokenizer, classes: int, device: torch.device
) -> float:
    """Return the share of rows that a network gets right."""
    answers = _answers(spec, tokenizer, classes)
    found = run_network(network.to(device), inputs, [], (), answers, precision(spec)).logits.argmax(1).numpy()
    predicted = found if answers is None else torch.tensor(answers)[torch.from_numpy(found)].numpy()
    return float((predicted == inputs.targets).mean())


def _answers(spec: ModelSpec, tokenizer: Tokenizer, classes: int) -> list[int] | None:
    return answer_ids(tokenizer, spec.dataset)[:classes] if text_network(spec.architecture).is_causal else None


def precision(spec: ModelSpec) -> torch.dtype:
    """Return what a model computes in; published weights are read in full precision."""
    halved = spec.hyperparameters["precision"] == "bfloat16" and not spec.checkpoint
    return torch.bfloat16 if halved else torch.float32
