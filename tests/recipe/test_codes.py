"""Every code: one text that raises exactly it, at the right place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pipeline_dsl.diagnostics import Severity
from pipeline_dsl.recipe.codes import Code
from pipeline_dsl.recipe.load import Loaded
from pipeline_dsl.syntax.codes import Code as NotationCode

Load = Callable[..., Loaded]


@dataclass(frozen=True)
class Wrong:
    """A change to the small recipe, and what is found: at which text, in which words."""

    old: str
    new: str
    at: str
    says: str
    options: dict[str, object] = field(default_factory=dict)


SMALL = (Path(__file__).parent / "cases" / "small.sdn").read_text(encoding="utf-8")
PHASES = SMALL[SMALL.index("phases:") : SMALL.index("profiles:")]
CASES: dict[Code, Wrong] = {
    Code.UNKNOWN_KEY: Wrong(
        "environment:", "sede: 3\nenvironment:", "sede", "`sede` is not a key at the top"
    ),
    Code.UNKNOWN_NAME: Wrong("d, plain, 3", "dd, plain, 3", "dd", "there is no data source `dd`"),
    Code.DUPLICATE_NAME: Wrong(
        "    recall, e, plain, perplexity, 20\n",
        "    recall, e, plain, perplexity, 20\n    recall, d, plain, perplexity, 20\n",
        "recall",
        "task `recall` stands twice",
    ),
    Code.INVALID_NAME: Wrong("    one:", '    ".one":', '".one"', "it begins or ends with a dot"),
    Code.MISSING_KEY: Wrong("    use: tiny\n", "", "model", "`model.use` is missing"),
    Code.EXTENDS_UNREADABLE: Wrong(
        "environment:", "extends: bse.sdn\nenvironment:", "bse.sdn", "does not exist"
    ),
    Code.EXTENDS_OUTSIDE: Wrong(
        "environment:", "extends: /x.sdn\nenvironment:", "/x.sdn", "an absolute path"
    ),
    Code.EXTENDS_CYCLE: Wrong(
        "environment:", "extends: recipe.sdn\nenvironment:", "recipe.sdn", "recipe.sdn -> recipe.sdn"
    ),
    Code.EXTENDS_TOO_MANY: Wrong(
        "environment:",
        f"extends: [{', '.join(['base.sdn'] * 64)}]\nenvironment:",
        "base.sdn",
        "more than 64 files",
        {"beside": {"base.sdn": "seed: 1\n"}},
    ),
    Code.PART_NEEDED: Wrong(
        "tasks |task, data, template, metric, limit|\n    recall, e,",
        "    f:\n        like: e\n        split: 0.9/0.1\n"
        "tasks |task, data, template, metric, limit|\n    recall, f,",
        "f",
        "`f` is split: say which part is meant",
    ),
    Code.UNKNOWN_PART: Wrong(
        "recall, e, plain", "recall, e.test, plain", "e.test", "`e` is not split: it has no part `test`"
    ),
    Code.SPLIT: Wrong(
        "path: e.jsonl",
        "path: e.jsonl\n        split: 0.9/0.2",
        "0.9/0.2",
        "the sum of the shares is 1.1, not 1",
    ),
    Code.USELESS_WORD: Wrong(
        "path: e.jsonl",
        "path: e.jsonl\n        shuffle_buffer: 5",
        "shuffle_buffer",
        "`data.e.shuffle_buffer` does nothing without `streaming`",
    ),
    Code.ENDLESS_TASK: Wrong(
        "recall, e, plain, perplexity, 20\n",
        "recall, e, plain, perplexity, null\n",
        "e",
        "`e` is streamed: say how many of its rows `recall` asks",
        {"sets": ["data.e.streaming=true"]},
    ),
    Code.UNKNOWN_PROFILE: Wrong("", "", "tyni", "there is no profile `tyni`", {"profile": "tyni"}),
    Code.USELESS_IN_PROFILE: Wrong("        seed: 7", "        extends: x", "extends", "has no effect"),
    Code.MALFORMED_SET: Wrong("", "", "seed", "`--set` needs a path and a value", {"sets": ["seed"]}),
    Code.UNREACHABLE_SET: Wrong(
        "", "", "tasks.recal.limit", "has no `recal`", {"sets": ["tasks.recal.limit=1"]}
    ),
    Code.UNKNOWN_LIKE: Wrong("like: a", "like: aa", "aa", "which is not a block in `adapters`"),
    Code.LIKE_CYCLE: Wrong("        use: lora\n        r: 8", "        like: b", "b", "a -> b -> a"),
    Code.UNKNOWN_REFERENCE: Wrong("e.jsonl", "${data.dd.path}", "${data.dd.path}", "`data` has no `dd`"),
    Code.REFERENCE_CYCLE: Wrong(
        "path: d.jsonl\n    e:\n        use: jsonl\n        path: e.jsonl",
        "path: ${data.e.path}\n    e:\n        use: jsonl\n        path: ${data.d.path}",
        "${data.d.path}",
        "data.d.path -> data.e.path -> data.d.path",
    ),
    Code.ENVIRONMENT_NOT_LISTED: Wrong("e.jsonl", "${env:HOME}", "${env:HOME}", "`environment` list"),
    Code.ENVIRONMENT_NOT_SET: Wrong("e.jsonl", "${env:ROOT}/e", "${env:ROOT}/e", "`ROOT` is not set"),
    Code.MALFORMED_REFERENCE: Wrong("e.jsonl", '"${data"', '"${data"', "without a `}`"),
    Code.SECRET: Wrong("layers: 2", "token: hf_abcdefghijklmnopqrstuvwx", "token", "a secret is written out"),
    Code.WRONG_TYPE: Wrong(
        "environment:", 'seed: "3"\nenvironment:', '"3"', "`seed` must be a whole number, not text"
    ),
    Code.OUT_OF_RANGE: Wrong(
        "completed, 1,", "completed, 0,", "0", "`phases.two.hooks.every` must be 1 or more, not 0"
    ),
    Code.NOT_A_CHOICE: Wrong(
        "a, freeze", "a, frozen", "frozen", "`phases.two.stack.role` cannot be `frozen`"
    ),
    Code.NO_PHASE: Wrong(PHASES, "phases:\n", "phases", "the recipe has no phase"),
    Code.PHASE_CYCLE: Wrong("    one:\n", "    one:\n        after: two\n", "two", "one -> two -> one"),
    Code.TRAINS_NOTHING: Wrong("            b, train\n", "", "a", "phase `two` trains nothing"),
    Code.NO_DATA: Wrong(
        "        mix |data, template, weight|\n            d, plain, 1\n",
        "",
        "one",
        "`one` has no training data",
    ),
    Code.ADAPTER_TWICE: Wrong("a, freeze", "b, freeze", "b", "stands twice in the stack of `two`"),
    Code.MADE_TWICE: Wrong("profiles:", "    three:\n        like: one\nprofiles:", "a", "made new by `one`"),
    Code.NEVER_MADE: Wrong("a, train", "a, continue", "a", "no phase makes adapter `a`"),
    Code.MERGE_ABOVE: Wrong(
        "a, freeze\n            b, train", "b, train\n            a, merge", "a", "cannot be merged above `b`"
    ),
    Code.WEIGHTS: Wrong("d, plain, 3", "d, plain, -3", "d", "a weight must be above 0"),
    Code.REPEATED_SOURCE: Wrong("e, plain, 1", "d, plain, 1", "d", "stands twice in this mix"),
    Code.UNKNOWN_EVENT: Wrong("epoch_completed,", "epoch_complete,", "epoch_complete", "there is no event"),
    Code.NEVER_FIRES: Wrong("epoch_completed,", "stage_completed,", "stage_completed", "never fires here"),
    Code.CONDITION_SYNTAX: Wrong("loss < 0.01", "loss < 0.01 0.02", "0.02", "`0.02` cannot stand here"),
    Code.CONDITION_TYPE: Wrong("loss < 0.01", "loss < 1 and 2", "2", "`2` is a number"),
    Code.STAGE_WITHOUT_BOUND: Wrong(
        "        retain",
        "        stages |stage, samples|\n            few, 5\n            all, null\n        retain",
        "few",
        "`few` has no `at_most`",
    ),
    Code.STAGE_SHARES: Wrong(
        "        retain",
        "        stages |stage, at_most|\n            few, 0.7\n            all, 0.5\n        retain",
        "all",
        "ask for 120 % of the phase's steps",
    ),
    Code.CONTRACT_BOUND: Wrong("recall, 0.9, warn", "recall, null, warn", "recall", "has no bound"),
    Code.CONTRACT_TWICE: Wrong(
        "recall, 0.9, warn", "recall, 0.9, warn\n            recall, 0.8, warn", "recall", "given twice"
    ),
}
WARNINGS = {Code.REPEATED_SOURCE}


def test_the_small_recipe_has_nothing_wrong(load: Load, small: str) -> None:
    loaded = load(small)
    assert loaded.diagnostics == ()
    assert loaded.recipe is not None


@pytest.mark.parametrize("code", list(Code), ids=str)
def test_each_code_is_raised_alone_and_at_its_place(load: Load, small: str, code: Code) -> None:
    wrong = CASES[code]
    assert wrong.old in small
    loaded = load(small.replace(wrong.old, wrong.new, 1), **wrong.options)
    assert [d.code for d in loaded.diagnostics] == [code.value], loaded.diagnostics
    found = loaded.diagnostics[0]
    assert found.span is not None
    assert found.span.text == wrong.at
    assert wrong.says in found.message
    assert found.severity is (Severity.WARNING if code in WARNINGS else Severity.ERROR)
    assert not (code in WARNINGS and loaded.recipe is None)


def test_codes_are_unique_and_leave_the_ranges_of_others_free() -> None:
    numbers = [int(code.value.removeprefix("MR")) for code in Code]
    assert len(set(numbers)) == len(numbers)
    assert not {code.value for code in Code} & {code.value for code in NotationCode}
    for number in numbers:
        assert 200 <= number < 300 or 330 <= number < 400 or 400 <= number < 440
    assert all(code.title and "\n" not in code.title for code in Code)


def test_each_error_says_what_to_do(load: Load, small: str) -> None:
    bare = []
    for code, wrong in CASES.items():
        loaded = load(small.replace(wrong.old, wrong.new, 1), **wrong.options)
        bare += [code for d in loaded.diagnostics if not (d.help or "must be" in d.message)]
    assert bare == []
