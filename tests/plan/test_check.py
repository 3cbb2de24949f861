from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline_dsl.api import Kind, MachineError, Need, PlacedRow, Provider
from pipeline_dsl.cli.exits import exit_code
from pipeline_dsl.registry import build_catalog

ROOT = Path(__file__).parents[2]


def hooks(rows: str, recipe: str) -> str:
    return f"{recipe}\nhooks |on, every, when, do|\n    {rows}\n"


def test_a_recipe_in_which_nothing_is_wrong_becomes_a_plan(desk):
    checked = desk.check()
    assert checked.findings == ()
    plan = checked.plan
    assert [p.name for p in plan.phases] == ["one", "two", "three"]
    assert [p.parents for p in plan.phases] == [(), ("one",), ("one", "two")]
    assert [m.weight for m in plan.phases[1].mix] == [0.75, 0.25]
    assert plan.phases[0].train.options["batch_size"] == 2
    assert plan.phases[0].train.options["learning_rate"] == 2e-4
    assert [(t.name, t.higher_is_better) for t in plan.tasks] == [("fluency", False), ("terms", True)]


def test_every_run_keeps_a_history_whatever_the_recipe_says(desk):
    assert [t.name for t in desk.check().plan.trackers] == ["jsonl", "sdn"]


def test_a_history_that_the_recipe_names_is_kept_once(desk, recipe):
    plan = desk.check(recipe + "trackers: [sdn]\n").plan
    assert sorted(t.name for t in plan.trackers) == ["jsonl", "sdn"]


def test_the_device_of_the_command_line_goes_over_the_recipes(desk, recipe):
    assert desk.check(recipe + "device: cpu\n").plan.device == "cpu"
    assert desk.check(recipe + "device: cpu\n", device="cuda:1").plan.device == "cuda:1"


def test_a_missing_data_file_is_a_matter_of_data(desk):
    (desk.folder / "terms.jsonl").unlink()
    checked = desk.check()
    assert checked.plan is None
    finding = checked.only()
    assert finding.code == "MR501"
    assert str(desk.folder / "terms.jsonl") in finding.message
    assert exit_code(checked.findings) == 3


