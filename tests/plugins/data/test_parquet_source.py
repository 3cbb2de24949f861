"""The source ``parquet``: rows are what JSON holds, read group by group."""

from __future__ import annotations

import datetime as dt
import decimal
import sys
from itertools import islice
from typing import ClassVar

import pyarrow as pa
import pytest
from pyarrow import parquet

from medrecipe_plugins.data.parquet import Options, ParquetTable, medrecipe_sources
from pipeline_dsl.api import MachineError
from pipeline_dsl.testing import SourceContract

NOON = dt.datetime(2026, 3, 1, 12, 0, 0, 5)  # noqa: DTZ001 - a time without a zone is what is meant


@pytest.fixture
def source(tmp_path):
    """Makes a source of a file with these columns."""

    def make(columns, **options):
        table = columns if isinstance(columns, pa.Table) else pa.table(columns)
        parquet.write_table(table, tmp_path / "rows.parquet", **options)
        return ParquetTable(Options(path=str(tmp_path / "rows.parquet")))

    return make


class TestParquet(SourceContract):
    provider = medrecipe_sources()[0]
    sample_options: ClassVar = {"path": "rows.parquet"}

    def source(self, folder):
        columns = {"n": list(range(200)), "text": ["간", None] * 100, "options": [["a", "b"], []] * 100}
        parquet.write_table(pa.table(columns), folder / "rows.parquet", row_group_size=70)
        return ParquetTable(Options(path=str(folder / "rows.parquet")))


def test_rows_have_their_numbers_as_places(source, tmp_path):
    places = [row.place for row in source({"a": ["x", "y", "z"]}).rows(1)]
    assert places == [f"{tmp_path / 'rows.parquet'}:{number}" for number in (2, 3)]


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (1, 1),
        (1.5, 1.5),
        (True, True),
        (None, None),
        (float("nan"), None),
        ("\u1112\u1161\u11ab", "한"),
        (["\u1112\u1161\u11ab"], ["한"]),
        ({"a": [{"b": 1}]}, {"a": [{"b": 1}]}),
        (decimal.Decimal("0.10"), "0.10"),
        (dt.date(2026, 3, 1), "2026-03-01"),
        (NOON, "2026-03-01T12:00:00.000005"),
        (NOON.replace(tzinfo=dt.UTC), "2026-03-01T12:00:00.000005+00:00"),
        (dt.time(1, 2), "01:02:00"),
    ],
)  # fmt: skip
def test_values_become_what_json_holds(source, rows_of, value, read):
    assert rows_of(source({"v": [value]})) == [{"v": read}]


def test_categories_are_their_texts(source, rows_of):
    assert rows_of(source({"v": pa.array(["a", "b", "a"]).dictionary_encode()})) == [{"v": v} for v in "aba"]


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (b"\x00", "bytes"),
        ([b"\x00"], "bytes"),
        (dt.timedelta(1), "a duration"),
        (float("inf"), "an infinite number"),
        ("x" * (1 << 20) + "x", "longer than 1 MB"),
    ],
)
def test_what_no_row_can_hold_is_refused_with_its_column(source, refused, tmp_path, value, says):
    error = refused(source({"v": [None, value]}), "MR510")
    assert error.place == f"{tmp_path / 'rows.parquet'}:2"
    assert says in error.message
    assert "'v'" in error.message


def test_columns_of_one_name_are_refused(source, refused):
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["\u00e9", "e\u0301"])
    refused(source(table), "MR510")


def test_a_file_without_a_row_has_no_row(source, rows_of):
    assert rows_of(source({"a": pa.array([], pa.string())})) == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda b: b"",
        lambda b: b[:-20],
        lambda b: b"PAR1" + b,
        lambda b: b"text\n",
        lambda b: b[:20] + b"\xff" * 40 + b[60:],
    ],
)
def test_a_damaged_file_is_refused(source, refused, tmp_path, damage):
    made = source({"a": [f"some text {n}" for n in range(100)]}, use_dictionary=False)
    path = tmp_path / "rows.parquet"
    path.write_bytes(damage(path.read_bytes()))
    assert refused(made, "MR510").place.startswith(str(path))


def test_groups_before_the_start_are_not_read(source, rows_of, tmp_path):
    made = source({"n": list(range(1000))}, row_group_size=100, use_dictionary=False, compression="none")
    path = tmp_path / "rows.parquet"
    content = path.read_bytes()
    path.write_bytes(content[:4] + b"\xff" * 500 + content[504:])
    assert rows_of(made, 950) == [{"n": n} for n in range(950, 1000)]


def test_a_large_file_is_read_in_constant_memory(source):
    made = source(
        {"t": [f"{n} " + "x" * 1000 for n in range(20_000)]},
        row_group_size=10_000,
        compression="none",
        use_dictionary=False,
    )
    before = pa.total_allocated_bytes()
    most = max(pa.total_allocated_bytes() - before for _ in islice(made.rows(), 0, None, 50))
    assert most < 4 << 20


def test_without_the_library_a_check_knows_what_is_missing(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MachineError, match="pyarrow") as caught:
        ParquetTable(Options(path=str(tmp_path / "x.parquet"))).here()
    assert (caught.value.code, caught.value.help) == ("MR600", "pip install pyarrow")
