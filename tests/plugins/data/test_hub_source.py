"""The source ``hub``: a dataset is fetched once, at one commit, and read from this machine."""

from __future__ import annotations

import json
from typing import ClassVar

import pytest

from medrecipe_plugins.data.hub import HubDataset, Options, medrecipe_sources
from pipeline_dsl.api import DataError, Kind
from pipeline_dsl.testing import ProviderContract

FETCH = """
import json, time
from medrecipe_plugins.data.hub import HubDataset, Options
from pipeline_dsl.api import MedrecipeError

said = []
begin = time.monotonic()
for words in {all!r}:
    source = HubDataset(Options(**words))
    try:
        before = source.here()
        source.prepare(said.append)
        rows = [list(row) for row in source.rows(1)]
        print(json.dumps([before, source.here(), rows, len(source.files())]))
    except MedrecipeError as error:
        print(json.dumps([error.code, error.exit_code, error.message, error.help]))
print(json.dumps([said, time.monotonic() - begin]))
"""
MAIN = {"name": "o/d", "revision": "main", "config": "exams"}


class TestHub(ProviderContract):
    kind = Kind.SOURCE
    provider = medrecipe_sources()[0]
    sample_options: ClassVar = {"name": "o/d", "revision": "main"}


def code(*options):
    return FETCH.replace("{all!r}", repr(list(options)))


def test_a_part_of_a_dataset_is_fetched_once_and_the_commit_is_told(hub):
    pinned = {**MAIN, "revision": "a" * 40}
    first, again, second, (said, _) = hub(code(MAIN, MAIN, pinned))
    rows = [
        [f"o/d:exams:train@main:{n}", row]
        for n, row in ((2, {"q": "two", "n": 2}), (3, {"q": "three", "n": 3}))
    ]
    assert first == [False, True, rows, 1]
    assert again == [True, True, rows, 1]
    assert second[:2] == [False, True]
    assert f"write `revision: {'a' * 40}` to pin it" in said[0]
    assert [line for line in said if line.startswith("fetching")] == [
        "fetching the dataset o/d (train, aaaaaaaaaaaa)"
    ] * 2


def test_what_the_hub_does_not_have_is_refused_with_the_dataset_s_page(hub):
    *refused, (_, _) = hub(
        code(
            {**MAIN, "config": "none"},
            {**MAIN, "hub_split": "none"},
            {**MAIN, "revision": "v9"},
            {**MAIN, "name": "o/e"},
            {**MAIN, "name": "o/gated"},
        )
    )
    assert {(code, exit_code) for code, exit_code, _, _ in refused} == {("MR516", 3)}
    says = [
        "Available: ['exams']",
        "Should be one of ['train']",
        "no revision v9",
        "no dataset of that name",
        "gated",
    ]
    assert [says[i] in message for i, (_, _, message, _) in enumerate(refused)] == [True] * 5
    assert all("https://huggingface.co/datasets/o/" in message for _, _, message, _ in refused)


def test_without_a_network_it_is_refused_within_seconds(hub):
    (code_, exit_code, message, help_), (said, seconds) = hub(code(MAIN), "http://127.0.0.1:9")
    assert (code_, exit_code, said) == ("MR516", 3, [])
    assert "cannot be reached" in message
    assert "https://huggingface.co/datasets/o/d" in message
    assert help_
    assert seconds < 6


def test_what_was_fetched_is_read_without_a_network(hub, tmp_path):
    hub(code(MAIN))
    before, here, rows, files = hub(code(MAIN), "http://127.0.0.1:9")[0]
    assert (before, here, len(rows), files) == (True, True, 2, 1)
    (about,) = (tmp_path / "cache").rglob("about.json")
    assert json.loads(about.read_text())["commit"] == "a" * 40
    assert [p.name for p in about.parent.parent.iterdir()] == [about.parent.name]


@pytest.mark.parametrize("name", ["csv", "../etc", "/etc", "o/d/e", "https://o/d", "o d/e"])
def test_what_is_no_name_of_a_dataset_is_known_without_a_network(name):
    with pytest.raises(DataError) as caught:
        HubDataset(Options(name=name, revision="main")).here()
    assert caught.value.code == "MR516"


def test_rows_that_are_not_fetched_yet_are_refused():
    source = HubDataset(Options(name="o/d", revision="main"))
    assert (source.here(), source.files()) == (False, ())
    with pytest.raises(DataError, match="not fetched yet"):
        source.rows()
