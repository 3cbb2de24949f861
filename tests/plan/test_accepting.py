"""``accepts`` against jsonschema: the same answer for every schema that options have and any value."""

from __future__ import annotations

from dataclasses import make_dataclass
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pipeline_dsl.api.options import option, schema_of
from pipeline_dsl.plan.accepting import accepts
from pipeline_dsl.plan.options import _validator
from pipeline_dsl.registry import build_catalog

Json = dict[str, Any]
EDGES = st.sampled_from(
    [0, 1, -1, 2, 64, 65, 0.0, 1.0, 0.5, 1.5, -0.0, 1e-9, 10**18, True, False, None, "", "a", "all"]
)
NUMBERS = st.one_of(
    EDGES,
    st.integers(-3, 70),
    st.floats(-3, 70, allow_nan=False),
    st.floats(allow_nan=False, allow_infinity=False),
)
TEXTS = st.sampled_from(["", "a", "all", "one", "two", "gaussian", "1", "true", "한글"])
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=6,
)
LIMITS = st.fixed_dictionaries(
    {},
    optional={
        key: st.sampled_from([-1, 0, 0.5, 1, 64])
        for key in ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")
    },
)
TYPES = st.sampled_from(["string", "integer", "number", "boolean", "null"])
PLAIN = st.builds(
    lambda kind, limits: {"type": kind} | limits,
    st.one_of(TYPES, st.lists(TYPES, min_size=1, max_size=3, unique=True)),
    LIMITS,
)
CHOICES = st.builds(
    lambda values: {"enum": values},
    st.lists(st.sampled_from([True, False, 0, 1, 1.0, "one", "gaussian", None]), min_size=1, max_size=4),
)
SCHEMAS = st.recursive(
    st.one_of(PLAIN, CHOICES),
    lambda inner: st.one_of(
        st.builds(lambda items, least: {"type": "array", "items": items} | least, inner, st.sampled_from([{}, {"minItems": 1}, {"minItems": 2}])),
        st.builds(lambda rest: {"type": "object", "additionalProperties": rest}, inner),
        st.builds(lambda members: {"anyOf": members}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda kind: {"type": ["array", "null"], "items": kind}, inner),
    ),
    max_leaves=4,
)  # fmt: skip


def closed(properties: Json) -> Json:
    """As ``read_options`` asks: unknown and missing options are told elsewhere."""
    return {"type": "object", "properties": properties}


def agree(schema: Json, value: Any) -> bool:
    return accepts(schema, value) is _validator(schema).is_valid(value)


STEADY = settings(
    derandomize=True, deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow]
)


@STEADY
@given(st.dictionaries(TEXTS, SCHEMAS, max_size=3), st.dictionaries(TEXTS, VALUES, max_size=3))
@example({"a": {"enum": [True]}}, {"a": 1})
@example({"a": {"enum": [1]}}, {"a": True})
@example({"a": {"enum": [0]}}, {"a": 0.0})
@example({"a": {"type": "integer"}}, {"a": 4.0})
@example({"a": {"type": "integer", "minimum": 1}}, {"a": True})
@example({"a": {"type": ["integer", "null"], "minimum": 1}}, {"a": None})
def test_the_two_agree_on_any_schema_of_options_and_any_value(schema, value):
    assert agree(closed(schema), value)


@STEADY
@given(SCHEMAS, VALUES)
def test_the_two_agree_on_a_single_value(schema, value):
    assert agree(schema, value)


HINTS: dict[str, Any] = {
    "whole": int, "real": float, "text": str, "flag": bool, "word": Literal["one", "two"], "mixed": Literal[True, "gaussian"],
    "perhaps": int | None, "words": tuple[str, ...], "either": tuple[str, ...] | Literal["all"] | None,
    "ranks": dict[str, int] | None, "one_or_more": str | tuple[str, ...] | None, "steps": float | None,
}  # fmt: skip


@pytest.mark.parametrize("name", HINTS)
def test_the_two_agree_on_every_type_that_an_option_may_have(name):
    limits: Json = {"ge": 0, "le": 64} if HINTS[name] in (int, float, int | None, float | None) else {}
    options = make_dataclass(
        "Options", [("thing", HINTS[name], option(doc="a thing", **limits))], frozen=True, kw_only=True
    )
    schema = closed(schema_of(options)["properties"])

    @settings(STEADY, max_examples=80)  # the values alone: those of EDGES are among the first
    @given(VALUES)
    def check(value: Any) -> None:
        assert agree(schema, {"thing": value})

    check()


def offered() -> list[Any]:
    """The options of all built-ins that have any."""
    with_options = [o for o in build_catalog().offers if schema_of(o.provider.options)["properties"]]
    return [pytest.param(o.provider.options, id=f"{o.kind}.{o.provider.name}") for o in with_options]


@pytest.mark.parametrize("options", offered())
def test_the_two_agree_on_the_options_of_every_built_in(options):
    properties = schema_of(options)["properties"]
    schema = closed(properties)

    @settings(derandomize=True, deadline=None, max_examples=30)
    @given(st.dictionaries(st.sampled_from(sorted(properties)), VALUES, max_size=4))
    def check(values: Json) -> None:
        assert agree(schema, values)

    check()


def test_schemas_of_options_use_no_key_that_accepts_does_not_know():
    known = {
        "type", "enum", "anyOf", "items", "minItems", "properties", "additionalProperties", "minimum", "maximum",
        "exclusiveMinimum", "exclusiveMaximum",
    }  # fmt: skip
    remarks = {
        "description",
        "default",
        "format",
        "since",
        "deprecated",
        "x-use-instead",
        "x-known-as",
        "required",
    }

    def keys(schema: Any) -> set[str]:
        if not isinstance(schema, dict):
            return set()
        inner = [
            *schema.get("properties", {}).values(),
            *schema.get("anyOf", ()),
            schema.get("items"),
            schema.get("additionalProperties"),
        ]
        return set(schema).union(*(keys(one) for one in inner))

    used = set[str]().union(*(keys(schema_of(o.provider.options)) for o in build_catalog().offers))
    assert used - known - remarks == set()
