"""Fine-tuning through the Trainer of ``transformers``: the benchmark's recipes, resumed after a stop."""

from __future__ import annotations

import contextlib
import math
import os
import random
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader
from transformers import Trainer, TrainingArguments
from transformers.utils import logging

from resi.domains.arithmetic import plain_networks
from resi.domains.language.alterations import altered_texts
from resi.domains.language.batching import RowOrder
from resi.domains.language.building import initial_network, weights
from resi.domains.language.extraction import accuracy
from resi.domains.language.hyperparameters import BY_LENGTH, LOWEST_LOSS
from resi.domains.language.local_files import check_local_files
from resi.domains.language.lookup import text_network
from resi.domains.language.tokenization import (
    PROBE_LENGTH,
    STATE_KEY,
    Inputs,
    collate,
    encode,
    make_tokenizer,
    to_tensor,
)
from resi.domains.language.unfinished import Sealing, check_whole, last_whole
from resi.errors import TrainingError
from resi.randomness import forked_torch, key_to_int
from resi.specs import Trained

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch import Tensor

    from resi.domains.language.networks.base import Network
    from resi.specs import DatasetSpec, ModelSpec


def train(spec: ModelSpec, dataset: DatasetSpec, device: torch.device, unfinished: Path | None = None) -> Trained:
    """Train one model.

    Its seed draws the weights that are not pre-trained, the order of rows and dropout. Accuracies are those on the data
    of its setting: for random labels, the one on ``train`` shows how much it has memorised.

    Parameters
    ----------
    unfinished : Path, optional
        Names the folder in which weights and optimizer are kept every ``checkpoint_every`` steps; training resumes from
        what it finds there.

    Raises
    ------
    TrainingError
        If the loss becomes NaN or infinite.
    """
    with plain_networks(device), _plain_accelerate():
        return _train(spec, dataset, device, unfinished)


def _train(spec: ModelSpec, dataset: DatasetSpec, device: torch.device, unfinished: Path | None) -> Trained:
    texts = {split: altered_texts(dataset, split, spec.setting) for split in ("train", "validation")}
    tokenizer = make_tokenizer(spec, dataset)
    length = spec.hyperparameters.get("max_length", PROBE_LENGTH)
    inputs = {split: encode(tokenizer, rows, spec, length) for split, rows in texts.items()}
    with _forked_generators(), forked_torch(device, spec.seed, "language training"):
        network = initial_network(spec, tokenizer.get_vocab_size(), texts["train"].classes)
        check_local_files(spec.hyperparameters)
        network = _fit(network, spec, inputs, device, unfinished)
    found = {
        split: accuracy(network, spec, rows, tokenizer, texts[split].classes, device) for split, rows in inputs.items()
    }
    return Trained({**weights(text_network(spec.architecture), network), STATE_KEY: to_tensor(tokenizer)}, found)


def _fit(
    network: Network,
    spec: ModelSpec,
    inputs: Mapping[str, Inputs],
    device: torch.device,
    unfinished: Path | None,
) -> Network:
    """Run the Trainer; what it keeps on disk lies in a folder that is gone once training ends."""
    with contextlib.ExitStack() as stack:
        if unfinished is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="resi-")))
        else:
            folder = unfinished.with_name(f"{unfinished.name}.trainer")
            folder.mkdir(parents=True, exist_ok=True)
        arguments = _arguments(spec, len(inputs["train"]), device, folder)
        if device.type == "cuda":
            # Making arguments makes the first device the current one; batches go to that.
            stack.enter_context(torch.cuda.device(device))
        trainer_class = _CausalTrainer if text_network(spec.architecture).is_causal else _Trainer
        trainer = trainer_class(
            fingerprint=spec.fingerprint,
            order=_row_order(spec, inputs["train"]),
            model=_with_low_rank_updates(network, spec),
            args=arguments,
            data_collator=collate,
            train_dataset=inputs["train"],
            eval_dataset=inputs["validation"],
            callbacks=[Sealing(spec.fingerprint)],
        )
        trainer.remove_callback(_printer())
        stack.enter_context(_quiet())
        result = trainer.train(resume_from_checkpoint=last_whole(folder, spec.fingerprint))
        if not math.isfinite(result.training_loss):
            raise TrainingError(f"training {spec.label} failed: its mean loss is {result.training_loss}")
        trained = trainer.accelerator.unwrap_model(trainer.model)
        shutil.rmtree(folder, ignore_errors=True)
    if spec.hyperparameters.get("fine_tuning") == "lora":
        trained = trained.merge_and_unload()
    return trained.to(device)


def _arguments(spec: ModelSpec, rows: int, device: torch.device, folder: Path) -> TrainingArguments:
    values = spec.hyperparameters
    every = values["checkpoint_every"]
    steps_per_epoch = math.ceil(math.ceil(rows / values["batch_size"]) / values["accumulation"])
    steps = values["max_steps"] or steps_per_epoch * values["epochs"]
    lowest_loss = values["selection"] == LOWEST_LOSS
    keeps = steps > every or lowest_loss
    arguments = TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=values["epochs"],
        max_steps=values["max_steps"] or -1,
        per_device_train_batch_size=values["batch_size"],
        per_device_eval_batch_size=values["batch_size"],
        gradient_accumulation_steps=values["accumulation"],
        learning_rate=values["learning_rate"],
        weight_decay=values["weight_decay"],
        warmup_steps=round(values["warmup"] * steps),
        lr_scheduler_type=values["schedule"],
        bf16=values["precision"] == "bfloat16",
        seed=key_to_int(spec.seed, "trainer") % 2**32,
        use_cpu=device.type == "cpu",
        eval_strategy="steps" if lowest_loss else "no",
        eval_steps=every,
        save_strategy="steps" if keeps else "no",
        save_steps=every,
        save_total_limit=2,
        load_best_model_at_end=lowest_loss,
        metric_for_best_model="loss",
        logging_strategy="no",
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=device.type == "cuda",
        remove_unused_columns=False,
    )
    if device.type == "cuda":
        # One device, as asked for: the Trainer by itself takes the first one, and spreads batches over all there are.
        arguments._n_gpu = 1
        arguments.__dict__["_setup_devices"] = device  # a cached property
    return arguments


