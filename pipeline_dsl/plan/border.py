"""The border to plugins: what their code raises ends a run under their name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

from pipeline_dsl.api.errors import MedrecipeError
from pipeline_dsl.plan.model import ProviderRef

T = TypeVar("T")


@contextmanager
def named(what: str, place: str) -> Iterator[None]:
    """Let whatever a plugin's code raises end the run under that plugin's name.

    Args:
        what: whose code it is: ``the plugin `watcher```.
        place: what it was doing: an event, a method.

    Raises:
        MedrecipeError: as it is raised, or made of any other exception.
    """
    try:
        yield
    except MedrecipeError:
        raise
    except Exception as error:  # the plugin border
        raise MedrecipeError(
            f"{what} failed at {place}: {type(error).__name__}: {error}", help="repair it, or run without it"
        ) from error


def working(ref: ProviderRef, method: str) -> AbstractContextManager[None]:
    """The border around one method of a provider."""
    return named(title(ref), method)


def title(ref: ProviderRef) -> str:
    """What messages call a provider."""
    return f"the {ref.kind} `{ref.plugin}/{ref.name}`"


def each(what: str, method: str, make: Callable[[], Iterable[T]]) -> Iterator[T]:
    """Yield what a plugin yields, with the border around its code and not around who takes it."""
    with named(what, method):
        yield from make()
