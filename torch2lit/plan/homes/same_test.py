"""Variables that are bound under a test and read under the same test again: they are locals of their hook.

if args.mixup:
    inputs, lam = mixed(inputs)
outputs = model(inputs)
if args.mixup:
    loss = lam * ...
"""

from __future__ import annotations

import ast
from collections.abc import Set

from ...recover.items import Item
from ...recover.names import bound_names, flow
from ...recover.nest import Frame
from ...recover.syntax import dotted, walk, walk_scope
from ...recover.variables import Variable
from ..draft import Draft

_PLAIN = (
    ast.Name,
    ast.Attribute,
    ast.Constant,
    ast.Compare,
    ast.UnaryOp,
    ast.BoolOp,
    ast.Subscript,
    ast.BinOp,
    ast.operator,
    ast.expr_context,
    ast.boolop,
    ast.unaryop,
    ast.cmpop,
)


def bound_under_the_same_test(draft: Draft, items: list[Item]) -> set[Variable]:
    """The variables of which every read in these items, which run one after the other, finds a value of the same items."""
    use = draft.variables.sequence(items)
    candidates = use.exposed & use.written
    if not candidates or sum(isinstance(i.node, ast.If) for i in items) < 2:
        return set()
    return {v for v in candidates if _is_always_bound(draft, items, v, use.written)}


def _is_always_bound(draft: Draft, items: list[Item], variable: Variable, written: frozenset[Variable]) -> bool:
    known: set[tuple[int, str]] = set()
    for item in items:
        use = draft.variables.use(item)
        test = _test(draft, item, written)
        if variable in use.exposed and (test not in known or not _reads_in_body_only(draft, item, variable)):
            return False
        if variable in use.definite:
            return True
        if any(isinstance(n, ast.Delete) for n in walk(item.node)):
            return False
        if test is not None and isinstance(item.node, ast.If):
            body = flow(item.node.body, draft.variables.gone)
            if variable in draft.variables.names(item.frame, body.definite):
                known.add(test)
    return True


def _reads_in_body_only(draft: Draft, item: Item, variable: Variable) -> bool:
    assert isinstance(item.node, ast.If)
    otherwise = flow([item.node.test, *item.node.orelse]).exposed
    return variable not in draft.variables.names(item.frame, otherwise)


def _test(draft: Draft, item: Item, written: frozenset[Variable]) -> tuple[int, str] | None:
    """The test of an `if`, by its frame and text, when it says the same as long as the hook runs."""
    node = item.node
    if item.kind != "statement" or not isinstance(node, ast.If) or not is_steady(draft, node.test, item.frame, written):
        return None
    return id(item.frame), ast.unparse(node.test)


def is_steady(draft: Draft, test: ast.expr, frame: Frame, written: frozenset[Variable]) -> bool:
    """Whether a test only looks, and says the same as long as nothing but ``written`` is bound."""
    listed = {id(n) for one in walk(test) if (found := _listed(one)) is not None for n in walk(found)}
    if not all(isinstance(n, _PLAIN) or id(n) in listed for n in walk(test)):
        return False
    names = flow([test]).read
    if draft.variables.names(frame, names) & written or _bound_by_functions(draft, names & draft.roles.global_writes):
        return False
    if _may_be_changed(draft, frame, test):
        return False
    attributes = {n.attr for n in walk(test) if isinstance(n, ast.Attribute)}
    places = {ast.dump(n.slice) for n in walk(test) if isinstance(n, ast.Subscript)}
    stored = (n for n in draft.source.all(ast.Attribute) if not isinstance(n.ctx, ast.Load) and n.attr in attributes)
    placed = (
        n for n in draft.source.all(ast.Subscript) if not isinstance(n.ctx, ast.Load) and ast.dump(n.slice) in places
    )
    if not all(_runs_outside(draft, n) for n in (*stored, *placed)):
        return False
    calls = (c for c in draft.source.calls if isinstance(c.func, ast.Name) and c.func.id in ("setattr", "exec"))
    return not (attributes or places) or all(_runs_outside(draft, c) for c in calls)


def _listed(test: ast.AST) -> ast.expr | None:
    """The numbers and texts, all written out, among which a comparison looks for a value: ``rank in [-1, 0]``."""
    match test:
        case ast.Compare(ops=[ast.In() | ast.NotIn()], comparators=[ast.List() | ast.Tuple() | ast.Set() as listed]):
            return listed if all(_is_constant(n) for n in listed.elts) else None
    return None


