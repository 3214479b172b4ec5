"""Checkpoints of an unfinished training, each hashed as a whole when it was written and checked before it is used."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback
from transformers.trainer_utils import get_last_checkpoint

from resi.console import say
from resi.errors import ArtifactError
from resi.fingerprints import hash_file
from resi.store.files import write_text

if TYPE_CHECKING:
    from transformers import TrainerControl, TrainingArguments
    from transformers.trainer_callback import TrainerState

SEAL = "resi.json"
"""File beside a checkpoint's own, with the hashes of all of them; it is written last."""
STATE = "trainer_state.json"
DAMAGED = "damaged-"


class Sealing(TrainerCallback):
    """Seals every checkpoint that the Trainer has written.

    Parameters
    ----------
    fingerprint : str
        Of the model that is trained.
    """

    def __init__(self, fingerprint: str) -> None:
        self._fingerprint = fingerprint

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Seal the checkpoint of the current step."""
        del control
        seal(Path(str(args.output_dir), f"checkpoint-{state.global_step}"), self._fingerprint)


def seal(checkpoint: Path, fingerprint: str) -> None:
    """Write the hashes of a checkpoint's files beside them, with the model's fingerprint."""
    write_text(checkpoint / SEAL, json.dumps({"fingerprint": fingerprint, "files": _hashes(checkpoint)}))


def is_whole(checkpoint: Path, fingerprint: str) -> bool:
    """Return whether a checkpoint is a model's, and all its files are undamaged."""
    try:
        sealed = json.loads((checkpoint / SEAL).read_text(encoding="utf-8"))
        return bool(sealed == {"fingerprint": fingerprint, "files": _hashes(checkpoint)})
    except (OSError, ValueError):
        return False


def last_whole(folder: Path, fingerprint: str) -> str | None:
    """Return the last checkpoint from which training can resume, if any.

    One that was not written to its end is deleted. One that is damaged, or whose best weights so far are
    not, is set aside.
    """
    for path in folder.glob("checkpoint-*"):
        if not (path / SEAL).is_file():
            shutil.rmtree(path)
    while (found := get_last_checkpoint(str(folder))) is not None:  # type: ignore[no-untyped-call]
        path = Path(str(found))
        if is_whole(path, fingerprint) and _best_is_whole(path, fingerprint):
            return str(path)
        aside = folder / f"{DAMAGED}{path.name}"
        shutil.rmtree(aside, ignore_errors=True)
        path.replace(aside)
        say(f"{path} is damaged. It is set aside, and training resumes from the checkpoint before it, or begins again.")
    return None


def check_whole(checkpoint: Path, fingerprint: str) -> None:
    """Check a checkpoint whose weights are about to be used.

    Raises
    ------
    ArtifactError
        If it is damaged.
    """
    if not is_whole(checkpoint, fingerprint):
        raise ArtifactError(f"{checkpoint} is damaged.", checkpoint, "Delete it and run again.")


def _best_is_whole(checkpoint: Path, fingerprint: str) -> bool:
    """Return whether the checkpoint with the best weights so far, which another one may hold, is whole."""
    best = json.loads((checkpoint / STATE).read_text(encoding="utf-8")).get("best_model_checkpoint")
    return best is None or (Path(best).parent == checkpoint.parent and is_whole(Path(best), fingerprint))


def _hashes(checkpoint: Path) -> dict[str, str]:
    files = sorted(path for path in checkpoint.rglob("*") if path.is_file() and path.name != SEAL)
    return {path.relative_to(checkpoint).as_posix(): hash_file(path) for path in files}
