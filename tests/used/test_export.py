"""``medrecipe export``: a trained stack in three forms that give the run's own logits in stock libraries."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from jsonschema import Draft202012Validator
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from pipeline_dsl.cli.exported import exported
from pipeline_dsl.cli.main import main
from pipeline_dsl.plan.hashing import file_digest
from pipeline_dsl.registry import build_catalog
from pipeline_dsl.run.exporting import ExportRequest, _job, _size, find_form
from pipeline_dsl.run.finished import open_run
from pipeline_dsl.run.stack import attach, load_base

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")

TEXT = "word question:\nheart\n\nshort_answer:\n심장 Human: 열이 나요"
FORMS = ["merged", "adapter", "stack"]
CLOSE = 1e-5


@pytest.fixture
def here(used, tmp_path, monkeypatch) -> Path:
    """A working folder in which the base lies under its name."""
    (tmp_path / "base").symlink_to(used.folder / "base")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def logits_of(module: Any, tokenizer: Any) -> torch.Tensor:
    module.eval()
    with torch.no_grad():
        return module(input_ids=tokenizer(TEXT, return_tensors="pt").input_ids).logits.float()


def run_logits(runs: Path, name: str, stack: str | None = None) -> torch.Tensor:
    """The logits of a run's own stack."""
    run = open_run(runs, name, build_catalog(), say=lambda _: None)
    model = load_base(run.plan, run.catalog, run.plan.seed)
    attach(run.plan, model, list(run.find(stack).layers))
    return logits_of(model.module, model.tokenizer)


@pytest.fixture(scope="module")
def forms(used, tmp_path_factory) -> Path:
    """A folder with the base and all three exports of the last phase under their names; nobody may change it."""
    folder = tmp_path_factory.mktemp("forms")
    (folder / "base").symlink_to(used.folder / "base")
    for form in FORMS:
        result = used("export", "--to", form, "--out", str(folder / form))
        assert result.code == 0, result.err
    return folder


@pytest.fixture
def among(forms, monkeypatch) -> Path:
    """``forms`` as the working folder."""
    monkeypatch.chdir(forms)
    return forms


@pytest.fixture(scope="module")
def expected(used) -> torch.Tensor:
    """Those of the last phase: a merged, a frozen and a trained layer."""
    return run_logits(used.runs, used.id)


def opened(folder: Path) -> torch.Tensor:
    """The logits that the code of a model card gives, in whose folder's parent we are."""
    names: dict[str, Any] = {}
    card = (folder / "README.md").read_text("utf-8")
    for code in re.findall(r"^```python\n(.*?)^```$", card, re.DOTALL | re.MULTILINE):
        exec(compile(code, "README.md", "exec"), names)
    return logits_of(names["model"], names["tokenizer"])


def test_merged_weights_give_the_runs_logits_in_stock_transformers(among, expected):
    found = logits_of(AutoModelForCausalLM.from_pretrained("merged"), AutoTokenizer.from_pretrained("merged"))
    assert (found - expected).abs().max() <= CLOSE
    base = logits_of(AutoModelForCausalLM.from_pretrained("base"), AutoTokenizer.from_pretrained("base"))
    assert (base - expected).abs().max() > 0.1


def test_weights_can_be_read_by_whoever_may_read_their_configuration(forms):
    modes = {path.stat().st_mode for path in (forms / "merged").iterdir()}
    assert modes == {(forms / "merged" / "config.json").stat().st_mode}


def test_one_adapter_gives_the_runs_logits_in_stock_peft(among, expected):
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained("base"), "adapter")
    found = logits_of(model, AutoTokenizer.from_pretrained("base"))
    assert (found - expected).abs().max() <= CLOSE


def test_an_exported_stack_is_a_run_that_gives_the_runs_logits(used, among, expected):
    assert (run_logits(among / "no runs", "./stack") - expected).abs().max() == 0
    assert generated("./stack", among / "no runs") == generated(used.id, used.runs) == "심장"


def generated(run: str, runs: Path) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        code = main(
            ["generate", run, "--adapter", "english", "--prompt", "heart", "--runs", str(runs), "--json"]
        )
    assert code == 0
    return json.loads(out.getvalue())["answers"][0]["text"]


@pytest.mark.parametrize("form", FORMS)
def test_the_code_of_the_card_gives_the_runs_logits(among, expected, form, capsys):
    assert (opened(among / form) - expected).abs().max() <= CLOSE


def test_the_code_of_the_card_answers_as_the_run_does(used, here, capsys):
    assert used("export", "--adapter", "english", "--to", "merged", "--out", "out").code == 0
    card = (here / "out" / "README.md").read_text("utf-8").replace("{english}", "heart")
    (here / "out" / "README.md").write_text(card, encoding="utf-8")
    opened(here / "out")
    assert capsys.readouterr().out.strip() == "심장"


