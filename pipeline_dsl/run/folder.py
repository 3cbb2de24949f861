"""The folder of one run: ``runs/PROJECT/RUN/`` and the names in it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline_dsl.api.errors import MachineError
from pipeline_dsl.run import atomic
from pipeline_dsl.syntax import machine


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Paths and writing of one run (``contracts.RunWriter``)."""

    path: Path

    @property
    def id(self) -> str:
        """The run's id: the folder's name."""
        return self.path.name

    def phase(self, name: str) -> Path:
        """A phase's folder."""
        return self.path / "phases" / name

    def adapter(self, phase: str, adapter: str, *, alone: bool = True) -> Path:
        """Where a phase's trained adapter is; one of several carries its name."""
        return self.phase(phase) / ("adapter" if alone else f"adapter-{adapter}")

    def relative(self, path: Path) -> str:
        """A path inside this folder, relative to it, with forward slashes."""
        return path.relative_to(self.path).as_posix()

    def write_text(self, name: str, text: str) -> None:
        """Replace a file."""
        atomic.write_text(self.path / name, text)

    def write_json(self, name: str, value: Any) -> None:
        """Replace a file by JSON."""
        atomic.write_json(self.path / name, value)

    def append_line(self, name: str, line: str) -> None:
        """Append one line, on disk when this returns."""
        atomic.append_line(self.path / name, line)

    def write_record(self, name: str, record: Mapping[str, Any]) -> None:
        """Replace a file by a record in our notation."""
        atomic.write_text(self.path / name, machine.write_record(dict(record)))

    def read_json(self, name: str) -> Any:
        """Read a JSON file of this run, or None where it is not there."""
        try:
            return json.loads((self.path / name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None


def new_folder(runs: Path, project: str) -> RunFolder:
    """Make the folder of a new run; two processes at once get two.

    Raises:
        MachineError: the folder cannot be written.
    """
    started = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    while True:
        path = runs / project / f"{started}-{secrets.token_hex(2)}"
        try:
            path.mkdir(parents=True)
            return RunFolder(path)
        except FileExistsError:
            continue
        except OSError as error:
            raise MachineError(
                f"cannot write the runs folder {runs}: {error.strerror}",
                help="choose another one with --runs DIR",
            ) from error
