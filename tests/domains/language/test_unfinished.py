"""A checkpoint that is not as it was written is never trained on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from transformers import Trainer

from resi.domains.language import training, unfinished
from resi.domains.language.training import train
from resi.errors import ArtifactError

from .conftest import CPU, spec_of

if TYPE_CHECKING:
    from resi.specs import DatasetSpec, Trained

STEPS = {"max_steps": 6, "checkpoint_every": 2}


class Stopped:
    """A training that was stopped after its fifth step, and what one that was not ends with."""

    def __init__(self, dataset: DatasetSpec, folder: Path) -> None:
        self.dataset = dataset
        self.spec = spec_of(dataset, "bert_tiny", **STEPS)
        self.expected = train(self.spec, dataset, CPU)
        self.folder = folder / "unfinished.trainer"
        unstopped = Trainer.training_step

        def stopped_step(trainer, *arguments):
            if trainer.state.global_step == 5:
                raise KeyboardInterrupt
            return unstopped(trainer, *arguments)

        with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(Trainer, "training_step", stopped_step)
            train(self.spec, dataset, CPU, folder / "unfinished")


@pytest.fixture(scope="module")
def stopped(small_sst2: DatasetSpec, tmp_path_factory: pytest.TempPathFactory) -> Stopped:
    return Stopped(small_sst2, tmp_path_factory.mktemp("stopped"))


def steps_of(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    steps: list[int] = []
    unwatched = Trainer.training_step

    def watched(trainer, *arguments):
        steps.append(trainer.state.global_step)
        return unwatched(trainer, *arguments)

    monkeypatch.setattr(Trainer, "training_step", watched)
    return steps


def assert_same(found: Trained, expected: Trained) -> None:
    assert all(torch.equal(tensor, expected.state[name]) for name, tensor in found.state.items())


def flip_a_bit(checkpoint: Path) -> None:
    path = checkpoint / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1000] ^= 1 << 6
    path.write_bytes(content)


def truncate(checkpoint: Path) -> None:
    path = checkpoint / "model.safetensors"
    path.write_bytes(path.read_bytes()[:5000])


def delete_optimizer(checkpoint: Path) -> None:
    (checkpoint / "optimizer.pt").unlink()


def add_weights(checkpoint: Path) -> None:
    (checkpoint / "pytorch_model.bin").write_bytes(b"other weights")


def turn_back_state(checkpoint: Path) -> None:
    path = checkpoint / "trainer_state.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "global_step": 3}))


def give_another_models(checkpoint: Path) -> None:
    seal = checkpoint / "resi.json"
    seal.write_text(json.dumps({**json.loads(seal.read_text()), "fingerprint": "another's"}))


DAMAGES = [flip_a_bit, truncate, delete_optimizer, add_weights, turn_back_state, give_another_models]


@pytest.mark.parametrize("damage", DAMAGES)
def test_no_damage_goes_unseen(damage: Callable[[Path], None], stopped: Stopped, tmp_path: Path) -> None:
    folder = shutil.copytree(stopped.folder, tmp_path / "unfinished.trainer")
    assert unfinished.last_whole(folder, stopped.spec.fingerprint) == str(folder / "checkpoint-4")
    damage(folder / "checkpoint-4")
    assert unfinished.last_whole(folder, stopped.spec.fingerprint) == str(folder / "checkpoint-2")
    assert sorted(path.name for path in folder.iterdir()) == ["checkpoint-2", "damaged-checkpoint-4"]


@pytest.mark.parametrize("damage", [flip_a_bit, truncate])
def test_a_damaged_checkpoint_is_set_aside_and_the_one_before_is_gone_on_from(
    damage: Callable[[Path], None],
    stopped: Stopped,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = shutil.copytree(stopped.folder, tmp_path / "unfinished.trainer")
    damage(folder / "checkpoint-4")
    steps = steps_of(monkeypatch)
    assert_same(train(stopped.spec, stopped.dataset, CPU, tmp_path / "unfinished"), stopped.expected)
    assert steps == [2, 3, 4, 5]
    assert "checkpoint-4 is damaged. It is set aside" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_where_no_checkpoint_is_whole_training_begins_again(
    stopped: Stopped, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(stopped.folder, tmp_path / "unfinished.trainer")
    flip_a_bit(folder / "checkpoint-4")
    (folder / "checkpoint-2" / "resi.json").unlink()  # as earlier versions left them
    steps = steps_of(monkeypatch)
    assert_same(train(stopped.spec, stopped.dataset, CPU, tmp_path / "unfinished"), stopped.expected)
    assert steps == [0, 1, 2, 3, 4, 5]


def test_the_best_weights_are_checked_too(
    small_sst2: DatasetSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Losses are made to be lowest at the second step, so that another checkpoint than the last one holds the best."""

    def evaluate(trainer, *_arguments, **_keywords):
        metrics = {"eval_loss": float(trainer.state.global_step != 2)}
        trainer.control = trainer.callback_handler.on_evaluate(trainer.args, trainer.state, trainer.control, metrics)
        return metrics

    monkeypatch.setattr(Trainer, "evaluate", evaluate)
    changes = {"max_steps": 4, "checkpoint_every": 2, "selection": "lowest_validation_loss"}
    spec = spec_of(small_sst2, "bert_tiny", **changes)
    expected = train(spec, small_sst2, CPU)

    def damaged(*arguments):
        flip_a_bit(tmp_path / "unfinished.trainer" / "checkpoint-2")
        return unfinished.check_whole(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(training, "check_whole", damaged)
        with pytest.raises(ArtifactError, match="checkpoint-2 is damaged") as caught:
            train(spec, small_sst2, CPU, tmp_path / "unfinished")
    assert caught.value.path == tmp_path / "unfinished.trainer" / "checkpoint-2"
    steps = steps_of(monkeypatch)
    assert_same(train(spec, small_sst2, CPU, tmp_path / "unfinished"), expected)
    assert steps == [0, 1, 2, 3]
