"""Whether an optimizer of the project's own computes the loss first when its step is handed a closure, as torch's do.

def step(self, closure=None):
    loss = None
    if closure is not None:
        loss = closure()
"""

from __future__ import annotations

import ast

from .bindings import Names
from .own_classes import method_of, own_class
from .syntax import Scope, walk


def begins_with_closure(roles: Names, optimizer: str, scope: Scope) -> bool:
    """Whether nothing in its class speaks against it: Lightning's batch runs within the closure, and nowhere else."""
    definition = own_class(roles, ast.Name(optimizer, ast.Load()), scope)
    step = method_of(definition, "step") if definition is not None else None
    if step is None:
        return True
    if len(step.args.args) < 2:
        return step.args.vararg is not None
    closure = step.args.args[1].arg
    for statement in step.body:
        match statement:
            case ast.Expr(value=ast.Constant()) | ast.Assign(value=ast.Constant()) | ast.Assert():
                continue
        return any(isinstance(n, ast.Name) and n.id == closure for n in walk(statement)) and _hands_on(
            statement, closure
        )
    return False


def _hands_on(statement: ast.stmt, closure: str) -> bool:
    """Whether a statement runs the closure, or hands it to what does."""
    for node in walk(statement):
        if isinstance(node, ast.Call):
            given = [node.func, *node.args, *(k.value for k in node.keywords)]
            if any(isinstance(g, ast.Name) and g.id == closure for g in given):
                return True
    return False
