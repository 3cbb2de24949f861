"""The catalog of a recipe: the installed plugins, loaded once, and its own files where that is allowed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pipeline_dsl.recipe.model import Recipe
from pipeline_dsl.registry import LOCAL, Catalog, PluginInfo, build_catalog

NOT_LOADED = "opening a recipe runs no code; start the server with --local-plugins to have it loaded"


class Catalogs:
    """Keeps the catalogs that were built. Used by one thread at a time."""

    def __init__(self, *, local_plugins: bool, installed: bool = True) -> None:
        self._local_plugins = local_plugins
        self._blocked = () if installed else ("*",)
        self._known: dict[tuple[tuple[str, int], ...], Catalog] = {}

    def of(self, recipe: Recipe | None) -> Catalog:
        """The catalog for a recipe, or that of the installed plugins."""
        files = tuple(dict.fromkeys(ref.name for ref in recipe.plugins)) if recipe else ()
        if not files:
            return self._built(())
        if not self._local_plugins:
            catalog = self._built(())
            return replace(catalog, plugins=(*catalog.plugins, *(_unloaded(path) for path in files)))
        return self._built(tuple((path, _changed(path)) for path in files))

    def _built(self, local: tuple[tuple[str, int], ...]) -> Catalog:
        if local not in self._known:
            self._known[local] = build_catalog(local=[path for path, _ in local], blocked=self._blocked)
        return self._known[local]


def _unloaded(path: str) -> PluginInfo:
    return PluginInfo(name=Path(path).stem, module=path, distribution=LOCAL, version="", reason=NOT_LOADED)


def _changed(path: str) -> int:
    try:
        return Path(path).stat().st_mtime_ns
    except OSError:
        return 0
