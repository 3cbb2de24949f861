"""Faults 66 and 67: plugins that cannot be loaded, and none at all."""

from __future__ import annotations

import json

import pytest

BROKEN = {
    "raises": ("1 / 0\n", "ZeroDivisionError: division by zero"),
    "does not parse": ("def (\n", "SyntaxError: "),
    "needs what is not there": ("import no_such_module_4711\n", "ModuleNotFoundError: "),
    "leaves": ("import sys\nsys.exit(3)\n", "SystemExit: 3"),
    "raises no Exception": ("class Odd(BaseException): pass\nraise Odd('odd')\n", "Odd: odd"),
    "implements no hook": (
        "from pipeline_dsl.api import hookimpl\n@hookimpl\ndef medrecipe_metricz():\n    return []\n",
        "unknown hook 'medrecipe_metricz'",
    ),
    "offers nothing usable": (
        "from pipeline_dsl.api import hookimpl\n@hookimpl\ndef medrecipe_metrics():\n    return [1]\n",
        "must return Providers",
    ),
}
METRIC = """\
from pipeline_dsl.api import Need, NoOptions, Provider, Score, hookimpl


class Metric:
    need, higher_is_better, max_new_tokens, details = Need.TOKEN_LOSSES, False, 1, ()


@hookimpl
def medrecipe_metrics():
    return [Provider(name="mine", summary="a metric", factory=lambda options: Metric(), options=NoOptions)]
"""


@pytest.mark.parametrize(("text", "reason"), BROKEN.values(), ids=BROKEN)
def test_fault_66_a_broken_local_plugin_is_5_and_named_with_its_reason(bench, recipe, text, reason):
    found = bench.refuses(
        "plugins = [./broken.py]\n" + recipe, code="MR610", says="the plugin `broken` could not be loaded: ",
        at="r.sdn:1:12", exit_code=5, files={"broken.py": text},
    )  # fmt: skip
    assert reason in found["message"]
    assert "broken.py" in found["help"]


@pytest.mark.parametrize("name", ["mine", "perplexityy"])
def test_fault_66_what_a_broken_local_plugin_may_offer_is_not_blamed_on_the_recipe(bench, recipe, name):
    text = "plugins = [./broken.py]\n" + recipe.replace("perplexity", name)
    bench.refuses(text, code="MR610", exit_code=5, files={"broken.py": "1 / 0\n"})


def test_fault_66_other_mistakes_are_still_found_and_the_recipe_s_decide(bench, recipe):
    bench.write("broken.py", "1 / 0\n")
    outcome = bench.check("plugins = [./broken.py]\n" + recipe.replace("r: 8}", "r: -8}", 1))
    assert outcome.code == 2
    assert [d["code"] for d in json.loads(outcome.out)["diagnostics"]] == ["MR610", "MR305"]


def test_fault_66_a_local_plugin_that_is_not_there_is_named(bench, recipe):
    text = "plugins = [./missing.py]\n" + recipe
    bench.refuses(text, code="MR610", says="FileNotFoundError", at="r.sdn:1:12", exit_code=5)


def test_fault_66_a_broken_plugin_of_the_command_line_is_named(bench, recipe):
    bench.write("broken.py", "1 / 0\n")
    outcome = bench.check(recipe, "--plugin", "broken.py")
    (found,) = json.loads(outcome.out)["diagnostics"]
    assert (outcome.code, found["code"], found["file"]) == (5, "MR610", None)
    assert "the plugin `broken` could not be loaded: ZeroDivisionError" in found["message"]


def test_fault_66_the_other_local_plugins_work(bench, recipe):
    text = "plugins = [./broken.py, ./mine.py]\n" + recipe.replace("perplexity", "mine")
    files = {"broken.py": "1 / 0\n", "mine.py": METRIC}
    bench.refuses(text, code="MR610", says="`broken`", at="r.sdn:1:12", exit_code=5, files=files)
    bench.accepts(text.replace("./broken.py, ", ""))


def installed(bench, name: str, text: str) -> str:
    """Install a plugin into a folder of the test's; return that folder."""
    bench.write(f"site/{name}_module.py", text)
    facts = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
    bench.write(f"site/{name}-1.0.dist-info/METADATA", facts)
    bench.write(f"site/{name}-1.0.dist-info/entry_points.txt", f"[medrecipe]\n{name} = {name}_module\n")
    return str(bench.folder / "site")


def test_fault_66_a_broken_installed_plugin_harms_nobody_who_does_not_ask_for_it(bench, recipe):
    site = installed(bench, "nice_metrics", "raise ImportError('no numpy')\n")
    bench.check(recipe)
    outcome = bench.process("check", "r.sdn", PYTHONPATH=site)
    assert (outcome.code, outcome.err) == (0, "")


def test_fault_66_asking_for_what_a_broken_installed_plugin_may_offer_is_5_and_names_it(bench, recipe):
    site = installed(bench, "nice_metrics", "raise ImportError('no numpy')\n")
    bench.check(recipe.replace("perplexity", "nice_bleu"))
    for command in ("check", "plan", "run"):
        outcome = bench.process(command, "r.sdn", PYTHONPATH=site)
        assert outcome.code == 5
        assert (
            "error[MR610]: no plugin offers the metric `nice_bleu`, but `nice_metrics` could not"
            in outcome.err
        )
        assert "ImportError: no numpy" in outcome.err
        assert "--> r.sdn:9:33" in outcome.err
    shown = bench.process("plugins", "show", "nice_metrics", PYTHONPATH=site)
    assert shown.code == 5
    assert "ImportError: no numpy" in shown.err
    listed = bench.process("plugins", "list", PYTHONPATH=site)
    assert listed.code == 0
    assert "ImportError: no numpy" in listed.err
    assert "perplexity" in listed.out


def test_fault_66_a_plugin_that_fails_when_it_is_made_is_named(bench, recipe):
    text = METRIC.replace("lambda options: Metric()", "lambda options: 1 / 0")
    found = bench.refuses(
        "plugins = [./mine.py]\n" + recipe.replace("perplexity", "mine"), code="MR308", at="r.sdn:10:33",
        says="of the plugin `mine`", files={"mine.py": text},
    )  # fmt: skip
    assert "ZeroDivisionError" in found["message"]


def test_fault_67_without_plugins_a_recipe_that_needs_one_is_refused_with_every_name(bench, recipe):
    outcome = bench.check(recipe, "--no-plugins")
    found = json.loads(outcome.out)["diagnostics"]
    assert outcome.code == 2
    assert {d["code"] for d in found} == {"MR301"}
    names = {d["message"].removeprefix("no plugin offers the ") for d in found}
    assert {"model `embedded`", "adapter `lora`", "source `jsonl`", "metric `perplexity`"} <= names
    assert all(d["help"] and d["file"] == "r.sdn" for d in found)
    for command in ("plan", "run"):
        refused = bench.run(command, "r.sdn", "--no-plugins")
        assert refused.code == 2
        assert "no plugin offers the model `embedded`" in refused.err
    assert not (bench.folder / "runs").exists()


def test_fault_67_without_plugins_the_notation_and_the_names_are_checked_as_ever(bench, recipe):
    outcome = bench.check(recipe + "sede: 1\n", "--no-plugins")
    assert '"code": "MR201"' in outcome.out
    assert bench.run("resolve", "r.sdn").code == 2
    assert bench.run("sdn", "to-json", "r.sdn").code == 0
