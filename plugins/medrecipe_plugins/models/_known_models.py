"""Shapes and licences of well-known models, as their makers published them.

``known_models.json`` has, by name on the hub, what of a published configuration decides the shapes of its
modules, and the number of parameters that the published weights have; a test holds one against the other.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pipeline_dsl.api import Licence, ModelShape

_FILE = Path(__file__).with_name("known_models.json")


def known_models() -> dict[str, dict[str, Any]]:
    """Return ``config``, ``parameters`` and ``licence`` of every known model by its name."""
    known: dict[str, dict[str, Any]] = json.loads(_FILE.read_text(encoding="utf-8"))
    return known


def known_licence(name: str) -> Licence | None:
    """Return the licence under which a model was published; None where it is not known."""
    entry = known_models().get(name)
    return None if entry is None else Licence(**entry["licence"], source="what its makers published")


def known_shape(name: str | None, *, added: int = 0) -> ModelShape | None:
    """Return the shapes of a model as published, with a note that says so; None where it is not known.

    Added tokens get rows after the published ones: the tokenizer, which knows of unused rows, is not here.
    """
    entry = known_models().get(name or "")
    if entry is None:
        return None
    from transformers import AutoConfig

    from medrecipe_plugins.models._shape import shape_of_config

    note = f"the shapes of {name} are those that were published: its files are not on this machine"
    return shape_of_config(AutoConfig.for_model(**entry["config"]), added=added, note=note)
