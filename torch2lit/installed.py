"""The rewrites that are installed: torch2lit's own and those of other packages, by the entry points of one group."""

from __future__ import annotations

import functools
import importlib
import os
import pkgutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import distributions
from pathlib import Path
from types import ModuleType
from typing import Any

from .feature import Feature
from .program import Idiom, Modernizer, Repair


@functools.cache
def idioms() -> Sequence[Idiom]:
    """All installed idioms, by name."""
    return _installed("IDIOM", "claim")


def features() -> Sequence[Feature]:
    """All installed features, each after those that it names, by name where that leaves a choice."""
    return _INSTEAD[-1] if _INSTEAD else _all_features()


@functools.cache
def _all_features() -> Sequence[Feature]:
    return in_order(_installed("FEATURE", "proposals"))


_INSTEAD: list[Sequence[Feature]] = []
_OWN = "torch2lit.codemods"


@contextmanager
def instead(*own: Feature) -> Iterator[None]:
    """With these features in place of the installed ones."""
    _INSTEAD.append(in_order(own))
    try:
        yield
    finally:
        _INSTEAD.pop()


def is_own(rewrite: object) -> bool:
    """Whether a rewrite is torch2lit's own: its faults are torch2lit's."""
    module = rewrite.__name__ if isinstance(rewrite, ModuleType) else type(rewrite).__module__
    return module.startswith("torch2lit.")


def in_order(found: Sequence[Feature]) -> list[Feature]:
    """Features in the order in which they are asked. ValueError when they wait for each other."""
    waiting, asked = sorted(found, key=lambda f: f.name), list[Feature]()
    while waiting:
        names = {f.name for f in waiting}
        ready = next((f for f in waiting if not names.intersection(f.after)), None)
        if ready is None:
            raise ValueError(f"the features {', '.join(sorted(names))} wait for each other")
        asked.append(ready)
        waiting.remove(ready)
    return asked


@functools.cache
def modernizers() -> Sequence[Modernizer]:
    """All installed modernisers, by name."""
    return _installed("MODERNIZER", "modernise")


@functools.cache
def repairs() -> Sequence[Repair]:
    """All installed repairs, by name."""
    return _installed("REPAIR", "repair")


def _installed(attribute: str, method: str) -> list[Any]:
    """An entry point of the group ``torch2lit.codemods`` names a rewrite or a package of modules that offer some."""
    found: dict[str, Any] = {}
    for point in _points():
        for rewrite in _offered(point, attribute):
            if callable(getattr(rewrite, method, None)):
                found.setdefault(rewrite.name, rewrite)
    return [found[name] for name in sorted(found)]


@functools.cache
def _points() -> Sequence[object]:
    """What offers rewrites: torch2lit's own package, which is there however torch2lit was installed, and the entry points of others."""
    points = {
        (point.name, point.value): point
        for distribution in distributions(path=_places_of_installed())
        for point in distribution.entry_points
        if point.group == "torch2lit.codemods" and point.value != _OWN
    }
    return [importlib.import_module(_OWN), *(points[key].load() for key in sorted(points))]


def other_packages() -> frozenset[str]:
    """The packages beside torch2lit that offer rewrites."""
    modules = (one.__name__ if isinstance(one, ModuleType) else type(one).__module__ for one in _points())
    return frozenset(module.partition(".")[0] for module in modules) - {"torch2lit"}


def _places_of_installed() -> list[str]:
    """The folders of the search path in which something is installed.

    What stands in the current folder, or in one that only ``PYTHONPATH`` names, is a file like those that are looked at, and looking at files
    runs none of them. The interpreter's own folders count wherever they lie, and so does the one that torch2lit came from.
    """
    here = os.path.realpath(os.curdir)
    given = {os.path.realpath(place) for place in os.environ.get("PYTHONPATH", "").split(os.pathsep)}
    own = {os.path.realpath(place) for place in (*_site_folders(), str(Path(__file__).parent.parent))}
    places = []
    for entry in sys.path:
        place = os.path.realpath(entry or os.curdir)
        if place in own or not (place in given or Path(place).is_relative_to(here)):
            places.append(entry)
    return places


def _site_folders() -> set[str]:
    import site
    import sysconfig

    paths = sysconfig.get_paths()
    found = {paths["purelib"], paths["platlib"], *site.getsitepackages()}
    return found | ({site.getusersitepackages()} if site.ENABLE_USER_SITE else set())


def _offered(thing: object, attribute: str) -> Iterator[Any]:
    folders = getattr(thing, "__path__", None)
    if folders is None:
        yield getattr(thing, attribute, thing)
        return
    for module in sorted(pkgutil.iter_modules(folders), key=lambda m: m.name):
        rewrite = getattr(importlib.import_module(f"{thing.__name__}.{module.name}"), attribute, None)  # type: ignore[attr-defined]
        if rewrite is not None:
            yield rewrite
