"""The manifest of a shard or of merged tables: what is in the folder, and the hashes of its tables and of itself.

Reading a manifest either returns a checked mapping or raises one ``ArtifactError`` that names the file.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from typing import TYPE_CHECKING, Any

from resi.errors import ArtifactError
from resi.fingerprints import hash_file
from resi.results.schema import PUBLISHED, SCHEMA_VERSION, TRAINED
from resi.store.files import write_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

COMPARISONS_FILE, SCORES_FILE, MANIFEST = "comparisons.parquet", "scores.parquet", "manifest.json"
# Rows for one key that contradict each other, in merged tables and imports.
CONFLICTS_FILE, SCORE_CONFLICTS_FILE = "conflicts.parquet", "score_conflicts.parquet"
TABLES = (COMPARISONS_FILE, SCORES_FILE, CONFLICTS_FILE, SCORE_CONFLICTS_FILE)
OWN_HASH = "manifest_sha256"
HASHED_SINCE = 3
"""Schema version from which on manifests hold their own hash."""
RUN, MERGED = "run", "merged"
OWN_MEASURES = "own_measures"
"""The entry with the origin and direction of measures that are not built in."""
REMEDIES = {
    RUN: "Its run recomputes it.",
    PUBLISHED: "Import the published results again.",
    MERGED: "Merge again to replace it.",
}
"""What replaces a damaged file, by the kind of its folder."""
UNKNOWN_REMEDY = "Repeat the same run or merge to write it again."
TYPES: dict[str, tuple[type, ...]] = {
    "kind": (str,),
    "domain": (str,),
    "dataset": (str,),
    "test": (str,),
    "protocol": (str,),
    "architectures": (list,),
    "measures": (list,),
    "config": (dict,),
    "counts": (dict,),
    "devices": (list,),
    "seconds": (dict,),
    "finished": (str,),
    "resi": (str,),
    "packages": (dict,),
    "versions": (dict,),
    "own_measures": (dict,),
    "shards": (dict, list),
    "files": (dict,),
}
"""Types of the entries that are read; a missing entry was not written by the version of that time."""
NAMES: dict[type, str] = {dict: "a mapping", list: "a list", str: "a text"}
TEXT_LISTS = ("architectures", "measures", "devices")


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read and check a manifest.

    Raises
    ------
    ArtifactError
        If it is damaged, cannot be read, or was written by a newer version of resi.
    """
    path = folder / MANIFEST
    with reading(path, UNKNOWN_REMEDY):
        text = path.read_text(encoding="utf-8")
    try:
        content = json.loads(text)
        version = _version(content)
        if version <= SCHEMA_VERSION:
            _check(content)
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{path} is damaged: {error}.", advice=UNKNOWN_REMEDY) from error
    if version > SCHEMA_VERSION:
        raise ArtifactError(f"{path} has schema version {version}; this resi reads up to {SCHEMA_VERSION}: upgrade it")
    return dict(content)


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write the manifest of a folder with complete tables: the given entries, their hashes and the schema version."""
    files = {name: hash_file(folder / name) for name in TABLES if (folder / name).is_file()}
    content = {**manifest, "schema_version": SCHEMA_VERSION, "files": files}
    plain = json.loads(json.dumps(content, default=str))
    plain[OWN_HASH] = _hash_of(plain)
    write_text(folder / MANIFEST, json.dumps(plain, indent=2, sort_keys=True) + "\n")


def check_files(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Raise ``ArtifactError`` unless the tables of a folder match its manifest."""
    advice = remedy(manifest)
    for name, expected in manifest["files"].items():
        path = folder / name
        with reading(path, advice):
            found = hash_file(path)
        if found != expected:
            raise ArtifactError(f"{path} is damaged: it does not match its manifest.", advice=advice)