def test_a_path_of_the_command_line_belongs_to_the_working_directory(desk, monkeypatch, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.chdir(elsewhere)
    (elsewhere / "mine.jsonl").write_text('{"text": "x"}\n', encoding="utf-8")
    checked = desk.check(sets=["data.texts.path=mine.jsonl"])
    assert checked.findings == ()
    assert checked.plan.data["texts"].files[0].path == str(elsewhere / "mine.jsonl")


def test_a_column_that_a_template_needs_and_the_rows_lack_is_told_where_it_is_asked_for(desk, recipe):
    desk.rows("terms.jsonl", [{"en": "heart", "korean": "심장"}])
    checked = desk.check()
    assert set(checked.codes) == {"MR506"}
    assert exit_code(checked.findings) == 3
    finding = checked.findings[0]
    assert finding.message == "the template needs the column `english`, which `terms` lacks"
    assert "its columns are `en`, `korean`; map one with `columns: {english: " in finding.help


def test_a_mapped_column_is_there(desk, recipe):
    desk.rows("terms.jsonl", [{"en": "heart", "korean": "심장"}])
    text = recipe.replace("path: terms.jsonl}", "path: terms.jsonl, columns: {english: en}}")
    assert desk.check(text).findings == ()


def test_a_condition_on_a_name_that_nothing_computes_is_told_with_the_nearest(desk, recipe):
    finding = desk.check(hooks('epoch_completed, 1, "lost < 0.5", stop', recipe)).only()
    assert (finding.code, finding.message) == ("MR441", "nothing computes `lost`")
    assert finding.help.startswith("did you mean `loss`?")
    assert finding.span.text == "lost"


@pytest.mark.parametrize(
    "name", ["fluency", "terms", "loss", "learning_rate", "grad_norm", "step", "epoch", "max_steps"]
)
def test_a_condition_may_use_losses_and_the_scores_of_tasks(desk, recipe, name):
    assert desk.check(hooks(f'iteration_completed, 1, "{name} < 0.5", stop', recipe)).findings == ()


def test_a_condition_may_use_the_details_of_a_score(desk, recipe):
    known = desk.check(hooks('epoch_completed, 1, "terms.nothing < 1", stop', recipe)).only()
    assert known.code == "MR441"
    detail = next(word for word in known.help.replace(",", " ").split() if word.startswith("terms."))
    assert desk.check(hooks(f'epoch_completed, 1, "{detail} < 1", stop', recipe)).findings == ()


def test_a_condition_may_use_the_numbers_of_its_own_event_and_of_no_other(desk, recipe):
    row = '{}, 1, "trainable_parameters > 5", log'
    assert desk.check(hooks(row.format("model_ready"), recipe)).findings == ()
    assert desk.check(hooks(row.format("epoch_completed"), recipe)).codes == ["MR441"]


def test_a_condition_on_a_task_that_is_wrong_itself_is_not_blamed(desk, recipe):
    text = hooks(
        'epoch_completed, 1, "terms.anything < 1", stop', recipe.replace("exact_match", "exact_macht")
    )
    assert desk.check(text).codes == ["MR301"]


def test_a_score_is_known_though_its_template_is_not(desk, recipe):
    text = recipe.replace("terms, terms, dictionary", "terms, terms, dictonary")
    assert desk.check(hooks('epoch_completed, 1, "terms < 1", stop', text)).codes == ["MR301"]


def test_the_same_unknown_name_at_several_places_is_told_at_each(desk, recipe):
    checked = desk.check(recipe.replace("plain_text", "plain_txt"))
    assert checked.codes == ["MR301"] * 3
    assert len({f.span.start for f in checked.findings}) == 3


def test_a_wrong_option_of_the_shared_train_block_is_told_once(desk, recipe):
    checked = desk.check(recipe.replace("batch_size: 2", "batch_size: 0"))
    assert checked.codes == ["MR305"]


def test_one_stack_holds_adapters_of_one_provider(desk, recipe, plugin, installed):
    other = Provider(name="other", summary="another kind", factory=lambda _: SimpleNamespace())
    catalog = build_catalog(entries=[*_entries(), plugin("mini", (Kind.ADAPTER, other))])
    text = recipe.replace("second: {use: lora, r: 4}", "second: {use: other}")
    checked = desk.check(text, catalog=catalog)
    assert checked.codes == ["MR442", "MR442"]
    assert (
        checked.findings[0].message == "the stack of `two` holds adapters of the providers `lora` and `other`"
    )
    assert checked.findings[0].span.text == "second"


def test_rise_limits_scores_that_should_be_low_only(desk, recipe):
    contract = "        retain |task, rise, otherwise|\n            {}, 5%, reject\n    three:"
    fine, wrong = (recipe.replace("    three:", contract.format(t)) for t in ("fluency", "terms"))
    assert desk.check(fine).findings == ()
    finding = desk.check(wrong).only()
    assert (finding.code, finding.span.text) == ("MR443", "terms")
    assert "exact_match" in finding.message


@pytest.mark.parametrize("action", ["evaluate", "checkpoint", "stop"])
@pytest.mark.parametrize("event", ["run_start", "phase_start", "phase_end", "run_end", "exception_raised"])
def test_what_acts_on_a_training_cannot_be_bound_to_where_there_is_none(desk, recipe, action, event):
    finding = desk.check(hooks(f"{event}, 1, null, {action}", recipe)).only()
    assert (finding.code, finding.span.text) == ("MR444", event)


def test_an_evaluation_cannot_set_off_another(desk, recipe):
    finding = desk.check(hooks("evaluation_completed, 1, null, evaluate", recipe)).only()
    assert (finding.code, finding.span.text) == ("MR444", "evaluation_completed")


@pytest.mark.parametrize("event", ["run_start", "phase_start", "model_ready", "phase_end", "run_end"])
def test_saying_something_is_possible_at_every_event(desk, recipe, event):
    assert desk.check(hooks(f"{event}, 1, null, log", recipe)).findings == ()


def test_case_67_with_every_plugin_blocked_check_still_says_which_names_are_unknown(desk):
    checked = desk.check(catalog=build_catalog(blocked=["*"]))
    assert checked.plan is None
    assert set(checked.codes) == {"MR301"}
    assert exit_code(checked.findings) == 2
    told = " ".join(f.message for f in checked.findings)
    for name in (
        "embedded",
        "lora",
        "jsonl",
        "plain_text",
        "dictionary",
        "perplexity",
        "exact_match",
        "lora_sft",
    ):
        assert f"`{name}`" in told


def test_a_source_that_needs_what_this_machine_lacks_is_a_finding_and_no_crash(desk, recipe, plugin):
    class Locked:
        def here(self):
            return True

        def rows(self, start=0):
            raise MachineError("no database driver", help="install one")

        def files(self):
            return ()

    source = Provider(name="sql", summary="a database", factory=lambda _: Locked())
    catalog = build_catalog(entries=[*_entries(), plugin("mini", (Kind.SOURCE, source))])
    finding = desk.check(
        recipe.replace("{use: jsonl, path: texts.jsonl}", "{use: sql}"), catalog=catalog
    ).only()
    assert (finding.code, finding.message, finding.span.text) == ("MR600", "no database driver", "sql")


@pytest.mark.parametrize("broken", ["rows", "files"])
def test_a_source_that_breaks_is_told_under_its_plugins_name(desk, recipe, plugin, broken):
    class Broken:
        def here(self):
            return True

        def rows(self, start=0):
            return iter([PlacedRow("db:1", {"text": "x"})]) if broken != "rows" else 1 / 0

        def files(self):
            return [] if broken != "files" else 1 / 0

    source = Provider(name="sql", summary="a database", factory=lambda _: Broken())
    catalog = build_catalog(entries=[*_entries(), plugin("mini", (Kind.SOURCE, source))])
    finding = desk.check(
        recipe.replace("{use: jsonl, path: texts.jsonl}", "{use: sql}"), catalog=catalog
    ).only()
    assert finding.code == "MR308"
    assert "`mini`" in finding.message


def test_a_metric_of_a_third_party_is_asked_what_it_is(desk, recipe, plugin):
    metric = SimpleNamespace(
        need=Need.COMPLETIONS, higher_is_better=False, max_new_tokens=4, details=("most",), score=None
    )
    provider = Provider(name="edits", summary="edits needed", factory=lambda _: metric)
    catalog = build_catalog(entries=[*_entries(), plugin("mini", (Kind.METRIC, provider))])
    text = hooks('epoch_completed, 1, "terms.most < 1", stop', recipe.replace("exact_match", "edits"))
    checked = desk.check(text, catalog=catalog)
    assert checked.findings == ()
    assert checked.plan.tasks[1].higher_is_better is False


def _entries():
    from pipeline_dsl.registry import installed_plugins

    return installed_plugins()


FORBIDDEN = (
    "torch",
    "transformers",
    "peft",
    "bitsandbytes",
    "accelerate",
    "datasets",
    "tokenizers",
    "safetensors",
)
LIGHT = f"""
import sys

class Wall:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {FORBIDDEN!r}:
            raise ImportError(name + " must not be imported")

sys.meta_path.insert(0, Wall())
from pipeline_dsl.plan.check import check_recipe
from pipeline_dsl.plan.hashing import fingerprint, hash_files
from pipeline_dsl.recipe.load import load_recipe
from pipeline_dsl.registry import build_catalog
import pipeline_dsl.run.start

catalog = build_catalog()
assert catalog.offers and not catalog.broken, catalog.broken
loaded = load_recipe({str(ROOT / "recipes" / "medgemma_korean.sdn")!r})
plan, findings = check_recipe(loaded.recipe, catalog)
assert plan is not None and not findings, findings
fingerprint(hash_files(plan))
print(len(plan.phases), *(m for m in {FORBIDDEN!r} if m in sys.modules))
"""


def test_the_catalog_builds_and_check_runs_without_torch():
    done = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True, check=False)
    assert (done.stdout.split(), done.stderr) == (["3"], "")


