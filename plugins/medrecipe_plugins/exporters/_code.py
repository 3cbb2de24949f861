"""Python that model cards show: how a base, and what stands on it, is opened and asked."""

from __future__ import annotations

import json

from pipeline_dsl.api import ModelIdentity, Sample, Shown

_ANSWER_TOKENS = 64


def quoted(text: str) -> str:
    """Return a text as a Python literal."""
    return json.dumps(text, ensure_ascii=True)


def fenced(code: str, language: str = "python") -> str:
    """Return a fenced block, whatever backticks are in it."""
    fence = "```"
    while fence in code:
        fence += "`"
    return f"{fence}{language}\n{code.strip()}\n{fence}"


def model_class(base: ModelIdentity) -> str:
    """Return the auto class of transformers that opens an architecture."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as TEXT

    return "AutoModelForCausalLM" if base.architecture in TEXT else "AutoModelForImageTextToText"


def base_code(base: ModelIdentity) -> str:
    """Return lines that load a base as it was in training, under the names ``model`` and ``tokenizer``."""
    place = quoted(base.name) + (f", revision={quoted(base.revision)}" if base.revision else "")
    options = f", dtype={quoted(base.dtype)}" if base.dtype else ""
    packing = _packing(base)
    names = ["AutoTokenizer", model_class(base), *(["BitsAndBytesConfig"] if packing else [])]
    lines = [f"from transformers import {', '.join(sorted(names))}", ""]
    if packing:
        lines.append(f"bits = BitsAndBytesConfig({packing})")
        options += ", quantization_config=bits"
    lines.append(f"model = {model_class(base)}.from_pretrained({place}{options})")
    lines.append(f"tokenizer = AutoTokenizer.from_pretrained({place})")
    return "\n".join(lines)


def about_the_base(base: ModelIdentity) -> str:
    """Return what has to be known of the base that adapters are put on, "" for nothing."""
    return "\n\n".join(text for text in (_where(base), _in_which_bits(base)) if text)


def _in_which_bits(base: ModelIdentity) -> str:
    if not base.quantisation:
        return ""
    return (
        f"What was trained on the base in {base.quantisation} belongs to the weights that these bits stand "
        "for: on the weights from before they were packed it does something else."
    )


def _where(base: ModelIdentity) -> str:
    if base.revision:
        return ""
    return (
        "The base has no revision on the Hub: in place of its name write the path of the folder that has it, "
        f"the sha256 of whose weights begins with `{base.weights_sha256[:16]}`."
    )


def _packing(base: ModelIdentity) -> str:
    if base.quantisation == "int8":
        return "load_in_8bit=True"
    if not base.quantisation:
        return ""
    return (
        f"load_in_4bit=True, bnb_4bit_quant_type={quoted(base.quantisation)}, "
        f"bnb_4bit_use_double_quant={base.double_quant}, bnb_4bit_compute_dtype={quoted(base.compute_dtype)}"
    )


def asking_code(shown: Shown) -> str:
    """Return a paragraph and a block that asks ``model``; "" where no prompt can be made."""
    if shown.example is None:
        return ""
    stops = f", stop_strings={_list(shown.stops)}, tokenizer=tokenizer" if shown.stops else ""
    lines = [
        *_inputs(shown.example),
        f"output = model.generate(**inputs, max_new_tokens={_ANSWER_TOKENS}, do_sample=False{stops})",
        'print(tokenizer.decode(output[0, inputs["input_ids"].shape[1]:], skip_special_tokens=True))',
    ]
    return "Ask it in the form in which it was trained, your text in place of what stands in braces:\n\n" + (
        fenced("\n".join(lines))
    )


def _inputs(example: Sample) -> list[str]:
    if example.messages:
        turns = ", ".join(
            f'{{"role": {quoted(m.role)}, "content": {_text(m.content)}}}' for m in example.messages
        )
        return [
            f"messages = [{turns}]",
            "inputs = tokenizer.apply_chat_template(",
            '    messages, add_generation_prompt=True, return_dict=True, return_tensors="pt"',
            ")",
        ]
    return [f"prompt = {_text(example.prompt)}", 'inputs = tokenizer(prompt, return_tensors="pt")']


def _text(text: str) -> str:
    """Return a text as a literal that people can read: Korean as it is, what does not print as escapes."""
    plain = "".join(c if c.isprintable() else quoted(c)[1:-1] for c in text.replace("\\", "\\\\"))
    return '"' + plain.replace('"', '\\"') + '"'


def _list(texts: object) -> str:
    return json.dumps(list(texts), ensure_ascii=True) if isinstance(texts, (list, tuple)) else "[]"
