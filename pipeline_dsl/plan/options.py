"""Options as written against the JSON Schema of their provider; every finding at its place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from pipeline_dsl.api.options import schema_of
from pipeline_dsl.diagnostics import Diagnostic, Fix, Severity, Span
from pipeline_dsl.plan.accepting import accepts
from pipeline_dsl.plan.codes import PlanCode
from pipeline_dsl.recipe.model import Use
from pipeline_dsl.recipe.respelling import as_text, flag, nothing, number, respelt, whole, without_sign
from pipeline_dsl.recipe.spelling import as_spelt_on_disk
from pipeline_dsl.recipe.suggest import Beside, nearest, renamed
from pipeline_dsl.syntax.findings import MAX_FINDINGS
from pipeline_dsl.syntax.nodes import Entry, Key, Mapping, Node, Scalar, Sequence, Table, TypedTable, plain
from pipeline_dsl.syntax.repairs import write

Json = dict[str, Any]
_WORDS = {
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "boolean": "true or false",
    "array": "a list",
    "object": "a block of `key: value`",
    "null": "null",
}
_ITEMS = {"integer": "whole numbers", "number": "numbers", "string": "text", "boolean": "true or false"}
_LIMITS = (
    ("minimum", "of at least"),
    ("exclusiveMinimum", "above"),
    ("maximum", "of at most"),
    ("exclusiveMaximum", "below"),
)
_READINGS = {"null": nothing, "boolean": flag, "integer": whole, "number": number}
_RANGES = frozenset({*(key for key, _ in _LIMITS), "minItems"})
_SHOWN = 40
"""Characters of a text that a message quotes."""


def read_options(use: Use, options: type, title: str) -> tuple[Json, tuple[Diagnostic, ...]]:
    """Return the options as plain JSON, paths made absolute, and what is wrong with them.

    Args:
        use: the block.
        options: the provider's options class.
        title: how to call the provider in messages: ``metric `mcq_accuracy```.
    """
    schema = schema_of(options)
    known = schema["properties"]
    findings = list(islice(_unknown(use, known, title), MAX_FINDINGS))
    findings += _missing(use, schema, title)
    findings += _deprecated(use.options, known)
    values = {e.key.name: plain(e.value) for e in use.options if e.key.name in known}
    if values:
        findings += _invalid(values, use.options, schema)
    return _absolute_paths(values, use.options, known), tuple(findings)


def _unknown(use: Use, known: Json, title: str) -> Iterator[Diagnostic]:
    for entry in use.options:
        if entry.key.name in known:
            continue
        help_, fixes = _meant(entry.key, use, known)
        yield Diagnostic(
            code=PlanCode.UNKNOWN_OPTION.code,
            message=f"{title} has no option `{entry.key.name}`",
            span=entry.key.span,
            help=help_,
            fixes=fixes,
        )


def _meant(key: Key, use: Use, known: Json) -> tuple[str, tuple[Fix, ...]]:
    """What to write instead of a key: the name that other tools have for an option, or a slip of one."""
    names, taken = (*known, *use.words), Beside(key, use.options)
    elsewhere = {alias: name for name, facts in known.items() for alias in facts.get("x-known-as", ())}
    near = None if key.name in elsewhere else nearest(key.name, names)
    alias = nearest(key.name, elsewhere) if near is None else None
    if alias is not None:
        name = elsewhere[alias]
        certain = key.name == alias == key.span.text and name not in taken
        return f"`{alias}` is called `{name}` here", (write(key.span, name, safe=certain),)
    if near is not None:
        return f"did you mean `{near}`?", renamed(key.span, key.name, names, taken=taken)
    listing = ", ".join(f"`{name}`" for name in known) or "none"
    also = f"; beside them: {', '.join(f'`{word}`' for word in use.words)}" if use.words else ""
    return f"its options are: {listing}{also}", ()


def _missing(use: Use, schema: Json, title: str) -> Iterator[Diagnostic]:
    for name in schema.get("required", ()):
        if use.options.get(name) is None:
            yield Diagnostic(
                code=PlanCode.OPTION_MISSING.code,
                message=f"{title} needs the option `{name}`",
                span=use.span,
                help=f"add `{name}: …` ({schema['properties'][name]['description']})",
            )


def _deprecated(block: Mapping, known: Json) -> Iterator[Diagnostic]:
    for entry in block:
        facts = known.get(entry.key.name, {})
        if facts.get("deprecated"):
            yield Diagnostic(
                code=PlanCode.OPTION_DEPRECATED.code,
                severity=Severity.WARNING,
                message=f"`{entry.key.name}` is deprecated",
                span=entry.key.span,
                help=f"write `{facts['x-use-instead']}`",
                fixes=_instead(entry, facts["x-use-instead"], known),
            )


def _invalid(values: Json, block: Mapping, schema: Json) -> Iterator[Diagnostic]:
    closed = {k: v for k, v in schema.items() if k not in {"required", "additionalProperties"}}
    if accepts(closed, values):
        return
    for error in _validator(closed).iter_errors(values):
        path = list(error.absolute_path)
        name = str(path[0])
        facts = schema["properties"][name]
        code, wanted = _wanted(error.validator, facts if len(path) == 1 else dict(error.schema))
        node = _at(block, path)
        yield Diagnostic(
            code=code.code,
            message=f"`{name}` must be {wanted}, not {_shown(node)}",
            span=node.span,
            help=_default_help(facts),
            fixes=_fixes(node, facts if len(path) == 1 else dict(error.schema)),
        )


def _instead(entry: Entry, name: str, known: Json) -> tuple[Fix, ...]:
    """The fix that writes the option that took a deprecated one's place; values may differ."""
    return (write(entry.key.span, name),) if name in known else ()


