"""What is wrong with a recipe under the profiles that were not chosen."""

from __future__ import annotations

import os
from dataclasses import replace

from pipeline_dsl.cli.prepare import Choices, Prepared, in_text_order
from pipeline_dsl.plan.profiles import OtherProfiles


def with_other_profiles(prepared: Prepared, choices: Choices) -> Prepared:
    """Return what was prepared with the mistakes under all other profiles, where none was asked for.

    Mistakes that are there under the chosen one, too, are told once.
    """
    if choices.profile is not None or prepared.catalog is None:
        return prepared
    others = OtherProfiles(
        loaded=prepared.loaded,
        catalog=prepared.catalog,
        environment=os.environ,
        sets=choices.sets,
        device=choices.device,
    )
    more = others.findings(prepared.diagnostics)
    if not more:
        return prepared
    together = in_text_order([*prepared.diagnostics, *more])
    plan = None if any(one.is_error for one in together) else prepared.plan
    return replace(prepared, diagnostics=together, plan=plan)