def _row_order(spec: ModelSpec, inputs: Inputs) -> RowOrder:
    values = spec.hyperparameters
    lengths = [len(ids) for ids in inputs.ids]
    return RowOrder(lengths, values["batch_size"], spec.seed, values["batching"] == BY_LENGTH)


class _Trainer(Trainer):
    """Iterates over rows in our own order, and averages the loss over all rows of a step, however they are split.

    The Trainer by itself counts those of a causal model one short in every batch, and does not average the losses of an
    encoder's batches that are accumulated.
    """

    def __init__(self, *, fingerprint: str, order: RowOrder, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.fingerprint = fingerprint
        self.order = order
        self.model_accepts_loss_kwargs = True  # that is: compute_loss wants the number of rows of a step

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Return the batches of an epoch."""
        rows: Any = self.train_dataset
        batches = DataLoader(
            rows,
            self.order.batch_size,
            sampler=self.order,
            collate_fn=collate,
            pin_memory=self.args.dataloader_pin_memory,
        )
        return self.accelerator.prepare(batches)

    def get_batch_samples(self, *arguments: Any) -> tuple[list[dict[str, Tensor]], int]:
        """Return the batches of a step of the optimizer, and the number of their rows."""
        batches, _ = super().get_batch_samples(*arguments)
        return batches, sum(len(batch["labels"]) for batch in batches)

    def _load_best_model(self) -> None:
        check_whole(Path(str(self.state.best_model_checkpoint)), self.fingerprint)
        super()._load_best_model()

    def compute_loss(
        self, model: Any, inputs: dict[str, Tensor], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Return the mean cross entropy; of what is accumulated, its share of the step's rows."""
        logits = self.logits(model, inputs)
        loss = cross_entropy(logits.float(), inputs["labels"], reduction="sum")
        loss = loss / (len(logits) if num_items_in_batch is None else num_items_in_batch)
        return (loss, {"logits": logits}) if return_outputs else loss

    def logits(self, model: Any, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return the logits of the classes, of shape (n_rows, n_classes)."""
        return model(**{name: tensor for name, tensor in inputs.items() if name != "labels"}).logits


class _CausalTrainer(_Trainer):
    """Trains on the answer alone: the token that follows the prompt, among the whole vocabulary."""

    def logits(self, model: Any, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return the logits of the token after each prompt, of shape (n_rows, n_tokens)."""
        output = model(
            input_ids=inputs["input_ids"],
            attention_mask=inputs["attention_mask"],
            output_hidden_states=True,
            logits_to_keep=1,  # of the padded end, for nothing; of every token they would be most of the work
            use_cache=False,
        )
        last = output.hidden_states[-1]
        ends = inputs["attention_mask"].sum(1) - 1
        with torch.autocast(last.device.type, torch.bfloat16, enabled=self.args.bf16):
            return model.get_output_embeddings()(last[torch.arange(len(last), device=last.device), ends])


def _with_low_rank_updates(network: Network, spec: ModelSpec) -> Any:
    if spec.hyperparameters.get("fine_tuning") != "lora":
        return network
    from peft import LoraConfig, get_peft_model

    rank, targets = spec.hyperparameters["lora_rank"], list(text_network(spec.architecture).low_rank_targets)
    config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=targets, task_type="CAUSAL_LM")
    return get_peft_model(network, config)


def _printer() -> Any:
    from transformers import PrinterCallback

    return PrinterCallback


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hide the progress bars of transformers for every saved file."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]


@contextlib.contextmanager
def _forked_generators() -> Iterator[None]:
    """Restore the generators of Python and numpy: the Trainer seeds them, and torch's."""
    python, legacy = random.getstate(), np.random.get_state()
    # Of all devices, not only of the one that is trained on; none before CUDA is used.
    gpus = [(generator, generator.get_state()) for generator in torch.cuda.default_generators]
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(legacy)
        for generator, state in gpus:
            generator.set_state(state)


@contextlib.contextmanager
def _plain_accelerate() -> Iterator[None]:
    """Hide a program's accelerate state from the Trainer, which would reset it, and restore it afterwards.

    ``accelerate launch --mixed_precision=bf16``, for one, would have a model trained in another precision than its own.
    """
    from accelerate.state import AcceleratorState, GradientState, PartialState  # type: ignore[import-untyped]

    states = [kind._shared_state for kind in (PartialState, AcceleratorState, GradientState)]
    before = [dict(state) for state in states]
    variables = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("ACCELERATE_")}
    try:
        yield
    finally:
        os.environ.update(variables)
        for state, content in zip(states, before, strict=True):
            state.clear()
            state.update(content)
