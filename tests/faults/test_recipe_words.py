"""Faults 17 to 20: look-alike names, Korean, a recipe that changes under way, templates."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest

from pipeline_dsl.syntax.machine import read_record

TOY = Path(__file__).parent.parent / "run" / "toy_plugin.py"
CYRILLIC = [
    ("seed", "s\u0435ed: 1\n", "r.sdn:25:2", "U+0435 CYRILLIC SMALL LETTER IE"),
    ("full-width", "s\uff45ed: 1\n", "r.sdn:25:2", "U+FF45 FULLWIDTH LATIN SMALL LETTER E"),
    ("greek", "s\u03b5ed: 1\n", "r.sdn:25:2", "U+03B5 GREEK SMALL LETTER EPSILON"),
]


@pytest.mark.parametrize(("line", "place", "says"), [c[1:] for c in CYRILLIC], ids=[c[0] for c in CYRILLIC])
def test_fault_17_a_look_alike_letter_in_a_key_is_refused(bench, recipe, line, place, says):
    found = bench.refuses(recipe + line, code="MR171", says=says, at=place)
    assert "letters of one script" in found["help"]


@pytest.mark.parametrize(
    ("right", "wrong", "place"),
    [
        ("first, merge", "f\u0456rst, merge", "r.sdn:19:14"),
        ("use: embedded", "use: embedd\u0435d", "r.sdn:2:20"),
        ("    two:", "    tw\u043e:", "r.sdn:17:7"),
        ("recipe: sample", "recipe: s\u0430mple", "r.sdn:1:10"),
        ("fluency, null", "flu\u0435ncy, null", "r.sdn:24:16"),
    ],
    ids=["adapter", "provider", "phase", "recipe", "task"],
)
def test_fault_17_a_look_alike_letter_in_a_name_that_is_a_value_is_refused(
    bench, recipe, right, wrong, place
):
    bench.refuses(recipe.replace(right, wrong), code="MR171", says="CYRILLIC", at=place)


def test_fault_17_in_quotes_a_look_alike_is_another_name(bench, recipe):
    text = recipe.replace("first, merge", '"f\u0456rst", merge')
    found = bench.refuses(text, code="MR202", says="there is no adapter", at="r.sdn:19:13")
    assert "did you mean `first`?" in found["help"]


@pytest.mark.parametrize("hidden", ["\u200b", "\u200d", "\ufeff", "\u00ad", "\u202e", "\u3164", "\U000e0061"])
def test_fault_17_an_invisible_letter_is_refused_and_made_visible(bench, recipe, hidden):
    for right, place in (("first, merge", "r.sdn:19:15"), ("    two:", "r.sdn:17:7")):
        name = right.strip()[:2]
        text = recipe.replace(right, right.replace(name, name + hidden))
        bench.refuses(text, code="MR170", says=f"U+{ord(hidden):04X}", at=place)
        assert hidden not in bench.run("check", "r.sdn").both


def test_fault_17_an_invisible_letter_in_quotes_makes_no_name_and_is_made_visible(bench, recipe):
    text = recipe.replace("    two:", '    "tw\u200bo":')
    bench.refuses(text, code="MR204", says="U+200B ZERO WIDTH SPACE", at="r.sdn:17:5")
    assert "\u200b" not in bench.run("check", "r.sdn").both


def test_fault_17_what_a_terminal_would_obey_is_never_written_to_it(bench, recipe):
    text = recipe.replace("first, merge", '"\x1b[31mfirst\x07", merge')
    bench.check(text)
    for words in (["check", "r.sdn"], ["check", "r.sdn", "--format", "concise"], ["plan", "r.sdn"]):
        outcome = bench.run(*words)
        assert outcome.code == 2
        assert not {"\x1b", "\x07"} & set(outcome.both)


KOREAN = (("first", "한국어"), ("    two:", "    의학_용어:"), ("fluency", "유창성"), ("texts", "문장"))


def korean(text: str) -> str:
    for english, name in KOREAN:
        text = text.replace(english, name)
    return text


@pytest.mark.parametrize("file_form", ["NFC", "NFD"])
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_fault_18_korean_names_and_paths_work_however_they_are_spelt(bench, recipe, form, file_form):
    files = {unicodedata.normalize(file_form, "문장.jsonl"): '{"text": "폐는 숨을 쉰다."}\n'}
    bench.accepts(unicodedata.normalize(form, korean(recipe)), files=files)
    plan = json.loads(bench.run("plan", "r.sdn", "--json").out)["plan"]
    assert [phase["name"] for phase in plan["phases"]] == ["one", "의학_용어"]
    assert sorted(plan["adapters"]) == ["second", "한국어"]
    assert [task["name"] for task in plan["tasks"]] == ["유창성"]
    (file,) = plan["data"]["문장"]["files"]
    assert Path(file["path"]).read_text(encoding="utf-8") == '{"text": "폐는 숨을 쉰다."}\n'


def test_fault_18_the_two_spellings_of_a_recipe_are_one_plan(bench, recipe):
    plans = []
    for form in ("NFC", "NFD"):
        bench.accepts(unicodedata.normalize(form, korean(recipe)), files={"문장.jsonl": ROW_KO})
        plans.append(json.loads(bench.run("plan", "r.sdn", "--json").out)["plan"])
    assert plans[0] == plans[1]


ROW_KO = '{"text": "폐는 숨을 쉰다."}\n'


def test_fault_18_one_recipe_may_mix_the_two_spellings(bench, recipe):
    text = korean(recipe).replace("한국어, merge", unicodedata.normalize("NFD", "한국어, merge"))
    text += "tags: [a]\nhooks: []\n"
    bench.accepts(
        text, "--set", unicodedata.normalize("NFD", "adapters.한국어.r=4"), files={"문장.jsonl": ROW_KO}
    )


def test_fault_18_a_korean_recipe_in_a_korean_folder_is_planned_in_a_process_of_its_own(bench, recipe):
    bench.write("조리법/한국어 폴더/요리.sdn", korean(recipe).replace("recipe: sample\n", ""))
    bench.write("조리법/한국어 폴더/문장.jsonl", ROW_KO)
    outcome = bench.process("check", "조리법/한국어 폴더/요리.sdn", LC_ALL="C", PYTHONIOENCODING="ascii")
    assert (outcome.code, outcome.out) == (0, "조리법/한국어 폴더/요리.sdn: fine (2 phases, 1 task)\n")


RUN = f"""\
recipe: toys
plugins = [{TOY}, ./saboteur.py]
model: {{use: toy}}
adapters:
    a: {{use: table}}
    b: {{use: table}}
