"""scikit-learn's handwritten digits, which embedded datasets are made of."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from resi.errors import DatasetError
from resi.fingerprints import hash_file


def hash_digits() -> str:
    """Return the hash of the digits' file, without importing scikit-learn.

    Raises
    ------
    DatasetError
        If scikit-learn or the file is missing.
    """
    package = importlib.util.find_spec("sklearn")
    if package is None or package.origin is None:
        raise DatasetError("scikit-learn, which holds the digits, is not installed: pip install scikit-learn")
    path = Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz"
    if not path.is_file():
        raise DatasetError(f"{path} is missing: the installed scikit-learn holds no digits; install it again")
    return hash_file(path)
