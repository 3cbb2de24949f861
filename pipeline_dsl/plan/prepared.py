"""Prepared data: samples as token ids, kept in the user's cache between runs.

An entry is kept under the hash of all that shapes it: the content of the data files and what the recipe makes
of their rows, the template, the base and its tokenizer, the trainer's options that count for it. A path
or a name is never part of it. What has no files to be hashed is not kept.
"""

from __future__ import annotations

import json
import mmap
import os
import sys
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, overload

from pipeline_dsl.api.contracts import Trainer
from pipeline_dsl.api.records import Preparation, Prepared
from pipeline_dsl.plan.hashing import data_meaning, digest, file_digest
from pipeline_dsl.plan.mix import bound
from pipeline_dsl.plan.model import MixPlan, Plan, ProviderRef

Kind = Literal["i", "q", "B"]

MANIFEST = "manifest.json"
"""Says what an entry holds; without it there is no entry."""
_FORMAT = 1
COLUMNS: dict[str, Kind] = {"tokens": "i", "bounds": "q", "starts": "i", "names": "B", "name_bounds": "q"}
"""Files of an entry and the type of their items, as ``array`` names it."""
_LIBRARIES = ("tokenizers", "transformers")
_DATA = "\0"
"""Stands in a kept row id for the name of the data, which is the recipe's and not the entry's."""


