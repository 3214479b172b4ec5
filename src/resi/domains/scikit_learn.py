"""The small datasets included in scikit-learn, from which embedded datasets are made."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from resi.errors import DatasetError
from resi.fingerprints import hash_file


def hash_scikit_learn(file: str) -> str:
    """Return the hash of a data file of the installed scikit-learn, without importing it.

    Parameters
    ----------
    file : str
        Its name in ``sklearn/datasets/data``, such as ``digits.csv.gz`` or ``wine_data.csv``.

    Raises
    ------
    DatasetError
        If scikit-learn or the file is missing.
    """
    package = importlib.util.find_spec("sklearn")
    if package is None or package.origin is None:
        raise DatasetError(f"scikit-learn, which holds {file}, is not installed: pip install scikit-learn")
    path = Path(package.origin).parent / "datasets" / "data" / file
    if not path.is_file():
        raise DatasetError(f"{path} is missing: the installed scikit-learn holds no {file}; install it again")
    return hash_file(path)