def test_estimates_need_no_training_library_either_where_nothing_is_built(desk, recipe, plugin):
    """A recipe with a mini model, adapter and trainer is estimated from their figures alone."""
    from pipeline_dsl.api import ModelError, ModelShape
    from pipeline_dsl.plan.estimate import estimate, identify
    from pipeline_dsl.plan.hashing import hash_files

    class Model:
        quantisation = ""

        def device(self, wanted):
            return "cpu"

        def identity(self, device):
            raise ModelError("not built yet", code="MR451")

        def shape(self):
            return ModelShape(parameters=100, linears={}, max_positions=8, vocabulary=8)

        def prepare(self, say):
            raise ModelError("cannot be built")

    class Adapter:
        def count(self, shape):
            return shape.parameters // 10

    offers = (
        (Kind.MODEL, Provider(name="small", summary="a model", factory=lambda _: Model())),
        (Kind.ADAPTER, Provider(name="thin", summary="an adapter", factory=lambda _: Adapter())),
    )
    catalog = build_catalog(entries=[*_entries(), plugin("mini", *offers)])
    text = recipe.replace("{use: embedded}", "{use: small}")
    for rank in (2, 4, 8):
        text = text.replace(f"{{use: lora, r: {rank}}}", "{use: thin}")
    said = []
    plan = hash_files(desk.check(text, catalog=catalog).plan)
    first, second, third = (p.estimate for p in estimate(plan, catalog, said.append).phases)
    assert (first.samples, first.steps, first.tokens) == (6, 3, None)
    assert (first.trainable_parameters, first.total_parameters) == (10, 110)
    assert (second.samples, second.total_parameters) == (4 + 1, 110)
    assert third.samples == 4
    assert said == ["not known yet: tokens, what can be reused (not built yet)"]
    with pytest.raises(ModelError, match="cannot be built"):
        identify(plan, catalog, said.append)


def test_the_names_of_built_in_actions_that_the_engine_knows_are_offered(installed):
    from pipeline_dsl.plan import hashing
    from pipeline_dsl.plan import hooks as plan_hooks

    known = {*hashing.WATCHING, *hashing._BLIND, *plan_hooks.ON_TRAINING, plan_hooks.EVALUATE}
    assert known <= {offer.full_name for offer in installed.offers if offer.kind is Kind.ACTION}
