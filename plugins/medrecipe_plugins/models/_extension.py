"""Tokens that a recipe adds to a model: which are taken, what a tokenizer makes of them. Without torch."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pipeline_dsl.api import Fertility, ModelError

_LIKE_SPECIAL = re.compile(r"[<\[{].*[>\]}]|.*(<\||\|>|</s>)", re.DOTALL)
_WORD_START = "\u2581"
"""What SentencePiece writes for a space."""
_NAMED = 5
"""Tokens that a message names at most."""


def tokens_of(given: Sequence[str], file: str | None = None) -> tuple[str, ...]:
    """Return the tokens of a list and a file (one a line, UTF-8) in their order, in NFC.

    Raises:
        ModelError: MR471, the file cannot be read or a token cannot be one.
    """
    placed = [("add_tokens", token) for token in given] + (_lines(Path(file)) if file else [])
    tokens = [unicodedata.normalize("NFC", token) for _, token in placed]
    faults = list(_faults(tokens))
    if faults:
        first, why = faults[0]
        count = f"{len(faults)} of {len(tokens)} added tokens cannot be taken: " if len(faults) > 1 else ""
        raise ModelError(
            f"{count}added token {first + 1} {why}",
            help="a token is a piece of text without white space, such as 심근경색",
            code="MR471",
            place=placed[first][0],
        )
    return tuple(tokens)


def looks_special(token: str) -> bool:
    """Whether a text has the form of a mark: ``<…>``, ``[…]``, ``<|…|>``."""
    return _LIKE_SPECIAL.fullmatch(token) is not None


def head_of(tokens: Sequence[str]) -> str:
    """Name the first few tokens, for a message."""
    more = f" and {len(tokens) - _NAMED} more" if len(tokens) > _NAMED else ""
    return ", ".join(tokens[:_NAMED]) + more


def extend(tokenizer: Any, tokens: Sequence[str], name: str) -> tuple[range, list[list[int]]]:
    """Add tokens to a tokenizer; return their ids, and the ids of the pieces that each was before.

    A token is found wherever its text stands, inside words as well, so that particles may follow it.

    Raises:
        ModelError: MR471 for tokens that the vocabulary has, MR472 where the tokenizer cannot take them.
    """
    from tokenizers import AddedToken

    pieces = [_pieces(tokenizer, token) for token in tokens]
    _refuse_known(tokenizer, tokens, pieces, name)
    before = _lossless(tokenizer, tokens)
    tokenizer.add_tokens([AddedToken(token, normalized=False, special=False) for token in tokens])
    ids = tokenizer.convert_tokens_to_ids(list(tokens))
    made = range(ids[0], ids[0] + len(ids)) if ids else range(0)
    broken = sorted(before - _lossless(tokenizer, tokens), key=list(tokens).index)
    if ids != list(made) or broken:
        raise ModelError(
            f"the tokenizer of {name} cannot take added tokens without changing other text: "
            + head_of(broken or tokens),
            help="take these tokens out, or use a base whose tokenizer gives every text back as it was",
            code="MR472",
        )
    return made, pieces


def refuse_reserved(config: Any, ids: range, name: str) -> None:
    """Raise ModelError (MR472) where a new token would get an id that the model keeps for a mark."""
    for key, reserved in _marks(config.to_dict()):
        if reserved in ids:
            room = min(mark for _, mark in _marks(config.to_dict()) if mark in ids) - ids.start
            raise ModelError(
                f"{len(ids)} added tokens do not fit into the vocabulary of {name}: "
                f"its configuration keeps the id {reserved} for {key}",
                help=f"there is room for {room}",
                code="MR472",
            )


def extended_sha256(sha256: str, tokens: Sequence[str]) -> str:
    """Return the hash of a tokenizer with added tokens from that of the one without."""
    if not tokens:
        return sha256
    return hashlib.sha256("\n".join([sha256, *tokens]).encode()).hexdigest()


def fertility(tokenizer: Any, extended: Any, texts: Iterable[str]) -> Fertility:
    """Count characters and tokens of texts, by a tokenizer without and with the added tokens."""
    characters = before = after = 0
    for text in texts:
        characters += len(text)
        before += len(_pieces(tokenizer, text))
        after += len(_pieces(extended, text))
    return Fertility(characters=characters, tokens_before=before, tokens=after)


def _lines(path: Path) -> list[tuple[str, str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ModelError(
            f"the tokens in {path.name} cannot be read: {reason}",
            help="give a text file with one token a line",
            code="MR471",
            place=str(path),
        ) from error
    lines = text.removesuffix("\n").split("\n") if text else []
    return [(f"{path}:{i}", line.removesuffix("\r")) for i, line in enumerate(lines, 1)]


def _faults(tokens: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Yield index and reason of every token that cannot be one."""
    seen: set[str] = set()
    for i, token in enumerate(tokens):
        if not token:
            yield i, "is empty"
        elif any(unicodedata.category(c)[0] in "ZC" for c in token) or _WORD_START in token:
            yield i, "has white space or characters that do not show"
        elif looks_special(token):
            yield i, f"looks like a mark of the tokenizer: {token}"
        elif token in seen:
            yield i, f"is there twice: {token}"
        seen.add(token)


def _refuse_known(tokenizer: Any, tokens: Sequence[str], pieces: Sequence[Sequence[int]], name: str) -> None:
    vocabulary = tokenizer.get_vocab()
    marks = [str(mark) for mark in tokenizer.added_tokens_decoder.values() if looks_special(str(mark))]
    known = [
        token
        for token, ids in zip(tokens, pieces, strict=True)
        if token in vocabulary or len(ids) == 1 or any(mark in token for mark in marks)
    ]
    if known:
        raise ModelError(
            f"{len(known)} of {len(tokens)} added tokens are in the vocabulary of {name}: {head_of(known)}",
            help="take them out: nothing would be gained",
            code="MR471",
        )


def _pieces(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False, verbose=False).input_ids)


def _lossless(tokenizer: Any, tokens: Sequence[str]) -> set[str]:
    """Return the tokens that come back as they were from inside a text."""
    texts = {token: f"가{token}은 {token} a{token}" for token in tokens}
    return {
        token
        for token, text in texts.items()
        if tokenizer.decode(_pieces(tokenizer, text), clean_up_tokenization_spaces=False) == text
    }


def _marks(config: dict[str, Any]) -> Iterator[tuple[str, int]]:
    for key, value in config.items():
        if isinstance(value, dict):
            yield from _marks(value)
        elif isinstance(value, int) and key.endswith(("_token_id", "_token_index")):
            yield key, value
