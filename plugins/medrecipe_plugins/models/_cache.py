"""Where built models are kept between runs."""

from __future__ import annotations

import os
from pathlib import Path


def user_cache() -> Path:
    """Return our folder in the user's cache: ``$XDG_CACHE_HOME/medrecipe``, else ``~/.cache/medrecipe``.

    The only environment variable that this plugin reads; the option ``cache`` overrides it.
    """
    root = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(root) if Path(root).is_absolute() else Path.home() / ".cache") / "medrecipe"
