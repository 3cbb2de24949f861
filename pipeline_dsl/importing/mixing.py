"""Several sources in one training: names, weights, held-out parts, and the tasks that score them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from pipeline_dsl.importing.draft import Block, Line, Said
from pipeline_dsl.importing.ledger import Ledger
from pipeline_dsl.importing.names import distinct
from pipeline_dsl.importing.sources import Origin

LOSS = "validation_loss"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lessons:
    """What is taught, what is held out, and the templates of their own that they need."""

    taught: list[Origin]
    held_out: list[Origin] = field(default_factory=list)
    share: Said | None = None
    templates: dict[str, Block] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """What is taught and what is asked, ready for a draft."""

    data: dict[str, Block]
    mix: tuple[Line, ...]
    tasks: tuple[Line, ...]

    @property
    def steering(self) -> str | None:
        """The task by which a training is steered: the first one."""
        return str(self.tasks[0].cells[0]) if self.tasks else None


def mixture(
    taught: Sequence[Origin], held_out: Sequence[Origin], share: Said | None, tool: str, ledger: Ledger
) -> Mixture:
    """Bring sources together as a tool does that reads one after the other, every row once an epoch.

    Args:
        taught: what is learned from.
        held_out: what the loss is measured on.
        share: how much of every taught source is held out instead, as ``0.9/0.1``.
        tool: its name.
        ledger: takes what to look at.
    """
    taught = _distinct(taught, ())
    held_out = _distinct(held_out, [o.name for o in taught])
    if share is not None:
        taught = [o.with_words(split=share) for o in taught]
    asked = [replace(o, name=f"{o.name}.validation") for o in taught] if share else held_out
    return Mixture(
        data={o.name: o.block for o in [*taught, *held_out]},
        mix=tuple(_weighted(taught, ".train" if share else "", tool, ledger)),
        tasks=tuple(_task(o, asked, share is not None) for o in asked),
    )


def _distinct(origins: Sequence[Origin], taken: Sequence[str]) -> list[Origin]:
    names = list(taken)
    found = []
    for origin in origins:
        name = distinct(origin.name, names)
        names.append(name)
        found.append(replace(origin, name=name))
    return found


def _weighted(taught: Sequence[Origin], part: str, tool: str, ledger: Ledger) -> list[Line]:
    """Rows of the mix. Weights in proportion to the rows have an epoch see each of them once, as there."""
    given = [o.weight for o in taught]
    counted = [_rows(o) for o in taught]
    if len(taught) == 1:
        weights: list[float | int] = [1]
    elif all(w is not None for w in given):
        weights = [w for w in given if w is not None]
    elif all(counted):
        weights = [n for n in counted if n]
        ledger.look_at(
            f"weights are the numbers of rows, so that an epoch sees each row once, as {tool} has it"
        )
    else:
        weights = [1 for _ in taught]
        ledger.look_at(
            f"weights: {tool} sees every row of every source once an epoch; write numbers of rows for that"
        )
    return [
        Line(cells=(f"{o.name}{part}", o.template, weight, None), remark=o.remark)
        for o, weight in zip(taught, weights, strict=True)
    ]


def _rows(origin: Origin) -> int | None:
    limit = origin.block.get("limit")
    count = origin.seen.count
    if limit is not None and isinstance(limit.value, int):
        return min(count, limit.value) if count else None
    return count


def _task(origin: Origin, asked: Sequence[Origin], is_part: bool) -> Line:  # noqa: FBT001 - said at the one call
    name = origin.name.partition(".")[0]
    task = LOSS if len(asked) == 1 else f"{LOSS}_{name}"
    remark = "" if is_part else origin.remark
    return Line(cells=(task, origin.name, origin.template, "loss", None), remark=remark)


def share_of(size: float, taught: Sequence[Origin]) -> Said | None:
    """Shares for a validation set of ``size``: a share, or so many rows where all can be counted."""
    if size < 1:
        part = max(round(size, 6), 0.000001)
        return Said(value=f"{_short(1 - part)}/{_short(part)}")
    counts = [_rows(o) for o in taught]
    if not all(counts) or size >= sum(n for n in counts if n):
        return None
    part = round(size / sum(n for n in counts if n), 6)
    words = f"{int(size)} rows of {sum(n for n in counts if n)}"
    return Said(value=f"{_short(1 - part)}/{_short(part)}", remark=words)


def _short(share: float) -> str:
    return f"{share:.6f}".rstrip("0").rstrip(".")
