"""The numbered faults of the recipe layer. Numbers are those of the fault list."""

from __future__ import annotations

import os
import time
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline_dsl.recipe.load import Loaded, load_recipe, resolved, why

Load = Callable[..., Loaded]
TOKEN = "hf_" + "QwErTy" * 5


def codes(loaded: Loaded) -> list[str]:
    return [d.code for d in loaded.diagnostics]


def only(loaded: Loaded) -> str:
    assert len(loaded.diagnostics) == 1, loaded.diagnostics
    return loaded.diagnostics[0].message


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing but a comment\n"])
def test_fault_01_an_empty_file_has_no_phase(load: Load, text: str) -> None:
    loaded = load(text)
    assert only(loaded) == "the recipe has no phase"
    assert loaded.recipe is None


def test_fault_04_an_unknown_key_is_refused_with_the_nearest_name(load: Load, small: str) -> None:
    for place, wrong, right in [
        ("environment:", "enviroment:", "environment"),
        ("        stack |", "        stakc |", "stack"),
        ("|on, every, when, do|", "|on, evry, when, do|", "every"),
        ("|task, keep, otherwise|", "|task, keep, otherwse|", "otherwise"),
        ("|data, template, weight|", "|data, template, wieght|", "weight"),
    ]:
        found = load(small.replace(place, wrong, 1)).diagnostics
        assert found[0].code == "MR201"
        assert found[0].help is not None
        assert f"did you mean `{right}`?" in found[0].help


def test_fault_04_an_unknown_column_is_reported_once_however_many_rows(load: Load, small: str) -> None:
    text = small.replace(
        "|data, template, weight|\n            d, plain, 3",
        "|data, template, wieght|\n            d, plain, 3",
    )
    assert codes(load(text)) == ["MR201"]


def test_fault_05_a_phase_named_twice_is_refused_with_both_places(load: Load, small: str) -> None:
    found = load(small.replace("    two:", "    one:")).diagnostics
    assert found[0].code == "MR123"
    assert [r.span.line for r in found[0].related] == [24]


def test_fault_05_a_task_named_twice_is_refused_with_both_places(load: Load, small: str) -> None:
    row = "    recall, e, plain, perplexity, 20\n"
    found = load(small.replace(row, row * 2)).diagnostics
    assert [d.code for d in found] == ["MR203"]
    assert found[0].span is not None
    assert (found[0].span.line, found[0].related[0].span.line) == (21, 20)


def test_fault_06_a_key_given_twice_is_refused(load: Load, small: str) -> None:
    loaded = load("seed: 1\nseed: 2\n" + small)
    assert codes(loaded) == ["MR123"]


def test_fault_08_a_cycle_of_phases_is_printed_with_its_places(load: Load, small: str) -> None:
    found = load(small.replace("    one:\n", "    one:\n        after: two\n")).diagnostics
    assert "one -> two -> one" in found[0].message
    assert found[0].reason == "`one` is after `two`"
    assert found[0].related[0].message == "`two` uses `a`, which `one` trains"


def test_fault_08_a_phase_after_itself_is_a_cycle(load: Load, small: str) -> None:
    assert "one -> one" in only(load(small.replace("    one:\n", "    one:\n        after: one\n")))


def test_fault_09_a_reference_to_a_missing_phase_is_refused(load: Load, small: str) -> None:
    loaded = load(small.replace("    two:\n", "    two:\n        after: [on]\n"))
    assert only(loaded) == "there is no phase `on`"
    assert loaded.diagnostics[0].help == "did you mean `one`? `phases`: one, two"


