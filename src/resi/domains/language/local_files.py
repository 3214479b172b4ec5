"""Weights and tokenizers in local folders that a user names, known by the hashes of their files."""

from __future__ import annotations

import functools
import glob
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resi.domains.language.weight_files import PARTS, WHOLE, hash_weights
from resi.errors import UsageError
from resi.fingerprints import file_state

if TYPE_CHECKING:
    from collections.abc import Mapping

LOCAL = {
    "pretrained": (WHOLE, PARTS, "pytorch_model.bin"),
    "tokenizer": ("tokenizer.json", "vocab.txt", "spiece.model"),
}
"""Hyperparameters that may be local folders, and the files of which each folder has to hold one."""


def local_hashes(kind: str, source: str) -> dict[str, str]:
    """Return the hashes of the files in local folders, by folder name; nothing if ``source`` is on the hub.

    Raises
    ------
    UsageError
        If it looks like a path and is not a folder, or holds none of the files expected.
    """
    path = Path(source).expanduser()
    if "{seed}" not in source and not path.is_dir():
        if source.startswith(("/", "./", "../", "~")):
            raise UsageError(f"{kind}={source}: there is no such folder")
        return {}
    folders = [path] if path.is_dir() else sorted(path.parent.glob(glob.escape(path.name).replace("{seed}", "*")))
    found = {}
    for folder in folders:
        files = [folder / name for name in LOCAL[kind] if (folder / name).is_file()]
        if not files:
            raise UsageError(f"{kind}={folder} holds none of {', '.join(LOCAL[kind])}")
        found[folder.name] = _hash(files[0], tuple(file_state(file) for file in sorted(folder.iterdir())))
    if not found and source.startswith(("/", "./", "../", "~")):
        raise UsageError(f"{kind}={source}: there is no such folder")
    return found


@functools.lru_cache(maxsize=64)
def _hash(path: Path, states: tuple[tuple[int, ...] | None, ...]) -> str:
    """Return the hash of a file, and of the parts it lists; once for all settings, as weights are large."""
    del states  # of all files in the folder: they change with the content
    return hash_weights(path)


def check_local_files(values: Mapping[str, Any]) -> None:
    """Check that the local files which have just been read are those that a run was planned with.

    Raises
    ------
    UsageError
        If they have been replaced meanwhile.
    """
    for name in LOCAL:
        expected = values.get(f"{name}_sha256")
        if expected is not None and local_hashes(name, str(values[name])) != expected:
            raise UsageError(f"the files of {name}={values[name]} changed after the run began; run again")
    if "wordnet_sha256" in values:
        from resi.domains.language.wordnet import wordnet_folder, wordnet_hash

        if wordnet_hash() != values["wordnet_sha256"]:
            raise UsageError(f"WordNet's files in {wordnet_folder()} changed after the run began; run again")
