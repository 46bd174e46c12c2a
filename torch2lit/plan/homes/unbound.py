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
import builtins
from collections.abc import Sequence

from ...recover.names import flow, parameter_names
from ...recover.syntax import walk
from ...recover.variables import Variable
from ..draft import Draft
from ..may_run import may_run
from ..surely_read import surely_read
from .set_by_constructor import set_by_constructor

_PLAIN = (ast.Assign, ast.AugAssign, ast.Expr)
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def argument_of(draft: Draft, variable: Variable, read_at_once: Sequence[ast.stmt] = ()) -> str:
    """What the module gets for a variable of the entry scope: None where the script gives it no value.

    ``read_at_once``: what the module surely runs besides the loop.
    """
    if not _may_be_unbound(draft, variable) or surely_read(list(read_at_once), variable.name):
        return variable.name
    scope = draft.nest.entry.scope
    if (test := _test_of_binding(_before(draft, scope.body), variable.name)) is not None:
        return f"{variable.name} if {ast.unparse(test)} else None"
    return f'{"globals" if isinstance(scope, ast.Module) else "locals"}().get("{variable.name}")'


def optimizer_of_module_level(draft: Draft, variable: Variable) -> str:
    """How a function reaches an optimizer that the script makes at module level, under a test maybe: None where it does not."""
    scope, name = draft.source.tree, variable.name
    if variable.scope is not scope or draft.nest.entry.scope is scope:
        return name
    before: list[ast.AST] = [s for s in scope.body if not isinstance(s, _DEFINITIONS) and not _calls(s, draft)]
    if name not in flow(before).written or name in flow(before).definite or _loop_surely_reads(draft, variable):
        return name
    test = _test_of_binding(before, name)
    if test is not None and not _is_changed_by_functions(draft, test):
        return f"{name} if {ast.unparse(test)} else None"
    return f'globals().get("{name}")'


def may_be_missing(draft: Draft, variable: Variable) -> bool:
    """Whether the module holds None in place of an optimizer that the script may not make."""
    return {argument_of(draft, variable), optimizer_of_module_level(draft, variable)} != {variable.name}


def _calls(statement: ast.stmt, draft: Draft) -> bool:
    entry = draft.nest.entry.scope
    named = entry.name if isinstance(entry, ast.FunctionDef) else ""
    return any(isinstance(n, ast.Name) and n.id == named for n in walk(statement))


def _is_changed_by_functions(draft: Draft, test: ast.expr) -> bool:
    inside = [s for f in draft.source.functions for s in f.body]
    return bool(flow([test]).read & draft.roles.global_writes) or _changes([], test, inside)


def surely_bound(draft: Draft, variable: Variable) -> bool:
    """Whether a variable has a value where the loop begins, even if the loop itself may not ask for it."""
    scope = draft.nest.entry.scope
    if isinstance(variable.scope, ast.Module) and variable.scope is not scope:
        return variable.name in flow(variable.scope.body).definite or set_by_constructor(draft, variable)
    if not isinstance(scope, ast.Module) and variable.name in parameter_names(scope):
        return True
    return variable.name in _surely_bound_by(_before(draft, scope.body))


def before_loop(draft: Draft) -> list[ast.AST]:
    """What of the entry scope runs before the loop, on the way to it."""
    return _before(draft, draft.nest.entry.scope.body)


def bound_on_the_way(draft: Draft) -> frozenset[str]:
    """The names of the entry scope that may have a value when its loop begins."""
    return flow(before_loop(draft)).written


def bound_before_call(draft: Draft) -> frozenset[str]:
    """The names that the module surely binds before it comes to the function that trains."""
    before: list[ast.stmt] = []
    for statement in _statements(draft.source.tree.body):
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        if any(node is draft.nest.entry.scope for node in may_run(draft.source, [statement])):
            break
        before.append(statement)
    return _surely_bound_by(before)


def _surely_bound_by(before: Sequence[ast.AST]) -> frozenset[str]:
    """The names that have a value once all of this has run: each is bound, or read, on every way through it."""
    known = flow(before)
    return known.definite | {n for n in known.written - known.definite if _is_read_to_the_end(before, n)}


def _is_read_to_the_end(before: Sequence[ast.AST], name: str) -> bool:
    """Whether a plain statement reads the name whatever happens, and nothing takes its value away from then on."""
    if hasattr(builtins, name):
        return False
    for place, statement in enumerate(before):
        if isinstance(statement, _PLAIN) and surely_read([statement], name):
            return not any(_takes_away(node, name) for later in before[place:] for node in walk(later))
    return False


def _takes_away(node: ast.AST, name: str) -> bool:
    match node:
        case ast.Name(id=own, ctx=ast.Del()) | ast.ExceptHandler(name=own):
            return own == name
    return False


def _statements(body: list[ast.stmt]) -> list[ast.stmt]:
    """The statements of a script that runs as one: those under ``if __name__ == "__main__":`` are among them."""
    found: list[ast.stmt] = []
    for statement in body:
        match statement:
            case ast.If(test=ast.Compare(left=ast.Name(id="__name__"), ops=[ast.Eq()])):
                found += statement.body
            case _:
                found.append(statement)
    return found


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


def _changes(statements: list[ast.AST], test: ast.expr, inside: Sequence[ast.AST] = ()) -> bool:
    """Whether something gives a name, or (in functions, too) an attribute of the test another value."""
    read = flow([test]).read
    attributes = {n.attr for n in walk(test) if isinstance(n, ast.Attribute)}
    stored = (
        n
        for s in (*statements, *inside)
        for n in walk(s)
        if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store)
    )
    return bool(read & flow(statements).written) or any(n.attr in attributes for n in stored)


def _may_be_unbound(draft: Draft, variable: Variable) -> bool:
    """Whether a variable of the entry scope may have no value where the loop begins, and the loop may never miss it."""
    scope = draft.nest.entry.scope
    if variable.scope is not scope or variable.frame is not draft.nest.entry:
        return False
    if not isinstance(scope, ast.Module) and variable.name in parameter_names(scope):
        return False
    before = _before(draft, scope.body)
    if variable.name not in flow(before).written or variable.name in _surely_bound_by(before):
        return False
    return not _loop_surely_reads(draft, variable)


def _loop_surely_reads(draft: Draft, variable: Variable) -> bool:
    """Whether the loop reads the variable in every batch, in a function that runs there, too."""
    if variable.scope is draft.nest.entry.scope and surely_read([draft.nest.outermost], variable.name):
        return True
    for item in (i for i in draft.epoch.items if i.kind == "statement"):
        names = [n for n in flow([item.node]).read if draft.variables.of(item.frame, n) is variable]
        if any(surely_read([item.node], name) for name in names):
            return True
    return False


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