def test_fault_09_a_later_phase_that_makes_an_adapter_is_moved_before_its_use(load: Load, small: str) -> None:
    start, end = small.index("    one:"), small.index("    two:")
    swapped = small.replace(small[start:end], "").replace("profiles:", small[start:end] + "profiles:")
    recipe = load(swapped).recipe
    assert recipe is not None
    assert [p.name.name for p in recipe.phases] == ["one", "two"]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("environment:", 'seed: "42"\nenvironment:', "`seed` must be a whole number, not text"),
        ("environment:", "seed: 1.5\nenvironment:", "`seed` must be a whole number, not a number"),
        ("environment:", "seed: true\nenvironment:", "`seed` must be a whole number, not true or false"),
        ("environment:", "seed: null\nenvironment:", "`seed` must be a whole number, not null"),
        ("environment:", "seed:\nenvironment:", "`seed` must be a whole number, not null"),
        ("environment:", "seed: -8\nenvironment:", "`seed` must be 0 or more, not -8"),
        ("environment:", "seed: [1]\nenvironment:", "`seed` must be a whole number, not a list"),
        ("environment:", "tags: [1]\nenvironment:", "`tags` must be a list of names, not a whole number"),
        ("environment:", "hooks: 3\nenvironment:", "`hooks` must be a table with the columns on, every, when, do, not a whole number"),
        ("environment:", "edition: 2\nenvironment:", "`edition` must be 1, the only one that this version knows, not 2"),
        ("recipe: small", "recipe: 7", "`recipe` must be a name, not a whole number"),
        ("0.9, warn", "1.7, warn", "`phases.two.retain.keep` must be above 0 and at most 1, not 1.7"),
        ("0.9, warn", "nan, warn", "`phases.two.retain.keep` must be a number, not text"),
        ("0.9, warn", "inf, warn", "`phases.two.retain.keep` must be a number, not text"),
        ("d, plain, 3", 'd, plain, "3"', "`phases.two.mix.weight` must be a number, not text"),
        ("perplexity, 20", "perplexity, 0", "`tasks.limit` must be 1 or more, not 0"),
        ("perplexity, 20", "perplexity, 2.5", "`tasks.limit` must be a whole number, not a number"),
        ("    epochs: 1\n", "    - epochs\n", "`train` must be a block of training options, not a list"),
        ("model:\n    use: tiny\n    layers: 2", "model: tiny", "`model` must be a block with `use`, not text"),
        ("phases:\n", "phases: 3\ndescription:\n", "`phases` must be a block of phases, not a whole number"),
    ],
)  # fmt: skip
def test_fault_10_a_value_of_the_wrong_type_or_range_is_refused(
    load: Load, small: str, old: str, new: str, says: str
) -> None:
    if new.startswith("phases"):
        small = small[: small.index("phases:")] + "phases:\n"
        new = "phases: 3\n"
    assert only(load(small.replace(old, new, 1))) == says


def test_fault_10_a_number_in_quotes_is_told_how_to_be_written(load: Load, small: str) -> None:
    found = load('seed: "42"\n' + small).diagnostics
    assert found[0].help == "write it without quotes: seed: 42"


def test_fault_13_recipes_that_extend_each_other_are_refused(load: Load, small: str) -> None:
    beside = {"b.sdn": "extends: c.sdn\n", "c.sdn": "extends: recipe.sdn\n"}
    loaded = load("extends: b.sdn\n" + small, beside=beside)
    assert only(loaded) == "recipes extend each other: recipe.sdn -> b.sdn -> c.sdn -> recipe.sdn"
    assert len(loaded.diagnostics[0].related) == 2


def test_fault_13_a_chain_deeper_than_sixteen_files_is_refused(load: Load, small: str) -> None:
    beside = {f"f{i}.sdn": f"extends: f{i + 1}.sdn\n" for i in range(40)}
    loaded = load("extends: f0.sdn\n" + small, beside=beside)
    assert "a chain of more than 16 files" in only(loaded)


def test_fault_13_a_chain_of_sixteen_files_is_read(load: Load, small: str) -> None:
    beside = {f"f{i}.sdn": f"extends: f{i + 1}.sdn\n" for i in range(14)} | {"f14.sdn": "seed: 99\n"}
    recipe = load("extends: f0.sdn\n" + small, beside=beside).recipe
    assert recipe is not None
    assert recipe.seed == 99


def test_fault_13_doubling_at_every_level_ends_at_the_limit_of_files(load: Load, small: str) -> None:
    beside = {f"f{i}.sdn": f"extends: [f{i + 1}.sdn, f{i + 1}.sdn]\n" for i in range(14)} | {"f14.sdn": ""}
    loaded = load("extends: f0.sdn\n" + small, beside=beside)
    assert "more than 64 files" in only(loaded)


