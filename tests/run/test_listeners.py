from __future__ import annotations

import pytest

from pipeline_dsl.api import DataError, MedrecipeError, events, hookimpl
from pipeline_dsl.run.listeners import Listeners

END = events.RunEnd(run="r", status="finished", seconds=1.0)


def listener(calls: list[str], name: str, error: Exception | None = None):
    class Hears:
        @hookimpl
        def medrecipe_run_end(self, event):
            calls.append(f"{name} {event.status}")
            if error is not None:
                raise error

    return name, Hears()


def test_listeners_are_told_in_the_order_in_which_they_were_given():
    calls: list[str] = []
    Listeners([listener(calls, name) for name in "cab"]).tell(END)
    assert calls == ["c finished", "a finished", "b finished"]


def test_a_listener_hears_only_what_it_has_a_hook_for_and_need_not_take_the_event():
    class Bare:
        @hookimpl
        def medrecipe_run_end(self):
            calls.append("bare")

    calls: list[str] = []
    listeners = Listeners([("bare", Bare())])
    listeners.tell(END)
    listeners.tell(events.Started(phase="p", step=0, max_steps=1, epoch=1))
    assert calls == ["bare"]


def test_a_failing_listener_ends_the_telling_under_its_plugins_name():
    calls: list[str] = []
    listeners = Listeners([listener(calls, "bad", ZeroDivisionError("oh")), listener(calls, "after")])
    with pytest.raises(MedrecipeError, match="the plugin `bad` failed at run_end: ZeroDivisionError: oh"):
        listeners.tell(END)
    assert calls == ["bad finished"]


def test_what_a_listener_says_to_its_user_passes_through():
    with pytest.raises(DataError, match="no such table"):
        Listeners([listener([], "db", DataError("no such table"))]).tell(END)


def test_at_the_end_everybody_is_told_and_then_the_first_failure():
    calls: list[str] = []
    broken = [listener(calls, name, ZeroDivisionError(name)) for name in ("one", "two")]
    with pytest.raises(MedrecipeError, match="`one`"):
        Listeners([*broken, listener(calls, "after")]).tell_all(END)
    assert calls == ["one finished", "two finished", "after finished"]


def test_two_listeners_of_one_name_and_one_object_twice_are_each_told():
    calls: list[str] = []
    name, hears = listener(calls, "same")
    Listeners([(name, hears), listener(calls, "same"), ("again", hears)]).tell(END)
    assert calls == ["same finished"] * 3


def test_a_misspelt_hook_of_a_listener_is_told():
    class Typo:
        @hookimpl
        def medrecipe_run_edn(self, event):
            """Never called."""

    with pytest.raises(MedrecipeError, match=r"`typo`.*medrecipe_run_edn"):
        Listeners([("typo", Typo())])


def test_a_hook_with_an_argument_that_there_is_not_is_told():
    class Typo:
        @hookimpl
        def medrecipe_run_end(self, run):
            """Never called."""

    with pytest.raises(MedrecipeError, match="`typo`"):
        Listeners([("typo", Typo())])
