"""Faults 11 to 15: recipes that are too deep or too large, read too much, or lead out of their folder."""

from __future__ import annotations

import os
import random

import pytest

DEEP = {
    "lists": "a: " + "[" * 100_000,
    "closed lists": "a: " + "[" * 100_000 + "]" * 100_000,
    "mappings": "a: " + "{a: " * 100_000,
    "in a table": "a |b|\n    " + "[" * 100_000,
    "blocks": "recipe:\n" + "".join(f"{' ' * depth}a:\n" for depth in range(1, 1400)),
    "items": "recipe:\n" + "- " * 100_000 + "a",
}


@pytest.mark.parametrize("text", DEEP.values(), ids=DEEP)
def test_fault_11_deep_nesting_is_refused_within_a_second(bench, text):
    outcome = bench.check(text)
    assert outcome.code == 2
    assert outcome.idle_seconds < 1
    assert '"code": "MR113"' in outcome.out or "`- ` inside a list item" in outcome.out


def test_fault_11_a_deep_value_beside_a_whole_recipe_is_the_only_finding(bench, recipe):
    text = recipe + "description: " + "[" * 100_000
    bench.refuses(text, code="MR113", says="nested more than 64 deep", at="r.sdn:25:78", within=1)


@pytest.mark.parametrize("given", ["seed=" + "[" * 100_000, "seed=" + "{a: " * 25_000])
def test_fault_11_a_deep_value_of_the_command_line_is_refused(bench, recipe, given):
    found = bench.refuses(recipe, "--set", given, code="MR113", within=1)
    assert found["file"] == "--set"


def test_fault_11_a_long_path_of_the_command_line_is_refused(bench, recipe):
    bench.refuses(recipe, "--set", "a." * 50_000 + "b=1", code="MR222", says="at most 32 names", within=1)


def test_fault_11_a_deep_condition_is_refused(bench, recipe):
    condition = "(" * 400 + "loss < 1" + ")" * 400
    text = recipe + f'hooks |on, every, when, do|\n    epoch_completed, 1, "{condition}", stop\n'
    bench.refuses(text, code="MR421", says="more than 500 characters", within=1)


