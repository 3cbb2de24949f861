"""``hub``: rows of a dataset of the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from medrecipe_plugins.data import _hub_dataset, _parquet_rows
from medrecipe_plugins.data._file import DataFile
from pipeline_dsl.api import PlacedRow, Provider, hookimpl, option


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """A dataset of the hub at a revision. It is fetched once and kept; scripts of datasets are never run."""

    name: str = option(doc="its name on the hub, owner/name")
    revision: str = option(doc="a commit (40 hex digits); a branch or tag is resolved once, when fetched")
    hub_split: str = option("train", doc="the part of the dataset, as the hub calls it")
    config: str | None = option(None, doc="the configuration (subset), where the dataset has several")


class HubDataset:
    """The rows of one part of one dataset."""

    def __init__(self, options: Options) -> None:
        """Name the dataset."""
        self._options = options

    def prepare(self, say: Callable[[str], None]) -> None:
        """Fetch the dataset unless it is kept.

        Raises:
            DataError: MR516, it is not to be had: no network, no such dataset, part or revision, no access.
            MachineError: MR600, ``datasets`` or ``pyarrow`` is not installed, or there is no room.
        """
        if not self.here():
            _hub_dataset.fetch(self._options, say)

    def here(self) -> bool:
        """Whether it was fetched; DataError, MachineError where it never can be."""
        _hub_dataset.need(self._options)
        return _hub_dataset.folder_of(self._options).is_dir()

    def files(self) -> Sequence[Path]:
        """The one file in which it is kept."""
        return (self._file().path,) if self.here() else ()

    def rows(self, start: int = 0) -> Iterator[PlacedRow]:
        """Yield the rows, each with its number from 1.

        Raises:
            DataError: MR516 it is not fetched; MR510 a value in it is nothing that JSON holds.
        """
        if not self.here():
            raise _hub_dataset.absent(self._options, "it is not fetched yet")
        return _parquet_rows.rows_of(self._file(), start)

    def _file(self) -> DataFile:
        o = self._options
        part = ":".join(word for word in (o.name, o.config, o.hub_split) if word)
        return DataFile(_hub_dataset.folder_of(o) / _hub_dataset.ROWS, f"{part}@{o.revision}")


@hookimpl
def medrecipe_sources() -> Sequence[Provider]:
    """Offer the source."""
    summary = "rows of a dataset of the Hugging Face hub"
    return [Provider(name="hub", summary=summary, factory=HubDataset, options=Options)]
