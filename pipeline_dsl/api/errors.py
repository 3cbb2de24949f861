"""What a provider raises when the user, not the code, has to act. Everything else is a bug and shows as one.

Each class carries the exit code of the command that it ends; ``code`` names the page that
``medrecipe explain`` prints.
"""

from __future__ import annotations

from typing import ClassVar


class MedrecipeError(Exception):
    """A run cannot go on, for a reason that its user can act on.

    Args:
        message: the fact, in one line.
        help: what to do about it, in one line.
        code: the diagnostic code; each class has a general one.
        place: where it was found: ``data/train.jsonl:17``, an option, a folder.
    """

    exit_code: ClassVar[int] = 1
    general_code: ClassVar[str] = "MR600"

    def __init__(
        self, message: str, *, help: str | None = None, code: str | None = None, place: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.help = help
        self.code = code or self.general_code
        self.place = place


class DataError(MedrecipeError):
    """The data is missing, damaged or not what the recipe says (exit 3)."""

    exit_code = 3
    general_code = "MR500"


class ModelError(MedrecipeError):
    """A model or adapter is missing, damaged or does not fit (exit 4)."""

    exit_code = 4
    general_code = "MR450"


class MachineError(MedrecipeError):
    """This machine lacks something: a device, memory, disk, a right (exit 5)."""

    exit_code = 5
    general_code = "MR600"


class GuardError(MedrecipeError):
    """A guard rail or a retention contract stopped the run (exit 6)."""

    exit_code = 6
    general_code = "MR480"


class LockedError(MedrecipeError):
    """Another process holds the run (exit 7)."""

    exit_code = 7
    general_code = "MR620"
