"""Writing prepared samples to disk as they come: what is held in memory does not grow with them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

from pipeline_dsl.api.records import Preparation
from pipeline_dsl.plan.prepared import COLUMNS, Amounts, amounts_of, append, empty_columns, seal


def write(preparations: Iterable[Preparation], folder: Path, data: str) -> Amounts:
    """Write an entry's files into an empty folder, its manifest last.

    Args:
        preparations: the samples, some at a time; each is in the files before the next one is asked for.
        folder: where to; until the manifest is there it holds no entry.
        data: the name of the data, which no file holds.
    """
    amounts = Amounts()
    hashes, sizes = {name: hashlib.sha256() for name in COLUMNS}, dict.fromkeys(COLUMNS, 0)
    columns = empty_columns(first=True)
    with ExitStack() as opened:
        files = {name: opened.enter_context((folder / name).open("wb")) for name in COLUMNS}
        for preparation in preparations:
            append(columns, preparation, data, (amounts.tokens, sizes["names"]))
            amounts += amounts_of(preparation)
            for name, values in columns.items():
                content = memoryview(values).cast("B")
                files[name].write(content)
                hashes[name].update(content)
                sizes[name] += content.nbytes
            columns = empty_columns(first=False)
    sealed = {name: {"bytes": sizes[name], "sha256": hashes[name].hexdigest()} for name in COLUMNS}
    seal(folder, amounts, sealed)
    return amounts