@pytest.mark.parametrize("form", FORMS)
def test_an_earlier_stack_is_exported_by_its_phase_or_adapter(used, here, form, capsys):
    result = used("export", "--phase", "words", "--to", form, "--out", "out", "--json")
    assert json.loads(result.out)["phase"] == "english"
    assert (opened(here / "out") - run_logits(used.runs, used.id, "english")).abs().max() <= CLOSE


@pytest.mark.parametrize("form", FORMS)
def test_the_manifest_fits_its_schema_and_its_hashes_hold(forms, form):
    manifest = json.loads((forms / form / "export.json").read_text("utf-8"))
    Draft202012Validator(exported(build_catalog())["export-manifest.json"]).validate(manifest)
    there = {p.relative_to(forms / form).as_posix() for p in (forms / form).rglob("*") if p.is_file()}
    assert there == {*manifest["files"], "export.json"}
    for name, file in manifest["files"].items():
        path = forms / form / name
        assert file == {"bytes": path.stat().st_size, "sha256": file_digest(path)}
    assert manifest["stack"] == [
        {"adapter": "words", "role": "merge"},
        {"adapter": "more", "role": "freeze"},
        {"adapter": "top", "role": "freeze"},
    ]
    assert (manifest["proof"] is not None) == (form == "merged")


@pytest.mark.parametrize("form", FORMS)
def test_exporting_twice_gives_equal_files(used, here, forms, form):
    assert used("export", "--to", form, "--out", form).code == 0
    once, again = (
        {
            path.relative_to(top).as_posix(): path.read_bytes()
            for path in (top / form).rglob("*")
            if path.is_file()
        }
        for top in (forms, here)
    )
    assert once == again


def test_a_stack_brings_what_it_stands_on_and_nothing_else(forms):
    top = forms / "stack"
    names = {path.relative_to(top).as_posix() for path in top.rglob("*") if path.is_file()}
    adapter = ("adapter_config.json", "adapter_model.safetensors", "stack.json")
    assert names == {
        "README.md", "export.json", "plan.json", "recipe.sdn", "environment.json", "metadata.sdn", "retention.json",
        *(f"phases/{phase}/phase.json" for phase in ("english", "exam", "replies")),
        *(f"phases/{phase}/adapter/{name}" for phase in ("english", "exam", "replies") for name in adapter),
    }  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_nothing_that_is_exported_says_where_data_was_or_who_trained(used, forms, form):
    record = (used.run / "metadata.sdn").read_text("utf-8")
    host = re.search(r'host: "(.*)"', record)[1]
    for path in (p for p in (forms / form).rglob("*") if p.suffix in {".json", ".md", ".sdn"}):
        text = path.read_text("utf-8")
        assert str(forms) not in text
        assert f'"{host}"' not in text
        for place in (str(used.folder / f"{name}.jsonl") for name in ("words", "others", "exam", "replies")):
            assert place not in text, path
        if path.name == "README.md":
            assert str(used.folder) not in text
            for sample in ("물을 드세요", "Which organ pumps blood?"):
                assert sample not in text


def test_a_run_that_was_exported_can_be_exported_again(here, forms, expected, capsys):
    assert main(["export", f"{forms}/stack", "--to", "merged", "--out", "again", "--runs", "no runs"]) == 0
    assert (opened(here / "again") - expected).abs().max() <= CLOSE


def test_merged_weights_are_rounded_on_demand(used, here):
    assert used("export", "--to", "merged", "--dtype", "bfloat16", "--out", "out").code == 0
    assert json.loads((here / "out" / "config.json").read_text())["dtype"] == "bfloat16"
    assert json.loads((here / "out" / "export.json").read_text())["dtype"] == "bfloat16"
    assert "were rounded to `bfloat16`" in (here / "out" / "README.md").read_text("utf-8")


def test_what_is_said_is_how_to_open_it(used, here):
    result = used("export", "--to", "merged", "--out", "some/out")
    assert result.out.startswith(f"{here / 'some' / 'out'}  merged of replies: ")
    assert '  model = AutoModelForCausalLM.from_pretrained("some/out", dtype="auto")\n' in result.out
    assert "proven: logits differ by" in result.err
    result = used("export", "--to", "stack", "--out", "whole")
    assert '  medrecipe generate ./whole --prompt "…"\n' in result.out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--to", "adapter", "--dtype", "bfloat16"), "--dtype is about merged weights"),
        (("--to", "gguf"), "installed: adapter, merged, stack"),
        (("--to", "merged", "--adapter", "base"), "`base` is the untouched base"),
        (("--to", "merged", "--adapter", "oposite"), "did you mean `opposite`?"),
        ((), "Missing option '--to'"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(used, here, arguments, says):
    result = used("export", *arguments, "--out", "out")
    assert (result.code, result.out) == (2, "")
    assert says in " ".join(result.err.split())
    assert not (here / "out").exists()


def test_a_folder_that_is_there_is_left_alone_unless_it_is_empty(used, here):
    (here / "out").mkdir()
    (here / "out" / "mine").write_text("dear")
    result = used("export", "--to", "stack", "--out", "out")
    assert result.code == 2
    assert "MR268" in result.err
    assert [p.name for p in (here / "out").iterdir()] == ["mine"]
    (here / "out" / "mine").unlink()
    assert used("export", "--to", "stack", "--out", "out").code == 0
    assert used("export", "--to", "stack", "--out", "out/plan.json").code == 2
    assert used("export", "--to", "stack", "--out", ".").code == 2


def test_without_room_nothing_is_loaded(used, here, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1))
    for form in FORMS:
        result = used("export", "--to", form, "--out", "out")
        assert result.code == 5
        assert "there is room for 1 bytes" in result.err
        assert "loading" not in result.err
    assert [p.name for p in here.iterdir()] == ["base"]


