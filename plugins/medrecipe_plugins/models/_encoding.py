"""From samples to token ids: one beginning mark, the prompt, the completion, one end mark."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from medrecipe_plugins.models._extension import looks_special
from pipeline_dsl.api import DataError, ModelError, Sample

_PROBE = "medrecipe"


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """The special ids of a tokenizer that frame samples."""

    bos: int | None
    """Beginning of sequence, None where the tokenizer puts none."""
    eos: int
    turn_end: int | None
    """What the chat template writes after an assistant's turn, None where it has no mark."""
    pad: int
    """Fills batches. Padding is masked by length, so that it may coincide with another id."""

    @property
    def ends(self) -> frozenset[int]:
        """Ids at which generation stops."""
        return frozenset({self.eos} if self.turn_end is None else {self.eos, self.turn_end})


def marks_of(tokenizer: Any, name: str) -> Marks:
    """Find the marks of a tokenizer, giving it a padding token if it has none; or raise ModelError."""
    if tokenizer.eos_token_id is None:
        raise ModelError(f"the tokenizer of {name} has no end-of-sequence token", code="MR459")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = _spare_token(tokenizer)
    first = tokenizer("a").input_ids[:1]
    uses_bos = tokenizer.bos_token_id is not None and first == [tokenizer.bos_token_id]
    return Marks(
        bos=tokenizer.bos_token_id if uses_bos else None,
        eos=tokenizer.eos_token_id,
        turn_end=_turn_end(tokenizer),
        pad=tokenizer.pad_token_id,
    )


def _spare_token(tokenizer: Any) -> str:
    """Choose a token that text never produces: one made for it, a reserved one, <unk>, or at last <eos>."""
    added = sorted(tokenizer.added_tokens_decoder.items())
    for word in ("pad", "reserved", "unused"):
        for _, token in added:
            if word in str(token).lower() and looks_special(str(token)):
                return str(token)
    return str(tokenizer.unk_token or tokenizer.eos_token)


def _turn_end(tokenizer: Any) -> int | None:
    """Return the first special id after an assistant's turn in the chat template."""
    if not tokenizer.chat_template:
        return None
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": _PROBE}]
    tail = _render(tokenizer, turns, prompt=False).rpartition(_PROBE)[2]
    special = {i for i, token in tokenizer.added_tokens_decoder.items() if looks_special(str(token))}
    return next((i for i in ids_of(tokenizer, tail) if i in special), None)


def _render(tokenizer: Any, turns: list[dict[str, str]], *, prompt: bool) -> str:
    import jinja2

    try:
        return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=prompt))
    except jinja2.TemplateError as error:
        raise ModelError(
            f"the model's chat template refuses these turns: {error}",
            help="some templates take no system turn: put its text into the first user turn",
        ) from error


def ids_of(tokenizer: Any, text: str) -> list[int]:
    """Return the ids of a text by itself, without special tokens that are not written in it."""
    return list(tokenizer(text, add_special_tokens=False, verbose=False).input_ids) if text else []


def texts_of(sample: Sample) -> list[str]:
    """Return the texts of a sample: its prompt, as text or in turns, and its completion."""
    return [sample.prompt, *(message.content for message in sample.messages), sample.completion]


def prompt_text(tokenizer: Any, sample: Sample) -> str:
    """Return the prompt as text, its turns in the chat template's form; or raise ModelError."""
    if not sample.messages:
        return sample.prompt
    if not tokenizer.chat_template:
        raise ModelError(
            "this model's tokenizer has no chat template",
            help="use a template that writes its prompt as text, such as question_answer",
        )
    turns = [{"role": m.role, "content": m.content} for m in sample.messages]
    return _render(tokenizer, turns, prompt=True)


def prompt_ids(tokenizer: Any, marks: Marks, sample: Sample) -> list[int]:
    """Return the ids of the prompt with exactly one beginning mark, if the tokenizer has one."""
    return list(_begun(marks, ids_of(tokenizer, prompt_text(tokenizer, sample))))


def continuation_ids(tokenizer: Any, text: str) -> list[int]:
    """Return the ids of a text that goes on after a prompt."""
    return ids_of(tokenizer, text)


def encode(tokenizer: Any, marks: Marks, sample: Sample) -> tuple[list[int], int]:
    """Return ids of prompt + completion + end mark, and the length of the prompt part (its BOS included)."""
    prompt = ids_of(tokenizer, prompt_text(tokenizer, sample))
    ids, length = ids_of_sample(marks, sample, prompt, continuation_ids(tokenizer, sample.completion))
    return list(ids), length


def ids_of_sample(
    marks: Marks, sample: Sample, prompt: Sequence[int], completion: Sequence[int]
) -> tuple[array[int], int]:
    """Return the ids of a whole sample and the length of its prompt part, from those of its two texts."""
    ids = _begun(marks, prompt)
    length = len(ids)
    ids.extend(completion)
    ids.append(marks.turn_end if sample.messages and marks.turn_end is not None else marks.eos)
    return ids, length


def _begun(marks: Marks, ids: Sequence[int]) -> array[int]:
    """A prompt's ids after exactly one beginning mark, or as they are where the tokenizer has none."""
    if marks.bos is None:
        return array("i", ids)
    start = 0
    while start < len(ids) and ids[start] == marks.bos:
        start += 1
    begun = array("i", (marks.bos,))
    begun.extend(ids[start:])
    return begun


def refuse_foreign_ids(ids: Sequence[int], rows: int, sample: Sample) -> None:
    """Raise DataError where a token has no row in the embeddings."""
    if ids and max(ids) >= rows:
        raise DataError(
            f"a sample has token id {max(ids)}, but the model has {rows} embedding rows",
            help="take the model's special tokens out of the data",
            code="MR531",
            place=sample.id or None,
        )
