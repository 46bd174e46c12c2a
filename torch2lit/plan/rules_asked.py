"""Whether the rule of a schedule, which is asked once as the schedule is made, would answer or leave something else later.

scheduler = LambdaLR(optimizer, rule)           def rule(step):
                                                    return 1 + random.random()      what draws behind it would draw first
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..recover.effects import EffectAnalysis
from ..recover.own_classes import own_class
from ..recover.roles import Roles
from ..recover.syntax import walk
from .asked_anew import asks_anew
from .draft import Draft
from .making_functions import nodes_of_making
from .writes_elsewhere import CHANGING

_ASKING = {"LambdaLR", "MultiplicativeLR", "CyclicLR"}
"""The schedules of torch that are given a rule."""
_TELLS = {"print", "write", "debug", "info", "warning", "warn", "error", "exception", "critical", "log"}
_RECKONING = {"math", "numpy", "torch"}
_DEPTH = 3


def asks_a_rule_anew(draft: Draft, statement: ast.stmt) -> bool:
    """Whether a rule that is asked where the statement makes a schedule draws, tells or counts something."""
    for node, file in nodes_of_making(draft.roles, [statement]):
        if isinstance(node, ast.Call) and _takes_rules(file, node):
            given = [*node.args[1:], *(k.value for k in node.keywords)]
            found = (rule for part in given for rule in _rules(file, part, _DEPTH))
            if any(_differs_later(draft, rule, home) for rule, home in found):
                return True
    return False


def _takes_rules(roles: Roles, call: ast.Call) -> bool:
    owner, _, name = roles.full_name(call.func).rpartition(".")
    return owner == "torch.optim.lr_scheduler" and name in _ASKING


def _rules(roles: Roles, given: ast.expr, depth: int) -> Iterator[tuple[ast.AST, Roles]]:
    """The code of the project's own that runs when what is given is called, each with its file."""
    if not depth:
        return
    match given:
        case ast.Lambda():
            yield given, roles
        case ast.List(elts=parts) | ast.Tuple(elts=parts):
            for part in parts:
                yield from _rules(roles, part, depth)
        case ast.ListComp(elt=part):
            yield from _rules(roles, part, depth)
        case ast.Name() | ast.Attribute():
            yield from _named(roles, given, depth)
        case ast.Call(func=function, args=args, keywords=keywords):
            for part in (function, *args, *(k.value for k in keywords)):
                yield from _rules(roles, part, depth - 1)


def _named(roles: Roles, given: ast.Name | ast.Attribute, depth: int) -> Iterator[tuple[ast.AST, Roles]]:
    """The functions, methods and classes that a name may stand for, and what is bound to it."""
    full, last = roles.full_name(given), given.id if isinstance(given, ast.Name) else given.attr
    for function in roles.source.functions:
        if function.name == last:
            yield function, roles
    scope = roles.source.scope_of(given)
    if (own := own_class(roles, given, scope)) is not None and own in roles.source.classes.values():
        yield own, roles
    if last in roles.source.classes:
        yield roles.source.classes[last], roles
    named = roles.function_named(full) or roles.own_class_named(full)
    if named is not None and isinstance(named[1], Roles):
        yield named[0], named[1]
    key = roles.key(scope, given.id) if isinstance(given, ast.Name) else None
    for bound in roles.bindings(key) if key is not None else []:
        yield from _rules(roles, bound.value, depth - 1)


def _differs_later(draft: Draft, rule: ast.AST, file: Roles) -> bool:
    effects = draft.effects if file is draft.roles else EffectAnalysis(file.source, file)
    if effects.draws(rule, file.source.scope_of(rule)) or asks_anew(file, rule, ()):
        return True
    constructors = {id(n) for one in walk(rule) for n in walk(one) if getattr(one, "name", "") == "__init__"}
    return any(
        _leaves_something(home, node) for node, home in nodes_of_making(file, [rule]) if id(node) not in constructors
    )


def _leaves_something(file: Roles, node: ast.AST) -> bool:
    """Whether a node of a rule tells something, or changes what the next call or others find."""
    match node:
        case ast.Global() | ast.Nonlocal() | ast.NamedExpr() | ast.Yield() | ast.YieldFrom():
            return True
        case ast.Attribute(ctx=ast.Store() | ast.Del()) | ast.Subscript(ctx=ast.Store() | ast.Del()):
            return True
        case ast.AugAssign(value=ast.List() | ast.Dict() | ast.Set() | ast.Tuple()):
            return True
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name) as function):
            return name in CHANGING | _TELLS and file.full_name(function).partition(".")[0] not in _RECKONING
    return False
