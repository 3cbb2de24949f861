"""Faults 1 to 10: what is wrong with a recipe's text, names and values. Numbers are those of the fault list."""

from __future__ import annotations

import json

import pytest

RESOLVED = ("resolve", "r.sdn", "--json")


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing but a comment\n", "\ufeff", "\r\n"])
def test_fault_01_an_empty_file_has_no_phase(bench, text):
    found = bench.refuses(text, code="MR400", says="the recipe has no phase", at="r.sdn:1:1")
    assert "write a block `phases:`" in found["help"]


def test_fault_01_an_empty_file_cannot_be_planned_or_run_either(bench):
    bench.write("r.sdn", "")
    for command in ("plan", "run"):
        outcome = bench.run(command, "r.sdn")
        assert outcome.code == 2
        assert "the recipe has no phase" in outcome.err
    assert not (bench.folder / "runs").exists()


@pytest.mark.parametrize("form", ["BOM", "CRLF", "tabs", "all"])
def test_fault_02_a_byte_order_mark_crlf_and_tabs_are_read_as_the_same(bench, recipe, form):
    bench.accepts(recipe)
    plain = json.loads(bench.run(*RESOLVED).out)
    text = recipe
    if form in {"tabs", "all"}:
        text = text.replace("    ", "\t")
    if form in {"CRLF", "all"}:
        text = text.replace("\n", "\r\n")
    if form in {"BOM", "all"}:
        text = "\ufeff" + text
    assert text != recipe
    bench.accepts(text)
    assert json.loads(bench.run(*RESOLVED).out) == plain


@pytest.mark.parametrize(
    ("bad", "code", "says"),
    [
        (b"\xff", "MR102", "byte 630 (0xff) is not UTF-8"),
        (b"\xed\xa0\x80", "MR102", "byte 630 (0xed) is not UTF-8"),
        (b"\xeb\xb0", "MR102", "byte 630 (0xeb) is not UTF-8"),
        (b"\0", "MR103", "byte 630 is a NUL character"),
    ],
    ids=["latin", "surrogate", "half a syllable", "nul"],
)
def test_fault_03_invalid_utf_8_and_nul_are_refused_with_their_byte(bench, recipe, bad, code, says):
    size = len(recipe.encode())
    says = says.replace("630", str(size + len(b"description: ")))
    text = recipe.encode() + b"description: " + bad + b"x\n"
    bench.refuses(text, code=code, says=says, at=f"r.sdn:{recipe.count(chr(10)) + 1}:14")


def test_fault_03_utf_16_is_refused_at_its_first_byte(bench, recipe):
    bench.refuses(recipe.encode("utf-16"), code="MR102", says="byte 0 ", at="r.sdn:1:1")


@pytest.mark.parametrize(
    ("right", "wrong", "code", "near"),
    [
        ("recipe:", "recip:", "MR201", "recipe"),
        ("        mix |", "        mxi |", "MR201", "mix"),
        ("keep, rise", "keep, rises", "MR201", "rise"),
        ("epochs", "epoch", "MR303", "epochs"),
        ("first: {use: lora, r", "first: {use: lora, rr", "MR303", "r"),
    ],
)
def test_fault_04_an_unknown_key_is_refused_with_the_nearest_name(bench, recipe, right, wrong, code, near):
    outcome = bench.check(recipe.replace(right, wrong, 1))
    assert outcome.code == 2
    found = next(d for d in json.loads(outcome.out)["diagnostics"] if d["code"] == code)
    assert f"did you mean `{near}`?" in found["help"]


def test_fault_04_a_key_that_resembles_none_is_answered_with_all_that_there_are(bench, recipe):
    found = bench.refuses(recipe + "zzzzzz: 1\n", code="MR201", says="`zzzzzz` is not a key", at="r.sdn:25:1")
    assert "profiles" in found["help"]


def test_fault_05_a_phase_named_twice_is_refused_with_both_places(bench, recipe):
    found = bench.refuses(recipe.replace("    two:", "    one:"), code="MR123", at="r.sdn:17:5")
    assert [(r["file"], r["line"], r["column"]) for r in found["related"]] == [("r.sdn", 12, 5)]


def test_fault_06_a_key_given_twice_is_refused_and_the_last_does_not_win(bench, recipe):
    found = bench.refuses("seed: 1\n" + recipe + "seed: 2\n", code="MR123", says="`seed`", at="r.sdn:26:1")
    assert [r["line"] for r in found["related"]] == [1]


@pytest.mark.parametrize(
    ("right", "wrong", "place", "near"),
    [
        ("use: embedded", "use: embeded", "r.sdn:2:14", "embedded"),
        ("perplexity", "perplexty", "r.sdn:9:33", "perplexity"),
        ("first: {use: lora", "first: {use: qqqq", "r.sdn:4:18", None),
    ],
)
def test_fault_07_an_unknown_plugin_is_refused_and_the_installed_ones_are_listed(
    bench, recipe, right, wrong, place, near
):
    found = bench.refuses(recipe.replace(right, wrong, 1), code="MR301", says="no plugin offers", at=place)
    assert "installed: " in found["help"]
    assert near is None or f"did you mean `{near}`?" in found["help"]


