"""``parquet``: rows from a Parquet file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from medrecipe_plugins.data import _parquet_rows
from medrecipe_plugins.data._file import FileSource
from pipeline_dsl.api import PlacedRow, Provider, hookimpl, option


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """A Parquet file. Text becomes NFC, dates ISO 8601, decimals text, NaN null; bytes are refused."""

    path: str = option(path=True, doc="the file; or an address: gs://, s3://, https://")


class ParquetTable(FileSource):
    """The rows of one file, a few in memory at a time."""

    def __init__(self, options: Options) -> None:
        """Name the file."""
        super().__init__(options.path)

    def here(self) -> bool:
        """Whether the file is on this machine; MachineError (MR600) where nothing here reads Parquet."""
        _parquet_rows.need_library()
        return super().here()

    def rows(self, start: int = 0) -> Iterator[PlacedRow]:
        """Yield the rows, each with its number from 1.

        Raises:
            DataError: MR501 the file is missing; MR502 it is no regular file or cannot be read; MR510 it is
                not Parquet, is damaged, or holds what no JSON does.
            MachineError: MR600, pyarrow is not installed.
        """
        return _parquet_rows.rows_of(self.file(), start)


@hookimpl
def medrecipe_sources() -> Sequence[Provider]:
    """Offer the source."""
    summary = "rows from a Parquet file"
    return [Provider(name="parquet", summary=summary, factory=ParquetTable, options=Options)]
