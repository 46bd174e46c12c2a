"""The rewrites that are installed: torch2lit's own and those of other packages, by the entry points of one group."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Iterator, Sequence
from importlib.metadata import entry_points
from typing import Any

from .program import Idiom, Modernizer, Repair


@functools.cache
def idioms() -> Sequence[Idiom]:
    """All installed idioms, by name."""
    return _installed("IDIOM", "claim")


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
    points = sorted(entry_points(group="torch2lit.codemods"), key=lambda p: (p.name, p.value))
    return [point.load() for point in points]


def _offered(thing: object, attribute: str) -> Iterator[Any]:
    folders = getattr(thing, "__path__", None)
    if folders is None:
        yield thing
        return
    for module in sorted(pkgutil.iter_modules(folders), key=lambda m: m.name):
        rewrite = getattr(importlib.import_module(f"{thing.__name__}.{module.name}"), attribute, None)  # type: ignore[attr-defined]
        if rewrite is not None:
            yield rewrite
