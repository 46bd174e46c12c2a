"""What PyTorch's hooks touch: their callbacks run inside of forward, backward or step, where no statement shows it."""

from __future__ import annotations

import ast
from typing import Protocol

from .names import free_names, parameter_names
from .roles import Key, Roles
from .syntax import Scope, Source, dotted, walk, walk_scope


class Analysis(Protocol):
    """What is asked of `torch2lit.recover.effects.EffectAnalysis`."""

    source: Source
    roles: Roles

    def touched(self, node: ast.AST, scope: Scope) -> set[Key]:
        """The variables that running a node may read or change."""


def hooked_names(analysis: Analysis) -> frozenset[Key]:
    """The variables that some callback of a ``register_..._hook`` may read or change, and what they are called elsewhere."""
    found: set[Key] = set()
    for call in analysis.source.calls:
        if _registers(call):
            scope = analysis.source.scope_of(call)
            for callback in [*call.args, *(k.value for k in call.keywords)]:
                found |= _reached(analysis, callback, scope)
    return frozenset(_with_arguments(analysis, found))


def _registers(call: ast.Call) -> bool:
    last = dotted(call.func).rpartition(".")[2] or getattr(call.func, "attr", "")
    return last.startswith("register_") and last.endswith("hook")


def _reached(analysis: Analysis, callback: ast.expr, scope: Scope) -> set[Key]:
    keys = analysis.touched(callback, scope)
    roles, source = analysis.roles, analysis.source
    for node in walk(callback):
        if isinstance(node, ast.Lambda):
            keys |= {key for name in free_names(node) if (key := roles.key(scope, name))}
    owner = None if isinstance(scope, ast.Module) else source.in_class(scope)
    if owner is not None:  # a method of an object: whatever holds such an object may be changed
        for outer in (source.tree, *source.functions):
            for node in walk_scope(outer.body):
                if isinstance(node, ast.Assign) and any(
                    isinstance(n, ast.Name) and n.id == owner.name for n in walk(node.value)
                ):
                    names = (n.id for t in node.targets for n in walk(t) if isinstance(n, ast.Name))
                    keys |= {key for name in names if (key := roles.key(outer, name))}
    return {key for key in keys if roles.bindings(key) or _is_parameter(key)}


def _is_parameter(key: Key) -> bool:
    return not isinstance(key[0], ast.Module) and key[1] in parameter_names(key[0])


def _with_arguments(analysis: Analysis, keys: set[Key]) -> set[Key]:
    """The names with those that callers have for the parameters among them."""
    found, left = set(keys), sorted(keys, key=lambda k: k[1])
    while left:
        scope, name = left.pop()
        if _is_parameter((scope, name)):
            for caller, argument in analysis.roles.arguments(scope, name):
                for node in walk(argument):
                    key = analysis.roles.key(caller, node.id) if isinstance(node, ast.Name) else None
                    if key is not None and key not in found and (analysis.roles.bindings(key) or _is_parameter(key)):
                        found.add(key)
                        left.append(key)
    return found
