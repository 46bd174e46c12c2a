"""Objects of the project that hold one optimizer and step it in a method of theirs, which clear what that one clears.

class ScheduledOptim:                                   optimizer.zero_grad()
    def zero_grad(self): self._optimizer.zero_grad()    loss.backward()
    def step_and_update_lr(self):                       optimizer.step_and_update_lr()
        self._update_learning_rate()
        self._optimizer.step()
"""

from __future__ import annotations

import ast

from .makings import Value, sources
from .own_classes import class_of_call, is_bare, lineage, method_of
from .roles import Roles
from .stepping import STEP_METHODS, is_held
from .syntax import Scope, walk


def clears_what_it_steps(roles: Roles, step: ast.Call, scope: Scope) -> ast.Name | None:
    """The object whose method a step site calls, where its `zero_grad` clears all that its methods step."""
    match step.func:
        case ast.Attribute(value=ast.Name() as owner) if is_held(step):
            made = sources(Value(owner, scope, roles))
            return owner if made and all(_clears_its_own(one) for one in made) else None
    return None


def _clears_its_own(made: Value) -> bool:
    definition = class_of_call(made.roles, made.node) if isinstance(made.node, ast.Call) else None
    if definition is None or not is_bare(made.roles, definition) or len([*lineage(definition, made.roles)]) > 1:
        return False
    clearing = method_of(definition, "zero_grad")
    cleared = _cleared_by(clearing) if clearing is not None else None
    stepped = {
        ast.unparse(n.func.value)
        for n in walk(definition)
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute) and n.func.attr in STEP_METHODS
    }
    return cleared is not None and stepped == {cleared}


def _cleared_by(method: ast.FunctionDef) -> str | None:
    """The attribute that a method clears, where it does nothing else."""
    body = [s for s in method.body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
    match body:
        case [
            ast.Expr(
                value=ast.Call(
                    func=ast.Attribute(value=ast.Attribute(value=ast.Name(id="self")) as own, attr="zero_grad"),
                    args=[],
                    keywords=[],
                )
            )
        ]:
            return ast.unparse(own)
    return None
