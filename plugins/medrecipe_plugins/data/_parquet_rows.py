"""Rows of a Parquet file, a few at a time."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from medrecipe_plugins.data._file import DataFile
from medrecipe_plugins.data._lines import LONGEST_LINE
from medrecipe_plugins.data._values import normal, plain
from pipeline_dsl.api import DataError, MachineError, PlacedRow

_AT_ONCE = 64
"""Rows that are in memory."""
_BUFFER = 1 << 16
"""Bytes of a column that are read ahead."""
_LIBRARY = "pyarrow"


def need_library() -> None:
    """Raise MachineError (MR600) where the library that reads Parquet is not installed."""
    if importlib.util.find_spec(_LIBRARY) is None:
        message = f"Parquet files are read by {_LIBRARY}, which is not installed"
        raise MachineError(message, help=f"pip install {_LIBRARY}")


def rows_of(file: DataFile, start: int) -> Iterator[PlacedRow]:
    """Yield the rows from ``start`` on with their numbers from 1; earlier row groups are not read at all.

    Raises:
        DataError: MR501, MR502 as of any file; MR510 it is not Parquet, is damaged, or a value in it is
            nothing that JSON holds.
        MachineError: MR600, pyarrow is not installed.
    """
    need_library()
    import pyarrow as pa
    from pyarrow import parquet

    with file.open_as_is() as content:
        try:
            table = parquet.ParquetFile(content, pre_buffer=False, buffer_size=_BUFFER)
            groups, skipped = _groups_from(table.metadata, start)
            columns = _columns(table.schema_arrow.names, file)
            number = start
            for batch in _batches(table, groups):
                if skipped >= batch.num_rows:
                    skipped -= batch.num_rows
                    continue
                for row in batch.slice(skipped).to_pylist():
                    number += 1
                    yield PlacedRow(f"{file.name}:{number}", _plain_row(row, columns, file, number))
                skipped = 0
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            message = f"it cannot be read as Parquet ({type(error).__name__})"
            raise DataError(message, code="MR510", place=file.name, help=_WHOLE) from error


_WHOLE = "was the file copied as a whole?"


def _groups_from(metadata: Any, start: int) -> tuple[list[int], int]:
    """Row groups that are read, and how many rows of the first are passed over."""
    left = start
    for group in range(metadata.num_row_groups):
        rows = metadata.row_group(group).num_rows
        if left < rows:
            return list(range(group, metadata.num_row_groups)), left
        left -= rows
    return [], 0


def _batches(table: Any, groups: Sequence[int]) -> Iterator[Any]:
    """Read one group after the other, so that what is read ahead of one is let go before the next."""
    return chain.from_iterable(
        table.iter_batches(batch_size=_AT_ONCE, row_groups=[group], use_threads=False) for group in groups
    )


def _columns(names: Sequence[str], file: DataFile) -> dict[str, str]:
    """Names as they are in the file, and in NFC; each may be there once."""
    columns = {name: normal(name) for name in names}
    if len(set(columns.values())) < len(names):
        message = "two of its columns have one name"
        raise DataError(message, code="MR510", place=file.name, help="give each column a name of its own")
    return columns


def _plain_row(row: dict[str, Any], columns: dict[str, str], file: DataFile, number: int) -> dict[str, Any]:
    out = {}
    for name, value in row.items():
        try:
            out[columns[name]] = plain(value)
        except TypeError as error:
            raise _refused(f"holds {error}, which is no text, number or list", name, file, number) from error
        except ValueError as error:
            raise _refused("holds an object that has one name twice", name, file, number) from error
        if isinstance(value, str) and len(value) > LONGEST_LINE:
            raise _refused("holds a text longer than 1 MB", name, file, number)
    return out


def _refused(what: str, column: str, file: DataFile, number: int) -> DataError:
    help_ = "write the file without that column, or turn it into text"
    return DataError(f"the column {column!r} {what}", code="MR510", place=f"{file.name}:{number}", help=help_)
