"""``medrecipe plan``: what a run would do, phase by phase, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pipeline_dsl.cli.options import json_option, recipe_options, runs_option
from pipeline_dsl.cli.outlook import print_plan
from pipeline_dsl.cli.prepare import choices_of, prepare, tell

_HELP = """Show what a run would do, phase by phase, and why.

For each phase: which adapters it stands on and what becomes of them, how many parameters it trains (counted
from the model's real layers), samples, optimizer steps and tokens, and whether a finished phase can be
reused. Nothing is trained, downloaded or written; a dash stands for what cannot be known before the base is
here.

\b
Examples:
  medrecipe plan recipes/medgemma_korean.sdn
  medrecipe plan recipes/medgemma_korean.sdn --profile tiny --json
"""


@click.command("plan", help=_HELP, short_help="Show what a run would do, phase by phase, and why.")
@click.argument("recipe", metavar="RECIPE")
@json_option
@recipe_options
@runs_option
def command(*, recipe: str, runs: Path, as_json: bool, **options: Any) -> int:
    """Check a recipe and print its plan."""
    prepared = prepare(recipe, choices_of(options))
    tell(prepared.diagnostics)
    if prepared.plan is not None and prepared.catalog is not None:
        print_plan(prepared.plan, prepared.catalog, runs, as_json=as_json)
    return prepared.exit_code
