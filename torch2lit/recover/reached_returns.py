"""Which of a function's `return` statements a call may reach: what it passes as constants decides the tests that ask for it.

def build_loader(config, pretrain=False):
    if pretrain:
        return build_pretrain_loader(config)        reached by ``build_loader(config, pretrain=True)``
    return build_dataset(config), None              reached by any other call
"""

from __future__ import annotations

import ast

from .known import Facts, Known, truth
from .names import bound_names, parameter_names
from .syntax import walk_scope


def reached_returns(function: ast.FunctionDef, call: ast.Call) -> list[ast.Return]:
    """The `return` statements with a value that may end the call."""
    facts = _passed(function, call)
    if not facts:
        return _returns(function.body)
    found: list[ast.Return] = []
    _follow(function.body, facts, found)
    return found


def _returns(block: list[ast.stmt]) -> list[ast.Return]:
    return [n for n in walk_scope(block) if isinstance(n, ast.Return) and n.value is not None]


def _passed(function: ast.FunctionDef, call: ast.Call) -> Facts:
    """The parameters that get a constant from the call or by default, and keep it."""
    a = function.args
    if any(isinstance(g, ast.Starred) for g in call.args) or any(k.arg is None for k in call.keywords):
        return {}
    positional = [p.arg for p in (*a.posonlyargs, *a.args)]
    given: dict[str, ast.expr | None] = dict(zip(reversed(positional), reversed(a.defaults), strict=False))
    given |= {p.arg: default for p, default in zip(a.kwonlyargs, a.kw_defaults, strict=True)}
    given |= dict(zip(positional, call.args, strict=False))
    given |= {k.arg: k.value for k in call.keywords if k.arg is not None}
    kept = set(parameter_names(function)) - bound_names(function.body)
    kept -= {name for n in ast.walk(function) if isinstance(n, ast.Nonlocal) for name in n.names}
    return {
        name: Known(value.value)
        for name, value in given.items()
        if name in kept and isinstance(value, ast.Constant) and isinstance(value.value, bool | int | str | None)
    }


def _follow(block: list[ast.stmt], facts: Facts, found: list[ast.Return]) -> bool:
    """Collect what a block may return; whether it surely is left."""
    for statement in block:
        match statement:
            case ast.Return():
                found += _returns([statement])
                return True
            case ast.Raise():
                return True
            case ast.If(test=test, body=body, orelse=orelse):
                says = truth(test, facts)
                arms = [arm for arm, where in ((body, True), (orelse, False)) if says in (None, where)]
                ends = [_follow(arm, facts, found) for arm in arms]
                if all(ends):
                    return True
            case _:
                found += _returns([statement])
    return False
