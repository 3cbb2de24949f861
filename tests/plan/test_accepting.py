"""The quick look at options says what jsonschema says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline_dsl.api.options import option, schema_of
from pipeline_dsl.plan.accepting import accepts
from pipeline_dsl.plan.options import _validator
from pipeline_dsl.registry import build_catalog


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Every form that a schema of options has."""

    whole: int = option(4, ge=1, le=64, doc="a count")
    share: float = option(0.5, ge=0, lt=1, doc="a share")
    positive: float | None = option(1.0, gt=0, doc="a factor or nothing")
    text: str = option("", doc="a text")
    flag: bool = option(default=False, doc="yes or no")
    word: Literal["one", "two"] = option("one", doc="a choice")
    mixed: Literal[True, 1, "x"] = option("x", doc="an odd choice")
    numbers: tuple[int, ...] = option((1,), min_items=1, doc="counts")
    either: tuple[str, ...] | Literal["all"] | None = option(None, doc="texts, all, or nothing")
    ranks: Mapping[str, int] | None = option(None, doc="counts by pattern")
    loose: int | str | tuple[float, ...] = option(1, doc="several things")


SCHEMA = {k: v for k, v in schema_of(Options).items() if k != "required"}
NAMES = tuple(SCHEMA["properties"])
plain = (
    st.none()
    | st.booleans()
    | st.integers(-2, 66)
    | st.floats(-2, 66)
    | st.sampled_from(["", "one", "x", "all", "1"])
)
values = st.recursive(
    plain,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("qv"), inner, max_size=2),
    max_leaves=4,
)


@given(options=st.dictionaries(st.sampled_from(NAMES), values, max_size=3))
@example({"whole": 4.0})
@example({"whole": True})
@example({"mixed": True})
@example({"mixed": 1.0})
@example({"positive": 0})
@example({"numbers": []})
@example({"loose": [1, 2.5]})
@settings(max_examples=400, deadline=None)
def test_the_quick_look_and_jsonschema_agree(options):
    assert accepts(SCHEMA, options) == _validator(SCHEMA).is_valid(options)


def test_the_defaults_of_every_installed_provider_are_accepted():
    for offer in build_catalog().offers:
        schema = schema_of(offer.provider.options)
        defaults = {
            name: facts["default"] for name, facts in schema["properties"].items() if "default" in facts
        }
        assert accepts(schema, defaults), offer.full_name


@pytest.mark.parametrize(("value", "fits"), [(0, False), (1, True), (64, True), (65, False)])
def test_limits_belong_to_what_they_limit(value, fits):
    assert accepts(SCHEMA, {"whole": value}) is fits
