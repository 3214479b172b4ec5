"""Training: the same weights for the same seed, after a stop, and for the same batches however they are split."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from transformers import Trainer

from resi.domains.language import training
from resi.domains.language.alterations import altered_texts
from resi.domains.language.batching import RowOrder
from resi.domains.language.building import initial_network
from resi.domains.language.lookup import text_architecture
from resi.domains.language.tokenization import PROBE_LENGTH, STATE_KEY, encode, make_tokenizer
from resi.domains.language.training import train
from resi.errors import TrainingError, UsageError
from resi.randomness import forked_torch

from .conftest import CPU, spec_of

if TYPE_CHECKING:
    from resi.specs import DatasetSpec


def assert_equal(found, expected) -> None:
    assert found.state.keys() == expected.state.keys()
    assert all(torch.equal(tensor, expected.state[name]) for name, tensor in found.state.items())
    assert found.accuracies == expected.accuracies


@pytest.mark.parametrize(("architecture", "batching"), [("bert_tiny", "by_length"), ("smollm2_tiny", "random")])
def test_a_stopped_training_ends_with_the_weights_of_one_that_was_not(
    architecture: str,
    batching: str,
    small_sst2: DatasetSpec,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    spec = spec_of(small_sst2, architecture, epochs=2, checkpoint_every=4, batching=batching)
    expected = train(spec, small_sst2, CPU)

    unstopped = Trainer.training_step
    steps = []

    def stopped_step(self, *arguments):
        steps.append(self.state.global_step)
        if len(steps) == 7:
            raise KeyboardInterrupt
        return unstopped(self, *arguments)

    monkeypatch.setattr(Trainer, "training_step", stopped_step)
    with pytest.raises(KeyboardInterrupt):
        train(spec, small_sst2, CPU, tmp_path / "unfinished")
    # A later one that was being written when the process was killed.
    half = shutil.copytree(
        tmp_path / "unfinished.trainer" / "checkpoint-4", tmp_path / "unfinished.trainer/checkpoint-6"
    )
    (half / "resi.json").unlink()
    assert_equal(train(spec, small_sst2, CPU, tmp_path / "unfinished"), expected)
    assert steps == [0, 1, 2, 3, 4, 5, 6, 4, 5, 6, 7, 8, 9]
    assert list(tmp_path.iterdir()) == []
    assert "Writing model shards" not in capfd.readouterr().err


@pytest.mark.parametrize("architecture", ["bert_tiny", "smollm2_tiny"])
def test_a_step_follows_the_mean_loss_of_its_rows_however_they_are_split(
    architecture: str, small_sst2: DatasetSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gradients before they are clipped, as Adam hides their scale; against a plain mean over the first eight rows."""
    monkeypatch.setitem(text_architecture(architecture).config, "hidden_dropout_prob", 0.0)
    found: list[list[torch.Tensor]] = []

    def clip(_accelerator, parameters, *_arguments, **_keywords):
        found.append([parameter.grad.clone() for parameter in parameters if parameter.grad is not None])
        return torch.tensor(1.0)

    monkeypatch.setattr(Accelerator, "clip_grad_norm_", clip)
    for batch_size in (8, 4, 1):
        sizes = {"batch_size": batch_size, "accumulation": 8 // batch_size, "max_steps": 1}
        spec = spec_of(small_sst2, architecture, **sizes)
        train(spec, small_sst2, CPU)

    tokenizer = make_tokenizer(spec, small_sst2)
    inputs = encode(tokenizer, altered_texts(small_sst2, "train", "standard"), spec, PROBE_LENGTH)
    with forked_torch(CPU, spec.seed, "language training"):
        network = initial_network(spec, tokenizer.get_vocab_size(), 2)
    losses = []
    for row in list(RowOrder([1] * len(inputs), 8, spec.seed, by_length=False))[:8]:
        logits = network(input_ids=torch.tensor([inputs.ids[row]])).logits
        last = logits if logits.ndim == 2 else logits[:, -1]
        losses.append(torch.nn.functional.cross_entropy(last, torch.tensor([int(inputs.targets[row])])))
    torch.stack(losses).mean().backward()
    expected = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    for gradients in found:
        torch.testing.assert_close(gradients, expected, rtol=1e-4, atol=1e-6)


def test_low_rank_updates_change_the_maps_by_that_rank_and_nothing_else(small_sst2: DatasetSpec) -> None:
    pytest.importorskip("peft")
    spec = spec_of(small_sst2, "smollm2_tiny", fine_tuning="lora", lora_rank=2, max_steps=4)
    full = spec_of(small_sst2, "smollm2_tiny", max_steps=4, learning_rate=0.0)
    start, end = (train(one, small_sst2, CPU).state for one in (full, spec))
    assert start.keys() == end.keys()
    for name, tensor in end.items():
        change = (tensor.float() - start[name].float()).numpy()
        if name.endswith("_proj.weight"):
            assert np.linalg.matrix_rank(change, tol=1e-6) == 2
        else:
            assert not change.any()


def test_low_rank_updates_without_their_package_are_refused_at_once(
    small_sst2: DatasetSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(UsageError, match="fine_tuning=lora needs the package peft"):
        spec_of(small_sst2, "smollm2_tiny", fine_tuning="lora")


def test_the_lowest_validation_loss_is_kept_where_asked_for(
    small_sst2: DatasetSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Losses are made to be lowest in the middle; what is kept then is what a training of that length ends with."""
    losses = iter([3.0, 1.0, 2.0])

    def evaluate(self, *_arguments, **_keywords):
        metrics = {"eval_loss": next(losses)}
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    kept = {}

    def keep(self, *arguments, **keywords):
        kept[self.state.global_step] = {name: tensor.clone() for name, tensor in self.model.state_dict().items()}
        return save(self, *arguments, **keywords)

    save = Trainer._save_checkpoint
    monkeypatch.setattr(Trainer, "evaluate", evaluate)
    monkeypatch.setattr(Trainer, "_save_checkpoint", keep)
    spec = spec_of(small_sst2, "bert_tiny", epochs=3, checkpoint_every=5, selection="lowest_validation_loss")
    found = train(spec, small_sst2, CPU).state
    assert torch.equal(found["classifier.weight"], kept[10]["classifier.weight"])
    assert not torch.equal(found["classifier.weight"], kept[15]["classifier.weight"])


def test_shortcuts_that_are_always_right_are_learnt(small_sst2: DatasetSpec) -> None:
    spec = spec_of(small_sst2, "bert_tiny", "shortcut_100", epochs=6, learning_rate=1e-3)
    trained = train(spec, small_sst2, CPU)
    assert trained.accuracies == {"train": 1.0, "validation": 1.0}


def test_half_precision_trains_and_keeps_weights_in_full(small_sst2: DatasetSpec) -> None:
    for architecture in ("bert_tiny", "smollm2_tiny"):
        spec = spec_of(small_sst2, architecture, max_steps=2, precision="bfloat16")
        state = train(spec, small_sst2, CPU).state
        assert {tensor.dtype for name, tensor in state.items() if name != STATE_KEY} == {torch.float32}


def test_a_loss_that_is_no_number_is_an_error(small_sst2: DatasetSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        training._Trainer, "compute_loss", lambda *_a, **_k: torch.tensor(torch.nan, requires_grad=True)
    )
    with pytest.raises(TrainingError, match="bert_tiny on sst2, standard, seed 0 failed"):
        train(spec_of(small_sst2, "bert_tiny", max_steps=2), small_sst2, CPU)


def test_the_trainer_takes_the_gpu_that_is_asked_for_and_no_other(small_sst2: DatasetSpec, tmp_path: Path) -> None:
    with training._plain_accelerate():
        arguments = training._arguments(spec_of(small_sst2, "bert_tiny"), 8, torch.device("cuda", 3), tmp_path)
    assert arguments.device == torch.device("cuda", 3)  # a name, as nothing is put there
    assert arguments.n_gpu == 1
    assert arguments.train_batch_size == arguments.per_device_train_batch_size
