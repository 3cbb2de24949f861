"""Retention contracts: did a phase keep what it promised to keep."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline_dsl.api.records import Score
from pipeline_dsl.plan.model import ContractPlan
from pipeline_dsl.run.retention import Retention


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of one contract.

    A contract is broken when the whole 95 % interval of the new score lies on the wrong side of the bound:
    a probe too small to tell breaks nothing. A score that is no number breaks it.
    """

    contract: ContractPlan
    before: float | None
    """The best earlier score; None where there is none, which breaks nothing."""
    after: Score | None
    bound: float | None
    broken: bool
    past: bool
    """Whether the value itself is past the bound."""

    @property
    def doubtful(self) -> bool:
        """Whether there is more to say than that it was kept."""
        return self.past or (self.after is not None and self.after.invalid is not None)

    @property
    def rejects(self) -> bool:
        """Whether the phase is rejected for it."""
        return self.broken and self.contract.otherwise == "reject"

    def text(self) -> str:
        """One line for people."""
        task = self.contract.task
        if self.after is None or self.before is None or self.bound is None:
            return f"{task}: not judged, there is no earlier score"
        side = "at least" if self.after.higher_is_better else "at most"
        remark = f"; not to be believed: {self.after.invalid}" if self.after.invalid else ""
        return (
            f"{task}: {self._state()}: {self.after.value:.4g} [{self.after.low:.4g}, {self.after.high:.4g}], "
            f"asked for {side} {self.bound:.4g} (best before {self.before:.4g}){remark}"
        )

    def _state(self) -> str:
        if self.broken:
            return "broken"
        return "kept, but the value is past the bound" if self.past else "kept"


def judge(contracts: Sequence[ContractPlan], retention: Retention, row: str) -> tuple[Verdict, ...]:
    """Judge a phase's contracts against the rows above its own."""
    return tuple(_judge(contract, retention, row) for contract in contracts)


def _judge(contract: ContractPlan, retention: Retention, row: str) -> Verdict:
    before = retention.best_before(row, contract.task)
    after = retention.cells.get((row, contract.task))
    if before is None or after is None:
        return Verdict(contract=contract, before=None, after=after, bound=None, broken=False, past=False)
    bound = _bound(contract, before)
    if after.higher_is_better:
        broken, past = after.high < bound, after.value < bound
    else:
        broken, past = after.low > bound, after.value > bound
    return Verdict(
        contract=contract,
        before=before.value,
        after=after,
        bound=bound,
        broken=broken or not math.isfinite(after.value),
        past=past,
    )


def _bound(contract: ContractPlan, before: Score) -> float:
    best = before.value
    if contract.keep is not None:
        return best * contract.keep if before.higher_is_better else best / contract.keep
    if contract.drop is not None:
        return best - contract.drop if before.higher_is_better else best + contract.drop
    return best * (1 + (contract.rise or 0.0))
