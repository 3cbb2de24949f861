"""Telling plugins, trackers and displays what happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pluggy

from pipeline_dsl.api.errors import MedrecipeError
from pipeline_dsl.api.events import EVENTS, Event
from pipeline_dsl.plan.border import named
from pipeline_dsl.registry import hook_manager


@dataclass(frozen=True, slots=True)
class _Ear:
    """What one listener has for one event."""

    plugin: str
    function: Callable[..., object]
    takes_event: bool

    def hear(self, event: Event) -> None:
        with named(f"the plugin `{self.plugin}`", event.name):
            self.function(*([event] if self.takes_event else []))


class Listeners:
    """The listeners of one run, told in the order in which they were given.

    Raises:
        MedrecipeError: a listener has a hook that there is not, or with wrong arguments.
    """

    def __init__(self, listeners: Sequence[tuple[str, object]]) -> None:
        self._ears: dict[str, list[_Ear]] = {e.name: [] for e in EVENTS}
        manager = hook_manager()
        for name, listener in listeners:
            with _registered(manager, name, listener) as hooks:
                for event, ears in self._ears.items():
                    ears += [
                        _Ear(name, i.function, bool(i.argnames))
                        for i in getattr(hooks, f"medrecipe_{event}").get_hookimpls()
                    ]

    def tell(self, event: Event) -> None:
        """Tell every listener.

        Raises:
            MedrecipeError: a listener failed; the message names its plugin.
        """
        for ear in self._ears[event.name]:
            ear.hear(event)

    def tell_all(self, event: Event) -> None:
        """Tell every listener, also after one that failed, and raise the first failure then."""
        failures = []
        for ear in self._ears[event.name]:
            try:
                ear.hear(event)
            except MedrecipeError as error:
                failures.append(error)
        if failures:
            raise failures[0]


@contextmanager
def _registered(manager: pluggy.PluginManager, name: str, listener: object) -> Iterator[pluggy.HookRelay]:
    """Register a listener alone. Making a manager takes milliseconds, and a run has dozens of listeners."""
    try:
        manager.register(listener, name=name)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise MedrecipeError(
            f"the listener `{name}` has a hook that cannot be called: {' '.join(str(error).split())}",
            help="the hooks and their arguments are in pipeline_dsl.api.hooks",
        ) from error
    yield manager.hook
    manager.unregister(listener)
