"""Data in a plan: what is referred to, its view and its files; what a first look finds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline_dsl.api import DataError, Kind, PlacedRow, Provider
from pipeline_dsl.cli.outlook import plan_lines
from pipeline_dsl.cli.terminal import Paint
from pipeline_dsl.plan.data import prepare_data
from pipeline_dsl.plan.hashing import fingerprint, hash_files
from pipeline_dsl.plan.model import ViewPlan
from pipeline_dsl.plan.views import view_of
from pipeline_dsl.registry import build_catalog, installed_plugins
from pipeline_dsl.run.reuse import reusable

TERMS = "terms: {use: jsonl, path: terms.jsonl}"


def words(recipe: str, text: str) -> str:
    """The recipe with words in the data block ``terms``."""
    return recipe.replace(TERMS, TERMS[:-1] + f", {text}}}")


def parted(recipe: str, text: str = "split: 0.5/0.5") -> str:
    """The recipe with ``terms`` split, trained on one part and scored on the other."""
    text = words(recipe, text).replace("    terms, terms,", "    terms, terms.validation,")
    return text.replace("            terms, dictionary", "            terms.train, dictionary")


def test_a_plan_has_the_data_that_is_referred_to_by_the_names_that_are_used(desk, recipe):
    plan = desk.plan(parted(recipe))
    assert set(plan.data) == {"texts", "terms.train", "terms.validation"}
    train, validation = plan.data["terms.train"], plan.data["terms.validation"]
    assert (train.view.part, validation.view.part) == ("train", "validation")
    assert train.view == ViewPlan(split=(0.5, 0.5), part="train", seed=7)
    assert train.files == validation.files
    assert plan.data["texts"].view == ViewPlan()
    assert (plan.phase("two").mix[0].data, plan.task("terms").data) == ("terms.train", "terms.validation")


def test_the_parts_of_a_plan_are_the_rows_of_the_data(desk, recipe, installed):
    plan = desk.plan(parted(recipe))
    rows = [view_of(plan, f"terms.{part}", installed).rows() for part in ("train", "validation")]
    assert [len(part) for part in rows] == [2, 2]
    assert len({row["english"] for part in rows for _, row in part}) == 4


def test_data_that_nothing_refers_to_is_checked_and_not_planned(desk, recipe):
    more = recipe.replace(TERMS, TERMS + "\n    more: {use: jsonl, path: more.jsonl}")
    finding = desk.check(more).only()
    assert (finding.code, finding.span.text) == ("MR501", "more.jsonl")
    desk.rows("more.jsonl", [{"a": 1}])
    assert "more" not in desk.plan(more).data


@pytest.mark.parametrize(
    ("text", "code", "at", "says"),
    [
        ("limt: 3", "MR303", "limt", "source `jsonl` has no option `limt`"),
        ("paht: x", "MR303", "paht", "source `jsonl` has no option `paht`"),
        ("columns: {english: en}", "MR505", "terms.jsonl", "column `en` is missing in 4 of 4 rows"),
        ("filter: \"englsh == 'x'\"", "MR521", "englsh", "the filter asks for the column `englsh`"),
        ('filter: "english > 3"', "MR523", '"english > 3"', "the column `english` is text"),
    ],
)
def test_a_first_look_finds_what_does_not_fit_the_rows(desk, recipe, text, code, at, says):
    finding = desk.check(words(recipe, text)).only()
    assert (finding.code, finding.span.text) == (code, at)
    assert says in finding.message
    assert finding.help


def test_a_misspelt_word_is_told_the_nearest_word_or_option(desk, recipe):
    assert desk.check(words(recipe, "limt: 3")).only().help == "did you mean `limit`?"
    assert desk.check(words(recipe, "paht: x")).only().help == "did you mean `path`?"
    listing = desk.check(words(recipe, "zzzzzz: x")).only().help
    assert "its options are: `path`" in listing
    assert "`shuffle_buffer`" in listing


def test_a_column_that_groups_have_to_be_by_is_looked_for(desk, recipe):
    finding = desk.check(parted(recipe, "split: 0.5/0.5, group_by: englis")).only()
    assert (finding.code, finding.span.text) == ("MR521", "englis")
    assert "did you mean `english`?" in finding.help


def test_a_template_is_held_against_the_columns_of_a_part(desk, recipe):
    desk.rows("terms.jsonl", [{"en": "heart", "korean": "심장"}])
    findings = desk.check(parted(recipe)).findings
    assert {f.code for f in findings} == {"MR506"}
    assert all("in `data.terms`" in f.help for f in findings)


def test_a_word_of_the_data_changes_what_uses_it_and_nothing_else(desk, recipe):
    plain = desk.plan(recipe)
    for text in ("limit: 3", "filter: \"english != 'x'\"", "columns: {english: korean}"):
        other = desk.plan(words(recipe, text))
        assert [other.phase(n).fingerprint == plain.phase(n).fingerprint for n in ("one", "two")] == [
            True,
            False,
        ]
        assert other.task("terms").fingerprint != plain.task("terms").fingerprint
        assert other.task("fluency").fingerprint == plain.task("fluency").fingerprint
    denied = desk.plan(words(recipe, "pii: deny"))
    assert denied.phase("two").fingerprint == plain.phase("two").fingerprint


def test_the_parts_shares_groups_and_seed_of_a_split_count(desk, recipe):
    plan = desk.plan(parted(recipe))
    others = [
        desk.plan(parted(recipe, "split: 0.75/0.25")),
        desk.plan(parted(recipe, "split: 0.5/0.5, group_by: english")),
        desk.plan(parted(recipe).replace("seed: 7", "seed: 8")),
        desk.plan(parted(recipe).replace("terms.train", "terms.validation")),
    ]
    for other in others:
        assert other.phase("two").fingerprint != plan.phase("two").fingerprint
    assert all(other.task("terms").fingerprint != plan.task("terms").fingerprint for other in others[:3])


def test_a_phase_on_a_stream_has_to_say_its_steps(desk, recipe):
    text = words(recipe, "streaming: true, limit: 9")
    findings = [f for f in desk.check(text).findings if f.is_error]
    assert {f.code for f in findings} == {"MR218"}
    assert {f.span.text for f in findings} == {"terms"}
    assert "max_steps: 1000" in findings[0].help
    plan = desk.plan(
        words(recipe, "streaming: true, limit: 9, shuffle_buffer: 3").replace("epochs: 1", "max_steps: 5")
    )
    assert plan.data["terms"].view == ViewPlan(limit=9, streaming=True, shuffle_buffer=3)


class Remote:
    """A source whose file has to be fetched first."""

    def __init__(self, folder, text="fetched"):
        self.file = folder / "fetched.txt"
        self.text = text
        self.fetched = 0

    def prepare(self, say):
        self.fetched += 1
        say("fetching")
        self.file.write_text(self.text)

    def here(self):
        return self.file.exists()

    def files(self):
        return [self.file] if self.here() else []

    def rows(self, start=0):
        if not self.here():
            raise DataError("it is not here")
        yield PlacedRow("fetched.txt:1", {"text": self.file.read_text()})


@pytest.fixture
def remote(tmp_path):
    return Remote(tmp_path)


@pytest.fixture
def catalog(plugin, remote):
    source = Provider(name="far", summary="far away", factory=lambda _: remote)
    return build_catalog(entries=[*installed_plugins(), plugin("mini", (Kind.SOURCE, source))])


def test_data_that_is_not_here_is_not_looked_at_by_a_check(desk, recipe, catalog, remote):
    plan = desk.check(recipe.replace("{use: jsonl, path: texts.jsonl}", "{use: far}"), catalog=catalog).plan
    assert (plan.data["texts"].here, plan.data["texts"].files, remote.fetched) == (False, (), 0)
    assert plan.data["terms"].here


def test_what_stands_on_data_that_is_not_here_has_no_fingerprint_yet(desk, recipe, catalog):
    text = recipe.replace("{use: jsonl, path: texts.jsonl}", "{use: far}")
    plan = desk.plan(text, catalog=catalog)
    assert (plan.task("fluency").fingerprint, plan.phase("one").fingerprint) == ("", "")
    assert plan.task("terms").fingerprint


def test_what_does_not_stand_on_data_that_is_not_here_has_its_fingerprint(desk, recipe, catalog, remote):
    remote.text = "x"
    text = recipe.replace(TERMS, "terms: {use: far}").replace("terms, terms, dict", "terms, texts, dict")
    text = text.replace("terms, texts, dictionary, exact", "terms, texts, plain_text, exact")
    plan = desk.plan(text, catalog=catalog)
    assert [bool(phase.fingerprint) for phase in plan.phases] == [True, False, False]
    reasons = reusable(plan, desk.folder / "runs")
    assert reasons["two"].text == "will run: its data is not all here yet"
    lines = (line for line, _ in plan_lines(plan, reasons, None, Paint(enabled=False)))
    assert any(line == "data not here yet: `terms`; a run fetches it" for line in lines)


def test_preparing_fetches_once_and_hashes_what_came(desk, recipe, catalog, remote):
    text = recipe.replace("{use: jsonl, path: texts.jsonl}", "{use: far, split: 0.5/0.5}")
    text = text.replace("fluency, texts,", "fluency, texts.validation,").replace(
        " texts, plain", " texts.train, plain"
    )
    plan = hash_files(desk.check(text, catalog=catalog).plan)
    said = []
    ready = prepare_data(plan, catalog, said.append)
    assert (remote.fetched, said) == (1, ["fetching"])
    assert {d.here for d in ready.data.values()} == {True}
    assert len(ready.data["texts.train"].files[0].sha256) == 64
    assert ready.data["terms"] == plan.data["terms"]
    based = fingerprint(replace(ready, base=desk.plan(recipe).base))
    assert based.phase("one").fingerprint


def test_preparing_keeps_what_was_known_of_a_file_so_that_a_change_shows(desk, recipe, installed):
    plan = desk.plan(recipe)
    desk.rows("terms.jsonl", [{"english": "other", "korean": "다른"}])
    assert prepare_data(plan, installed, lambda _line: None).data == plan.data
