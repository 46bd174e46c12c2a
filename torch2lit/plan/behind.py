"""What stands behind the loop, where that surely runs once: in the loop's own block, in that where the function around it is called, or in
a function that is called there.

def train(model, loader): ...           def test(model): ...
    for epoch in range(n): ...              return evaluate(model, DataLoader(...))
train(model, train_loader)              train(model, train_loader)
print(evaluate(model, test_loader))     print(test(model))
"""

from __future__ import annotations

import ast
import copy

from ..recover.items import no_grad_with
from ..recover.names import bound_names, parameter_names
from ..recover.nest import Frame
from ..recover.roles import bound_argument
from ..recover.syntax import Scope, dotted, walk, walk_scope
from .draft import Behind, Draft
from .outer_bar import bar_around

_PLAIN = (ast.Name, ast.Attribute, ast.Constant, ast.expr_context)


def behind(draft: Draft, statement: ast.stmt) -> Behind | None:
    """The way to a statement; None when it does not surely run once behind the loop."""
    source, outermost = draft.source, draft.nest.outermost
    scope = source.scope_of(statement)
    passed = _follows(draft, outermost, statement)
    if scope is draft.nest.entry.scope:
        return Behind((*outermost.orelse, *passed), draft.nest.entry) if passed is not None else None
    call = called_once(draft)
    if call is None:
        return None
    first, inner = source.statement_of(call), None
    within: list[ast.stmt] = []
    current = statement
    if source.scope_of(call) is not scope:
        inner = _one_call(draft, scope)
        before = _before(draft, scope, statement)
        if inner is None or before is None or source.scope_of(inner) is not source.scope_of(call):
            return None
        within, current = before, source.statement_of(inner)
        if not isinstance(current, ast.Expr | ast.Assign):
            return None
    passed = _follows(draft, first, current)
    if passed is None:
        return None
    body = draft.nest.entry.scope.body
    loop = bar_around(draft) or outermost
    way = (*outermost.orelse, *body[body.index(loop) + 1 :], *passed, *within)
    return Behind(way, Frame(scope), call, inner)


def called_once(draft: Draft) -> ast.Call | None:
    """The one call of the function around the loop, a statement of its own, of which nobody asks a result."""
    source, function = draft.source, draft.nest.entry.scope
    call = _one_call(draft, function)
    if call is None or isinstance(function, ast.Module):
        return None
    if (bar_around(draft) or draft.nest.outermost) not in function.body:
        return None
    if any(isinstance(n, ast.Return | ast.Yield | ast.YieldFrom) for n in walk_scope(function.body)):
        return None
    statement = source.statement_of(call)
    return call if isinstance(statement, ast.Expr) and statement.value is call else None


def _one_call(draft: Draft, function: Scope) -> ast.Call | None:
    """The one call of a function of the file that nothing else names, with arguments of which each has its parameter."""
    source = draft.source
    if not isinstance(function, ast.FunctionDef) or function.decorator_list:
        return None
    if source.parents.get(function) is not source.tree or source.function(function.name) is not function:
        return None
    uses = [n for n in source.all(ast.Name) if n.id == function.name]
    if len(uses) != 1 or function.name in draft.wanted_elsewhere or "__all__" in source.text:
        return None
    call = next(iter(source.calls_to(function.name)), None)
    if call is None or call.func is not uses[0] or any(isinstance(a, ast.Starred) for a in call.args):
        return None
    return call if all(k.arg is not None for k in call.keywords) else None


def _before(draft: Draft, function: Scope, statement: ast.stmt) -> list[ast.stmt] | None:
    """What a function does before a statement; None where it may not come to it, or more than once."""
    if isinstance(function, ast.Module) or any(
        isinstance(n, ast.Yield | ast.YieldFrom) for n in walk_scope(function.body)
    ):
        return None
    first = function.body[0]
    found = [] if first is statement else _follows(draft, first, statement)
    found = None if found is None else [*([first] if first is not statement else []), *found]
    left = found is None or any(isinstance(n, ast.Return) for n in walk_scope(found))
    return None if left else found


def as_called(draft: Draft, value: ast.expr, place: Behind) -> ast.expr | None:
    """What an expression of the loop's scope is at a place behind the loop; None when that cannot be said."""
    if place.call is None:
        return value
    known: dict[str, ast.expr] = {}
    for node in walk(value):
        if isinstance(node, ast.Name):
            found = _name_as_called(draft, node, place)
            if found is None:
                return None
            known[node.id] = found

    return _with_names(value, known)


