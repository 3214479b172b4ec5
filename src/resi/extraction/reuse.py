"""Existing folders: a finished extraction is returned, a stopped one continued, anything else left unchanged."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, NamedTuple

from resi.errors import DatasetError, UsageError
from resi.extraction import writing
from resi.extraction.files.loading import load
from resi.extraction.writing import Folder
from resi.store.files import make_folder, written_to
from resi.store.locks import holder, try_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from resi.extraction.batches import Batches
    from resi.extraction.collection import Representations

LOCK = ".lock"
ADVICE = "choose another out, or overwrite=True"
WORDS = {
    "weights": "weights of the model",
    "model": "class of the model",
    "structure": "structure of the model (its modules and their settings)",
    "processor": "tokenizer or transform",
}
MAIN = "__main__"
"""The module of classes that are defined in the script that runs."""
HASHES = ("weights", "structure", "processor")


class Settings(NamedTuple):
    """The settings of an extraction.

    Attributes
    ----------
    what : mapping
        What is extracted, which must match a finished extraction.
    how : mapping
        How, which must also match an extraction that is continued, so that the result has the same bits as from a
        single call.
    structure : callable
        Takes the name of a Python module and another one under which its classes count; returns the hash of the
        model's structure.
    """

    what: Mapping[str, Any]
    how: Mapping[str, Any]
    structure: Callable[[str, str], str]


def into_folder(
    out: Path,
    batches: Batches,
    settings: Settings,
    about: Mapping[str, Any],
    take: Callable[[Folder], None],
    overwrite: bool = False,
) -> Representations:
    """Return the layers in a folder, after writing what is missing.

    Parameters
    ----------
    settings : Settings
    about : mapping
        Metadata of each file.
    take : callable
        Writes what a folder lacks.

    Raises
    ------
    UsageError
        If the folder holds something else, or another process is writing to it.
    """
    _make(out)
    what, how, _ = settings
    with _locked(out):
        manifest, before = (None, None) if overwrite else (writing.finished(out), writing.unfinished(out))
        if manifest is not None:
            _check_same(out, manifest["what"], _as_before(settings, manifest["what"]), "an extraction")
            _check_data(out, batches, int(manifest["samples"]), str(manifest.get("data")))
            return load(out)
        if before is None:
            with written_to(out):
                writing.empty(out)
        else:
            what = _as_before(settings, before)
            _check_same(out, before, {**what, **how}, "an unfinished extraction")
        with contextlib.closing(Folder(out, {**what, **how})) as folder:
            take(folder)
            facts = {"data": folder.running}
            manifest = {"name": about["name"], **facts, "what": what, "how": how, "notes": batches.notes}
            folder.finish({**about, **facts}, manifest)
        return load(out)


def _make(out: Path) -> None:
    """Create a folder unless it exists; folders that are not ours are not touched, not even with a lock."""
    blocking = next((path for path in (out, *out.parents) if path.exists() and not path.is_dir()), None)
    if blocking is not None:
        raise UsageError(f"out={out}: {blocking} is a file, expected a folder: choose another")
    make_folder(out)
    if writing.is_foreign(out):
        raise UsageError(f"out={out} holds other files than an extraction of resi: choose another folder")


@contextlib.contextmanager
def _locked(out: Path) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        with written_to(out):
            is_ours = stack.enter_context(try_lock(out / LOCK))
        if not is_ours:
            raise UsageError(
                f"out={out} is being written by {holder(out / LOCK)}: wait for it, or choose another folder"
            )
        yield


def _as_before(settings: Settings, before: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what is extracted, with the class of the model under its earlier name if one of both is of a script.

    A class that a script defines is of another module once another script imports it; its weights, and its structure
    under the earlier name, are compared as ever.
    """
    was, now = str(before.get("model")), str(settings.what["model"])
    for script, imported in ((was, now), (now, was)):
        name = script.removeprefix(f"{MAIN}.")
        if name != script and imported.endswith(f".{name}") and was != now:
            modules = (now.removesuffix(f".{name}"), was.removesuffix(f".{name}"))
            return {**settings.what, "model": was, "structure": settings.structure(*modules)}
    return settings.what


def _check_same(out: Path, before: Mapping[str, Any], now: Mapping[str, Any], kind: str) -> None:
    for key, value in now.items():
        if _as_list(key, before.get(key)) != _as_list(key, value):
            shown = "" if key in HASHES else f" ({before.get(key)!r}, now {value!r})"
            raise UsageError(f"out={out} holds {kind} with another {WORDS.get(key, key)}{shown}: {ADVICE}")


def _as_list(key: str, value: Any) -> Any:
    """Return one layer as a list of one, as which a command line gives it."""
    return [value] if key == "layers" and isinstance(value, str) else value


def _check_data(out: Path, batches: Batches, n_samples: int, digest: str) -> None:
    """Raise unless the data are those of a finished extraction; data are read, but no network is run."""
    known = batches.hash()
    if known is not None:
        is_same = known == digest
    else:
        try:
            is_same = next(iter(batches.start(n_samples, digest)), None) is None
        except DatasetError as error:
            raise UsageError(f"out={out} holds an extraction of other data: {ADVICE} ({error})") from error
    if not is_same:
        count = "" if batches.n_samples in (None, n_samples) else f" ({n_samples} samples, now {batches.n_samples})"
        raise UsageError(f"out={out} holds an extraction of other data{count}: {ADVICE}")
