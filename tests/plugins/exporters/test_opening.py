"""What model cards show: code that opens a base as it was in training, whatever it is called."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from medrecipe_plugins.exporters._code import asking_code, base_code, fenced, model_class
from medrecipe_plugins.exporters.adapter import OneAdapter
from medrecipe_plugins.exporters.merged import Merged
from medrecipe_plugins.exporters.stack import WholeStack
from pipeline_dsl.api import Message, ModelIdentity, NoOptions, Sample, Shown, StackLayer

IDENTITY = {
    "name": "google/medgemma-4b-it", "revision": "abc", "weights_sha256": "f" * 64, "tokenizer_sha256": "",
    "chat_template_sha256": "", "architecture": "gemma3", "dtype": "bfloat16",
}  # fmt: skip
PROMPT = 'word question:\n{english}\n\n"quoted" \\ back ```'


def base(**changes: object) -> ModelIdentity:
    return ModelIdentity(**(IDENTITY | changes))


def shown(**changes: object) -> Shown:
    layers = tuple(
        StackLayer(name=name, role=role, adapter=None, folder=Path(f"phases/{name}/adapter"))
        for name, role in (("one", "merge"), ("two", "freeze"), ("three", "freeze"))
    )
    facts = {
        "folder": 'my "model"', "base": base(), "layers": layers, "stops": ("\nnext:",),
        "example": Sample(prompt=PROMPT, completion=""),
    }  # fmt: skip
    return Shown(**(facts | changes))


def blocks(markdown: str) -> list[str]:
    """The Python in a card, which has to be whole."""
    found = markdown.split("```python\n")[1:] if "````" not in markdown else markdown.split("python\n")[1:]
    return [block.partition("\n```")[0] for block in found]


@pytest.mark.parametrize("exporter", [Merged, OneAdapter, WholeStack])
@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"example": None},
        {"example": Sample(prompt="", completion="", messages=(Message(role="user", content=PROMPT),))},
        {"base": base(quantisation="nf4", double_quant=True, compute_dtype="bfloat16")},
        {"base": base(quantisation="int8", revision="")},
    ],
)
def test_the_code_is_python_and_holds_the_names_as_they_are(exporter, facts):
    text = exporter(NoOptions()).opening(shown(**facts))
    codes = blocks(text)
    assert codes
    literals = {
        node.value
        for code in codes
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert any(value.startswith('my "model"') for value in literals)
    if exporter is not WholeStack and facts.get("example", True) is not None:
        assert PROMPT in literals


def test_a_base_is_loaded_at_its_revision_in_its_number_format_and_bits():
    code = base_code(base(quantisation="nf4", double_quant=True, compute_dtype="bfloat16"))
    assert 'from_pretrained("google/medgemma-4b-it", revision="abc", dtype="bfloat16", quanti' in code
    assert 'bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype="bfloat16"' in code
    assert "load_in_8bit=True" in base_code(base(quantisation="int8"))
    assert "Bits" not in base_code(base())


def test_layers_are_merged_or_active_as_they_were():
    text = WholeStack(NoOptions()).opening(shown(folder="out"))
    assert 'from_pretrained(model, "out/phases/one/adapter").merge_and_unload()' in text
    assert 'model.base_model.set_adapter(["layer_0", "layer_1"])' in text
    assert "medrecipe generate ./out --prompt" in text


def test_a_folder_stands_in_a_command_as_a_shell_reads_it():
    assert "medrecipe chat './my \"model\"'" in WholeStack(NoOptions()).opening(shown())


def test_answers_end_where_a_next_question_would_begin():
    assert 'stop_strings=["\\nnext:"], tokenizer=tokenizer' in asking_code(shown())
    assert "stop_strings" not in asking_code(shown(stops=()))


def test_what_is_no_text_model_is_opened_as_one_of_images_and_text():
    assert model_class(base()) == "AutoModelForCausalLM"
    assert model_class(base(architecture="llava")) == "AutoModelForImageTextToText"


def test_a_fence_is_longer_than_any_in_it():
    assert fenced("a\n```\nb").splitlines()[0] == "````python"


def test_a_base_without_a_revision_is_told_by_its_hash():
    assert "`ffffffffffffffff`" in OneAdapter(NoOptions()).opening(shown(base=base(revision="")))
