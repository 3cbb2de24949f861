"""The plugin manager and the Catalog: which plugins there are, what they offer, and which failed to load."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType

import pluggy

from pipeline_dsl.api import hooks
from pipeline_dsl.api.providers import DATA_WORDS, Kind, Provider

GROUP = "medrecipe"
_MARK = f"{hooks.PROJECT}_impl"
"""What ``hookimpl`` leaves on a function."""
LOCAL = "local file"
"""What stands for the distribution of a plugin that is a single file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginInfo:
    """An installed or local plugin. ``reason`` says why it could not be loaded."""

    name: str
    module: str
    distribution: str
    version: str
    reason: str | None = None

    @property
    def is_local(self) -> bool:
        """Whether it is a file that a recipe or a command line names."""
        return self.distribution == LOCAL


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
        return tuple(o for o in self.offers if o.kind is kind and name in {o.provider.name, o.full_name})

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
    known: dict[object, _Named] = {}
    found = [
        _installed(e, known)
        for e in (installed_plugins() if entries is None else entries)
        if not _in(e, blocked)
    ]
    return _index([*found, *(_local(Path(path)) for path in local)])


def _in(entry: EntryPoint, blocked: Collection[str]) -> bool:
    return entry.name in blocked or "*" in blocked


_Loaded = tuple[PluginInfo, ModuleType | None]
_Named = tuple[str, str]
"""A distribution's name and version."""


def _installed(entry: EntryPoint, known: dict[object, _Named]) -> _Loaded:
    """Load an entry point. ``known``: distributions so far; asking one for its name reads its metadata."""
    distribution = entry.dist
    if distribution is not None and distribution not in known:
        known[distribution] = (distribution.name, distribution.version)
    name, version = known.get(distribution, ("", ""))
    info = PluginInfo(name=entry.name, module=entry.value, distribution=name, version=version)
    try:
        return info, entry.load()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - the plugin border: whatever it raises is the reason
        return _failed(info, error), None


def _local(path: Path) -> _Loaded:
    """Load a file as a module of its own, known by its content: a change of it changes fingerprints."""
    info = PluginInfo(name=path.stem, module=str(path), distribution=LOCAL, version="")
    name = f"medrecipe_local_{hashlib.sha256(str(path.absolute()).encode()).hexdigest()[:12]}"
    try:
        version = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        module = _executed(name, path)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - the plugin border, as above
        return _failed(info, error), None
    return replace(info, version=version), module


def _executed(name: str, path: Path) -> ModuleType:
    """Run a file as a module; it stands in ``sys.modules``, where dataclasses look annotations up."""
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        msg = "not a Python file"
        raise ImportError(msg)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _failed(info: PluginInfo, error: BaseException) -> PluginInfo:
    return replace(info, reason=f"{type(error).__name__}: {error}".strip().splitlines()[0])


def _index(loaded: Sequence[_Loaded]) -> Catalog:
    plugins: list[PluginInfo] = []
    offers: list[Offer] = []
    listeners: list[tuple[str, object]] = []
    manager = hook_manager()
    for info, module in loaded:
        if module is None:
            plugins.append(info)
            continue
        try:
            _refuse_double(info, module, listeners)
            offers += _offers(info, module, manager)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - the plugin border, as above
            plugins.append(_failed(info, error))
        else:
            plugins.append(info)
            listeners.append((info.name, module))
    return Catalog(plugins=tuple(plugins), offers=tuple(offers), listeners=tuple(listeners))


def _refuse_double(info: PluginInfo, module: ModuleType, loaded: Sequence[tuple[str, object]]) -> None:
    for name, other in loaded:
        if name == info.name or other is module:
            msg = f"the plugin `{name}`{' of the same module' if other is module else ''} is loaded already"
            raise ValueError(msg)


def _offers(info: PluginInfo, module: ModuleType, manager: pluggy.PluginManager) -> list[Offer]:
    """What a plugin offers. It is alone in the manager: what is wrong with one plugin is nobody else's."""
    offers: list[Offer] = []
    try:
        manager.register(module, name=info.name)
        manager.check_pending()
        for kind in Kind:
            for implementation in getattr(manager.hook, kind.hook).get_hookimpls():
                for provider in implementation.function():
                    _refuse_offer(kind, provider, offers)
                    offers.append(Offer(kind=kind, provider=provider, plugin=info))
    finally:
        if manager.get_name(module) is not None:
            manager.unregister(module)
    return offers


def _refuse_offer(kind: Kind, provider: object, before: Sequence[Offer]) -> None:
    if not isinstance(provider, Provider):
        msg = f"{kind.hook} must return Providers, not {type(provider).__name__}"
        raise TypeError(msg)
    if any(o.kind is kind and o.provider.name == provider.name for o in before):
        msg = f"it offers the {kind} `{provider.name}` twice"
        raise ValueError(msg)
    options = getattr(provider.options, "__dataclass_fields__", {}) if kind is Kind.SOURCE else {}
    for name in DATA_WORDS:
        if name in options:
            msg = f"the source `{provider.name}` has an option `{name}`, which is a word of the language"
            raise ValueError(msg)


class _Manager(pluggy.PluginManager):
    """Looks only at what is marked in a module: pluggy asks about every name, a tenth of ``check``'s time."""

    def parse_hookimpl_opts(self, plugin: object, name: str) -> pluggy.HookimplOpts | None:
        """Return the options of a hook's implementation, None for anything else."""
        unmarked = isinstance(plugin, ModuleType) and not hasattr(vars(plugin).get(name), _MARK)
        return None if unmarked else super().parse_hookimpl_opts(plugin, name)


def hook_manager() -> pluggy.PluginManager:
    """Return a manager that knows the hooks of medrecipe and no plugin yet."""
    manager = _Manager(hooks.PROJECT)
    manager.add_hookspecs(hooks.Offers)
    manager.add_hookspecs(hooks.Notifications)
    return manager
