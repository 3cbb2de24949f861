"""Several texts written at once, token by token. See ``pipeline_dsl.api.Decoder``."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from medrecipe_plugins.models._batch import Batch
from medrecipe_plugins.models._batching import batches
from medrecipe_plugins.models._observing import prompt_of
from medrecipe_plugins.models._positions import turning_point
from medrecipe_plugins.models._sampling import next_token
from medrecipe_plugins.models._text_stream import TextStream
from pipeline_dsl.api import DataError, Finish, Generation, ModelError, Piece

if TYPE_CHECKING:
    from medrecipe_plugins.models._language_model import TorchCausalLM

_PLACES = {"full_attention", "sliding_attention"}
"""Kinds of layers whose cache has a place a token, which is what ``Batch`` needs."""


class _Text:
    """A text while it is written."""

    def __init__(self, request: Generation, prompt: list[int], limit: int, model: TorchCausalLM) -> None:
        self.request = request
        self.prompt = prompt
        self._turn = turning_point(model.module.config.get_text_config())
        self.alone = self._turn is not None and len(prompt) + limit > self._turn
        """Written alone: what a text is must not depend on how long its neighbours are."""
        self._limit = limit
        self._ends = model.ends
        self._random = random.Random(request.seed)  # noqa: S311 - sampling of text, no secret
        self._stream = TextStream(_decode(model.tokenizer), request.stops)
        self._written: list[int] = []
        self._log_probability = 0.0
        self.finish: Finish | None = None

    def draw(self, logits: torch.Tensor) -> tuple[int, Piece]:
        """Take the next token, and return it with what it adds to the text."""
        request = self.request
        token = next_token(logits, temperature=request.temperature, top_p=request.top_p, random_=self._random)
        self._written.append(token)
        self._log_probability += float(logits.log_softmax(-1)[token])
        text = "" if token in self._ends else self._stream.push(token)
        if token in self._ends or self._stream.stopped:
            self.finish = "stop"
        elif len(self._written) >= self._limit:
            self.finish = "length"
        if self.finish and not self._stream.stopped:
            text += self._stream.finish()
        return token, Piece(
            id=request.id,
            text=text,
            tokens=len(self._written),
            confidence=math.exp(self._log_probability / len(self._written)),
            finish="stop" if self._stream.stopped else self.finish,
        )

    def turned(self) -> list[int] | None:
        """All of its tokens where they have to be read anew: its embeddings are others from here on."""
        ids = [*self.prompt, *self._written]
        return ids if self.alone and len(ids) - 1 == self._turn else None


class TorchDecoder:
    """Writes with one model; every forward reads one token of all texts that are under way."""

    def __init__(self, model: TorchCausalLM) -> None:
        _refuse_other_caches(model)
        model.module.eval()
        self._model = model
        self._new: list[_Text] = []
        self._groups: list[tuple[Batch, list[_Text]]] = []

    def __len__(self) -> int:
        return len(self._new) + sum(len(texts) for _, texts in self._groups)

    def add(self, request: Generation) -> int:
        """Take in a text to be written, and return the number of tokens of its prompt."""
        self._model.refuse_unknown_stack(request.stack)
        prompt = prompt_of(self._model, request.sample)
        room = self._model.max_positions - len(prompt)
        if room < 1:
            raise DataError(
                f"the prompt has {len(prompt)} tokens; the model has {self._model.max_positions} positions",
                help="shorten it",
                code="MR530",
            )
        self._new.append(_Text(request, prompt, min(request.max_new_tokens, room), self._model))
        return len(prompt)

    def remove(self, id: str) -> None:
        """Forget a text; nothing happens where it is finished already."""
        self._new = [text for text in self._new if text.request.id != id]
        with torch.inference_mode():
            self._leave({id})

    def step(self) -> Sequence[Piece]:
        """Write one more token of every text."""
        with torch.inference_mode():
            self._read_prompts()
            return self._write()

    def _write(self) -> list[Piece]:
        pieces: list[Piece] = []
        for batch, texts in self._groups:
            drawn = [text.draw(logits) for text, logits in zip(texts, batch.logits, strict=True)]
            pieces += [piece for _, piece in drawn]
            going = [i for i, (_, piece) in enumerate(drawn) if piece.finish is None]
            batch.keep(going)
            texts[:] = [texts[i] for i in going]
            if going:
                batch.read([drawn[i][0] for i in going])
        self._groups = [(self._turned(batch, texts), texts) for batch, texts in self._groups if texts]
        return pieces

    def _turned(self, batch: Batch, texts: Sequence[_Text]) -> Batch:
        ids = texts[0].turned()
        return batch if ids is None else Batch(self._model, [ids], [texts[0].request.stack])

    def _read_prompts(self) -> None:
        """Read the prompts of new texts, as many at once as the model's budget has room for."""
        new, self._new = self._new, []
        together = [text for text in new if not text.alone]
        for group in batches([len(text.prompt) for text in together], self._model.token_budget):
            self._join([together[i] for i in group])
        for text in new:
            if text.alone:
                self._groups.append((self._read([text]), [text]))

    def _join(self, texts: list[_Text]) -> None:
        batch = self._read(texts)
        for here, others in self._groups:
            if not others[0].alone:
                here.join(batch)
                others.extend(texts)
                return
        self._groups.append((batch, texts))

    def _read(self, texts: Sequence[_Text]) -> Batch:
        return Batch(self._model, [t.prompt for t in texts], [t.request.stack for t in texts])

    def _leave(self, ids: set[str]) -> None:
        for batch, texts in self._groups:
            staying = [i for i, text in enumerate(texts) if text.request.id not in ids]
            if len(staying) < len(texts):
                batch.keep(staying)
                texts[:] = [texts[i] for i in staying]
        self._groups = [group for group in self._groups if group[1]]


def _decode(tokenizer: Any) -> Any:
    def decode(ids: Sequence[int]) -> str:
        return str(tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False))

    return decode


def _refuse_other_caches(model: TorchCausalLM) -> None:
    config = model.module.config.get_text_config()
    others = set(getattr(config, "layer_types", None) or ()) - _PLACES
    if others:
        raise ModelError(
            f"texts cannot be written with this architecture yet: its layers are {', '.join(sorted(others))}",
            help="export the run, and write with transformers' own generate",
        )
