from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import jsonschema
import pytest

from medrecipe_plugins.adapters.lora import Options as LoraOptions
from pipeline_dsl.api.options import NoOptions, construct, option, plain_options, schema_of
from pipeline_dsl.diagnostics import Severity, Source
from pipeline_dsl.plan.options import read_options
from pipeline_dsl.recipe.model import Use
from pipeline_dsl.syntax.parser import parse


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Every type that an option can have."""

    whole: int = option(4, ge=1, le=64, doc="a count")
    real: float = option(0.5, ge=0, lt=1, doc="a share")
    positive: float = option(1.0, gt=0, doc="a factor")
    text: str = option("plain", doc="a text")
    flag: bool = option(default=False, doc="yes or no")
    word: Literal["one", "two"] = option("one", doc="a choice")
    mixed: Literal[True, "gaussian"] = option(default=True, doc="true or a word")
    perhaps: int | None = option(None, ge=1, doc="a count or nothing")
    words: tuple[str, ...] = option((), doc="texts")
    numbers: tuple[int, ...] = option((1,), min_items=1, doc="counts, one at least")
    either: tuple[str, ...] | Literal["all"] | None = option(None, doc="texts, all, or nothing")
    ranks: Mapping[str, int] | None = option(None, doc="counts by pattern")
    path: str | None = option(None, path=True, doc="a file")
    paths: tuple[str, ...] = option((), path=True, doc="files")
    one_or_more: str | tuple[str, ...] | None = option(None, path=True, doc="a file, or several")
    old: int | None = option(None, doc="out of use", deprecated="whole")


@dataclass(frozen=True, slots=True, kw_only=True)
class Required:
    """One option that has to be given."""

    path: str = option(path=True, doc="the file")


def use(text: str, source: str = "recipe.sdn") -> Use:
    parsed = parse(Source.of(source, text))
    assert not parsed.diagnostics, parsed.diagnostics
    return Use(name="thing", options=parsed.root, span=parsed.root.span)


def read(text: str, options: type = Options, source: str = "recipe.sdn"):
    return read_options(use(text, source), options, "metric `thing`")


def only(text: str, options: type = Options):
    (finding,) = read(text, options)[1]
    return finding


def test_the_schema_is_closed_and_valid_and_its_defaults_fit_it():
    schema = schema_of(Options)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["additionalProperties"] is False
    assert schema["description"] == "Every type that an option can have."
    defaults = {name: facts["default"] for name, facts in schema["properties"].items()}
    jsonschema.validate(defaults, schema)
    assert defaults == plain_options(Options())


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("whole: 8", {"whole": 8}),
        ("real: 0", {"real": 0.0}),
        ("real: 1e-4", {"real": 1e-4}),
        ("text: any 한글", {"text": "any 한글"}),
        ("flag: true", {"flag": True}),
        ("word: two", {"word": "two"}),
        ("mixed: gaussian", {"mixed": "gaussian"}),
        ("mixed: true", {"mixed": True}),
        ("perhaps: 3", {"perhaps": 3}),
        ("perhaps: null", {"perhaps": None}),
        ("words: [a, b]", {"words": ("a", "b")}),
        ("numbers: [1, 2]", {"numbers": (1, 2)}),
        ("either: all", {"either": "all"}),
        ("either: [q, v]", {"either": ("q", "v")}),
        ("ranks: {q: 4, v: 8}", {"ranks": {"q": 4, "v": 8}}),
    ],
)
def test_a_value_of_each_type_becomes_an_option_and_goes_back_to_the_same_json(text, value):
    values, findings = read(text)
    assert findings == ()
    made = construct(Options, values)
    assert made == Options(**value)
    assert construct(Options, plain_options(made)) == made


def test_a_whole_number_for_a_real_option_becomes_a_real_number():
    made = construct(Options, read("real: 0")[0])
    assert isinstance(made.real, float)


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        (
            'whole: "4"',
            "MR304",
            '`whole` must be a whole number of at least 1 and of at most 64, not the text "4"',
        ),
        ("whole: 1.5", "MR304", "`whole` must be a whole number of at least 1 and of at most 64, not 1.5"),
        ("whole: 4.0", "MR304", "`whole` must be a whole number of at least 1 and of at most 64, not 4.0"),
        ("whole: true", "MR304", "`whole` must be a whole number of at least 1 and of at most 64, not true"),
        ("whole: null", "MR304", "`whole` must be a whole number of at least 1 and of at most 64, not null"),
        ("whole: [1]", "MR304", "`whole` must be a whole number of at least 1 and of at most 64, not a list"),
        ("whole: 0", "MR305", "`whole` must be a whole number of at least 1 and of at most 64, not 0"),
        ("whole: 65", "MR305", "`whole` must be a whole number of at least 1 and of at most 64, not 65"),
        ("real: 1", "MR305", "`real` must be a number of at least 0 and below 1, not 1"),
        ("real: 1.7", "MR305", "`real` must be a number of at least 0 and below 1, not 1.7"),
        ("positive: 0", "MR305", "`positive` must be a number above 0, not 0"),
        ('real: "0.5"', "MR304", '`real` must be a number of at least 0 and below 1, not the text "0.5"'),
        ("flag: yes", "MR304", '`flag` must be true or false, not the text "yes"'),
        ("flag: 1", "MR304", "`flag` must be true or false, not 1"),
        ("text: 5", "MR304", "`text` must be text, not 5"),
        ("text: {a: 1}", "MR304", "`text` must be text, not a block"),
        ("word: three", "MR306", '`word` must be one of `one`, `two`, not the text "three"'),
        ("mixed: 1", "MR306", "`mixed` must be one of true, `gaussian`, not 1"),
        ("perhaps: 0", "MR305", "`perhaps` must be a whole number of at least 1 or null, not 0"),
        ("words: a", "MR304", '`words` must be a list of text, not the text "a"'),
        ("words: [a, 5]", "MR304", "`words` must be text, not 5"),
        (
            "numbers: []",
            "MR305",
            "`numbers` must be a list of whole numbers with at least 1 item, not a list",
        ),
        ("either: 5", "MR304", "`either` must be a list of text or one of `all` or null, not 5"),
        ("ranks: {q: a}", "MR304", '`ranks` must be a whole number, not the text "a"'),
        ("ranks: [1]", "MR304", "`ranks` must be a block of `key: value` or null, not a list"),
    ],
)
def test_a_value_that_does_not_fit_is_told_with_what_would(text, code, message):
    finding = only(text)
    assert (finding.code, finding.message) == (code, message)


def test_a_finding_points_at_the_value_and_its_help_gives_meaning_and_default():
    finding = only("flag: true\nwords: [a, 5, b]")
    assert (finding.span.line, finding.span.text) == (2, "5")
    assert only("whole: 0").help == "a count (default: 4)"
    assert only("perhaps: 0").help == "a count or nothing (default: null)"
    assert only("flag: 1").help == "yes or no (default: false)"


def test_a_long_text_is_shortened():
    finding = only(f"whole: {'x' * 100}")
    assert finding.message.endswith(f'not the text "{"x" * 39}…"')


def test_an_unknown_option_is_told_with_the_nearest():
    finding = only("wole: 4")
    assert (finding.code, finding.message) == ("MR303", "metric `thing` has no option `wole`")
    assert finding.help == "did you mean `whole`?"
    assert finding.span.text == "wole"


def test_an_unknown_option_that_is_like_none_lists_all():
    assert only("zzzzzzzzz: 1", NoOptions).help == "its options are: none"
    _, (unknown, _) = read("zzzzzzzzz: 1", Required)
    assert unknown.help == "its options are: `path`"


def test_a_required_option_that_is_missing_is_told_at_the_block():
    finding = only("", Required)
    assert (finding.code, finding.message) == ("MR307", "metric `thing` needs the option `path`")


def test_a_required_option_that_is_null_has_the_wrong_type():
    assert only("path: null", Required).code == "MR304"


def test_all_findings_of_a_block_come_at_once():
    _, findings = read("whole: 0\nreal: x\nflga: true")
    assert sorted(f.code for f in findings) == ["MR303", "MR304", "MR305"]


def test_a_deprecated_option_is_a_warning_that_says_what_to_write():
    values, (finding,) = read("old: 3")
    assert (finding.code, finding.severity, finding.help) == ("MR309", Severity.WARNING, "write `whole`")
    assert values == {"old": 3}


def test_a_path_belongs_to_the_file_in_which_it_stands(tmp_path: Path):
    values, _ = read("path: data/x.jsonl", source=str(tmp_path / "recipes" / "r.sdn"))
    assert values["path"] == str(tmp_path / "recipes" / "data" / "x.jsonl")


def test_each_path_of_a_list_belongs_to_the_file_in_which_it_stands(tmp_path: Path):
    source = str(tmp_path / "r.sdn")
    values, _ = read("paths: [a.jsonl, sub/b.jsonl]\none_or_more: [c]", source=source)
    assert values["paths"] == [str(tmp_path / "a.jsonl"), str(tmp_path / "sub" / "b.jsonl")]
    assert values["one_or_more"] == [str(tmp_path / "c")]
    assert read("one_or_more: c", source=source)[0]["one_or_more"] == str(tmp_path / "c")


@pytest.mark.parametrize("source", ["--set", "-"])
def test_a_path_from_the_command_line_or_standard_input_belongs_to_the_working_directory(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    assert read("path: x.jsonl", source=source)[0]["path"] == str(tmp_path / "x.jsonl")


@pytest.mark.parametrize("path", ["/abs/x.jsonl", "s3://bucket/x.jsonl"])
def test_absolute_paths_and_addresses_stay(path: str):
    assert read(f"path: {path}")[0]["path"] == path


def test_a_home_folder_is_filled_in(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", "/home/someone")
    assert read("path: ~/x.jsonl")[0]["path"] == "/home/someone/x.jsonl"


def test_the_home_of_nobody_is_a_name_like_any_other(tmp_path: Path):
    source = str(tmp_path / "r.sdn")
    assert read("path: ~nobody-by-this-name/x", source=source)[0]["path"] == str(
        tmp_path / "~nobody-by-this-name" / "x"
    )


def test_an_options_class_of_an_unknown_type_is_the_plugins_fault():
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Wrong:
        """No schema can be made of this."""

        thing: set[Any] = option(doc="a set")  # noqa: RUF009 - as every option is declared

    with pytest.raises(TypeError, match="an option cannot have the type"):
        schema_of(Wrong)


@pytest.mark.parametrize(
    ("written", "help_", "safe"),
    [
        ("lora_alpha", "`lora_alpha` is called `alpha` here", True),
        ("lora_alhpa", "`lora_alpha` is called `alpha` here", False),
        ("rank", "`rank` is called `r` here", True),
    ],
)
def test_the_name_that_other_tools_have_for_an_option_is_told_apart_from_a_slip(written, help_, safe):
    found = only(f"{written}: 3", LoraOptions)
    assert (found.code, found.help) == ("MR303", help_)
    (fix,) = found.fixes
    assert (fix.edits[0].text, fix.safe) == (help_.split("`")[3], safe)