def test_fault_13_a_list_of_very_many_files_is_refused_in_time(load: Load, small: str) -> None:
    started = time.process_time()
    loaded = load(f"extends: [{', '.join(['b.sdn'] * 20_000)}]\n" + small, beside={"b.sdn": ""})
    assert "more than 64 files" in only(loaded)
    assert time.process_time() - started < 4


@pytest.mark.parametrize("target", ["../../etc/passwd", "/etc/passwd", "sub/../../x.sdn"])
def test_fault_14_extending_a_file_outside_the_folder_is_refused(load: Load, small: str, target: str) -> None:
    loaded = load(f"extends: {target}\n" + small)
    assert codes(loaded) == ["MR211"]
    assert loaded.diagnostics[0].reason is not None


def test_fault_14_a_symlink_that_leads_out_is_refused(load: Load, small: str, tmp_path: Path) -> None:
    outside = tmp_path / "outside.sdn"
    outside.write_text("seed: 666\n", encoding="utf-8")
    inside = tmp_path / "in"
    inside.mkdir()
    (inside / "recipe.sdn").write_text("extends: link.sdn\n" + small, encoding="utf-8")
    (inside / "link.sdn").symlink_to(outside)
    loaded = load_recipe(str(inside / "recipe.sdn"))
    assert codes(loaded) == ["MR211"]
    assert "666" not in repr(loaded.sources)


def test_fault_14_going_up_inside_the_folder_is_accepted(load: Load, small: str) -> None:
    beside = {"sub/a.sdn": "extends: ../b.sdn\n", "b.sdn": "seed: 5\n"}
    recipe = load("extends: sub/a.sdn\n" + small, beside=beside).recipe
    assert recipe is not None
    assert recipe.seed == 5


def test_fault_14_a_pipe_is_not_waited_for(load: Load, small: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.sdn")
    loaded = load("extends: pipe.sdn\n" + small)
    assert only(loaded) == "`pipe.sdn` is not a file"


def test_fault_15_a_variable_that_is_not_listed_is_refused(load: Load, small: str) -> None:
    for text in ("${HOME}", "${env:HOME}"):
        loaded = load(small.replace("e.jsonl", text), environment={"HOME": "/root"})
        assert codes(loaded) in (["MR240"], ["MR242"])
        assert loaded.diagnostics[0].help is not None
        assert "env" in loaded.diagnostics[0].help


def test_fault_15_references_in_a_circle_are_refused_once(load: Load, small: str) -> None:
    text = small.replace("d.jsonl", "${data.e.path}").replace("e.jsonl", "x${data.d.path}")
    loaded = load(text)
    assert only(loaded) == "references go in a circle: data.d.path -> data.e.path -> data.d.path"


def test_fault_15_a_block_that_refers_to_itself_is_a_circle(load: Load, small: str) -> None:
    assert codes(load(small.replace("d.jsonl", "${data}"))) == ["MR241"]


def test_fault_15_doubling_references_do_not_fill_the_memory(load: Load, small: str) -> None:
    lines = [f"    x{i}: ${{model.x{i + 1}}}${{model.x{i + 1}}}" for i in range(30)]
    text = small.replace("    layers: 2", "\n".join([*lines, f"    x30: {'y' * 50}"]))
    started = time.process_time()
    loaded = load(text)
    assert set(codes(loaded)) == {"MR244"}
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    "line",
    [
        f"    token: {TOKEN}",
        f'    token: "{TOKEN}"',
        f"    note: [a, {TOKEN}]",
        f"    # {TOKEN}",
        "    api_key: c2VjcmV0LXNlY3JldC1zZWNyZXQtMTIz",
        "    password: hunter2",
        "    aws: AKIAIOSFODNN7EXAMPLE",
        "    gh: ghp_abcdefghijklmnopqrstuvwxyz012345",
        "    openai: sk-abcdefghijklmnopqrstuvwx",
        f"    token: {TOKEN}\n    token: again\n    : broken",
    ],
)
def test_fault_16_a_secret_is_refused_and_appears_nowhere(load: Load, small: str, line: str) -> None:
    loaded = load(small.replace("    layers: 2", line))
    assert "MR250" in codes(loaded)
    everything = repr(loaded) + repr([s.text for s in loaded.sources]) + repr(resolved(loaded))
    for found in loaded.diagnostics:
        assert found.span is not None
        everything += found.span.source.text + found.span.source.line(found.span.line)
    for secret in (TOKEN, "c2VjcmV0", "hunter2", "AKIAIOSF", "ghp_abcdef", "sk-abcdef"):
        assert secret not in everything


