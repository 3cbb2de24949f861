"""Fault 16: a secret that is written out is refused, and is in nothing that the program writes."""

from __future__ import annotations

import pytest

TOKENS = {
    "hugging face": "hf_QwErTyUiOpAsDfGhJkLz",
    "openai": "sk-abcDEF123abcDEF123ghi",
    "github": "ghp_a1B2c3a1B2c3a1B2c3a1B2",
    "aws": "AKIAIOSFODNN7EXAMPLE",
}
KEYED = {
    "token": "Zx9qwerqwerqwerqwer42",
    "api_key": "c2VjcmV0LXNlY3JldC1zZWNyZXQtMTIz",
    "private-key": "0123456789abcdef0123456789abcdef",
    "authorization": "Bearer0123456789abcdefgh",
    "password": "hunter2",
    "db.passwd": "비밀번호입니다",
}
PLACES = [
    "description: {}\n",
    'description: "{}"\n',
    "# {}\n",
    "tags = [korean, {}]\n",
    "{}: 1\n",
    '"{}": 1\n',
    'description: """\n    one\n    {}\n    """\n',
    'description: "{}\n',
    'description: "\\n{}"\n',
    "x [ {}\n",
    "data: {{more: {{use: jsonl, path: https://user:{}@host/x}}}}\n",
]
KEY_PLACES = [
    "{key}: {value}\n",
    '{key} = "{value}"\n',
    '{key}: {value} "\n',
    "{key}: [{value}, b]\n",
    "x |a, {key}|\n    1, {value}\n",
    '{key}: """\n    {value}\n    """\n',
    "x: {{y: {{{key}: {value}}}}}\n",
    "x: {{{key}: {value}, [}}\n",
]


def shows_nothing(bench, text: str, secret: str, *arguments: str) -> None:
    """Every command refuses the recipe, and no stream and no file but the recipe holds the secret."""
    first = bench.check(text, *arguments)
    assert "MR250" in first.out
    outcomes = [first, bench.run("check", "r.sdn", *arguments), bench.run("run", "r.sdn", *arguments)]
    assert [outcome.code for outcome in outcomes] == [2, 2, 2]
    for outcome in (*outcomes, bench.run("resolve", "r.sdn", *arguments)):
        assert secret not in outcome.both
    files = [path for path in bench.folder.rglob("*") if path.is_file() and path.name != "r.sdn"]
    assert [path for path in files if secret in path.read_text(encoding="utf-8")] == []


@pytest.mark.parametrize("secret", TOKENS.values(), ids=TOKENS)
def test_fault_16_a_token_is_refused_by_its_form_and_shown_nowhere(bench, recipe, secret):
    shows_nothing(bench, recipe + f"description: {secret}\n", secret)
    for words in (
        ["plan"],
        ["plan", "--json"],
        ["check", "--format", "concise"],
        ["resolve", "--why", "description"],
    ):
        outcome = bench.run(words[0], "r.sdn", *words[1:])
        assert outcome.code == 2 or words[0] == "resolve"
        assert secret not in outcome.both


@pytest.mark.parametrize("place", PLACES)
def test_fault_16_a_token_is_found_wherever_it_stands(bench, recipe, place):
    secret = TOKENS["hugging face"]
    shows_nothing(bench, recipe + place.format(secret), secret)


@pytest.mark.parametrize("key", KEYED)
def test_fault_16_a_secret_is_refused_by_its_key_and_shown_nowhere(bench, recipe, key):
    shows_nothing(bench, recipe + f"{key}: {KEYED[key]}\n", KEYED[key])


@pytest.mark.parametrize("place", KEY_PLACES)
@pytest.mark.parametrize("key", ["api_key", "db.passwd"])
def test_fault_16_a_secret_s_key_is_found_wherever_it_stands(bench, recipe, key, place):
    shows_nothing(bench, recipe + place.format(key=key, value=KEYED[key]), KEYED[key])


@pytest.mark.parametrize(
    "words",
    [
        ("--set", "description={}"), ("--set", "description=[{}"), ("--set", "model.{}=1"), ("--set", "{}"),
        ("--profile", "{}"),
    ],
)  # fmt: skip
def test_fault_16_a_token_on_the_command_line_is_shown_nowhere(bench, recipe, words):
    secret = TOKENS["openai"]
    shows_nothing(bench, recipe, secret, *(word.format(secret) for word in words))


@pytest.mark.parametrize("form", ["model.{}={}", "model={{{}: {}}}", "model.{}=[{}, b]", 'model.{}={} "'])
def test_fault_16_a_secret_s_key_on_the_command_line_is_enough(bench, recipe, form):
    for key in ("token", "password"):
        shows_nothing(bench, recipe, KEYED[key], "--set", form.format(key, KEYED[key]))


def test_fault_16_a_secret_is_told_where_it_stands_and_what_to_write(bench, recipe):
    text = recipe + "description: hf_QwErTyUiOpAsDfGhJkLz\n"
    found = bench.refuses(text, code="MR250", says="written out under `description`", at="r.sdn:25:1")
    assert "`${env:NAME}`" in found["help"]


def test_fault_16_a_secret_in_a_file_that_is_extended_is_found(bench, recipe):
    secret = TOKENS["github"]
    bench.write("base.sdn", f"description: {secret}\n")
    shows_nothing(bench, f"extends: base.sdn\n{recipe}", "nothing else holds it")
    assert secret not in bench.run("check", "r.sdn").both


@pytest.mark.parametrize(
    "line",
    ["password: ${env:X}\n", "token: '***'\n", "pad_token: <pad>\n", "use_password: false\n", "auth: none\n"],
)
def test_fault_16_what_is_no_secret_is_not_called_one(bench, recipe, line):
    assert "MR250" not in bench.check(recipe + line).out
