"""What ``check --fix`` changes: the fixes that are certain, in the files that are named, until none is left.

The rule of what is certain is in ``syntax.repairs``. Fixes are held against what they lead to before a byte
is written: one that brings a mistake of notation, or a mistake at its own place, is not made.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import unified_diff

from pipeline_dsl.cli.prepare import Choices, Prepared, prepare
from pipeline_dsl.cli.profiles import with_other_profiles
from pipeline_dsl.diagnostics import Diagnostic, Fix, Span
from pipeline_dsl.recipe.extends import STANDARD_INPUT
from pipeline_dsl.syntax.reading import read_source
from pipeline_dsl.syntax.repairs import fixed

_ROUNDS = 10
"""A fix may show what could not be seen before it; after so many rounds what is left is told."""

_Refused = set[tuple[str, Fix]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """One fix that was made, and what it mended, at the place where that was found."""

    found: Diagnostic
    fix: Fix


@dataclass(frozen=True, slots=True, kw_only=True)
class Mended:
    """Texts before and after fixing, by their real paths, and what is still found in them."""

    at_first: tuple[Prepared, ...]
    prepared: tuple[Prepared, ...]
    made: tuple[Made, ...]
    before: Mapping[str, str]
    after: Mapping[str, str]

    @property
    def changed(self) -> dict[str, str]:
        """The texts that differ now."""
        return {real: text for real, text in self.after.items() if text != self.before[real]}


def mend(recipes: Sequence[str], choices: Choices) -> Mended:
    """Fix recipes in memory. Only texts that are named are changed, not those that they extend."""
    before = _texts(recipes)
    texts, made, refused = dict(before), list[Made](), _Refused()
    prepared = at_first = _checked(recipes, choices, texts)
    for _ in range(_ROUNDS):
        wanted = list(_certain(prepared, texts, refused))
        if not wanted:
            break
        tried, done = _tried(texts, wanted)
        then = _checked(recipes, choices, tried)
        spoilt = _spoilt(prepared, then, done)
        if spoilt:
            refused |= spoilt
            continue
        texts, prepared = tried, then
        made += done
    return Mended(at_first=at_first, prepared=prepared, made=tuple(made), before=before, after=texts)


def differences(mended: Mended, recipes: Sequence[str]) -> str:
    """The changes as a unified diff, which ``patch -p1`` and ``git apply`` take."""
    names = {_real(path): path for path in recipes}
    lines: list[str] = []
    for real, text in mended.changed.items():
        old, new = mended.before[real].splitlines(keepends=True), text.splitlines(keepends=True)
        lines += unified_diff(old, new, f"a/{names[real]}", f"b/{names[real]}")
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )


def write_back(mended: Mended) -> None:
    """Replace the files that were changed, each whole, with its mode and its byte-order mark.

    Raises:
        MachineError: a file cannot be written, or is not what was read any more.
    """
    from pipeline_dsl.cli.replacing import replace_text

    for real, text in mended.changed.items():
        if real != STANDARD_INPUT:
            replace_text(real, mended.before[real], text)


def unnamed(mended: Mended) -> tuple[str, ...]:
    """Files with mistakes that could be fixed if they were named too."""
    files = (
        fix.edits[0].span.source.name
        for one in mended.prepared
        for found in one.diagnostics
        if (fix := _certain_fix(found)) is not None
    )
    return tuple(name for name in dict.fromkeys(files) if _real(name) not in mended.after)


def _texts(recipes: Sequence[str]) -> dict[str, str]:
    read = {_real(path): read_source(path)[0] for path in recipes}
    return {real: source.text for real, source in read.items() if source is not None}


def _checked(recipes: Sequence[str], choices: Choices, texts: Mapping[str, str]) -> tuple[Prepared, ...]:
    read = (prepare(recipe, choices, texts=texts) for recipe in recipes)
    return tuple(with_other_profiles(one, choices) for one in read)


def _certain(
    prepared: Iterable[Prepared], texts: Mapping[str, str], refused: _Refused
) -> Iterator[tuple[str, Made]]:
    """The fixes to make, with the real path of their text, each once however often it is found."""
    seen: set[tuple[Span, str]] = set()
    for found in (d for one in prepared for d in one.diagnostics):
        fix = _certain_fix(found)
        if fix is None:
            continue
        source = fix.edits[0].span.source
        real = _real(source.name)
        key = (fix.edits[0].span, fix.edits[0].text)
        if texts.get(real) == source.text and (real, fix) not in refused and key not in seen:
            seen.add(key)
            yield real, Made(found=found, fix=fix)


def _certain_fix(found: Diagnostic) -> Fix | None:
    return next((fix for fix in found.fixes if fix.safe and fix.edits), None)


def _tried(texts: Mapping[str, str], wanted: Sequence[tuple[str, Made]]) -> tuple[dict[str, str], list[Made]]:
    tried, done = dict(texts), list[Made]()
    for real in dict.fromkeys(real for real, _ in wanted):
        here = [made for at, made in wanted if at == real]
        tried[real], made_here = fixed(texts[real], [made.fix for made in here])
        done += [made for made in here if made.fix in made_here]
    return tried, done


def _spoilt(before: Iterable[Prepared], after: Iterable[Prepared], done: Sequence[Made]) -> _Refused:
    """The fixes that led to a mistake at their own place, or all of a text that cannot be read any more.

    A statement that can be read again may show mistakes of notation that were there before.
    """
    known = {(d.code, d.message) for one in before for d in one.diagnostics}
    refused = _Refused()
    for found in (d for one in after for d in one.diagnostics if d.span is not None):
        real = _real(found.span.source.name) if found.span else ""
        here = [made.fix for made in done if _real(made.fix.edits[0].span.source.name) == real]
        guilty = [fix for fix in here if _lies_in(found, fix, here)]
        fresh = (found.code, found.message) not in known
        if guilty and (fresh or any(made.found.code == found.code for made in done if made.fix in guilty)):
            refused |= {(real, fix) for fix in guilty}
        elif fresh and _is_notation(found) and not any(_is_notation(m.found) for m in done if m.fix in here):
            refused |= {(real, fix) for fix in here}
    return refused


def _is_notation(found: Diagnostic) -> bool:
    return found.is_error and found.code.startswith("MR1")


def _lies_in(found: Diagnostic, fix: Fix, made: Iterable[Fix]) -> bool:
    """Whether a finding in the new text stands where one of the edits of a fix was made."""
    moved = 0
    own = set(map(id, fix.edits))
    for edit in sorted((e for f in made for e in f.edits), key=lambda e: e.span.start):
        start = edit.span.start + moved
        moved += len(edit.text) - (edit.span.end - edit.span.start)
        end = start + max(len(edit.text), 1)
        if id(edit) in own and found.span and found.span.start < end and start < max(found.span.end, start):
            return True
    return False


def _real(path: str) -> str:
    return path if path == STANDARD_INPUT else os.path.realpath(path)
