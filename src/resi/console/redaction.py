"""Secrets in configs and command lines, which are left out of everything that is written."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

HIDDEN = "***"
# An interpolation; Hydra escapes the brackets where it writes the words of a job.
NAMED = re.compile(r"\$\\?\{")
# user:password@ or token@ of a URL; a password may hold a slash that should have been encoded.
USER = re.compile(r"(://)(?:[^/\s'\"?#]*@|[^/\s'\":@]*:(?!\d+(?:[/?#]|$))[^\s'\"@]*@)")
QUERY = re.compile(r"([?&;])([^=&;\s'\"]+)=([^&;\s'\",\])}]+)")
WORD = re.compile(r"^([+~]*)([\w./@-]+)=(.+)$", re.DOTALL)
# Names of parts of keys. `key` alone is not a secret, and neither is the plural in `max_tokens`.
SECRETS = {"token", "secret", "password", "passwd", "passphrase", "pwd", "credential", "credentials", "apikey"}
SECRETS |= {"accesskey", "secretkey", "privatekey", "authorization"}
# Further ones in the query of a URL, which sign it.
SIGNATURES = {"signature", "sig"}
PAIRS = {("api", "key"), ("access", "key"), ("secret", "key"), ("private", "key"), ("account", "key"), ("auth", "key")}
# Tokens that are known by their form, wherever they stand.
FORMS = re.compile(
    r"\b(?:hf_[A-Za-z0-9]{20,}|gh[oprsu]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{20,}|A[KS]IA[A-Z0-9]{16}"
    r"|sk-[A-Za-z0-9_-]{20,}|xox[abprs]-[A-Za-z0-9-]{10,})"
)


def redact(text: str) -> str:
    """Return a text, such as a word of a command line, with its secrets replaced by ``***``.

    These are users and passwords in URLs, values of a URL's query and of a word whose names say so, and tokens of well
    known form. An interpolation such as ``${oc.env:TOKEN}`` stays: it names a secret and is none.
    """
    if (word := WORD.match(text)) and is_secret(word[2]) and not NAMED.match(word[3].lstrip("'\"")):
        return f"{word[1]}{word[2]}={HIDDEN}"
    if "://" in text:
        text = USER.sub(lambda found: found[0] if NAMED.search(found[0]) else f"{found[1]}{HIDDEN}@", text)
        text = QUERY.sub(_query, text)
    return FORMS.sub(HIDDEN, text)


def redact_all(words: Iterable[str]) -> list[str]:
    """Return words with their secrets replaced."""
    return [redact(word) for word in words]


def redact_config(content: Any, key: str = "") -> Any:
    """Return the plain content of a config with its secrets replaced.

    Parameters
    ----------
    key : str
        The key that ``content`` stands under.
    """
    if isinstance(content, dict):
        return {name: redact_config(value, str(name)) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return [redact_config(value, key) for value in content]
    if not isinstance(content, str):
        return content
    return HIDDEN if content and is_secret(key) and not NAMED.match(content) else redact(content)


def is_secret(key: str) -> bool:
    """Return whether the last part of a key, such as ``x-amz-security-token`` or ``authToken``, names a secret."""
    parts = _parts(re.split(r"[./]", key)[-1])
    return bool(SECRETS.intersection(parts) or PAIRS.intersection(itertools.pairwise(parts)))


def _parts(name: str) -> list[str]:
    return [part.lower() for part in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", name)]


def _query(found: re.Match[str]) -> str:
    start, name, value = found.groups()
    hidden = is_secret(name) or bool(SIGNATURES.intersection(_parts(name)))
    return f"{start}{name}={HIDDEN}" if hidden and not NAMED.match(value) else found[0]
