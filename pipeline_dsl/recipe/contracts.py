"""``retain``: what a phase may not lose of what earlier phases taught."""

from __future__ import annotations

import math
import re

from pipeline_dsl.diagnostics import Related
from pipeline_dsl.recipe.codes import Code
from pipeline_dsl.recipe.fields import Fields, as_number
from pipeline_dsl.recipe.model import Contract
from pipeline_dsl.recipe.rows import read_rows
from pipeline_dsl.syntax.nodes import Scalar

BOUNDS = ("keep", "drop", "rise")
RETAIN_COLUMNS = ("task", *BOUNDS, "otherwise")
OTHERWISE = ("warn", "reject")
_PERCENT = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*%\s*")


def read_contracts(fields: Fields) -> tuple[Contract, ...]:
    """Read the rows of ``retain``."""
    found = [c for row in read_rows(fields, "retain", RETAIN_COLUMNS) if (c := _contract(row))]
    first: dict[tuple[str, str], Contract] = {}
    for contract in found:
        bound = next(name for name in BOUNDS if getattr(contract, name) is not None)
        before = first.setdefault((contract.task.name, bound), contract)
        if before is not contract:
            fields.findings.error(
                Code.CONTRACT_TWICE,
                f"`{bound}` is given twice for task `{contract.task.name}`",
                contract.task.span,
                help="keep the stricter row",
                related=(Related(message="first here", span=before.task.span),),
            )
    return tuple(found)


def _contract(row: Fields) -> Contract | None:
    task = row.ref("task")
    if row.node("task") is None:
        row.missing("task")
    otherwise = row.choice("otherwise", OTHERWISE)
    given = [name for name in BOUNDS if row.node(name) is not None]
    if len(given) != 1:
        _not_one(row, given)
        return None
    values = {name: _bound(row, name) for name in given}
    if task is None or None in values.values():
        return None
    return Contract(
        task=task,
        keep=values.get("keep"),
        drop=values.get("drop"),
        rise=values.get("rise"),
        otherwise=otherwise or OTHERWISE[0],
        span=row.span,
    )


def _bound(row: Fields, name: str) -> float | None:
    """The value of a bound: above 0, ``keep`` at most 1; ``rise`` may be written ``5%``."""
    node = row.node(name)
    if node is None or not isinstance(node, Scalar):
        return row.number(name)
    percent = _PERCENT.fullmatch(node.value) if isinstance(node.value, str) else None
    if percent and name == "drop":
        row.wrong(name, "a number in the score's own unit", node, "write keep: 0.95 for a share")
        return None
    value = float(percent[1]) / 100 if percent else as_number(node)
    if value is None:
        wanted = "a share such as 5%" if name == "rise" else "a number"
        row.wrong(name, wanted, node)
        return None
    if not math.isfinite(value) or value <= 0 or (name == "keep" and value > 1):
        row.out_of_range(name, "above 0 and at most 1" if name == "keep" else "above 0", node)
        return None
    return value


def _not_one(row: Fields, given: list[str]) -> None:
    why = "no bound" if not given else f"{len(given)} bounds, {' and '.join(given)}"
    row.findings.error(
        Code.CONTRACT_BOUND,
        f"a row of `{row.where}` has {why}; it needs exactly one",
        row.head,
        help="give keep (share of the best earlier score), drop (in the score's unit) or rise (such as 5%)",
    )
