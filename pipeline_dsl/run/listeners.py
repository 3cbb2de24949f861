"""Telling plugins, trackers and displays what happens."""

from __future__ import annotations

from collections.abc import Sequence

import pluggy

from pipeline_dsl.api import hooks
from pipeline_dsl.api.errors import MedrecipeError
from pipeline_dsl.api.events import Event


class Listeners:
    """The listeners of one run, told in the order in which they were given."""

    def __init__(self, listeners: Sequence[tuple[str, object]]) -> None:
        self._manager = pluggy.PluginManager(hooks.PROJECT)
        self._manager.add_hookspecs(hooks.Offers)
        self._manager.add_hookspecs(hooks.Notifications)
        for name, listener in listeners:
            self._manager.register(listener, name=name)

    def tell(self, event: Event) -> None:
        """Tell every listener.

        Raises:
            MedrecipeError: a listener failed; the message names its plugin.
        """
        caller = getattr(self._manager.hook, f"medrecipe_{event.name}")
        for implementation in caller.get_hookimpls():
            arguments = [event] if implementation.argnames else []
            try:
                implementation.function(*arguments)
            except MedrecipeError:
                raise
            except Exception as error:  # the plugin border: the run ends under the listener's name
                raise MedrecipeError(
                    f"the plugin `{implementation.plugin_name}` failed at {event.name}: "
                    f"{type(error).__name__}: {error}",
                    help="repair it, or run without it",
                ) from error