data:
    ones: {{use: jsonl, path: texts.jsonl}}
tasks |task, data, template, metric|
    ones, ones, plain_text, recall
train: {{use: loop}}
phases:
    first:
        stack |adapter, role|
            a, train
        mix |data, template|
            ones, plain_text
    second:
        stack |adapter, role|
            a, merge
            b, train
        mix |data, template|
            ones, plain_text
hooks |on, every, when, do|
    epoch_completed, 1, null, sabotage
"""
SABOTEUR = """\
from pathlib import Path

from pipeline_dsl.api import NoOptions, Provider, hookimpl


class Sabotage:
    def act(self, event, values, controls):
        Path("r.sdn").write_text("this: is [no recipe", encoding="utf-8")
        Path("base.sdn").unlink(missing_ok=True)


@hookimpl
def medrecipe_actions():
    return [Provider(name="sabotage", summary="writes over the recipe", factory=lambda o: Sabotage(), options=NoOptions)]
"""


def test_fault_19_a_recipe_that_changes_during_its_run_is_run_as_it_was(bench):
    bench.write("texts.jsonl", '{"text": "하나"}\n{"text": "two"}\n')
    bench.write("saboteur.py", SABOTEUR)
    bench.write("base.sdn", "seed: 11\n")
    text = "extends: base.sdn\n" + RUN
    bench.write("r.sdn", text)
    outcome = bench.run("run", "r.sdn")
    assert outcome.code == 0, outcome.both
    assert (bench.folder / "r.sdn").read_text(encoding="utf-8") == "this: is [no recipe"
    (run,) = (bench.folder / "runs" / "toys").iterdir()
    assert (run / "recipe.sdn").read_text(encoding="utf-8") == text
    plan = json.loads((run / "plan.json").read_text(encoding="utf-8"))
    assert plan["seed"] == 11
    assert read_record((run / "metadata.sdn").read_text(encoding="utf-8"))["status"] == "finished"
    phases = [
        json.loads((run / "phases" / p / "phase.json").read_text(encoding="utf-8"))
        for p in ("first", "second")
    ]
    assert [phase["status"] for phase in phases] == ["finished", "finished"]
    shown = bench.run("runs", "show", run.name)
    assert shown.code == 0
    assert bench.run("check", "r.sdn").code == 2


TEMPLATE = """\
templates:
    mine:
        prompt: "Question: {{question}}\\nAnswer: "
        completion: {}
train: {{epochs: 1}}
"""
WRONG = [
    ('"{answr}"', "MR323", "needs the column `answr`", "r.sdn:13:22"),
    ('"Answer: {answr}!"', "MR323", "needs the column `answr`", "r.sdn:13:30"),
    ('"{answer"', "MR320", "the brace at character 1 has no partner", "r.sdn:13:21"),
    ('"answer}"', "MR320", "the brace at character 7 has no partner", "r.sdn:13:21"),
    ('"{x.__class__}"', "MR321", "{x.__class__} is no field", "r.sdn:13:21"),
    ('"{answer[0]}"', "MR321", "{answer[0]} is no field", "r.sdn:13:21"),
    ('"{answer!r}"', "MR321", "{answer!r} is no field", "r.sdn:13:21"),
    ('"{0}"', "MR321", "{0} is no field", "r.sdn:13:21"),
    ('"{}"', "MR322", "no field between the braces", "r.sdn:13:21"),
]


@pytest.mark.parametrize(("completion", "code", "says", "place"), WRONG, ids=[wrong[0] for wrong in WRONG])
def test_fault_20_a_wrong_template_is_a_fault_of_the_recipe_at_its_place(
    bench, recipe, completion, code, says, place
):
    row = '{"question": "Where is the heart?", "answer": "in the chest"}\n'
    text = recipe.replace("train: {epochs: 1}\n", TEMPLATE.format(completion))
    text = text.replace("            texts, plain_text, 1\n", "            questions, mine, 1\n")
    text = text.replace("tasks |", "    questions: {use: jsonl, path: q.jsonl}\ntasks |")
    place = place.replace(":13:", ":14:")
    found = bench.refuses(text, code=code, says=says, at=place, files={"q.jsonl": row})
    if code == "MR323":
        assert "did you mean `{answer}`?" in found["help"]
    bench.accepts(text.replace(completion, '"{answer} {{literally}}"'), files={"q.jsonl": row})


def test_fault_20_a_wrong_template_in_a_row_is_told_in_the_row(bench, recipe):
    text = recipe.replace(
        "            texts, plain_text, 1\n    two",
        '            texts, {use: custom, prompt: "", completion: "{text.__class__}"}, 1\n    two',
    )
    bench.refuses(text, code="MR321", says="is no field", at="r.sdn:16:58")