def test_fault_08_phases_in_a_circle_are_refused_and_the_circle_is_printed(bench, recipe):
    text = recipe.replace("    one:\n", "    one:\n        after: two\n")
    found = bench.refuses(text, code="MR401", says="one -> two -> one", at="r.sdn:13:16")
    assert [r["line"] for r in found["related"]] == [20]


def test_fault_08_a_phase_after_itself_is_a_circle(bench, recipe):
    text = recipe.replace("    one:\n", "    one:\n        after: one\n")
    bench.refuses(text, code="MR401", says="one -> one", at="r.sdn:13:16")


def test_fault_09_a_reference_to_a_missing_phase_is_refused(bench, recipe):
    text = recipe.replace("    two:\n", "    two:\n        after: [ome]\n")
    found = bench.refuses(text, code="MR202", says="there is no phase `ome`", at="r.sdn:18:17")
    assert "did you mean `one`?" in found["help"]


def test_fault_09_an_adapter_that_no_phase_makes_is_refused(bench, recipe):
    text = recipe.replace("first, train", "first, continue")
    bench.refuses(text, code="MR406", says="no phase makes adapter `first`", at="r.sdn:14:13")


def test_fault_09_a_later_phase_that_is_needed_first_runs_first(bench, recipe):
    one, two = recipe.index("    one:"), recipe.index("    two:")
    bench.accepts(recipe[:one] + recipe[two:] + recipe[one:two])
    plan = json.loads(bench.run("plan", "r.sdn", "--json").out)
    assert [phase["name"] for phase in plan["plan"]["phases"]] == ["one", "two"]


TYPES = [
    ("{epochs: 1}", '{learning_rate: "1e-4"}', "MR304", 'a number above 0, not the text "1e-4"'),
    ("{epochs: 1}", "{batch_size: 1.5}", "MR304", "a whole number of at least 1, not 1.5"),
    ("{epochs: 1}", "{batch_size: true}", "MR304", "a whole number of at least 1, not true"),
    ("{epochs: 1}", "{batch_size: null}", "MR304", "a whole number of at least 1, not null"),
    ("{epochs: 1}", "{batch_size: [1]}", "MR304", "a whole number of at least 1, not a list"),
    ("{epochs: 1}", "{epochs: -1}", "MR305", "a number of at least 0, not -1"),
    ("{epochs: 1}", "{warmup_ratio: 1.7}", "MR305", "a number of at least 0 and below 1, not 1.7"),
    ("{epochs: 1}", "{lr_scheduler: cosin}", "MR306", "one of `linear`, `cosine`"),
    ("{epochs: 1}", "{learning_rate: nan}", "MR304", 'a number above 0, not the text "nan"'),
    ("{epochs: 1}", "{learning_rate: inf}", "MR304", 'a number above 0, not the text "inf"'),
    ("{epochs: 1}", "{learning_rate: -inf}", "MR304", 'a number above 0, not the text "-inf"'),
    ("{epochs: 1}", "{learning_rate: 1e999}", "MR152", "`1e999` is too large for a 64-bit float"),
    ("{epochs: 1}", "{batch_size: 99999999999999999999}", "MR151", "does not fit 64 bits"),
    ("{epochs: 1}", "{batch_size: +5}", "MR150", "`+5` looks like a number but is none"),
    ("second: {use: lora, r: 8}", "second: {use: lora, r: -8}", "MR305", "a whole number of at least 1"),
    ("null, 0.9, warn", "1.7, null, warn", "MR331", "above 0 and at most 1, not 1.7"),
    ("null, 0.9, warn", "nan, null, warn", "MR330", "must be a number, not text"),
    ("null, 0.9, warn", "null, inf, warn", "MR330", "a share such as 5%, not text"),
    ("plain_text, 1\n    two", "plain_text, inf\n    two", "MR330", "must be a number, not text"),
    ("plain_text, 1\n    two", 'plain_text, "1"\n    two', "MR330", "must be a number, not text"),
    ("plain_text, 1\n    two", "plain_text, -1\n    two", "MR410", "a weight must be above 0"),
    ("recipe: sample", "recipe: sample\nseed: 1.5", "MR330", "a whole number, not a number"),
    ("recipe: sample", "recipe: sample\nseed: 1e999", "MR152", "too large for a 64-bit float"),
    ("recipe: sample", "recipe: [sample]", "MR330", "`recipe` must be a name, not a list"),
    ("recipe: sample", "recipe: sample\ndevice: 0", "MR330", "`device` must be text, not a whole number"),
    ("model: {use: embedded}", "model: embedded", "MR330", "`model` must be a block with `use`, not text"),
]


@pytest.mark.parametrize(("right", "wrong", "code", "says"), TYPES, ids=[new for _, new, _, _ in TYPES])
def test_fault_10_a_value_of_the_wrong_type_or_range_is_refused_once(bench, recipe, right, wrong, code, says):
    assert right in recipe
    bench.refuses(recipe.replace(right, wrong, 1), code=code, says=says)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("train.learning_rate=inf", "MR304"),
        ("train.learning_rate=1e400", "MR152"),
        ("train.batch_size=1.5", "MR304"),
        ("adapters.first.r=-8", "MR305"),
        ("phases.two.retain.fluency.rise=nan", "MR330"),
        ("seed=-1", "MR331"),
    ],
)
def test_fault_10_a_value_of_the_command_line_is_held_to_the_same(bench, recipe, given, code):
    found = bench.refuses(recipe, "--set", given, code=code)
    assert found["file"] == "--set"