@pytest.mark.parametrize("line", ["a: 1\n", "#", "\n", "x", '"', "[", "a:\n", "한"])
def test_fault_12_a_file_of_ten_megabytes_is_refused_within_a_second(bench, line):
    text = line * (10_000_000 // len(line.encode()))
    found = bench.refuses(text, code="MR104", says="larger than 1 MiB", at="r.sdn:1:1", within=1)
    assert "data file" in found["help"]


def test_fault_12_an_endless_file_is_not_read_to_its_end(bench):
    outcome = bench.run("check", "/dev/zero")
    assert outcome.code == 2
    assert "is not a regular file" in outcome.err
    assert outcome.idle_seconds < 1


@pytest.mark.parametrize("part", ["key_{}: 1\n", "한{}: [1, 2]\n", "x{}: {{a: 1}}\n", "password_{}: 1\n"])
def test_fault_12_very_many_unknown_keys_end_in_a_few_errors_soon(bench, recipe, part):
    lines = 120_000 // len(part.format(10_000).encode())
    outcome = bench.check(recipe + "".join(part.format(number) for number in range(lines)))
    assert outcome.code == 2
    assert outcome.idle_seconds < 4
    assert outcome.out.count('"code": "MR201"') <= 500
    assert '"code": "MR100"' in outcome.out


def test_fault_12_very_many_secrets_are_blotted_out_soon(bench, recipe):
    keys = "".join(f"    k{number}: hf_{number:020}\n" for number in range(2500))
    outcome = bench.check(recipe.replace("train: {epochs: 1}\n", f"train:\n{keys}"))
    assert outcome.code == 2
    assert outcome.idle_seconds < 4
    assert "hf_0" not in outcome.both


def test_fault_13_recipes_that_extend_each_other_are_refused_and_the_circle_is_printed(bench, recipe):
    files = {"b.sdn": "extends: c.sdn\n", "c.sdn": "seed: 1\nextends: r.sdn\n"}
    found = bench.refuses(
        "extends: b.sdn\n" + recipe, code="MR212", says="r.sdn -> b.sdn -> c.sdn -> r.sdn", at="c.sdn:2:10",
        files=files, within=1,
    )  # fmt: skip
    assert [r["file"] for r in found["related"]] == ["r.sdn", "b.sdn"]


def test_fault_13_a_recipe_that_extends_itself_is_refused(bench, recipe):
    bench.refuses("extends: ./r.sdn\n" + recipe, code="MR212", says="r.sdn -> r.sdn", at="r.sdn:1:10")


def test_fault_13_a_chain_of_very_many_files_is_refused_at_its_seventeenth(bench, recipe):
    files = {f"f{i}.sdn": f"extends: f{i + 1}.sdn\n" for i in range(200)}
    text = "extends: f0.sdn\n" + recipe
    bench.refuses(
        text, code="MR213", says="a chain of more than 16 files", at="f14.sdn:1:10", files=files, within=1
    )


@pytest.mark.parametrize("wide", [2, 3, 1000])
def test_fault_13_a_million_includes_by_doubling_end_at_the_limit(bench, recipe, wide):
    """14 levels of two, three or a thousand files each: 16 thousand, five million, and past all counting."""
    files = {f"f{i}.sdn": f"extends: [{', '.join([f'f{i + 1}.sdn'] * wide)}]\n" for i in range(14)}
    files["f14.sdn"] = "seed: 1\n"
    text = "extends: f0.sdn\n" + recipe
    bench.refuses(text, code="MR213", says="more than 64 files", files=files, within=1)


def test_fault_13_a_list_of_a_million_files_is_refused(bench, recipe):
    text = f"extends: [{','.join(['b'] * 1_000_000)}]\n{recipe}"
    bench.refuses(text, code="MR104", says="larger than 1 MiB", files={"b": ""}, within=1)


def test_fault_13_a_list_of_very_many_files_is_refused_at_its_sixty_fourth(bench, recipe):
    text = f"extends: [{','.join(['b'] * 15_000)}]\n{recipe}"
    bench.refuses(text, code="MR213", says="more than 64 files", at="r.sdn:1:137", files={"b": ""}, within=1)


def test_fault_13_of_very_many_missing_files_only_the_first_are_told(bench, recipe):
    outcome = bench.check(f"extends: [{','.join(f'x{i}' for i in range(20_000))}]\n{recipe}")
    assert outcome.code == 2
    assert outcome.idle_seconds < 1
    assert outcome.out.count('"code": "MR210"') == 63
    assert outcome.out.count('"code": "MR213"') == 1


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("../../etc/passwd", "leads out of the recipe's folder"),
        ("/etc/passwd", "is an absolute path"),
        ("a/../../../etc/passwd", "leads out of the recipe's folder"),
        ("/dev/zero", "is an absolute path"),
        ('"../r.sdn/../../x"', "leads out of the recipe's folder"),
    ],
)
def test_fault_14_a_file_outside_the_folder_is_refused(bench, recipe, target, says):
    found = bench.refuses(f"extends: {target}\n{recipe}", code="MR211", says=says, at="r.sdn:1:10")
    assert "copy the file beside the recipe" in found["help"]


@pytest.mark.parametrize("kind", ["file", "folder", "two links"])
def test_fault_14_a_link_that_leads_out_is_refused_and_what_it_leads_to_is_not_shown(
    bench, recipe, tmp_path_factory, kind
):
    outside = tmp_path_factory.mktemp("outside")
    (outside / "x.sdn").write_text("description: [canary-4711\n")
    target = "link.sdn"
    if kind == "file":
        (bench.folder / target).symlink_to(outside / "x.sdn")
    elif kind == "folder":
        (bench.folder / "link").symlink_to(outside)
        target = "link/x.sdn"
    else:
        (bench.folder / "one.sdn").symlink_to(outside / "x.sdn")
        (bench.folder / target).symlink_to(bench.folder / "one.sdn")
    bench.refuses(f"extends: {target}\n{recipe}", code="MR211", says="leads out", at="r.sdn:1:10")
    for command in ("check", "plan", "run", "resolve"):
        assert "canary" not in bench.run(command, "r.sdn").both


def test_fault_14_a_pipe_or_folder_beside_the_recipe_is_refused_and_never_waited_for(bench, recipe):
    os.mkfifo(bench.folder / "pipe.sdn")
    (bench.folder / "folder.sdn").mkdir()
    for name in ("pipe.sdn", "folder.sdn"):
        bench.refuses(f"extends: {name}\n{recipe}", code="MR210", says="is not a file", within=1)


