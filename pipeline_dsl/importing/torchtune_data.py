"""The datasets of a torchtune config, by the builders that it names."""

from __future__ import annotations

from pipeline_dsl.importing.codes import Code
from pipeline_dsl.importing.detection import COMPONENT
from pipeline_dsl.importing.draft import Said
from pipeline_dsl.importing.forms import CHAT_HELP, conversation, mapped, refuse_turns, request
from pipeline_dsl.importing.mixing import Lessons
from pipeline_dsl.importing.places import Places
from pipeline_dsl.importing.reader import Reader
from pipeline_dsl.importing.sources import Origin, origins_of
from pipeline_dsl.syntax.nodes import Value

_USUAL_SOURCES = {
    "alpaca_dataset": "tatsu-lab/alpaca",
    "alpaca_cleaned_dataset": "yahma/alpaca-cleaned",
}
PLAIN_PAIR = "plain_pair"
_TURNS = ("llama3", "qwen", "phi3", "phi4")
_PACKED = "rows are not packed together: each is a sample of its own"
_ASIDES = {
    "packed": _PACKED,
    "split_across_pack": _PACKED,
    "max_seq_len": "`train.max_length` bounds samples",
    "add_eos": "the end of a document is always marked",
    "trust_remote_code": "scripts of datasets are never run",
    "num_proc": "data are prepared once and kept",
    "conversation_*": "the rows are no conversations",
}
_STYLES = {"sharegpt": "conversations", "openai": "messages"}
"""Styles of conversations, and the column that they have the turns in."""
_HELP = "alpaca_dataset, instruct_dataset, chat_dataset and text_completion_dataset are read"


def teaching(reader: Reader, places: Places) -> Lessons:
    """Read ``dataset`` and ``dataset_val``."""
    has_turns = _has_turns(reader)
    taught = [o for block in _blocks(reader, "dataset") for o in _dataset(block, places, has_turns=has_turns)]
    held = [
        o for block in _blocks(reader, "dataset_val") for o in _dataset(block, places, has_turns=has_turns)
    ]
    if not taught and not reader.ledger.findings:
        message = "the config names no data to learn from (`dataset`)"
        reader.ledger.error(Code.MISSING, message, None, help="torchtune needs it as well")
    ways = {_learns_prompts(block) for block in _blocks(reader, "dataset")}
    if len(ways) > 1:
        reader.ledger.look_at(
            "loss: the datasets learn their prompts or do not; a recipe has one rule for a phase"
        )
    needed = any(o.template == PLAIN_PAIR for o in [*taught, *held])
    pair = {"prompt": Said(value="{instruction}"), "completion": Said(value="{response}")}
    return Lessons(taught=taught, held_out=held, templates={PLAIN_PAIR: pair} if needed else {})


def _blocks(reader: Reader, key: str) -> tuple[Reader, ...]:
    return reader.inners(key) if reader.has(key) else ()


def _learns_prompts(reader: Reader) -> bool | None:
    return reader.flag("train_on_input")


def _dataset(reader: Reader, places: Places, *, has_turns: bool) -> list[Origin]:
    kind = (reader.text(COMPONENT) or "").rpartition(".")[2]
    if reader.flag("packed"):
        reader.ledger.look_at(
            "packed: a step has fewer tokens here, since rows are not packed; raise `grad_accum`"
        )
    reader.leave_all(_ASIDES)
    if kind not in (*_USUAL_SOURCES, "instruct_dataset", "chat_dataset", "text_completion_dataset"):
        chat = "chat" in kind or "messages" in kind or "multimodal" in kind
        words = (
            f"rows of `{kind[:40]}` cannot be carried" if kind else "a dataset has no builder (`_component_`)"
        )
        reader.refuse(Code.DATA_FORM, words, COMPONENT, CHAT_HELP if chat else _HELP)
        return []
    source = reader.text("source") or _USUAL_SOURCES.get(kind)
    if source is None:
        reader.ledger.error(
            Code.MISSING, "a dataset has no `source`", reader.span, help="name its file or dataset"
        )
        return []
    files = reader.texts("data_files") or ()
    read = origins_of(reader, places, source, files, config=reader.text("name"))
    if kind == "chat_dataset":
        talks = [_conversation(reader, origin, has_turns=has_turns) for origin in read]
        return [_filtered(reader, origin) for origin in talks if origin is not None]
    found = [
        _formed(reader, origin, kind, has_turns=has_turns)
        for origin in read
        if not refuse_turns(reader, "source", origin)
    ]
    return [_filtered(reader, origin) for origin in found]


def _filtered(reader: Reader, origin: Origin) -> Origin:
    reader.leave("filter_fn", "a program cannot be carried: write `filter: \"column == 'value'\"`")
    return origin


def _formed(reader: Reader, origin: Origin, kind: str, *, has_turns: bool) -> Origin:
    if kind == "text_completion_dataset":
        return mapped(origin, "plain_text", {"text": reader.text("column") or "text"})
    named = reader.inner("column_map")
    said = {
        key: named.text(key) or key for key in ("instruction", "input", "output") if named and named.has(key)
    }
    system = reader.text("new_system_prompt")
    options: dict[str, Value] = {"system": system} if system else {}
    if kind in ("alpaca_dataset", "alpaca_cleaned_dataset"):
        columns = {
            "instruction": said.get("instruction", "instruction"),
            "input": said.get("input", "input"),
            "response": said.get("output", "output"),
        }
        return request(origin, "alpaca", columns, {"chat": True} if has_turns else {})
    columns = {"instruction": said.get("input", "input"), "response": said.get("output", "output")}
    if not has_turns:
        return mapped(origin, PLAIN_PAIR, columns, "the tokenizer of the config has no turns")
    return mapped(origin, {"use": "instruction", **options} if options else "instruction", columns)


def _conversation(reader: Reader, origin: Origin, *, has_turns: bool) -> Origin | None:
    """Lists of turns, where the tokenizer of the config frames them."""
    style = reader.text("conversation_style") or "sharegpt"
    if style not in _STYLES or not has_turns:
        what = "a tokenizer without turns" if style in _STYLES else f"`conversation_style: {style[:20]}`"
        reader.refuse(Code.DATA_FORM, f"conversations with {what} cannot be carried", COMPONENT, CHAT_HELP)
        return None
    system = reader.text("new_system_prompt")
    column = reader.text("conversation_column") or _STYLES[style]
    return conversation(reader, COMPONENT, origin, {"messages": column}, {"system": system} if system else {})


def _has_turns(reader: Reader) -> bool:
    """Whether the tokenizer of the config frames messages as the model's chat template does."""
    block = reader.inner("tokenizer")
    named = (block.text(COMPONENT) or "") if block else ""
    return bool(block and block.has("prompt_template")) or any(word in named for word in _TURNS)
