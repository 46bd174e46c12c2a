"""Lambdas and functions that the loop itself makes, and the variables of the loop that they read."""

from __future__ import annotations

import ast

from ..recover.items import Item, parts
from ..recover.names import flow, free_names
from ..recover.syntax import dotted, walk, walk_scope
from ..recover.variables import Variable
from .draft import HOOKS, Draft

Closure = ast.Lambda | ast.FunctionDef | ast.AsyncFunctionDef
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)
_CALLS_AT_ONCE = {"sorted", "max", "min", "sort", "step", "apply", "reduce"}
_CALLS_WHEN_ASKED = {"map", "filter"}
_ASKS_AT_ONCE = {"list", "tuple", "set", "dict", "sum", "any", "all", "max", "min", "sorted", "join"}


def kept_captures(draft: Draft) -> set[Variable]:
    """The variables read by a closure that may be called later than in the hook call that made it.

    It would see their last values then, so they must live on the module.
    """
    found: set[Variable] = set()
    for hook in HOOKS:
        for item in draft.hooks.get(hook, []):
            for part, frame in parts(item):
                for node in walk_scope(part):
                    if isinstance(node, Closure) and _may_be_kept(draft, node, draft.hooks[hook]):
                        found |= draft.variables.names(frame, free_names(node))
    return found


def _may_be_kept(draft: Draft, closure: Closure, items: list[Item]) -> bool:
    if isinstance(closure, ast.Lambda):
        parent = draft.source.parents.get(closure)
        if isinstance(parent, ast.Assign) and len(parent.targets) == 1 and isinstance(parent.targets[0], ast.Name):
            return not _called_at_once_by_name(draft, parent.targets[0].id, items)
        return not called_at_once(draft, closure)
    return not _called_at_once_by_name(draft, closure.name, items)


def _called_at_once_by_name(draft: Draft, name: str, items: list[Item]) -> bool:
    uses = [
        node
        for item in items
        for part, _frame in parts(item)
        for node in walk(part)
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)
    ]
    return all(called_at_once(draft, use) for use in uses)


def called_at_once(draft: Draft, node: ast.expr) -> bool:
    """Whether the function that an expression stands for is called before its statement ends, and by nobody later."""
    parents = draft.source.parents
    parent = parents.get(node)
    if isinstance(parent, ast.keyword):
        parent = parents.get(parent)
    if not isinstance(parent, ast.Call):
        return False
    if parent.func is node:
        return True
    last = dotted(parent.func).rpartition(".")[2]
    if last in _CALLS_WHEN_ASKED:
        above = parents.get(parent)
        return isinstance(above, ast.Call) and dotted(above.func).rpartition(".")[2] in _ASKS_AT_ONCE
    return last in _CALLS_AT_ONCE


def check_definitions(draft: Draft, after: set[str]) -> None:
    """Refuse a function, class or import of the loop that another hook, or code outside of the loop, uses.

    ``after`` are the names that code outside reads.
    """
    for hook in HOOKS:
        for item in draft.hooks.get(hook, []):
            if item.kind != "statement" or item.node in draft.removals:
                continue
            for node in walk_scope(item.node):
                if isinstance(node, _DEFINITIONS):
                    for name in defined_names(node):
                        _check_definition(draft, hook, node, name, after)
                        _check_branch(draft, hook, item, node, name)


def defined_names(node: ast.AST) -> list[str]:
    """What a definition or an import binds."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [(alias.asname or alias.name).partition(".")[0] for alias in node.names]
    return [node.name] if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) else []


def _check_definition(draft: Draft, hook: str, node: ast.AST, name: str, after: set[str]) -> None:
    key = draft.roles.key(draft.source.scope_of(node), name)
    inside = {id(n) for n in walk(draft.nest.outermost)}
    for frame in draft.nest.entered:
        inside |= {id(n) for n in walk(frame.scope)} if frame.caller is not None else set()
    for other in HOOKS:
        if other == hook:
            continue
        for item in draft.hooks.get(other, []):
            for part, frame in parts(item):
                for use in walk(part):
                    if isinstance(use, ast.Name) and use.id == name and isinstance(use.ctx, ast.Load):
                        if draft.roles.key(frame.scope, name) == key and not _defined_again(draft, other, name):
                            raise draft.refuse(
                                "closure-over-loop-state",
                                node,
                                f"`{name}` is defined in the loop and used in another part of it, in line {use.lineno}",
                            )
    if name in after and key is not None and key[0] is draft.nest.entry.scope:
        if not any(
            isinstance(n, _DEFINITIONS) and name in defined_names(n) and id(n) not in inside
            for n in walk_scope(draft.nest.entry.scope.body)
        ):
            raise draft.refuse(
                "closure-over-loop-state", node, f"`{name}` is defined in the loop and used outside of it"
            )


def _check_branch(draft: Draft, hook: str, item: Item, node: ast.AST, name: str) -> None:
    """Refuse what a branch defines and other statements of its hook read: there the hook has no such local unless the branch ran."""
    if name in flow([item.node]).definite:
        return
    for other in draft.hooks[hook]:
        if (
            other is not item
            and name in flow([other.node]).read
            and draft.source.scope_of(other.node) is item.frame.scope
        ):
            raise draft.refuse(
                "closure-over-loop-state",
                node,
                f"`{name}` is defined in a branch and used beside it, in line {other.node.lineno}",
            )


def _defined_again(draft: Draft, hook: str, name: str) -> bool:
    return any(
        isinstance(n, _DEFINITIONS) and name in defined_names(n)
        for item in draft.hooks.get(hook, [])
        if item.kind == "statement"
        for n in walk_scope(item.node)
    )
