"""What leaves medrecipe and what does not, on a toy model: rejected phases, other kinds of adapters, names."""

from __future__ import annotations

import json

import pytest
import yaml
from markdown_it import MarkdownIt

from pipeline_dsl.api import GuardError, ModelError
from pipeline_dsl.plan.plan_json import from_json
from pipeline_dsl.run.export_files import file_name, placeless, standing
from pipeline_dsl.run.exporting import ExportRequest, export_stack, find_form
from pipeline_dsl.run.finished import open_run

BROKEN = """\
        retain |task, keep, otherwise|
            ones, 0.9, reject
"""


@pytest.fixture
def export(workshop, tmp_path):
    """Return a function that exports what the last run left."""

    def run(form="stack", **request):
        opened = open_run(workshop.runs, workshop.last.name, workshop.catalog, say=lambda _: None)
        wanted = ExportRequest(out=tmp_path / "out", **request)
        return export_stack(opened, find_form(workshop.catalog, form), wanted, lambda _: None)

    return run


@pytest.fixture
def rejected(workshop, recipe, with_train):
    """A run whose second phase forgot what the first had learned."""
    text = recipe.replace("    third:", f"{BROKEN}    third:")
    outcome = workshop.run(with_train("second", text, forget=5.0))
    assert outcome.status == "rejected"


def test_a_rejected_phase_is_not_exported(rejected, export, tmp_path):
    with pytest.raises(GuardError) as caught:
        export()
    assert (caught.value.code, caught.value.exit_code) == ("MR487", 6)
    assert "--rejected-too" in caught.value.help
    assert not (tmp_path / "out").exists()


def test_a_rejected_phase_is_exported_on_demand_and_the_card_says_so(rejected, export, tmp_path):
    export(rejected_too=True)
    card = (tmp_path / "out" / "README.md").read_text("utf-8")
    assert "**The phase broke its retention contract and was rejected**" in card
    assert "ones: broken: " in card
    assert json.loads((tmp_path / "out" / "export.json").read_text("utf-8"))["rejected"] is True


def test_an_earlier_phase_of_a_rejected_run_is_exported(rejected, export, tmp_path):
    assert export(name="first").phase == "first"
    names = {path.parent.name for path in (tmp_path / "out").glob("phases/*/phase.json")}
    assert names == {"first"}


@pytest.mark.parametrize("form", ["merged", "adapter"])
def test_adapters_of_another_kind_leave_as_a_stack_alone(workshop, export, tmp_path, form):
    workshop.run()
    with pytest.raises(ModelError) as caught:
        export(form)
    assert caught.value.code == "MR473"
    assert caught.value.help == "export it --to stack"
    assert not (tmp_path / "out").exists()
    assert workshop.toy.LOADED.count("load") == workshop.toy.LOADED.count("close")


def test_an_exported_stack_is_opened_without_the_phases_that_it_does_not_need(workshop, export, tmp_path):
    workshop.run()
    export(name="second")
    opened = open_run(tmp_path / "none", f"{tmp_path}/out", workshop.catalog, say=lambda _: None)
    assert [stack.name for stack in opened.stacks] == ["first", "second"]
    assert opened.last.name == "second"
    assert [layer.role for layer in opened.last.layers] == ["merge", "freeze"]


def test_a_stack_brings_no_logs(workshop, export, tmp_path):
    workshop.run()
    export()
    there = {path.name for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert not there & {"run.log", "metrics.jsonl", "run.lock", "ones.jsonl", "hooks.jsonl"}
    record = (tmp_path / "out" / "metadata.sdn").read_text("utf-8")
    assert 'status: "finished"' in record
    assert "host" not in record


def test_of_the_places_of_data_names_are_left(workshop, export, tmp_path):
    workshop.run()
    export()
    plan = json.loads((tmp_path / "out" / "plan.json").read_text("utf-8"))
    assert plan["data"]["ones"]["source"]["options"]["path"] == "ones.jsonl"
    assert [file["path"] for file in plan["data"]["ones"]["files"]] == ["ones.jsonl"]
    assert plan["path"] == "toys.sdn"
    stored = json.loads((workshop.last / "plan.json").read_text("utf-8"))
    assert from_json(plan).phases == from_json(stored).phases
    assert placeless(plan) == plan


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("/data/patients/한국어.jsonl", "한국어.jsonl"),
        ("s3://bucket/of/hospital/crawl.jsonl.gz", "crawl.jsonl.gz"),
        ("https://example.org/a/b.csv?token=secret", "b.csv"),
        ("what?.txt", "what?.txt"),
    ],
)
def test_a_file_is_called_by_its_name_alone(place, name):
    assert file_name(place) == name


def test_a_phase_stands_on_all_that_those_below_it_stand_on(workshop):
    plan = workshop.plan()
    assert [phase.name for phase in standing(plan, plan.phase("third"))] == ["first", "second", "third"]
    assert [phase.name for phase in standing(plan, plan.phase("first"))] == ["first"]


def test_a_card_tells_what_the_run_did_and_nothing_else(workshop, export, tmp_path):
    workshop.run()
    export()
    card = (tmp_path / "out" / "README.md").read_text("utf-8")
    for fact in (
        "# toys: third",
        "### 1. `first`",
        "| `a` | folded into the weights | `first` | `r: 1` |",
        "| `threes` | 100% | `plain_text` | `threes.jsonl` (105 bytes) |",
        "Trainer `loop`: `epochs: 2`",
        "| `ones` | `ones` through `plain_text`: `recall` |",
        "| ACC | ",
        "`a`, `b` against base and adapters apart",
        "nobody said here under what terms it may be used",
        "Data `ones`: the recipe does not say under what terms it may be used",
    ):
        assert fact in card, fact
    assert str(tmp_path) not in card
    assert "threes 1" not in card  # a sample


HOSTILE = "a|b `c` <script>alert(1)<img src=x onerror=y> [y](javascript:z) **w** # x"


def test_what_has_markup_in_it_is_text_and_nothing_else(workshop, recipe, export, tmp_path):
    """Fault 79; names of phases, tasks and the like cannot have such signs (MR204)."""
    workshop.rows(f"ones {HOSTILE}", ["a", "b"])
    recipe = recipe.replace(
        "path: ones.jsonl", f'path: "ones {HOSTILE}.jsonl", filter: "text != \'{HOSTILE}\'"'
    )
    workshop.run(f'{recipe}tags: ["{HOSTILE}", "yes", "Korean", "---"]\n')
    record = workshop.last / "phases" / "third" / "phase.json"
    content = json.loads(record.read_text("utf-8"))
    content["metrics"]["stopped"] = f"{HOSTILE}\n\n<script>"
    content["contracts"] = [{"text": f"{HOSTILE}\u202e"}]
    record.write_text(json.dumps(content), encoding="utf-8")
    export()
    card = (tmp_path / "out" / "README.md").read_text("utf-8")
    _, front, body = card.split("---\n", 2)
    assert "script" in body
    front_matter = yaml.safe_load(front)
    assert front_matter["tags"] == ["medrecipe", HOSTILE, "yes", "Korean", "---"]
    assert front_matter["language"] == ["ko"]
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(body)
    kinds = {t.type for token in tokens for t in (token, *(token.children or ()))}
    assert not kinds & {"html_inline", "html_block", "link_open", "image"}
    widths = [
        row.count("<td>") for row in MarkdownIt("commonmark").enable("table").render(body).split("<tr>")
    ]
    assert set(widths) <= {0, 2, 3, 4, 6, 7}
    assert "\u202e" not in card