def _with_names(value: ast.expr, known: dict[str, ast.expr]) -> ast.expr:
    class _Called(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:
            return known[node.id]

    changed = _Called().visit(copy.deepcopy(value))
    assert isinstance(changed, ast.expr)
    return changed


def _name_as_called(draft: Draft, name: ast.Name, place: Behind) -> ast.expr | None:
    function, roles = draft.nest.entry.scope, draft.roles
    assert isinstance(function, ast.FunctionDef) and place.call is not None
    if name.id not in parameter_names(function):
        return name if is_same_global(draft, name.id, place) else None
    if name.id in bound_names(function.body) or roles.rebound_unseen((function, name.id)):
        return None
    given = bound_argument(function, place.call, name.id)
    if isinstance(given, ast.Constant):
        return given
    passed = [*place.call.args, *(k.value for k in place.call.keywords)]
    plain = given is not None and given in passed
    return given if plain and all(isinstance(n, ast.Name | ast.Attribute | ast.Load) for n in walk(given)) else None  # type: ignore[arg-type]


def as_given(draft: Draft, value: ast.expr, place: Behind) -> ast.expr | None:
    """What an expression of the function in which a place stands is where that function is called; None when that cannot be said."""
    if place.inner is None or place.call is None:
        return value
    function, scope = place.frame.scope, draft.source.scope_of(place.inner)
    assert isinstance(function, ast.FunctionDef)
    known: dict[str, ast.expr] = {}
    for node in walk(value):
        if not isinstance(node, ast.Name) or node.id in known:
            continue
        if node.id in parameter_names(function):
            given = bound_argument(function, place.inner, node.id)
            changed = node.id in bound_names(function.body) or draft.roles.rebound_unseen((function, node.id))
            passed = [*place.inner.args, *(k.value for k in place.inner.keywords)]
            plain = given is not None and all(isinstance(n, _PLAIN) for n in walk(given))
            if changed or given is None or not plain or given not in passed:
                return None
            known[node.id] = given
            continue
        if node.id in draft.roles.locals(function) or (
            node.id in draft.roles.locals(scope) and scope is not draft.source.tree
        ):
            return None
        known[node.id] = node
    return _with_names(value, known)


def is_same_global(draft: Draft, name: str, place: Behind) -> bool:
    """Whether a name that is no local of the loop's scope stands for the same thing at a place behind the loop."""
    key = draft.roles.key(draft.nest.entry.scope, name)
    if key is None:
        return name not in draft.roles.locals(place.frame.scope)
    return isinstance(key[0], ast.Module) and draft.roles.key(place.frame.scope, name) == key


def changed_on_the_way(draft: Draft, place: Behind, values: list[ast.expr]) -> bool:
    """Whether a statement on the way may bind a name, or an attribute, of the values to something else."""
    names = {n.id for v in values for n in walk(v) if isinstance(n, ast.Name)}
    read = {n.attr for v in values for n in walk(v) if isinstance(n, ast.Attribute)}
    bound = bound_names(list(place.passed))
    stored = {
        n.attr
        for s in place.passed
        for n in walk(s)
        if isinstance(n, ast.Attribute) and not isinstance(n.ctx, ast.Load)
    }
    return bool(names & bound or read & stored)


def _follows(draft: Draft, first: ast.stmt, statement: ast.stmt) -> list[ast.stmt] | None:
    """The statements between two of one block, the second at most inside of blocks that switch gradients off; None for any others."""
    source = draft.source
    block, current = source.block_of(first), statement
    if not block and isinstance(source.parents.get(first), ast.Module):
        block = source.tree.body
    if any(isinstance(a, ast.For | ast.While | ast.Try) for a in source.ancestors(first)):
        return None
    inside: list[ast.stmt] = []
    while current not in block:
        parent = source.parents.get(current)
        if not isinstance(parent, ast.With) or not _switches_gradients_off(parent):
            return None
        inside = [*parent.body[: parent.body.index(current)], *inside]
        current = parent
    start, end = block.index(first), block.index(current)
    return [*block[start + 1 : end], *inside] if end > start else None


def _switches_gradients_off(node: ast.With) -> bool:
    return no_grad_with(node) or all(
        isinstance(i.context_expr, ast.Call)
        and dotted(i.context_expr.func).endswith("set_grad_enabled")
        and all(isinstance(a, ast.Constant) for a in i.context_expr.args)
        for i in node.items
    )
