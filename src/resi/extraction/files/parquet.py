"""``.parquet``: a column of lists per layer, or columns of numbers as one layer; and a column of ids."""

from __future__ import annotations

import fnmatch
import json
from typing import TYPE_CHECKING, Any

from resi.errors import ShapeError, UsageError, listed
from resi.extraction.files.contents import (
    FLOATS,
    Contents,
    Format,
    Options,
    StoredArray,
    as_tensor,
    bound,
    reading,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
    import pyarrow as pa
    from torch import Tensor

    from resi.extraction.collection import Representations

FACTS = b"resi"
"""Metadata key of the facts that resi writes, in JSON."""
SAMPLE = "sample"
INDEX = "__index_level_0__"
"""Pandas' name of the row labels."""
_DTYPES = {"halffloat": "float16", "float": "float32", "double": "float64", "large_string": "texts", "string": "texts"}
GROUP_ROWS = 10_000


def read_parquet(path: Path, options: Options) -> Contents:
    """Return each column of lists as a layer, or the columns of numbers as one layer."""
    with reading(path):
        file = _open(path)
        schema, rows = file.schema_arrow, file.metadata.num_rows
        facts = json.loads((schema.metadata or {}).get(FACTS, b"{}"))
        options.check(path, schema.names)
        id_column = next((name for name in (*options.id_names, INDEX) if name in schema.names), None)
        samples = None if id_column is None else read_ids(path, id_column)
        names = chosen_columns(path, [name for name in schema.names if name != id_column], options.columns)
        if any(_is_list(schema.field(name).type) for name in names):
            arrays = {name: _column(path, file, name, rows, facts.get("layers", {}).get(name, {})) for name in names}
            return Contents(arrays, samples, name=facts.get("name", ""), is_named=bool(facts))
        types = {name: _dtype(schema.field(name).type) for name in names}
    if options.columns is None:
        check_columns(path, types)
    elif texts := [name for name in names if not _is_number(schema.field(name).type)]:
        raise UsageError(f"{path}: column {texts[0]} holds {types[texts[0]]}, not numbers")
    size = (rows, len(names))
    load = bound(path, _load_columns, tuple(names), size)
    dtype = _common(types.values())
    return Contents({path.stem: StoredArray(size, dtype, load)}, samples)


def chosen_columns(path: Path, names: Sequence[str], patterns: Sequence[str] | None) -> list[str]:
    """Return the columns that match any of the patterns, in their order.

    Raises
    ------
    UsageError
        If a pattern matches no column, or there are no columns.
    """
    for pattern in patterns or ():
        if pattern not in names and not fnmatch.filter(names, pattern):
            raise UsageError(f"{path}: no column matches columns={pattern!r}; it has {listed(names)}")
    kept = [
        name
        for name in names
        if patterns is None or name in patterns or any(fnmatch.fnmatchcase(name, item) for item in patterns)
    ]
    if not kept:
        raise UsageError(f"{path} has no columns of numbers")
    return kept


def check_columns(path: Path, types: Mapping[str, str]) -> None:
    """Raise ``UsageError`` if the type of a column shows that it does not hold features."""
    for name, dtype in types.items():
        if dtype in FLOATS:
            continue
        if dtype == "texts":
            raise UsageError(
                f"{path}: column {name!r} holds texts, not numbers; if it holds the ids of samples, pass id={name!r}, "
                "else name the columns of features, such as columns='f*'"
            )
        raise UsageError(
            f"{path}: column {name!r} is {dtype}, as labels are, not features; name the columns of features, such as "
            "columns='f*' (columns='*' takes all)"
        )


def read_ids(path: Path, column: str = SAMPLE) -> tuple[str, ...]:
    """Return the ids of samples in a column of a Parquet file.

    Raises
    ------
    UsageError
        If the column is missing, holds another type, or has empty rows.
    """
    import pyarrow as pa

    with reading(path):
        file = _open(path)
        if column not in file.schema_arrow.names:
            raise UsageError(f"{path} has no column {column!r}; it has {listed(file.schema_arrow.names)}")
        values = _read_columns(path, [column])[column]
    kind = values.type
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    if pa.types.is_dictionary(kind):
        values, is_text = values.cast(kind.value_type), True
    if values.null_count or not (is_text or pa.types.is_integer(kind)):
        found = f"{values.null_count} empty values" if values.null_count else str(kind)
        raise UsageError(f"{path}: column {column!r} holds {found}; ids of samples must be texts or whole numbers")
    return tuple(str(value) for value in values.to_pylist())


def _open(path: Path) -> Any:
    """Return an open file that verifies the checksums of its pages, if it has any."""
    import pyarrow.parquet as pq

    return pq.ParquetFile(path, memory_map=True, page_checksum_verification=True)


def _is_list(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def _is_number(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _dtype(kind: pa.DataType) -> str:
    while _is_list(kind):
        kind = kind.value_type
    return _DTYPES.get(str(kind), str(kind))


def _common(dtypes: Any) -> str:
    """Return the type that holds the numbers of all columns exactly."""
    import numpy as np

    return np.result_type(*(dtype if dtype in FLOATS else "float64" for dtype in dtypes)).name


def _column(path: Path, file: Any, name: str, rows: int, facts: Mapping[str, Any]) -> StoredArray:
    """Describe a column; the length of variable-length lists is taken from the first row and checked on reading."""
    kind = file.schema_arrow.field(name).type
    size: tuple[int, ...] = (rows,)
    if _is_list(kind):
        first = next(_batches(file, name), None)
        size = (rows, *(_unpacked(path, name, first).shape[1:] if first is not None else (0,)))
    load = bound(path, _load_column, name, size)
    return StoredArray(size, _dtype(kind), load, facts.get("layout"), facts.get("dtype"), about=facts.get("about", {}))


def _batches(file: Any, name: str) -> Any:
    for batch in file.iter_batches(batch_size=1, columns=[name]):
        yield batch.column(batch.schema.get_field_index(name))


def _load_column(path: Path, name: str) -> Tensor:
    return as_tensor(_unpacked(path, name, _read_columns(path, [name])[name].combine_chunks()))


def _load_columns(path: Path, names: tuple[str, ...]) -> Tensor:
    import numpy as np

    table = _read_columns(path, names)
    columns = []
    for name in names:
        if table[name].null_count:
            raise _empty(path, name, table[name].null_count)
        columns.append(table[name].to_numpy())
    dtype = _common(str(column.dtype) for column in columns)
    return as_tensor(np.stack([column.astype(dtype, copy=False) for column in columns], axis=1))


def _read_columns(path: Path, names: Sequence[str]) -> Any:

    return _open(path).read(columns=list(names))


def _unpacked(path: Path, name: str, column: Any) -> np.ndarray[Any, Any]:
    """Return nested lists as an array, samples first."""
    import pyarrow as pa
    import pyarrow.compute as pc

    size = [len(column)]
    while _is_list(column.type):
        if column.null_count:
            raise _empty(path, name, column.null_count)
        if pa.types.is_fixed_size_list(column.type):
            size.append(column.type.list_size)
        else:
            lengths = pc.min_max(pc.list_value_length(column)).as_py()
            if lengths["min"] != lengths["max"]:
                raise ShapeError(
                    f"{path}: the lists of {name} have {lengths['min']} to {lengths['max']} numbers; all samples need "
                    "the same"
                )
            size.append(lengths["max"] or 0)
        column = column.flatten()
    if column.null_count:
        raise _empty(path, name, column.null_count)
    numbers: np.ndarray[Any, Any] = column.to_numpy(zero_copy_only=False).reshape(size)
    return numbers


def _empty(path: Path, name: str, count: int) -> ShapeError:
    return ShapeError(f"{path}: column {name} has {count} empty values; leave these samples out, or write NaN")


def write_parquet(path: Path, representations: Representations) -> None:
    """Write one column of fixed-size lists per layer, some rows at a time, and the ids of the samples."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    layers = {
        layer: {"layout": known.layout, "dtype": known.dtype, "about": dict(representations.about.get(layer, {}))}
        for layer, known in representations.layers.items()
    }
    facts = json.dumps({"name": representations.name, "layers": layers}).encode()
    arrays = {layer: tensor.detach().cpu().numpy() for layer, tensor in representations.items()}
    schema = pa.schema([(SAMPLE, pa.string()), *((layer, _list_type(array)) for layer, array in arrays.items())])
    options: dict[str, Any] = {"compression": "zstd", "use_dictionary": [SAMPLE], "write_page_checksum": True}
    with pq.ParquetWriter(path, schema.with_metadata({FACTS: facts}), **options) as writer:
        for start in range(0, len(representations.samples), GROUP_ROWS):
            rows = slice(start, start + GROUP_ROWS)
            columns = [_lists(array[rows], schema.field(layer).type) for layer, array in arrays.items()]
            ids = pa.array(representations.samples[rows], pa.string())
            writer.write_table(pa.table([ids, *columns], schema=schema))


def _list_type(array: np.ndarray[Any, Any]) -> pa.DataType:
    import pyarrow as pa

    kind = pa.from_numpy_dtype(array.dtype)
    for length in reversed(array.shape[1:]):
        kind = pa.list_(kind, length)
    return kind


def _lists(rows: np.ndarray[Any, Any], kind: pa.DataType) -> pa.Array:
    import pyarrow as pa

    kinds = [kind]
    while _is_list(kinds[-1]):
        kinds.append(kinds[-1].value_type)
    column = pa.array(rows.reshape(-1), kinds[-1], from_pandas=False)
    for outer in reversed(kinds[:-1]):
        column = pa.FixedSizeListArray.from_arrays(column, type=outer)
    return column


PARQUET = Format((".parquet", ".pq"), "a table", read_parquet, write_parquet, holds_facts=True)