def test_fault_16_a_secret_in_set_is_refused_and_appears_nowhere(load: Load, small: str) -> None:
    loaded = load(small, sets=[f"model.token={TOKEN}"])
    assert codes(loaded) == ["MR250"]
    assert TOKEN not in repr(loaded) + repr([s.text for s in loaded.sources])


@pytest.mark.parametrize(
    "line",
    [
        "    pad_token: <pad>",
        "    revision: 29940d9a2ac1f0c0ab3f1ac8ab6f8f8d1a2b3c4d",
        "    token: ${env:ROOT}",
        "    auth: none",
    ],
)
def test_fault_16_what_is_no_secret_is_accepted(load: Load, small: str, line: str) -> None:
    loaded = load(small.replace("    layers: 2", line), environment={"ROOT": "x"})
    assert loaded.diagnostics == ()


def test_fault_16_a_variable_s_value_is_used_but_never_shown(load: Load, small: str) -> None:
    secret = "s3cr3t-value"
    text = small.replace("    layers: 2", "    token: ${env:ROOT}\n    both: a-${model.token}")
    text = text.replace("a, freeze", "${env:ROOT}, freeze")
    loaded = load(text, environment={"ROOT": secret})
    assert loaded.recipe is not None
    token = loaded.recipe.model.options.get("token")
    assert token is not None
    assert getattr(token, "value", None) == secret
    assert resolved(loaded)["model"] == {"use": "tiny", "token": "***", "both": "***"}
    assert why(loaded, "model.both").value == "***"
    assert secret not in repr([(d.message, d.help, d.reason) for d in loaded.diagnostics])
    assert codes(loaded) == ["MR202"]


@pytest.mark.parametrize("name", ["k\u043erean", "kor\u200bean"])
def test_fault_17_a_look_alike_or_invisible_letter_in_a_name_is_refused(
    load: Load, small: str, name: str
) -> None:
    assert codes(load(small.replace("    two:", f"    {name}:")))[0] in ("MR170", "MR171")


def test_fault_17_an_invisible_letter_in_a_quoted_name_is_refused(load: Load, small: str) -> None:
    assert codes(load(small.replace("    two:", '    "t\u200bwo":'))) == ["MR204"]


def test_fault_18_korean_names_are_accepted_and_compared_in_nfc(load: Load, small: str) -> None:
    text = small.replace("    one:", "    한국어:").replace(
        "    two:", "    의학_용어:\n        after: 한국어"
    )
    text = text.replace("after: 한국어", "after: " + unicodedata.normalize("NFD", "한국어"))
    loaded = load(text)
    assert loaded.diagnostics == ()
    assert loaded.recipe is not None
    assert [p.name.name for p in loaded.recipe.phases] == ["한국어", "의학_용어"]
    assert loaded.recipe.phases[1].after[0].name == "한국어"


def test_fault_18_a_korean_path_is_accepted(load: Load, small: str) -> None:
    loaded = load("extends: 공통/바탕.sdn\n" + small, beside={"공통/바탕.sdn": "seed: 3\n"})
    assert loaded.diagnostics == ()
    assert loaded.recipe is not None
    assert loaded.recipe.seed == 3


@pytest.mark.parametrize(
    "name", ["../x", "/x", "a/b", "x.", ".x", "a\\\\b", "a b", "a\\tb", "x" * 101, "base"]
)
def test_fault_78_a_phase_s_name_must_do_as_a_folder_s(load: Load, small: str, name: str) -> None:
    assert codes(load(small.replace("    two:", f'    "{name}":'))) == ["MR204"]
