"""What a file's own LightningModules run: their hooks, and the functions that nothing but such hooks uses."""

from __future__ import annotations

import ast

from .syntax import Scope, Source

_MODULE = "LightningModule"


def only_hooks_run(source: Source, scope: Scope, below: tuple[Scope, ...] = ()) -> bool:
    """Whether a LightningModule of the file runs a function, and nothing else that the file shows does.

    A loop in it belongs to a training that the Trainer holds already: a ``fit`` in its place would run inside of a hook.
    """
    if isinstance(scope, ast.Module) or scope in below or not _defines_module(source):
        return False
    users = [source.scope_of(use) for use in _uses(source, scope)]
    outside = [user for user in users if user is not scope]
    return bool(outside) and all(
        in_lightning_module(source, user) or only_hooks_run(source, user, (*below, scope)) for user in outside
    )


def in_lightning_module(source: Source, scope: Scope) -> bool:
    """Whether code stands in a method of a class that extends LightningModule."""
    owner = source.in_class(scope) if not isinstance(scope, ast.Module) else None
    return owner is not None and _is_module(owner)


def _uses(source: Source, function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.expr]:
    """Whatever may mean the function: calls, and its name where it is handed on."""
    found: list[ast.expr] = [n for n in source.all(ast.Attribute) if n.attr == function.name]
    if not isinstance(source.parents[function], ast.ClassDef):
        found = [n for n in source.all(ast.Name) if n.id == function.name and isinstance(n.ctx, ast.Load)]
    return found


def _defines_module(source: Source) -> bool:
    return any(map(_is_module, source.classes.values()))


def _is_module(owner: ast.ClassDef) -> bool:
    return any(ast.unparse(base).endswith(_MODULE) for base in owner.bases)