def _is_constant(node: ast.expr) -> bool:
    return isinstance(node.operand if isinstance(node, ast.UnaryOp) else node, ast.Constant)


def _bound_by_functions(draft: Draft, names: Set[str]) -> bool:
    """Whether functions that declare names ``global`` may bind one of them while the loop runs: ``global args`` as ``main`` begins does not."""
    for declaration in draft.source.all(ast.Global):
        shared = names & {*declaration.names}
        scope = draft.source.scope_of(declaration)
        for node in walk_scope(scope.body) if shared else []:
            if isinstance(node, ast.stmt) and bound_names([node]) & shared and not _runs_outside(draft, node):
                return True
    return False


def _may_be_changed(draft: Draft, frame: Frame, test: ast.expr) -> bool:
    """Whether the truth of the test may change while the names and attributes in it keep their values: a list gets longer."""
    match test:
        case ast.BoolOp(values=values):
            return any(_may_be_changed(draft, frame, value) for value in values)
        case ast.UnaryOp(operand=operand):
            return _may_be_changed(draft, frame, operand)
        case ast.Constant() | ast.BinOp(op=ast.Mod() | ast.FloorDiv()):
            return False
        case ast.Compare(left=ast.Constant() | ast.BinOp(op=ast.Mod() | ast.FloorDiv()), ops=[ast.Eq() | ast.NotEq()]):
            return False
        case ast.Compare(ops=[ast.Is() | ast.IsNot() | ast.Lt() | ast.LtE() | ast.Gt() | ast.GtE()]):
            return False
        case ast.Compare(ops=[ast.Eq() | ast.NotEq()], comparators=[ast.Constant()]):
            return False
        case ast.Compare() if _listed(test) is not None:
            return False
        case ast.Name() | ast.Attribute() | ast.Subscript():
            return not _is_switch(draft, frame, test) and _is_handed_on(draft, test)
    return True


def _is_switch(draft: Draft, frame: Frame, test: ast.expr) -> bool:
    """Whether a variable only ever holds a truth value."""
    variable = draft.variable(test, frame)
    made = draft.roles.bindings((variable.scope, variable.name)) if variable is not None else []
    return bool(made) and all(b.index is None and _is_truth(b.value) for b in made)


def _is_truth(value: ast.expr) -> bool:
    match value:
        case ast.Constant() | ast.Compare() | ast.UnaryOp(op=ast.Not()):
            return True
        case ast.BoolOp(values=values):
            return all(_is_truth(v) for v in values)
        case ast.Call(func=function):
            return dotted(function).endswith("is_available")
    return False


def _is_handed_on(draft: Draft, tested: ast.expr) -> bool:
    """Whether code of the loop calls a method of what is tested, or hands it to a call."""
    text = ast.unparse(tested)
    for call in draft.source.calls:
        if _runs_outside(draft, call):
            continue
        if isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == text:
            return True
        if any(ast.unparse(a) == text for a in (*call.args, *(k.value for k in call.keywords))):
            return True
    return False


def _runs_outside(draft: Draft, node: ast.AST, callers: tuple[ast.AST, ...] = ()) -> bool:
    """Whether code surely runs before or after the loop: in the entry scope, at module level, or in a function that only they call."""
    if draft.nest.outermost in draft.source.ancestors(node):
        return False
    scope = draft.source.scope_of(node)
    if isinstance(scope, ast.Module) or scope is draft.nest.entry.scope:
        return True
    return isinstance(scope, ast.FunctionDef) and scope not in callers and _is_called_outside(draft, scope, callers)


def _is_called_outside(draft: Draft, function: ast.FunctionDef, callers: tuple[ast.AST, ...]) -> bool:
    """Whether all mentions of one of the file's functions are calls of it that run outside of the loop."""
    source = draft.source
    known = source.function(function.name) is function and source.parents[function] is source.tree
    if not known or function.decorator_list or function.name in draft.wanted_elsewhere:
        return False
    mentions = [n for n in source.all(ast.Name) if n.id == function.name]
    calls = [source.parents.get(n) for n in mentions]
    return all(isinstance(c, ast.Call) and c.func is n for n, c in zip(mentions, calls, strict=True)) and all(
        c is not None and _runs_outside(draft, c, (*callers, function)) for c in calls
    )
