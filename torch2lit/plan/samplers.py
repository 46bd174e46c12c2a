"""Samplers of loaders, and what Lightning does with those that can be told the epoch."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from ..recover.nest import Frame
from ..recover.roles import Key
from ..recover.syntax import dotted, walk
from .draft import Draft

_WITHOUT_EPOCH = {"RandomSampler", "SequentialSampler", "SubsetRandomSampler", "WeightedRandomSampler", "BatchSampler"}


@dataclass(frozen=True, slots=True)
class LoaderMaking:
    """A loader with what it was made of: calls, and the names that they mention."""

    name: str
    key: Key
    made: list[ast.Call]
    watched: frozenset[Key]


def making_of(draft: Draft, base: ast.expr, frame: Frame) -> LoaderMaking | None:
    """How the loader under a plain name was made."""
    variable = draft.variable(base, frame)
    if variable is None:
        return None
    key = (variable.scope, variable.name)
    made = [n for b in draft.roles.bindings(key) for n in walk(b.value) if isinstance(n, ast.Call)]
    watched = {key}
    for call in made:
        for part in [*call.args, *(k.value for k in call.keywords)]:
            for node in walk(part):
                if isinstance(node, ast.Name) and (inner := draft.roles.key(variable.scope, node.id)):
                    watched.add(inner)
    return LoaderMaking(variable.name, key, made, frozenset(watched))


def sampler_with_epoch(draft: Draft, loader: LoaderMaking) -> ast.expr | None:
    """The sampler of the loader when it has, or may have, a method ``set_epoch``."""
    for call in loader.made:
        for keyword in call.keywords:
            if keyword.arg in ("sampler", "batch_sampler"):
                for made in makings(draft, keyword.value, loader):
                    if any(k.arg == "shuffle" and getattr(k.value, "value", 1) is False for k in made.keywords):
                        continue  # the order of such a sampler is the same in every epoch
                    last = dotted(made.func).rpartition(".")[2]
                    own = draft.source.classes.get(last)
                    if own is not None:
                        if any(isinstance(s, ast.FunctionDef) and s.name == "set_epoch" for s in own.body):
                            return keyword.value
                    elif last and last not in _WITHOUT_EPOCH and _is_foreign_class(draft, made):
                        return keyword.value
    return None


def _is_foreign_class(draft: Draft, call: ast.Call) -> bool:
    full = draft.roles.full_name(call.func)
    return full.rpartition(".")[2][:1].isupper() and dotted(call.func).partition(".")[0] in draft.roles.origins


def makings(draft: Draft, node: ast.expr, loader: LoaderMaking) -> list[ast.Call]:
    """The calls that an expression, or the name that it is, gets its value from, with what they are given in turn."""
    if isinstance(node, ast.Name):
        key = draft.roles.key(loader.key[0], node.id)
        values = [b.value for b in draft.roles.bindings(key)] if key else []
    else:
        values = [node]
    found: list[ast.Call] = []
    for value in values:
        for part in [value.body, value.orelse] if isinstance(value, ast.IfExp) else [value]:
            if isinstance(part, ast.Call):
                found.append(part)
                if dotted(part.func).endswith("BatchSampler") and part.args:
                    found += makings(draft, part.args[0], loader)
    return found