@contextlib.contextmanager
def reading(path: Path, advice: str) -> Iterator[None]:
    """Raise ``ArtifactError`` if a file is missing or cannot be read in this block."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise ArtifactError(f"{path} is missing.", advice=advice) from error
    except UnicodeDecodeError as error:
        raise ArtifactError(f"{path} is damaged: it is not UTF-8 text.", advice=advice) from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise ArtifactError(f"{path} cannot be read: {reason}. Check its permissions.") from error


def remedy(manifest: Mapping[str, Any]) -> str:
    """Return what replaces a damaged file of a folder with this manifest."""
    return REMEDIES.get(manifest.get("kind", RUN), UNKNOWN_REMEDY)


def directions(manifest: Mapping[str, Any]) -> dict[str, bool]:
    """Return whether larger values mean more similar, for measures that are not built in."""
    stated = manifest.get(OWN_MEASURES, {}).items()
    found = {name: about.get("larger_is_more_similar") for name, about in stated if isinstance(about, dict)}
    return {name: larger for name, larger in found.items() if isinstance(larger, bool)}


def own_codes(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return the hash of the code of each measure that is not built in."""
    stated = manifest.get(OWN_MEASURES, {}).items()
    found = {name: about.get("code") for name, about in stated if isinstance(about, dict)}
    return {name: code for name, code in found.items() if isinstance(code, str)}


def known_columns(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return the manifest's values for columns that tables may lack: for a run or an import, the source of models.

    Manifests of merged tables do not state it.
    """
    if manifest.get("kind") == PUBLISHED:
        return {"model_source": PUBLISHED}
    if manifest.get("kind", RUN) != RUN or "config" not in manifest:
        return {}
    source = (manifest["config"].get("models") or {}).get("source")
    return {"model_source": PUBLISHED if source == PUBLISHED else TRAINED}


def is_merged(folder: Path) -> bool:
    """Return whether a folder holds merged tables, so that merging again does not treat them as another shard."""
    try:
        return bool(json.loads((folder / MANIFEST).read_bytes())["kind"] == MERGED)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def _version(content: Any) -> int:
    if not isinstance(content, dict):
        raise ValueError("expected a JSON object")
    version = content.get("schema_version")
    if type(version) is not int or version < 1:
        raise ValueError(f"schema_version is {_shown(version)}; expected a positive integer")
    return version


def _check(content: Mapping[str, Any]) -> None:
    """Raise ``ValueError`` unless the content of a manifest has the form that this version writes."""
    if OWN_HASH in content or content["schema_version"] >= HASHED_SINCE:
        if content.get(OWN_HASH) != _hash_of(content):
            raise ValueError("its content does not match its hash")
    for name, types in TYPES.items():
        if name in content and not isinstance(content[name], types):
            expected = " or ".join(NAMES[kind] for kind in types)
            raise ValueError(f"{name} is {_shown(content[name])}; expected {expected}")
    for name in TEXT_LISTS:
        if not all(isinstance(item, str) for item in content.get(name, [])):
            raise ValueError(f"{name} is {_shown(content[name])}; expected a list of texts")
    if not {COMPARISONS_FILE, SCORES_FILE} <= set(content.get("files", ())) <= set(TABLES):
        raise ValueError("files: expected the hashes of the tables")
    if not all(type(count) is int and count >= 0 for count in content.get("counts", {}).values()):
        raise ValueError(f"counts is {_shown(content['counts'])}; expected a number for each status")
    models = content.get("config", {}).get("models")
    if models is not None and not isinstance(models, dict):
        raise ValueError(f"config.models is {_shown(models)}; expected a mapping")
    _check_parts(content.get("shards", []))


def _check_parts(shards: Mapping[str, Any] | list[Any]) -> None:
    """Raise ``ValueError`` unless merged tables name their shards: a list of names, or hashes by name."""
    if not isinstance(shards, dict):
        is_known = all(isinstance(name, str) for name in shards)
    else:
        is_known = all(isinstance(hashes, list) for hashes in shards.values())
    if not is_known:
        raise ValueError(f"shards is {_shown(shards)}; expected the hashes of manifests by the name of their shard")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _hash_of(manifest: Mapping[str, Any]) -> str:
    """Return the hash of a manifest's content, without its own hash."""
    content = {key: value for key, value in manifest.items() if key != OWN_HASH}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
