"""Variables that the script binds on some ways to its loop only, and then reads on these ways only.

if args.log:
    notes = []                      handing `notes` to the module would fail where `args.log` is false:
for epoch in range(3):              it gets `notes if args.log else None`
    ...
    if args.log:
        notes.append(loss)
"""

from __future__ import annotations

import ast

from ...recover.names import flow, parameter_names
from ...recover.syntax import walk
from ...recover.variables import Variable
from ..draft import Draft
from ..surely_read import surely_read


def argument_of(draft: Draft, variable: Variable) -> str:
    """What the module gets for a variable of the entry scope: None where the script gives it no value."""
    if not _may_be_unbound(draft, variable):
        return variable.name
    scope = draft.nest.entry.scope
    if (test := _test_of_binding(_before(draft, scope.body), variable.name)) is not None:
        return f"{variable.name} if {ast.unparse(test)} else None"
    return f'{"globals" if isinstance(scope, ast.Module) else "locals"}().get("{variable.name}")'


def bound_on_the_way(draft: Draft) -> frozenset[str]:
    """The names of the entry scope that may have a value when its loop begins."""
    return flow(_before(draft, draft.nest.entry.scope.body)).written


def _test_of_binding(before: list[ast.AST], name: str) -> ast.expr | None:
    """The test under which the variable is surely bound, when nothing binds it or changes what the test says otherwise."""
    makers = [s for s in before if name in flow([s]).written]
    match makers:
        case [ast.If(test=test, body=body, orelse=orelse)] if name in flow(body).definite and _is_plain(test):
            later = before[before.index(makers[0]) :]
            return test if name not in flow(orelse).written and not _changes(later, test) else None
    return None


def _is_plain(test: ast.expr) -> bool:
    """Whether the test only looks at names, their attributes and constants, so that it says the same once more."""
    plain = (ast.Name, ast.Attribute, ast.Constant, ast.Compare, ast.UnaryOp, ast.BoolOp, ast.Tuple, ast.Set, ast.List)
    parts = (n for n in walk(test) if isinstance(n, ast.expr))
    return all(isinstance(n, plain) for n in parts)


def _changes(statements: list[ast.AST], test: ast.expr) -> bool:
    """Whether something gives a name or an attribute of the test another value."""
    read = flow([test]).read
    attributes = {n.attr for n in walk(test) if isinstance(n, ast.Attribute)}
    stored = (n for s in statements for n in walk(s) if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store))
    return bool(read & flow(statements).written) or any(n.attr in attributes for n in stored)


def _may_be_unbound(draft: Draft, variable: Variable) -> bool:
    """Whether a variable of the entry scope may have no value where the loop begins, and the loop may never miss it."""
    scope = draft.nest.entry.scope
    if variable.scope is not scope or variable.frame is not draft.nest.entry:
        return False
    if not isinstance(scope, ast.Module) and variable.name in parameter_names(scope):
        return False
    before = _before(draft, scope.body)
    if variable.name not in flow(before).written or variable.name in flow(before).definite:
        return False
    return not surely_read([draft.nest.outermost], variable.name)


def _before(draft: Draft, body: list[ast.stmt]) -> list[ast.AST]:
    """What runs before the loop on the way to it, in its order."""
    around = {draft.nest.outermost, *draft.source.ancestors(draft.nest.outermost)}
    found: list[ast.AST] = []
    for statement in body:
        if statement not in around:
            found.append(statement)
            continue
        if statement is not draft.nest.outermost:
            match statement:
                case ast.With(items=items):
                    found += items
                case ast.For(target=target, iter=looped):
                    found += [looped, target]
            for block in ("body", "orelse", "handlers", "finalbody"):
                inner = getattr(statement, block, [])
                if any(part in around for part in inner):
                    return [*found, *_before(draft, inner)]
        break
    return found
