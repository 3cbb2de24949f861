"""Files larger than memory: what is held does not grow with what is read."""

from __future__ import annotations

import gzip
import tracemalloc

import pytest

from medrecipe_plugins.data.csv_rows import Options as TableOptions
from medrecipe_plugins.data.csv_rows import Table
from medrecipe_plugins.data.json_objects import JsonObjects
from medrecipe_plugins.data.json_objects import Options as ObjectsOptions
from medrecipe_plugins.data.jsonl import JsonLines
from medrecipe_plugins.data.jsonl import Options as LinesOptions
from medrecipe_plugins.data.text import Options as TextOptions
from medrecipe_plugins.data.text import PlainText

ROWS = 10_000
TEXT = "x" * 1000
JSON = f'{{"text": "{TEXT}"}}\n'


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A folder with one table in several forms, 10 MB each."""
    folder = tmp_path_factory.mktemp("large")
    (folder / "rows.jsonl").write_text(JSON * ROWS)
    (folder / "rows.json").write_text(f"[{', '.join([JSON.strip()] * ROWS)}]")  # one line
    (folder / "rows.csv").write_text("text\n" + f"{TEXT}\n" * ROWS)
    (folder / "rows.txt").write_text(f"{TEXT}\n" * ROWS)
    with gzip.open(folder / "rows.jsonl.gz", "wt", compresslevel=1) as file:
        file.writelines(f'{{"text": "{number} {TEXT}"}}\n' for number in range(ROWS // 5))
    return folder


SOURCES = {
    "jsonl": (lambda folder: JsonLines(LinesOptions(path=str(folder / "rows.jsonl"))), ROWS),
    "json": (lambda folder: JsonObjects(ObjectsOptions(path=str(folder / "rows.json"))), ROWS),
    "gzip": (lambda folder: JsonLines(LinesOptions(path=str(folder / "rows.jsonl.gz"))), ROWS // 5),
    "csv": (lambda folder: Table(TableOptions(path=str(folder / "rows.csv"))), ROWS),
    "text": (lambda folder: PlainText(TextOptions(path=str(folder / "rows.txt"))), ROWS),
}


@pytest.mark.parametrize("start", ["the beginning", "the end"])
@pytest.mark.parametrize("kind", SOURCES)
def test_rows_are_read_in_less_than_two_megabytes(large, kind, start):
    make, rows = SOURCES[kind]
    source = make(large)
    tracemalloc.start()
    try:
        count = sum(1 for _ in source.rows(0 if start == "the beginning" else rows - 10))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == (rows if start == "the beginning" else 10)
    assert peak < 2 << 20