def test_fault_14_a_link_inside_the_folder_is_read(bench, recipe):
    bench.write("base.sdn", "seed: 5\n")
    (bench.folder / "link.sdn").symlink_to(bench.folder / "base.sdn")
    bench.accepts(f"extends: link.sdn\n{recipe}")


def test_fault_15_a_variable_of_the_environment_is_refused_by_its_name_alone(bench, recipe):
    found = bench.refuses(
        recipe.replace("texts.jsonl", "${HOME}"), code="MR240", says="refers to nothing", at="r.sdn:7:31"
    )
    assert "${env:HOME}" in found["help"]


def test_fault_15_a_variable_that_is_not_listed_is_refused_and_its_value_not_shown(
    bench, recipe, monkeypatch
):
    monkeypatch.setenv("CANARY", "value-4711")
    found = bench.refuses(
        recipe.replace("texts.jsonl", "${env:CANARY}"),
        code="MR242",
        says="`environment` list",
        at="r.sdn:7:31",
    )
    assert found["help"] == "write environment: [CANARY]"
    for command in ("check", "plan", "run", "resolve"):
        assert "4711" not in bench.run(command, "r.sdn").both


def test_fault_15_a_listed_variable_is_used_and_never_shown(bench, recipe, monkeypatch):
    monkeypatch.setenv("CANARY", "value-4711")
    text = recipe.replace("{epochs: 1}", '{lr_scheduler: "${env:CANARY}"}') + "environment: [CANARY]\n"
    bench.refuses(text, code="MR306", at="r.sdn:10:23")
    for words in (
        ["check", "r.sdn"],
        ["check", "r.sdn", "--format", "json"],
        ["run", "r.sdn"],
        ["resolve", "r.sdn"],
    ):
        assert "4711" not in bench.run(*words).both


def test_fault_15_what_a_variable_holds_is_not_filled_in_again(bench, recipe, monkeypatch):
    monkeypatch.setenv("CANARY", "${recipe} ${env:HOME} ${project}")
    bench.accepts(recipe + 'environment: [CANARY]\ndescription: "${env:CANARY}"\n')


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("description: ${project}\nproject: ${description}\n", "description -> project -> description"),
        ("description: ${description}\n", "description -> description"),
        ('description: "a ${tags} b"\ntags: ["${description}"]\n', "references go in a circle"),
        ("description: ${phases}\n", "single values and short lists"),
    ],
)
def test_fault_15_references_in_a_circle_are_refused_once(bench, recipe, lines, says):
    code = "MR244" if "single" in says else "MR241"
    bench.refuses(recipe + lines, code=code, says=says, within=1)


def test_fault_15_a_long_chain_of_references_is_refused(bench, recipe):
    chain = "".join(f"        k{i}: ${{profiles.p.k{i + 1}}}\n" for i in range(5000))
    text = f"{recipe}description: ${{model.k0}}\nprofiles:\n    p:\n{chain}        k5000: x\n"
    outcome = bench.check(text.replace("${model.k0}", "${profiles.p.k0}"))
    assert outcome.code == 2
    assert outcome.idle_seconds < 2


def test_fault_15_references_that_double_do_not_fill_the_memory(bench, recipe):
    lines = [f"        x{i}: ${{train.x{i + 1}}}${{train.x{i + 1}}}" for i in range(30)]
    text = recipe.replace("train: {epochs: 1}", "\n".join(["train:", *lines, f"        x30: {'y' * 50}"]))
    outcome = bench.check(text)
    assert outcome.code == 2
    assert outcome.idle_seconds < 2
    assert "100,000 characters" in outcome.out


def test_faults_11_to_15_any_text_of_the_notation_s_signs_ends_in_words(bench, recipe):
    """Random texts, the same at every run."""
    chance = random.Random(11)
    signs = [
        "[",
        "]",
        "{",
        "}",
        '"',
        '"""',
        "\n",
        "    ",
        "\t",
        ":",
        "=",
        ",",
        "|",
        "- ",
        "#",
        "${",
        "}",
        "a",
        "use",
        "한",
    ]
    for _ in range(40):
        cut = chance.randrange(len(recipe))
        noise = "".join(chance.choices(signs, k=chance.randrange(1, 40)))
        outcome = bench.check(recipe[:cut] + noise + recipe[cut:])
        assert outcome.code in {0, 2, 3}
        assert outcome.idle_seconds < 1
