"""``stages``: the trainings of which a phase consists, one after the other on the same adapters."""

from __future__ import annotations

import math

from pipeline_dsl.recipe.codes import Code
from pipeline_dsl.recipe.fields import Fields
from pipeline_dsl.recipe.findings import Findings
from pipeline_dsl.recipe.model import Stage
from pipeline_dsl.recipe.names import check_name
from pipeline_dsl.recipe.rows import check_once, read_rows
from pipeline_dsl.recipe.uses import use_value
from pipeline_dsl.recipe.when import read_condition
from pipeline_dsl.syntax.nodes import Scalar

STAGE_COLUMNS = ("stage", "template", "samples", "until", "at_most")
_BOUND = "a share of the phase between 0 and 1, or a whole number of steps"


def read_stages(fields: Fields) -> tuple[Stage, ...]:
    """Read the rows of ``stages``; a row without a name is reported and left out."""
    before = fields.findings.attempts
    found = [stage for row in read_rows(fields, "stages", STAGE_COLUMNS) if (stage := _stage(row))]
    check_once([stage.name for stage in found], Code.DUPLICATE_NAME, "stage", fields.findings)
    if fields.findings.attempts == before:
        _check_bounds(found, fields.findings)
    return tuple(found)


def _stage(row: Fields) -> Stage | None:
    if row.node("stage") is None:
        row.missing("stage")
        return None
    name, template = row.ref("stage"), use_value(row, "template")
    samples, at_most = row.whole("samples", least=1), _at_most(row)
    until = read_condition(row, "until", "exam >= 0.7 for 2")
    if name is None or not check_name(name, "a stage", row.findings):
        return None
    return Stage(name=name, template=template, samples=samples, until=until, at_most=at_most, span=row.span)


def _at_most(row: Fields) -> float | None:
    """A share below 1 as a float, steps as a whole number."""
    value = row.number("at_most")
    node = row.node("at_most")
    if value is None or not isinstance(node, Scalar):
        return None
    if isinstance(node.value, int):
        if node.value >= 1:
            return node.value
    elif 0 < value < 1:
        return value
    row.out_of_range("at_most", _BOUND, node)
    return None


def _check_bounds(stages: list[Stage], findings: Findings) -> None:
    """Report a stage that leaves nothing for those after it."""
    for stage in stages[:-1]:
        if stage.at_most is None:
            findings.error(
                Code.STAGE_WITHOUT_BOUND,
                f"the stage `{stage.name.name}` has no `at_most`, so that the next one may never begin",
                stage.name.span,
                help="write at_most: 0.5 (half of the phase's steps) or a number of steps",
            )
    shares = [s.at_most for s in stages if s.at_most is not None and s.at_most < 1]
    rest = bool(stages) and stages[-1].at_most is None
    asked = math.fsum(shares)
    if asked > 1 or (rest and asked >= 1):
        findings.error(
            Code.STAGE_SHARES,
            f"the stages ask for {100 * asked:.3g} % of the phase's steps"
            + (f" and leave none for `{stages[-1].name.name}`" if rest else ""),
            stages[-1].name.span,
            help="make the shares in `at_most` smaller: together they are at most 1",
        )
