"""Position embeddings that change for a whole batch once its longest row is long."""

from __future__ import annotations

from typing import Any

_LENGTH_DEPENDENT = {"longrope", "dynamic"}


def turning_point(config: Any) -> int | None:
    """Return the number of tokens past which all embeddings of a batch change; None where they never do.

    Args:
        config: of the text model.
    """
    rope = getattr(config, "rope_parameters", None) or {}
    kinds = [rope, *(part for part in rope.values() if isinstance(part, dict))]
    if not any(part.get("rope_type") in _LENGTH_DEPENDENT for part in kinds):
        return None
    bounds = [part.get("original_max_position_embeddings") for part in kinds]
    bounds.append(getattr(config, "original_max_position_embeddings", None))
    return next((int(bound) for bound in bounds if bound), 0)