class DamagedError(Exception):
    """An entry that is not what its manifest says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """What became of samples when they were prepared."""

    samples: int = 0
    """Those that are left."""
    tokens: int = 0
    """Of those that are left."""
    dropped: int = 0
    shortened: int = 0
    longest: int = 0
    """Tokens of the longest one before anything was cut."""

    def __add__(self, other: Amounts) -> Amounts:
        """Both together."""
        return Amounts(
            samples=self.samples + other.samples,
            tokens=self.tokens + other.tokens,
            dropped=self.dropped + other.dropped,
            shortened=self.shortened + other.shortened,
            longest=max(self.longest, other.longest),
        )


class PreparedPool(Sequence[Prepared]):
    """Prepared samples in a few flat arrays, which may lie in mapped files; nothing is copied.

    Args:
        columns: memory by the names of an entry's files.
        amounts: what the samples come to.
        data: the name of the data, for row ids.
    """

    def __init__(self, columns: Mapping[str, memoryview], amounts: Amounts, data: str) -> None:
        self.columns = columns
        self.amounts = amounts
        self._data = data

    @classmethod
    def of(cls, preparations: Iterable[Preparation], data: str) -> PreparedPool:
        """The samples that a trainer prepared and left in, in memory."""
        columns, amounts = empty_columns(first=True), Amounts()
        for preparation in preparations:
            append(columns, preparation, data, (len(columns["tokens"]), len(columns["names"])))
            amounts += amounts_of(preparation)
        flat = {name: memoryview(values) for name, values in columns.items()}
        return cls(flat, amounts, data)

    def __len__(self) -> int:
        """Samples."""
        return self.amounts.samples

    @overload
    def __getitem__(self, index: int) -> Prepared: ...
    @overload
    def __getitem__(self, index: slice) -> list[Prepared]: ...
    def __getitem__(self, index: int | slice) -> Prepared | list[Prepared]:
        """One sample, or several."""
        if isinstance(index, slice):
            return [self._sample(i) for i in range(*index.indices(len(self)))]
        return self._sample(range(len(self))[index])

    def _sample(self, index: int) -> Prepared:
        columns = self.columns
        first, last = columns["bounds"][index : index + 2]
        name_first, name_last = columns["name_bounds"][index : index + 2]
        name = str(columns["names"][name_first:name_last], "utf-8")
        return Prepared(
            id=self._data + name[1:] if name.startswith(_DATA) else name,
            ids=columns["tokens"][first:last],
            start=columns["starts"][index],
        )


def empty_columns(*, first: bool) -> dict[str, array[int]]:
    """The columns of no samples; those of the ``first`` ones say where the first one begins."""
    columns = {name: array(kind) for name, kind in COLUMNS.items()}
    for name in ("bounds", "name_bounds") if first else ():
        columns[name].append(0)
    return columns


def append(
    columns: Mapping[str, array[int]], preparation: Preparation, data: str, ends: tuple[int, int]
) -> None:
    """Append the samples that are left to columns; ``ends`` are of the tokens and names before them."""
    token_end, name_end = ends
    tokens, bounds, starts, names, name_bounds = (columns[name] for name in COLUMNS)
    for row in preparation.rows:
        if row is None:
            continue
        tokens.extend(row.ids)
        token_end += len(row.ids)
        bounds.append(token_end)
        starts.append(row.start)
        own = row.id.startswith(data)
        name = (_DATA + row.id[len(data) :] if own else row.id).encode()
        names.frombytes(name)
        name_end += len(name)
        name_bounds.append(name_end)


def amounts_of(preparation: Preparation) -> Amounts:
    """Count what became of samples."""
    kept = [row for row in preparation.rows if row is not None]
    return Amounts(
        samples=len(kept),
        tokens=sum(len(row.ids) for row in kept),
        dropped=preparation.dropped,
        shortened=preparation.shortened,
        longest=preparation.longest,
    )


def key_of(plan: Plan, entry: MixPlan, train: ProviderRef, trainer: Trainer) -> str | None:
    """Return the key under which a mix row's prepared samples are kept; None where they cannot be.

    The base counts with its weights, since guard rails look at them: rows of the embeddings, positions.
    """
    data, base = plan.data[entry.data], plan.base
    hashed = data.files and all(file.sha256 for file in data.files)
    if base is None or not data.here or not hashed or data.view.streaming:
        return None
    identity = {k: v for k, v in asdict(base).items() if k not in {"name", "revision", "quantisation"}}
    return digest(
        {
            "format": f"{_FORMAT}/{sys.byteorder}",
            "data": {**data_meaning(data), "pii": data.view.pii},
            "rows": bound(plan, entry.limit),
            "template": [*_code(entry.template), entry.template.content],
            "model": [*_code(plan.model), identity],
            "trainer": [*_code(train), dict(trainer.preparation())],
            "libraries": [plan.libraries.get(name, "") for name in _LIBRARIES],
        }
    )


def cache_folder() -> Path:
    """Where entries are: ``prepared`` in medrecipe's folder of the user's cache."""
    root = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (root if root.is_absolute() else Path.home() / ".cache") / "medrecipe" / "prepared"


def find(key: str, data: str) -> PreparedPool | None:
    """Return the samples that are kept under a key, for the data of that name; None where there are none.

    Raises:
        DamagedError: there is an entry, and it is not whole.
    """
    folder = cache_folder() / key
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if any(_measure(folder / name) != manifest["files"][name] for name in COLUMNS):
            raise DamagedError(key)
        amounts = Amounts(**manifest["amounts"])
        return PreparedPool({n: _mapped(folder / n, k) for n, k in COLUMNS.items()}, amounts, data)
    except (FileNotFoundError, NotADirectoryError) as error:
        if folder.exists():
            raise DamagedError(key) from error
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DamagedError(key) from error


def seal(folder: Path, amounts: Amounts, files: Mapping[str, Mapping[str, Any]]) -> None:
    """Write an entry's manifest, which makes it one: ``files`` says of each file its bytes and their hash."""
    manifest = {"amounts": asdict(amounts), "files": files}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def _code(ref: ProviderRef) -> tuple[str, str]:
    return f"{ref.plugin}/{ref.name}", ref.version


def _measure(path: Path) -> dict[str, Any]:
    return {"bytes": path.stat().st_size, "sha256": file_digest(path)}


def _mapped(path: Path, kind: Kind) -> memoryview:
    with path.open("rb") as file:
        if not os.fstat(file.fileno()).st_size:
            return memoryview(array(kind))
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)).cast(kind)
