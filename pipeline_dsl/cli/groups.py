"""Groups of commands: a misspelt one is answered with the nearest, one may be imported when it is called."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

import click


@dataclass(frozen=True, slots=True)
class Listed:
    """A command in an overview: its name, its summary and the module with its ``command``."""

    name: str
    summary: str
    module: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """Commands under one heading."""

    title: str
    commands: tuple[Listed, ...]


class Group(click.Group):
    """A group that suggests the nearest command for a misspelt one."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that was called."""
        name = args[0]
        names = self.list_commands(ctx)
        if name not in names and not name.startswith("-"):
            ctx.fail(f"There is no command {name!r}.{_suggestion(name, names)}")
        return super().resolve_command(ctx, args)


class LazyGroup(Group):
    """A group whose help needs none of its commands' modules."""

    def __init__(self, *args: Any, sections: tuple[Section, ...], package: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sections = sections
        self.package = package

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Names in the order of the overview."""
        return [listed.name for section in self.sections for listed in section.commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        """Import a command."""
        for section in self.sections:
            for listed in section.commands:
                if listed.name == cmd_name:
                    module = importlib.import_module(f"{self.package}.{listed.module or listed.name}")
                    command: click.Command = module.command
                    return command
        return None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the sections of the overview."""
        for section in self.sections:
            with formatter.section(section.title):
                formatter.write_dl([(listed.name, listed.summary) for listed in section.commands])


def _suggestion(name: str, names: list[str]) -> str:
    from difflib import get_close_matches

    nearest = get_close_matches(name, names, n=1, cutoff=0.5)
    return f" Did you mean {nearest[0]!r}?" if nearest else f" The commands are {', '.join(names)}."
