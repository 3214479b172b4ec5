"""The script and styles of the page, and the policy that lets the browser run these alone.

DataTables sorts and filters. The package itables ships it as one file, which becomes part of the page, so nothing has
to be downloaded. The page is also complete without it, if scripts are off.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.resources
import re
from typing import NamedTuple

from resi.errors import ResiError

EXPORTS = re.compile(r"export\s*\{([^{}]*)\};?\s*(?=/\*|$)")
DEFAULT = re.compile(r"([\w$]+) as default\b")
# A source map link would point to a file that does not exist.
SOURCE_MAP = re.compile(r"//# sourceMappingURL=\S+")


class Assets(NamedTuple):
    """The head of the page: scripts and styles, and the policy with their hashes."""

    script: str
    styles: list[str]
    policy: str


def load_assets() -> Assets:
    """Return scripts, styles and policy.

    Raises
    ------
    ResiError
        If the installed itables lacks this file, or its format is unknown.
    """
    folder = importlib.resources.files("resi.report") / "templates"
    own = [(folder / name).read_text(encoding="utf-8") for name in ("page.css", "page.js")]
    tables, look = _data_tables()
    script = f"{tables}\n{own[1]}"
    styles = [look, own[0]]
    policy = (
        f"default-src 'none'; script-src {_hashed(script)}; style-src {' '.join(map(_hashed, styles))}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    return Assets(script, styles, policy)


def _data_tables() -> tuple[str, str]:
    """Return the script of DataTables, which defines ``DataTable``, and its styles."""
    folder = importlib.resources.files("itables") / "html"
    script, look = ((folder / f"dt_bundle.{kind}").read_text(encoding="utf-8") for kind in ("js", "css"))
    exports = EXPORTS.search(script)
    name = DEFAULT.search(exports[1]) if exports else None
    if exports is None or name is None or "</script" in script.lower() or "</style" in look.lower():
        raise ResiError("the installed itables has DataTables in an unknown format; install itables 2.9")
    plain = script[: exports.start()] + f"\nconst DataTable = {name[1]};\n" + script[exports.end() :]
    return SOURCE_MAP.sub("", plain), look


def _hashed(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
