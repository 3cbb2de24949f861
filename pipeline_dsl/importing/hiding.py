"""Secrets of a config: gone from its text before anything else looks at it, so that nothing can show them."""

from __future__ import annotations

import re

from pipeline_dsl.diagnostics import Source
from pipeline_dsl.recipe.secrets import token_places

MARK = "\N{FULL BLOCK}"
"""Stands for each sign of a secret. YAML reads it as text, and no config has it of its own."""
_NAME = re.compile(
    r"(?:^|[_.-])(?:token|api_?key|access_?key|private_?key|secret|secret_?key|password|passwd|passphrase"
    r"|credentials?|authorization)$",
    re.IGNORECASE,
)
_MARKS_OF_A_MODEL = re.compile(r"(?:pad|eos|bos|unk|sep|cls|mask|image|eot|end|stop)_token$", re.IGNORECASE)
_NOT_SECRET = re.compile(r"(?i)\s*(?:true|false|null|yes|no|~|[|>][+-]?|<.*>|[&*!].*|\$\{.*\})?\s*")
_PAIR = re.compile(r"""([\w./-]+)["']?[ \t]*:[ \t]+("[^"\n]*"|'[^'\n]*'|[^\s,\[\]{}#][^,\[\]{}\r\n]*)""")


def is_secret_name(name: str) -> bool:
    """Whether what stands under a key is a secret by the key's name."""
    return _NAME.search(name) is not None and _MARKS_OF_A_MODEL.search(name) is None


def hidden(source: Source) -> Source:
    """The same text with a mark for every sign of a secret; no place moves."""
    places = token_places(source.text)
    for pair in _PAIR.finditer(source.text):
        if is_secret_name(pair[1]) and not _NOT_SECRET.fullmatch(pair[2].strip("\"'")):
            places.append(pair.span(2))
    text = list(source.text)
    for start, end in places:
        text[start:end] = [c if c in "\"' \t\r\n" else MARK for c in text[start:end]]
    return Source.of(source.name, "".join(text)) if places else source