def _fixes(node: Node, facts: Json) -> tuple[Fix, ...]:
    """What was meant by a value of the wrong type or spelling, where that can be told."""
    if isinstance(node, Scalar) and (positive := without_sign(node.span)):
        return positive if _is_in_range(node, facts) else ()
    members = facts.get("anyOf", [facts])
    kinds = {
        kind
        for m in members
        for kind in ([m["type"]] if isinstance(m.get("type"), str) else m.get("type", ()))
    }
    enum = [choice for member in members for choice in member.get("enum", ())]
    choices = [choice for choice in enum if isinstance(choice, str)]
    kinds |= {"boolean" for choice in enum if isinstance(choice, bool)}
    if isinstance(node, Scalar) and isinstance(node.value, str):
        fixes = renamed(node.span, node.value, choices)
        if fixes:
            return fixes
    elif "string" in kinds:
        return as_text(node)
    readings = [read for kind, read in _READINGS.items() if kind in kinds]
    return respelt(node, *readings)


def _is_in_range(node: Scalar, facts: Json) -> bool:
    """Whether a negative number would be fine without its sign."""
    value = node.value
    return isinstance(value, int | float) and accepts(facts, -value)


def _validator(schema: Json) -> Any:
    """A validator for which 4.0 is no whole number: an option of the type ``int`` would get a float."""
    from jsonschema import Draft202012Validator, validators

    types = Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_whole)
    strict = validators.extend(Draft202012Validator, type_checker=types)  # type: ignore[no-untyped-call]  # it has no types
    return strict(schema)


def _is_whole(_checker: object, value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _wanted(validator: object, facts: Json) -> tuple[PlanCode, str]:
    if validator == "enum":
        return PlanCode.OPTION_CHOICE, "one of " + _choices(facts["enum"])
    return PlanCode.OPTION_RANGE if validator in _RANGES else PlanCode.OPTION_TYPE, describe(facts)


def describe(facts: Json) -> str:
    """Say in words what a property's schema accepts: ``a whole number of at least 1``."""
    if "anyOf" in facts:
        return " or ".join(describe(member) for member in facts["anyOf"])
    if "enum" in facts:
        return "one of " + _choices(facts["enum"])
    kinds = facts["type"] if isinstance(facts["type"], list) else [facts["type"]]
    words = " or ".join(_WORDS[k] for k in kinds if k != "null")
    items = facts.get("items", {}).get("type")
    if items in _ITEMS:
        words += f" of {_ITEMS[items]}"
    limits = " and ".join(f"{phrase} {facts[key]}" for key, phrase in _LIMITS if key in facts)
    if least := facts.get("minItems"):
        limits = f"with at least {least} item{'s' if least > 1 else ''}"
    nothing = "or null" if "null" in kinds and words else "null" if "null" in kinds else ""
    return " ".join(part for part in (words, limits, nothing) if part)


def _choices(values: Iterable[object]) -> str:
    return ", ".join(f"`{v}`" if isinstance(v, str) else str(v).lower() for v in values)


def _shown(node: Node) -> str:
    match node:
        case Scalar(value=str() as text):
            return f'the text "{text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"}"'
        case Scalar(value=None):
            return "null"
        case Scalar(value=bool() as flag):
            return str(flag).lower()
        case Scalar():
            return node.span.text.strip() if node.span.text else str(node.value)
        case Mapping():
            return "a block"
        case _:
            return "a list"


def _default_help(facts: Json) -> str:
    if "default" not in facts:
        return str(facts["description"])
    default = facts["default"]
    shown = default if isinstance(default, str) else str(default).lower().replace("none", "null")
    return f"{facts['description']} (default: {shown})"


def _at(node: Node, path: list[str | int]) -> Node:
    """The node at a JSON path, or the nearest one above it that exists."""
    for step in path:
        if isinstance(node, (Table, TypedTable)):
            node = node.as_sequence()
        match node, step:
            case Mapping(), str():
                inner = node.get(step)
            case Sequence(items=items), int() if step < len(items):
                inner = items[step]
            case _:
                inner = None
        if inner is None:
            return node
        node = inner
    return node


def path_options(options: type) -> tuple[str, ...]:
    """Names of the options of a class that are paths."""
    return tuple(name for name, facts in schema_of(options)["properties"].items() if is_path(facts))


def is_path(facts: Json) -> bool:
    """Whether a property is declared as a path, or as several."""
    return facts.get("format") == "path" or any(map(is_path, facts.get("anyOf", ())))


def _absolute_paths(values: Json, block: Mapping, known: Json) -> Json:
    """Make path options absolute against the file in which they are written."""
    out = dict(values)
    for name in values:
        node = block.get(name)
        if is_path(known[name]) and node is not None:
            out[name] = _absolute(node)
    return out


def _absolute(node: Node) -> Any:
    match node:
        case Scalar(value=str() as path):
            return absolute(path, node.span)
        case Sequence(items=items):
            return [_absolute(item) for item in items]
        case _:
            return plain(node)


def absolute(path: str, span: Span) -> str:
    """A path as an absolute one: relative ones belong to the file in which they are written.

    Paths from ``--set`` belong to the working directory. Those with a scheme (``s3://``) stay as they are.
    """
    if "://" in path:
        return path
    source = span.source.name
    anchor = Path(source).parent if source not in {"-", "--set"} else Path()
    return str(as_spelt_on_disk(anchor / _at_home(path)).absolute())


def _at_home(path: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError:  # `~name` of nobody is a name like any other
        return Path(path)
