"""The datasets of an axolotl config."""

from __future__ import annotations

from pipeline_dsl.importing.codes import Code
from pipeline_dsl.importing.draft import Block, Said
from pipeline_dsl.importing.forms import (
    CHAT_HELP,
    ROLE_KEYS,
    TEXT_KEYS,
    conversation,
    custom,
    literal,
    mapped,
    refuse_turns,
    request,
)
from pipeline_dsl.importing.mixing import Lessons, share_of
from pipeline_dsl.importing.names import distinct
from pipeline_dsl.importing.places import Places
from pipeline_dsl.importing.reader import Reader
from pipeline_dsl.importing.sources import GENERIC, Origin, origins_of

_TURNS = {"chat_template": "messages", "sharegpt": "conversations"}
"""Kinds of conversations that are carried, and the column that they have the turns in."""
_CHATS = ("chatml", "oasst", "completion_chat", "input_output", "chat")
_ASIDES = {
    "shards*": "take a part of the rows with `limit` or `filter`",
    "preprocess_shards": "data are prepared once and kept",
    "trust_remote_code": "scripts of datasets are never run",
    "conversation": "the templates of a recipe say the form of rows",
    "chat_template*": "the templates of a recipe say the form of rows",
    "roles*": "a template learns the completion",
    "train_on_eos": "the end mark of a completion is always learned",
    "message_*": "the template `conversation` knows what turns are called",
    "field_messages": "the rows are no conversations",
}


def teaching(reader: Reader, places: Places) -> Lessons:
    """Read ``datasets``, ``pretraining_dataset``, ``test_datasets`` and ``val_set_size``."""
    templates: dict[str, Block] = {}
    taught = [o for block in reader.inners("datasets") for o in _dataset(block, places, templates)]
    if reader.has("pretraining_dataset"):
        taught += _pretraining(reader, places)
    if not taught and not reader.ledger.findings:
        help_ = "add `datasets:` with a `path` and a `type`"
        reader.ledger.error(Code.MISSING, "the config names no data to learn from", None, help=help_)
    held = [o for block in reader.inners("test_datasets") for o in _dataset(block, places, templates)]
    return Lessons(taught=taught, held_out=held, share=_share(reader, taught, held), templates=templates)


def _share(reader: Reader, taught: list[Origin], held: list[Origin]) -> Said | None:
    size = reader.number("val_set_size", least=0)
    if not size:
        return None
    if held:
        reader.leave("val_set_size", "`test_datasets` are held out in its place")
        return None
    share = share_of(size, taught)
    if share is None:
        reader.leave(
            "val_set_size", "a number of rows of data that cannot be counted here: write `split: 0.9/0.1`"
        )
    return share


def _pretraining(reader: Reader, places: Places) -> list[Origin]:
    if not (reader.is_block("pretraining_dataset") or reader.is_list("pretraining_dataset")):
        path = reader.text("pretraining_dataset") or ""
        found = list(origins_of(reader, places, path, (), config=None, revision=None))
        return [_streamed(o, "text") for o in found]
    found = []
    for block in reader.inners("pretraining_dataset"):
        block.leave_all(_ASIDES | {"skip": "a stream begins at its first row", "type": "rows are plain text"})
        files = block.texts("data_files") or ()
        column = block.text("text_column") or "text"
        config = block.text("name")
        read = origins_of(block, places, block.text("path") or "", files, config=config, revision=None)
        found += [_streamed(o, column) for o in read]
    return found


def _streamed(origin: Origin, column: str) -> Origin:
    words = {"streaming": Said(value=True), "shuffle_buffer": Said(value=10_000)}
    return mapped(origin.with_words(**words), "plain_text", {"text": column})


def _dataset(reader: Reader, places: Places, templates: dict[str, Block]) -> list[Origin]:
    """One entry of ``datasets``: a source for each of its files."""
    reader.leave_all(_ASIDES)
    path = reader.text("path")
    if path is None:
        reader.ledger.error(
            Code.MISSING, "a dataset has no `path`", reader.span, help="name its file or dataset"
        )
        return []
    found = origins_of(
        reader,
        places,
        path,
        reader.texts("data_files") or (),
        config=reader.text("name"),
        revision=reader.text("revision"),
        kind=_kind(reader),
    )
    return [done for origin in found for done in _formed(reader, origin, templates)]


