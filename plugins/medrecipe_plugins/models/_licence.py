"""Under what terms a base may be used: from its own card, or as its makers published them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from medrecipe_plugins.models._checkpoint import Checkpoint
from medrecipe_plugins.models._known_models import known_licence
from pipeline_dsl.api import Licence

BUILT_HERE = Licence(
    name="apache-2.0",
    link="https://www.apache.org/licenses/LICENSE-2.0",
    source="built here, from text that was written for medrecipe",
)
"""That of an embedded model."""
_OTHER = "other"
"""What the Hub calls licences that have a name of their own."""


def licence_of(checkpoint: Checkpoint) -> Licence | None:
    """Return the licence of a base; None where neither its card nor anything kept here says it."""
    return _from_card(_card(checkpoint)) or known_licence(checkpoint.name)


def _card(checkpoint: Checkpoint) -> Mapping[str, Any]:
    """Return the front matter of a model's own card; nothing where it has none that can be read."""
    import yaml
    from huggingface_hub import metadata_load

    try:
        found = metadata_load(checkpoint.folder / "README.md")
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return found if isinstance(found, Mapping) else {}


def _from_card(card: Mapping[str, Any]) -> Licence | None:
    name = _text(card.get("license"))
    if name == _OTHER:
        name = _text(card.get("license_name")) or name
    if not name:
        return None
    return Licence(name=name, link=_text(card.get("license_link")), source="the card of the base")


def _text(value: object) -> str:
    """Return a text of a card; a list of one has one."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value.strip() if isinstance(value, str) else ""