def test_a_form_needs_about_as_much_room_as_was_said(used, here, forms):
    run = open_run(used.runs, used.id, build_catalog(), say=lambda _: None)
    for form in FORMS:
        job = _job(run, run.last, ExportRequest(out=here / form), here / f"scratch-{form}", print)
        written = sum(path.stat().st_size for path in (forms / form).rglob("*.safetensors"))
        assert written <= 1.2 * _size(run, find_form(run.catalog, form), job) < 3 * written


@pytest.fixture
def failing(here) -> Path:
    """A plugin with an exporter that begins to write, and then is ended."""
    plugin = here / "failing.py"
    plugin.write_text(
        "from pipeline_dsl.api import ModelError, NoOptions, Provider, hookimpl\n"
        "class Failing:\n"
        "    library, takes_dtype, raised = 'x', False, None\n"
        "    def __init__(self, options): ...\n"
        "    def opening(self, shown): return ''\n"
        "    def export(self, job):\n"
        "        (job.folder / 'half').write_text('written')\n"
        "        raise self.raised\n"
        "class Stopped(Failing): raised = KeyboardInterrupt()\n"
        "class Refused(Failing): raised = ModelError('no')\n"
        "class Broken(Failing): raised = ZeroDivisionError('bug')\n"
        "class Full(Failing): raised = OSError(28, 'No space left on device')\n"
        "@hookimpl\n"
        "def medrecipe_exporters():\n"
        "    return [Provider(name=c.__name__.lower(), summary='fails', factory=c)\n"
        "            for c in (Stopped, Refused, Broken, Full)]\n",
        encoding="utf-8",
    )
    return plugin


@pytest.mark.parametrize(("form", "code"), [("stopped", 130), ("refused", 4), ("broken", 1), ("full", 5)])
def test_what_ends_halfway_leaves_nothing(used, here, failing, form, code):
    before = sorted(here.iterdir())
    result = used("export", "--to", form, "--out", "out", "--plugin", str(failing))
    assert (result.code, result.out) == (code, ""), result.err
    assert sorted(p for p in here.iterdir() if p.name != "__pycache__") == before


def test_an_exporter_of_a_plugin_is_offered_and_used(used, here):
    (here / "notes.py").write_text(
        "from pipeline_dsl.api import Provider, hookimpl\n"
        "class Notes:\n"
        "    library, takes_dtype = 'notes', False\n"
        "    def __init__(self, options): ...\n"
        "    def export(self, job):\n"
        "        (job.folder / 'notes.txt').write_text(' '.join(x.name for x in job.layers))\n"
        "    def opening(self, shown): return f'Read notes.txt of {shown.folder}.'\n"
        "@hookimpl\n"
        "def medrecipe_exporters():\n"
        "    return [Provider(name='notes', summary='names alone', factory=Notes)]\n",
        encoding="utf-8",
    )
    assert "notes" in used("export", "--to", "x", "--out", "out", "--plugin", "notes.py").err
    result = used("export", "--to", "notes", "--out", "out", "--plugin", "notes.py")
    assert result.code == 0, result.err
    assert (here / "out" / "notes.txt").read_text() == "words more top"
    card = (here / "out" / "README.md").read_text("utf-8")
    assert "library_name: notes" in card
    assert "Read notes.txt of out." in card


def test_what_somebody_else_puts_there_meanwhile_stays(used, here):
    (here / "slow.py").write_text(
        "from pipeline_dsl.api import Provider, hookimpl\n"
        "class Slow:\n"
        "    library, takes_dtype = 'x', False\n"
        "    def __init__(self, options): ...\n"
        "    def opening(self, shown): return ''\n"
        "    def export(self, job):\n"
        "        other = job.folder.parent / 'out'\n"
        "        other.mkdir()\n"
        "        (other / 'theirs').write_text('dear')\n"
        "@hookimpl\n"
        "def medrecipe_exporters():\n"
        "    return [Provider(name='slow', summary='takes its time', factory=Slow)]\n",
        encoding="utf-8",
    )
    result = used("export", "--to", "slow", "--out", "out", "--plugin", "slow.py")
    assert result.code == 2
    assert "MR268" in result.err
    assert [path.name for path in (here / "out").iterdir()] == ["theirs"]
    assert not list(here.glob(".out*"))
