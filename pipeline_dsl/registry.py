"""The plugin manager and the Catalog: which plugins there are, what they offer, and which failed to load."""

from __future__ import annotations

import importlib.util
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType

import pluggy

from pipeline_dsl.api import hooks
from pipeline_dsl.api.providers import Kind, Provider

GROUP = "medrecipe"


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginInfo:
    """An installed or local plugin. ``reason`` says why it could not be loaded."""

    name: str
    module: str
    distribution: str
    version: str
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A provider together with the plugin that offers it."""

    kind: Kind
    provider: Provider
    plugin: PluginInfo

    @property
    def full_name(self) -> str:
        """``plugin/name``, which settles a clash."""
        return f"{self.plugin.name}/{self.provider.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """The immutable index of all providers; a value that is passed, never a global."""

    plugins: tuple[PluginInfo, ...]
    offers: tuple[Offer, ...]
    listeners: tuple[tuple[str, object], ...]
    """Plugin name and module of every plugin that loaded: their notification hooks are called in runs."""

    def find(self, kind: Kind, name: str) -> tuple[Offer, ...]:
        """Offers under ``name`` or ``plugin/name``: one when all is well, none, or several that clash."""
        return tuple(
            o for o in self.offers if o.kind is kind and name in {o.provider.name, o.full_name}
        )

    def names(self, kind: Kind) -> tuple[str, ...]:
        """Names of a kind, sorted."""
        return tuple(sorted({o.provider.name for o in self.offers if o.kind is kind}))

    @property
    def broken(self) -> tuple[PluginInfo, ...]:
        """Plugins that could not be loaded, with their reasons."""
        return tuple(p for p in self.plugins if p.reason is not None)


def installed_plugins() -> tuple[EntryPoint, ...]:
    """List the installed plugins without importing any."""
    return tuple(sorted(entry_points(group=GROUP), key=lambda e: e.name))


def build_catalog(
    *,
    local: Sequence[str] = (),
    blocked: Collection[str] = (),
    entries: Iterable[EntryPoint] | None = None,
) -> Catalog:
    """Load plugins and index what they offer.

    A plugin that cannot load is remembered with its reason. All are loaded, since only then can two that
    offer one name be told from one; offering imports nothing heavy.

    Args:
        local: files of local plugins.
        blocked: names of plugins not to load; ``*`` blocks every installed one.
        entries: the installed plugins; those of this environment by default.
    """
    manager = pluggy.PluginManager(hooks.PROJECT)
    manager.add_hookspecs(hooks.Offers)
    manager.add_hookspecs(hooks.Notifications)
    found = [_installed(e) for e in (installed_plugins() if entries is None else entries)]
    wanted = [f for f in found if f[0].name not in blocked and "*" not in blocked]
    wanted += [_local(Path(path)) for path in local]
    return _index(manager, wanted)


_Loaded = tuple[PluginInfo, ModuleType | None]


def _installed(entry: EntryPoint) -> _Loaded:
    distribution = entry.dist
    info = PluginInfo(
        name=entry.name,
        module=entry.value,
        distribution=distribution.name if distribution else "",
        version=distribution.version if distribution else "",
    )
    try:
        return info, entry.load()
    except Exception as error:  # noqa: BLE001 - the plugin border: whatever a plugin's import raises is its reason
        return _failed(info, error), None


def _local(path: Path) -> _Loaded:
    info = PluginInfo(name=path.stem, module=str(path), distribution="local file", version="")
    try:
        spec = importlib.util.spec_from_file_location(f"medrecipe_local_{path.stem}", path)
        if spec is None or spec.loader is None:
            return _failed(info, ImportError("not a Python file")), None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    except Exception as error:  # noqa: BLE001 - the plugin border, as above
        return _failed(info, error), None
    return info, module


def _failed(info: PluginInfo, error: Exception) -> PluginInfo:
    reason = f"{type(error).__name__}: {error}".splitlines()[0]
    return PluginInfo(
        name=info.name, module=info.module, distribution=info.distribution, version=info.version, reason=reason
    )


def _index(manager: pluggy.PluginManager, loaded: Sequence[_Loaded]) -> Catalog:
    plugins: list[PluginInfo] = []
    offers: list[Offer] = []
    listeners: list[tuple[str, object]] = []
    for info, module in loaded:
        if module is None:
            plugins.append(info)
            continue
        try:
            manager.register(module, name=info.name)
            manager.check_pending()
            offers += _offers(manager, info, module)
        except Exception as error:  # noqa: BLE001 - the plugin border, as above
            manager.unregister(module)
            plugins.append(_failed(info, error))
        else:
            plugins.append(info)
            listeners.append((info.name, module))
    return Catalog(plugins=tuple(plugins), offers=tuple(offers), listeners=tuple(listeners))


def _offers(manager: pluggy.PluginManager, info: PluginInfo, module: ModuleType) -> list[Offer]:
    offers: list[Offer] = []
    for kind in Kind:
        for implementation in getattr(manager.hook, kind.hook).get_hookimpls():
            if implementation.plugin is not module:
                continue
            for provider in implementation.function():
                if not isinstance(provider, Provider):
                    msg = f"{kind.hook} must return Providers, not {type(provider).__name__}"
                    raise TypeError(msg)
                offers.append(Offer(kind=kind, provider=provider, plugin=info))
    return offers
