"""Samplers of loaders: those with a random generator of their own, and those that Lightning would tell the epoch."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..recover.bindings import Names
from ..recover.makings import Making, Value, is_none, makings
from ..recover.own_classes import lineage, method_of
from ..recover.syntax import dotted

_WITHOUT_EPOCH = {
    "RandomSampler", "SequentialSampler", "SubsetRandomSampler", "WeightedRandomSampler", "BatchSampler", "Sampler",
    "object", "Generic", "ABC",
}  # fmt: skip
_HEIGHT = 8


def has_generator(loader: Making) -> bool:
    """Whether the loader, or a sampler that it is given, has a random generator of its own."""
    return any(
        (generator := made.argument("generator")) is not None and not is_none(generator)
        for made in [loader, *_samplers(loader)]
    )


def sampler_with_epoch(loaders: list[Making]) -> Value | None:
    """The sampler of a loader when it has, or may have, a method ``set_epoch``."""
    for loader in loaders:
        for name in ("sampler", "batch_sampler"):
            given = loader.argument(name)
            if given is not None and any(_can_be_told(made) for made in _below(given)):
                return given
    return None


def samplers_with_epoch(loader: Making) -> list[Making]:
    """The samplers of a loader that have, or may have, a method ``set_epoch``."""
    return [sampler for sampler in _samplers(loader) if _can_be_told(sampler)]


def _samplers(loader: Making) -> Iterator[Making]:
    for name in ("sampler", "batch_sampler"):
        if (given := loader.argument(name)) is not None:
            yield from _below(given)


def _below(sampler: Value, depth: int = 0) -> Iterator[Making]:
    """A sampler, and the one that a batch sampler gets its indices from."""
    for made in makings(sampler):
        yield made
        inner = made.argument("sampler", 0)
        if made.last_name.endswith("BatchSampler") and inner is not None and depth < _HEIGHT:
            yield from _below(inner, depth + 1)


def _can_be_told(sampler: Making) -> bool:
    shuffles = sampler.argument("shuffle")
    if shuffles is not None and isinstance(shuffles.node, ast.Constant) and shuffles.node.value is False:
        return False  # the order of such a sampler is the same in every epoch
    own = sampler.roles.own_class_named(sampler.full_name)
    if own is not None:
        return _class_can_be_told(*own)
    head = dotted(sampler.call.func).partition(".")[0]
    return _may_have_epoch(sampler.last_name) and sampler.last_name[:1].isupper() and head in sampler.roles.origins


def _class_can_be_told(definition: ast.ClassDef, roles: Names) -> bool:
    for own, where in lineage(definition, roles):
        if method_of(own, "set_epoch") is not None:
            return True
        for base in own.bases:
            name = dotted(base.value if isinstance(base, ast.Subscript) else base)
            if where.own_class_named(where.full_name(base)) is None and _may_have_epoch(name):
                return True
    return False


def _may_have_epoch(name: str) -> bool:
    return name.rpartition(".")[2] not in _WITHOUT_EPOCH
