"""A configuration of the published benchmark as it lies in a file: plain YAML from anybody, read with limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from resi.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

LARGEST = 2**18
"""Bytes; the published files have about 2000."""
DEEPEST = 12
"""Levels of mappings and lists in each other; the published files have six."""
PLAIN = (str, int, float, bool, type(None))
TEXT = "tag:yaml.org,2002:str"


def read_configuration(path: Path) -> dict[str, Any]:
    """Return the content of a configuration: mappings, lists, texts, numbers and truth values.

    Nothing in the file is called, and it takes no more memory than its size: tags of Python's and aliases are refused,
    as is a file of several documents, with a key given twice, or beyond :data:`LARGEST` and :data:`DEEPEST`.

    Raises
    ------
    UsageError
        If the file cannot be read, or is not a mapping from keys to plain values.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
        if len(raw) > LARGEST:
            raise UsageError(f"{path} has more than {LARGEST} bytes, too many for a configuration; it is not read")
        content = _Loader(raw.decode("utf-8")).get_single_data()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, ValueError) as error:  # numbers of too many digits, and bytes that are not UTF-8
        raise UsageError(f"{path} cannot be read as YAML: {_reason(error)}") from None
    if not isinstance(content, dict):
        raise UsageError(f"{path} is not a configuration: expected a mapping with `experiments:`")
    _check_plain(path, content)
    return content


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """Reads one document of plain values without aliases, of few levels, with each key once."""

    _depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Compose a node; refuse aliases, of which a few lines can stand for gigabytes, and too many levels."""
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent):
            raise _refused("an alias, which is not read", event)
        if self._depth >= DEEPEST:
            raise _refused(f"more than {DEEPEST} levels", event)
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        """Construct a mapping; refuse keys that are no text or given twice, of which YAML would drop one."""
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag != TEXT:
                raise _refused("a key that is not a text", key)
            if key.value in seen:
                raise _refused(f"{key.value} is given twice", key)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _refused(reason: str, at: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=reason, problem_mark=at.start_mark)


def _reason(error: Exception) -> str:
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    text = " ".join(str(problem or error).split())
    return f"line {mark.line + 1}: {text}" if mark else text


def _check_plain(path: Path, value: Any) -> None:
    """Raise ``UsageError`` for a value such as a date, which no key has."""
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            _check_plain(path, part)
    elif not isinstance(value, PLAIN):
        raise UsageError(f"{path}: {value!r}: expected a text, a number, true or false")
