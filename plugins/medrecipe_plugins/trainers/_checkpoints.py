"""Checkpoints that can be trusted: a manifest, written last, of every file's size and sha256.

A checkpoint is made beside its place and gets its name when it is sealed. Beside the checkpoints lie the
weights that the training was told to keep, ``kept-STEP``: the last of them are its result. Which of them
counts at a step follows from their names alone: the newest that is not younger. So a checkpoint can be gone
on from as long as the weights that counted at its step are there and sound; these stay as long as it does.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError

from medrecipe_plugins.trainers import _seals
from pipeline_dsl.api import MachineError

PREFIX = "checkpoint-"
KEPT = "kept-"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """A checkpoint that cannot be trusted."""

    name: str
    why: str
    now: str
    """Name of the folder that it is in now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """What a training begins with."""

    checkpoint: Path | None
    """The one that it goes on from; None where it begins anew."""
    aside: tuple[SetAside, ...] = ()
    """Newer ones that cannot be trusted, newest first."""

    def lines(self) -> Iterator[str]:
        """What there is to say about it."""
        for one in self.aside:
            yield f"{one.name} cannot be trusted: {one.why}; it is set aside as {one.now}"
        if self.aside and self.checkpoint is not None:
            yield f"training goes on from {self.checkpoint.name} instead"
        elif self.aside:
            yield "no checkpoint is left that can be trusted: training begins anew"


def begin(folder: Path, *, resume: bool) -> Beginning:
    """Make a folder ready for a training, and find the checkpoint from which it goes on.

    That is the newest that can be trusted; newer ones that cannot are set aside by renaming. Weights that
    were kept after it go away: the training comes to their step again.

    Raises:
        ModelError: MR468, one is of a newer format. Nothing is lost.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for partial in folder.glob(".*.tmp"):
        shutil.rmtree(partial, ignore_errors=True)
    found = _newest_sound(folder) if resume else Beginning(checkpoint=None)
    chosen = found.checkpoint
    if chosen is None:
        for checkpoint in _numbered(folder, PREFIX):
            shutil.rmtree(checkpoint)
    for kept in _numbered(folder, KEPT):
        if chosen is None or step_of(kept) > step_of(chosen):
            shutil.rmtree(kept)
    return found


def save(folder: Path, step: int, write: Callable[[Path], None]) -> None:
    """Make the checkpoint of a step; ``write`` puts it into a folder. One of that step goes away."""
    _make(path_of(folder, step), write)


def rotate(folder: Path, limit: int | None) -> None:
    """Delete the oldest checkpoints beyond ``limit``, unless the newest one cannot be trusted."""
    every = _numbered(folder, PREFIX)
    old = every[: -limit if limit else 0]
    if old and _seals.fault(every[-1]) is None:
        for checkpoint in old:
            shutil.rmtree(checkpoint, ignore_errors=True)
    _release(folder)


def keep(folder: Path, step: int, write: Callable[[Path], None]) -> None:
    """Keep the weights of a step, in the place of those kept before; ``write`` puts them into a folder."""
    target = folder / f"{KEPT}{step}"
    if target.exists():
        return
    _make(target, write)
    _release(folder)


def kept(folder: Path, step: int | None = None) -> Path | None:
    """The kept weights that count at a step, or at the end; None where none do."""
    return _counting(_numbered(folder, KEPT), step)


def is_sound(folder: Path) -> bool:
    """Whether a checkpoint or kept weights can be trusted."""
    return _seals.fault(folder) is None


def step_of(checkpoint: Path) -> int:
    """Optimizer steps done when it was written."""
    return int(checkpoint.name.rpartition("-")[2])


def path_of(folder: Path, step: int) -> Path:
    """Where the checkpoint of a step is."""
    return folder / f"{PREFIX}{step}"


@contextmanager
def told(what: str, place: Path) -> Iterator[None]:
    """Raise MachineError that says what cannot be written, where the system refuses it."""
    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:
        help_ = "free space; resuming starts from the last checkpoint"
        raise MachineError(f"{what}: {error}", place=str(place), help=help_) from error


def _make(target: Path, write: Callable[[Path], None]) -> None:
    """Have a folder written beside its place, sealed, and put there."""
    partial = target.with_name(f".{target.name}.tmp")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        write(partial)
        _seals.seal(partial)
        if target.exists():
            shutil.rmtree(target)
        partial.replace(target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    _seals.sync_folder(target.parent)


def _newest_sound(folder: Path) -> Beginning:
    aside: list[SetAside] = []
    for checkpoint in reversed(_numbered(folder, PREFIX)):
        why = _why_not(folder, checkpoint)
        if why is None:
            return Beginning(checkpoint=checkpoint, aside=tuple(aside))
        aside.append(SetAside(name=checkpoint.name, why=why, now=_set_aside(checkpoint)))
    return Beginning(checkpoint=None, aside=tuple(aside))


def _why_not(folder: Path, checkpoint: Path) -> str | None:
    """Why a checkpoint cannot be gone on from; None if it can."""
    if (why := _seals.fault(checkpoint)) is not None:
        return why
    counting = kept(folder, step_of(checkpoint))
    why = None if counting is None else _seals.fault(counting)
    return None if counting is None or why is None else f"it needs {counting.name}, of which {why}"


def _release(folder: Path) -> None:
    """Delete kept weights that count neither now nor at a checkpoint."""
    every = _numbered(folder, KEPT)
    steps = [None, *(step_of(checkpoint) for checkpoint in _numbered(folder, PREFIX))]
    counting = {_counting(every, step) for step in steps}
    for found in every:
        if found not in counting:
            shutil.rmtree(found, ignore_errors=True)


def _counting(every: Sequence[Path], step: int | None) -> Path | None:
    return next((k for k in reversed(every) if step is None or step_of(k) <= step), None)


def _numbered(folder: Path, prefix: str) -> list[Path]:
    """Folders of that name with a step, sound or not, oldest first."""
    found = [p for p in folder.glob(f"{prefix}*") if p.name.removeprefix(prefix).isdecimal() and p.is_dir()]
    return sorted(found, key=step_of)


def _set_aside(checkpoint: Path) -> str:
    target = checkpoint.with_name(f"damaged-{checkpoint.name}")
    count = 1
    while target.exists():
        count += 1
        target = checkpoint.with_name(f"damaged-{checkpoint.name}-{count}")
    checkpoint.rename(target)
    return target.name
