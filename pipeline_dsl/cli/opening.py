"""The first lines of a run with a default profile: on which model, and how to have another."""

from __future__ import annotations

import os
from collections.abc import Sequence

from pipeline_dsl.cli.prepare import Choices
from pipeline_dsl.cli.terminal import Paint, cells, padded
from pipeline_dsl.plan.model import Plan
from pipeline_dsl.recipe.load import load_recipe, resolved
from pipeline_dsl.recipe.model import Recipe

_EMBEDDED = "embedded"
"""The provider of models that are built here, small and without a network."""


def opening(path: str, plan: Plan, recipe: Recipe, choices: Choices, paint: Paint) -> tuple[str, ...]:
    """Return what to say before a run; nothing where its user chose the profile, or there is none."""
    if plan.profile is None or choices.profile is not None:
        return ()
    others = [(name, _model_of(path, name, choices)) for name in recipe.profiles if name != plan.profile]
    small = plan.model.name == _EMBEDDED
    if small:
        others = [(name, model) for name, model in others if model != _EMBEDDED]
    first = f"profile {plan.profile} (the default): {_model(plan)}"
    lead = "for a real one:" if small else "others:"
    return (paint.yellow(first) if small else first, *_listed(lead, others))


def _model(plan: Plan) -> str:
    if plan.model.name == _EMBEDDED:
        return f"a small embedded {plan.model.options.get('architecture')} model, for tests and tours"
    return str(plan.model.options.get("name") or plan.model.name)


def _listed(lead: str, profiles: Sequence[tuple[str, str | None]]) -> list[str]:
    """One line for each profile, below each other."""
    wide = max((cells(name) for name, _ in profiles), default=0)
    options = [f"--profile {padded(name, wide)}{f'  ({model})' if model else ''}" for name, model in profiles]
    return [f"{padded('' if i else lead, cells(lead))} {option}".rstrip() for i, option in enumerate(options)]


def _model_of(path: str, profile: str, choices: Choices) -> str | None:
    """The name of the model that another profile has; None where that is not clear."""
    if path == "-":
        return None
    loaded = load_recipe(path, profile=profile, sets=choices.sets, environment=os.environ)
    model = (resolved(loaded) or {}).get("model") if loaded.origins.tree is not None else None
    if not isinstance(model, dict):
        return model if isinstance(model, str) else None
    if model.get("use") == _EMBEDDED:
        return _EMBEDDED
    return next((str(model[key]) for key in ("name", "folder") if model.get(key)), None)
