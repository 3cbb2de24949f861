"""What an extra of the distribution brings: there, or a diagnostic that says what to install."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from importlib import import_module

from pipeline_dsl.api.errors import MachineError


def require(extra: str, modules: Sequence[str], *, within: Collection[str], why: str, code: str) -> None:
    """Import the modules of an extra.

    Args:
        extra: its name.
        modules: what a command imports of it.
        within: top-level packages that the extra brings; one of them may be missing, nothing else.
        why: what needs them, to end "NAME is not installed, which …".
        code: of the diagnostic.

    Raises:
        MachineError: one of the packages is not installed.
    """
    try:
        for name in modules:
            import_module(name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in within:
            raise
        raise MachineError(
            f"{error.name} is not installed, which {why}", help=f"pip install 'medrecipe[{extra}]'", code=code
        ) from error
