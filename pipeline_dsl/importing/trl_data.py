"""The data of a config of ``trl sft``: the columns of the rows say what kind of training it is."""

from __future__ import annotations

from pipeline_dsl.importing.codes import Code
from pipeline_dsl.importing.draft import Block, Said
from pipeline_dsl.importing.forms import CHAT_HELP, conversation, custom, mapped, turns_column
from pipeline_dsl.importing.mixing import Lessons, share_of
from pipeline_dsl.importing.places import Places
from pipeline_dsl.importing.reader import Reader
from pipeline_dsl.importing.sources import Origin, origins_of

_PAIRS = "prompt_completion"


def teaching(reader: Reader, places: Places) -> Lessons:
    """Read ``dataset_name`` or ``datasets``, and what is held out."""
    templates: dict[str, Block] = {}
    column = reader.text("dataset_text_field")
    form = _Form(reader, column, templates)
    if reader.has("datasets"):
        reader.leave("dataset_name", "`datasets` is given and wins, as there")
        found = [form.of(o) for block in reader.inners("datasets") for o in _listed(block, places)]
    else:
        found = [form.of(o) for o in _named(reader, places, "dataset_train_split", "train")]
    taught = [o for o in found if o is not None]
    if not found and not reader.ledger.findings:
        help_ = "add `dataset_name: owner/name` or a list `datasets`"
        reader.ledger.error(Code.MISSING, "the config names no data to learn from", None, help=help_)
    if reader.flag("dataset_streaming") or reader.flag("streaming"):
        words = {"streaming": Said(value=True), "shuffle_buffer": Said(value=10_000)}
        taught = [o.with_words(**words) for o in taught]
    return _with_held_out(reader, places, form, taught)


def _with_held_out(reader: Reader, places: Places, form: _Form, taught: list[Origin]) -> Lessons:
    size = reader.number("test_split_size", least=0)
    share = share_of(size, taught) if size else None
    if size and share is None:
        reader.leave("test_split_size", "rows that cannot be counted here: write `split: 0.9/0.1`")
    held: list[Origin] = []
    scored = reader.text("eval_strategy") or reader.text("evaluation_strategy") or "no"
    if share is None and scored != "no" and not reader.has("datasets"):
        found = [form.of(o) for o in _named(reader, places, "dataset_test_split", "test")]
        held = [o for o in found if o is not None]
    if not held:
        reader.leave("dataset_test_split", "nothing is scored while training goes on")
    return Lessons(taught=taught, held_out=held, share=share, templates=form.templates)


def _named(reader: Reader, places: Places, key: str, usual: str) -> tuple[Origin, ...]:
    """The part of ``dataset_name`` that a key names."""
    path = reader.text("dataset_name")
    split = reader.text(key) or usual
    config = reader.text("dataset_config")
    if path is None:
        return ()
    found = origins_of(reader, places, path, config=config)
    is_hub = [o for o in found if o.block["use"].value == "hub"]
    if is_hub and split != "train":
        return tuple(o.with_words(hub_split=Said(value=split)) for o in found)
    return found if split == "train" or is_hub else ()


def _listed(reader: Reader, places: Places) -> tuple[Origin, ...]:
    """One entry of ``datasets``."""
    reader.leave_all({
        "columns": "a template takes the columns that it names",
        "fraction": "a part of the rows: write `limit`, or weights in the mix",
    })  # fmt: skip
    path = reader.text("path")
    if path is None:
        reader.ledger.error(
            Code.MISSING, "a dataset has no `path`", reader.span, help="name its file or dataset"
        )
        return ()
    files = reader.texts("data_files") or ()
    folder = reader.text("data_dir")
    if folder and files:
        files = tuple(f"{folder.rstrip('/')}/{file}" for file in files)
    elif folder:
        help_ = "name the files of the folder in `data_files`"
        reader.refuse(Code.DATA_FORM, "a folder of data cannot be named", "data_dir", help_)
    return origins_of(reader, places, path, files, config=reader.text("name"))


class _Form:
    """The template of rows, by their columns where they lie here, else by what the config says."""

    def __init__(self, reader: Reader, column: str | None, templates: dict[str, Block]) -> None:
        self.reader, self.column, self.templates = reader, column, templates
        self.pairs = reader.flag("completion_only_loss")
        self.answers = reader.flag("assistant_only_loss")

    def of(self, origin: Origin) -> Origin | None:
        """Give an origin its template; None, and a finding, where there is none for it."""
        key = "datasets" if self.reader.has("datasets") else "dataset_name"
        column = turns_column(origin)
        if column is not None or self.answers:
            return self._conversation(origin, key, column or "messages")
        first = origin.seen.first
        if {"prompt", "completion"} <= set(first) or (not first and self.pairs):
            return self._pairs(origin, key)
        if self.pairs:
            help_ = "rows of `prompt` and `completion` can have it; those of text alone are learned whole"
            self.reader.refuse(
                Code.WRONG_VALUE, "`completion_only_loss` needs prompts", "completion_only_loss", help_
            )
            return None
        if not first and self.column is None:
            self.reader.ledger.look_at(
                f"{origin.name}: the config does not say what its rows have; a column `text` is taken. "
                "Rows of prompt and completion need a template of their own, conversations `conversation`"
            )
        return mapped(origin, "plain_text", {"text": self.column or "text"})

    def _conversation(self, origin: Origin, key: str, column: str) -> Origin | None:
        """Lists of turns. All of them are learned there, unless the config says that answers are."""
        if not self.answers:
            self.reader.ledger.look_at(
                f"{origin.name}: every turn is learned there, here the answers alone; `loss: all` would "
                "learn what stands before an answer too, once for each"
            )
        return conversation(self.reader, key, origin, {"messages": column}, {})

    def _pairs(self, origin: Origin, key: str) -> Origin | None:
        """Prompt and completion one behind the other; white space at their ends stands in the template."""
        first = origin.seen.first
        prompt, completion = first.get("prompt", ""), first.get("completion", "")
        if not isinstance(prompt, str) or not isinstance(completion, str):
            self.reader.refuse(Code.DATA_FORM, "prompts and completions are lists of turns", key, CHAT_HELP)
            return None
        before, after = _space(prompt)[1], _space(completion)[0]
        written, _ = custom(f"{{prompt}}{before}", f"{after}{{completion}}", {})
        name = _PAIRS if self.templates.get(_PAIRS, written) == written else f"{_PAIRS}_{len(self.templates)}"
        self.templates[name] = written
        self.reader.ledger.look_at(
            f"templates.{name}: white space around a field is cut, so what is between prompt and answer "
            "has to stand in the template" + ("" if first else "; the rows could not be looked at here")
        )
        return mapped(origin, name, {})


def _space(text: str) -> tuple[str, str]:
    """White space before and behind a text."""
    return text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :] if text.strip() else ""