def _kind(reader: Reader) -> str | None:
    """``ds_type`` says how a file is read whose name does not."""
    kind = reader.text("ds_type")
    if kind is not None and kind not in GENERIC:
        help_ = "a recipe reads json lines, csv, parquet and text"
        reader.refuse(Code.DATA_FORM, f"no source of a recipe reads `ds_type: {kind[:20]}`", "ds_type", help_)
    return GENERIC.get(kind or "")


def _formed(reader: Reader, origin: Origin, templates: dict[str, Block]) -> list[Origin]:
    if reader.is_block("type"):
        return [] if refuse_turns(reader, "path", origin) else _own(reader, origin, templates)
    kind = reader.text("type") or ""
    name, _, _ = kind.partition(":")
    name = name.partition(".")[0] if name.startswith("sharegpt") else name
    if name in _TURNS:
        return _conversation(reader, origin, name)
    if refuse_turns(reader, "path", origin):
        return []
    if name == "completion":
        return [mapped(origin, "plain_text", {"text": reader.text("field") or "text"})]
    if name == "alpaca":
        columns = {"instruction": "instruction", "input": "input", "response": "output"}
        return [request(origin, "alpaca", columns, {})]
    if name in ("alpaca_chat.load_qa", "alpaca_chat.load_concise"):
        help_ = "write the prompt as `type:` with `format`, field_instruction and field_output"
    else:
        help_ = (
            CHAT_HELP if name.startswith(_CHATS) else "alpaca, completion and a `type:` of one's own are read"
        )
    words = f"rows of the type `{kind[:40]}` cannot be carried" if kind else "a dataset has no `type`"
    reader.refuse(Code.DATA_FORM, words, "type", help_)
    return []


def _conversation(reader: Reader, origin: Origin, name: str) -> list[Origin]:
    """Lists of turns, whose keys are those that the template knows."""
    named = reader.inner("message_property_mappings")
    role = (named.text("role") if named else None) or reader.text("message_field_role") or ROLE_KEYS[0]
    text = (named.text("content") if named else None) or reader.text("message_field_content") or TEXT_KEYS[0]
    if role not in ROLE_KEYS or text not in TEXT_KEYS:
        help_ = "a turn has `role` and `content`, or `from` and `value`: rename them in the data"
        reader.refuse(Code.DATA_FORM, "the keys of the turns are others than a recipe reads", "type", help_)
        return []
    column = reader.text("field_messages") or _TURNS[name]
    found = conversation(reader, "type", origin, {"messages": column}, {})
    return [found] if found else []


def _own(reader: Reader, origin: Origin, templates: dict[str, Block]) -> list[Origin]:
    """A prompt that the config writes itself: a template of the recipe's own."""
    block = reader.inner("type")
    if block is None:
        return []
    fields = {
        name: block.text(f"field_{name}") or usual
        for name, usual in (("instruction", "instruction"), ("input", "input"), ("output", "output"))
    }
    has_input = (
        fields["input"] in origin.seen.first if origin.seen.first else "input" in (block.text("format") or "")
    )
    key = "format" if has_input or not block.has("no_input_format") else "no_input_format"
    prompt = block.text(key) or "{instruction}"
    system, frame = block.text("system_prompt"), block.text("system_format") or "{system}"
    if system:
        prompt = frame.replace("{system}", literal(system)) + prompt
    block.leave("field_system", "a system prompt by row: write it into the template, or a column of its own")
    other = "no_input_format" if key == "format" else "format"
    block.leave(other, f"one template is written, from `{key}`; rows of the other form need one of their own")
    written, columns = custom(prompt, "{output}", fields)
    name = distinct(f"{origin.name}_prompt", [n for n, b in templates.items() if b != written])
    templates[name] = written
    return [mapped(origin, name, columns)]
