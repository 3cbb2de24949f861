"""The datasets of a LLaMA-Factory config: names that ``dataset_info.json`` says more of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline_dsl.importing.codes import Code
from pipeline_dsl.importing.draft import Block, Said
from pipeline_dsl.importing.forms import (
    CHAT_HELP,
    ROLE_KEYS,
    TEXT_KEYS,
    conversation,
    custom,
    mapped,
    refuse_turns,
    request,
)
from pipeline_dsl.importing.mixing import Lessons, share_of
from pipeline_dsl.importing.names import name_of
from pipeline_dsl.importing.places import Places, kind_of_file
from pipeline_dsl.importing.reader import Reader
from pipeline_dsl.importing.sources import Origin, file_origin, hub_origin
from pipeline_dsl.syntax.nodes import Value

INFO = "dataset_info.json"
_LARGEST = 4 << 20
_COLUMNS = {"prompt": "instruction", "query": "input", "response": "output"}
_PROMPTS = {
    "default": ("Human: {instruction}\nAssistant:", "{response}"),
    "empty": ("{instruction}", "{response}"),
}
_TURNS = {"sharegpt": "conversations", "openai": "messages"}
"""Formattings of conversations, and the column that they have the turns in."""
_TAGS = {
    "role_tag": ROLE_KEYS,
    "content_tag": TEXT_KEYS,
    "user_tag": ("user", "human"),
    "assistant_tag": ("assistant", "gpt", "model"),
    "system_tag": ("system", "developer"),
}
_BY_ROW = {
    "system": "a system prompt by row cannot be said; `system` is an option of the template",
    "history": "earlier turns of a row cannot be said",
    "tools": "no template has tools",
    "images": "rows are text",
    "videos": "rows are text",
    "audios": "rows are text",
}
Info = Mapping[str, Any]


def teaching(reader: Reader, places: Places, *, is_pretraining: bool) -> Lessons:
    """Read ``dataset``, ``eval_dataset``, ``val_size`` and what says how their rows are used."""
    folder = reader.text("dataset_dir") or "data"
    info = _info(reader, places, folder)
    shape = _Shape(reader, places, folder, info, is_pretraining=is_pretraining)
    taught = _weighted(reader, [o for o in map(shape.origin, _names(reader, "dataset")) if o])
    if not taught and not reader.ledger.findings:
        help_ = "add `dataset: NAME`"
        reader.ledger.error(Code.MISSING, "the config names no data to learn from", None, help=help_)
    held = [o for o in map(shape.origin, _names(reader, "eval_dataset")) if o]
    taught = _limited(reader, taught)
    reader.leave("eval_on_each_dataset", "every held-out source has a task of its own")
    return Lessons(
        taught=taught, held_out=held, share=_share(reader, taught, held), templates=shape.templates
    )


def _names(reader: Reader, key: str) -> tuple[str, ...]:
    return reader.texts(key) or ()


def _share(reader: Reader, taught: list[Origin], held: list[Origin]) -> Said | None:
    size = reader.number("val_size", least=0)
    if not size or held:
        return None
    share = share_of(size, taught)
    if share is None:
        reader.leave(
            "val_size", "a number of rows of data that cannot be counted here: write `split: 0.9/0.1`"
        )
    return share


def _limited(reader: Reader, taught: list[Origin]) -> list[Origin]:
    most = reader.whole("max_samples", least=1)
    if most:
        taught = [o if "limit" in o.block else o.with_words(limit=Said(value=most)) for o in taught]
    if reader.flag("streaming"):
        buffer = reader.whole("buffer_size", least=1) or 16384
        words = {"streaming": Said(value=True), "shuffle_buffer": Said(value=buffer)}
        taught = [o.with_words(**words) for o in taught]
    else:
        reader.leave("buffer_size", "only streams have a buffer")
    return taught


def _weighted(reader: Reader, taught: list[Origin]) -> list[Origin]:
    """Shares of ``interleave_probs`` are the weights of the mix; without them rows count alike."""
    how, shares = reader.text("mix_strategy") or "concat", reader.texts("interleave_probs")
    if how == "concat" or shares is None:
        reader.leave("interleave_probs", "`mix_strategy: concat` takes every row of every source")
        return taught if how == "concat" else [replace(o, weight=1) for o in taught]
    try:
        weights = [float(share) for share in shares]
    except ValueError:
        weights = []
    if len(weights) != len(taught) or any(not 0 < w <= 1 for w in weights):
        if not reader.ledger.findings:
            help_ = "write a share above 0 for each dataset"
            reader.refuse(
                Code.WRONG_VALUE, "`interleave_probs` does not fit the datasets", "interleave_probs", help_
            )
        return taught
    reader.leave("mix_strategy", "an epoch is one pass over the source with the largest weight")
    return [replace(o, weight=w) for o, w in zip(taught, weights, strict=True)]


def _info(reader: Reader, places: Places, folder: str) -> Info:
    """What ``dataset_info.json`` says, from ``dataset_dir`` or from beside the config."""
    beside = Path(reader.span.source.name).parent
    for path in (places.here(folder) / INFO, beside / folder / INFO, beside / INFO):
        try:
            if path.is_file() and path.stat().st_size <= _LARGEST:
                found = json.loads(path.read_text(encoding="utf-8-sig"))
                return found if isinstance(found, dict) else {}
        except (OSError, ValueError, RecursionError) as error:
            message = f"{INFO} cannot be read: {' '.join(str(error).split())[:100]}"
            reader.ledger.error(Code.DATA_FORM, message, reader.key_span("dataset"), help="mend that file")
            return {}
    return {}


class _Shape:
    """Turns names into sources; gathers the templates that they need."""

    def __init__(
        self, reader: Reader, places: Places, folder: str, info: Info, *, is_pretraining: bool
    ) -> None:
        self.reader, self.places, self.folder, self.info = reader, places, folder, info
        self.is_pretraining = is_pretraining
        self.template = reader.text("template")
        self.system = reader.text("default_system")
        self.templates: dict[str, Block] = {}

    def origin(self, name: str) -> Origin | None:
        """One dataset by its name."""
        about = self.info.get(name)
        if not isinstance(about, dict):
            about = {}
            if self.info:
                help_ = f"add it to {INFO}, or take it out of the config"
                self._refuse(Code.MISSING, f"{INFO} knows no dataset `{name[:60]}`", help_)
                return None
        found = self._source(name, about)
        if found is None or self._is_refused(about):
            return None
        found = replace(found, name=found.name if not about else name_of(name, "rows"))
        if about.get("formatting") in _TURNS:
            return self._conversation(found, about)
        return None if refuse_turns(self.reader, "dataset", found) else self._formed(found, about)

    def _refuse(self, code: Code, message: str, help_: str) -> None:
        self.reader.refuse(code, message, "dataset", help_)

    def _source(self, name: str, about: Info) -> Origin | None:
        hub = about.get("hf_hub_url")
        if isinstance(hub, str) or (not about and "/" in name and kind_of_file(name) is None):
            return hub_origin(
                self.reader,
                hub if isinstance(hub, str) else name,
                split=_word(about, "split"),
                config=_word(about, "subset"),
                revision=_word(about, "revision"),
            )
        if "ms_hub_url" in about or "script_url" in about or "cloud_file_name" in about:
            self._refuse(
                Code.DATA_FORM, f"`{name[:60]}` is no file and not of the Hugging Face hub", "name a file"
            )
            return None
        if about:
            file = _word(about, "file_name") or name
        else:
            file = name if kind_of_file(name) else f"{name}.jsonl"
            self.reader.ledger.look_at(f"{name}: there is no {INFO} here, so it is taken for the file {file}")
        found = file_origin(self.reader, "dataset", f"{self.folder.rstrip('/')}/{file}", self.places)
        rows = about.get("num_samples")
        if found and isinstance(rows, int) and rows > 0:
            return found.with_words(limit=Said(value=rows))
        return found

    def _is_refused(self, about: Info) -> bool:
        form = about.get("formatting", "alpaca")
        if form != "alpaca" and (form not in _TURNS or self.is_pretraining):
            self._refuse(Code.DATA_FORM, f"`formatting: {str(form)[:20]}` cannot be carried", CHAT_HELP)
            return True
        if about.get("ranking"):
            help_ = "a recipe trains on prompts and completions"
            self._refuse(Code.NO_LORA, "the rows are preferences (`ranking`)", help_)
            return True
        for column, why in _BY_ROW.items():
            if column in _columns(about) and (column != "system" or form == "alpaca"):
                self._refuse(
                    Code.DATA_FORM, f"the rows have `{column}`: {why}", f"take `{column}` out of {INFO}"
                )
                return True
        return False

    def _conversation(self, found: Origin, about: Info) -> Origin | None:
        """Lists of turns, whose keys and roles are those that the template knows."""
        tags = about.get("tags")
        said = tags if isinstance(tags, dict) else {}
        strange = next((tag for tag, known in _TAGS.items() if said.get(tag, known[0]) not in known), None)
        if strange is not None or self.template in ("alpaca", *_PROMPTS):
            form = f"conversations in `template: {self.template}`"
            words = f"`tags.{strange}` of {INFO}" if strange else form
            help_ = f"known are {', '.join(_TAGS[strange])}" if strange else "take a chat template"
            self._refuse(Code.DATA_FORM, f"{words} cannot be said", help_)
            return None
        column = _columns(about).get("messages") or _TURNS[str(about["formatting"])]
        options: dict[str, Value] = {"system": self.system} if self.system else {}
        if self.reader.flag("mask_history"):
            options["learn"] = "last"
        columns = {"messages": column}
        if system := _columns(about).get("system"):
            options["row_system"] = True
            columns["system"] = system
        return conversation(self.reader, "dataset", found, columns, options)

    def _formed(self, found: Origin, about: Info) -> Origin | None:
        columns = _columns(about)
        names = {
            "instruction": columns.get("prompt", "instruction"),
            "response": columns.get("response", "output"),
        }
        if self.is_pretraining:
            first = found.seen.first
            column = columns.get("prompt") or (
                "text" if "text" in first and "instruction" not in first else "instruction"
            )
            return mapped(found, "plain_text", {"text": column})
        if "query" in columns:
            names = {
                "instruction": names["instruction"],
                "input": columns["query"],
                "response": names["response"],
            }
        if self.template == "alpaca":
            return request(found, "alpaca", names, {})
        if self.template in _PROMPTS:
            return self._written(found, names)
        options = {"system": self.system} if self.system else {}
        remark = (
            f"`template: {self.template}` is taken for the model's own chat template" if self.template else ""
        )
        return request(found, "instruction", names, dict(options), remark)

    def _written(self, found: Origin, names: dict[str, str]) -> Origin | None:
        """A prompt of LLaMA-Factory's own; one with an ``input`` that may be empty cannot be said."""
        has_input = "input" in names and (names["input"] in found.seen.first if found.seen.first else True)
        if has_input:
            help_ = "join instruction and input in the data, or take a chat template"
            self._refuse(
                Code.DATA_FORM, f"`template: {self.template}` with an input by row cannot be said", help_
            )
            return None
        prompt, completion = _PROMPTS[self.template or ""]
        written, _ = custom(prompt, completion, {})
        self.templates[self.template or ""] = written
        kept = {name: column for name, column in names.items() if name != "input"}
        return mapped(found, self.template, kept)


def _columns(about: Info) -> dict[str, str]:
    """The columns of a row; where ``columns`` is given, those that it does not name are not there."""
    said = about.get("columns")
    if not isinstance(said, dict):
        return dict(_COLUMNS)
    return {str(key): value for key, value in said.items() if isinstance(value, str)}


def _word(about: Info, key: str) -> str | None:
    value = about.get(key)
    return value if isinstance(value, str) and value else None
