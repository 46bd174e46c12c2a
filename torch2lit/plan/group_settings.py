"""Numbers that a script puts into the groups of its optimizer before the loop: they belong to its making.

optimizer = SGD(model.parameters(), args.lr)              if args.arch == "deep":
for group in optimizer.param_groups:                          optimizer.param_groups[0]["lr"] = args.lr * 0.1
    group["initial_lr"] = args.lr
"""

from __future__ import annotations

import ast
from collections.abc import Iterable

from ..recover.names import flow, target_names
from ..recover.syntax import Source, walk
from ..recover.variables import Variable
from .afterwards import statements_after
from .draft import Draft
from .statements_between import statements_between

_BY_TEXT = {"globals", "locals", "eval", "exec"}
"""What finds a variable by a text; so do `vars()` and `dir()`, asked for nothing."""
_NUMBERS = {"float", "int", "min", "max", "abs"}
_RUNS = (
    ast.Await
    | ast.Lambda
    | ast.NamedExpr
    | ast.Yield
    | ast.YieldFrom
    | ast.comprehension
    | ast.List
    | ast.Dict
    | ast.Set
)
"""What does more than looking, or makes a thing that others may hold."""


def groups_set(draft: Draft, statement: ast.stmt) -> list[ast.Name]:
    """The optimizers of whose groups a statement sets numbers, when that is all that it does; none for any other statement."""
    match statement:
        case ast.If(body=body, orelse=orelse):
            inner = [groups_set(draft, s) for s in (*body, *orelse)]
            return [n for names in inner for n in names] if all(inner) else []
        case ast.For(target=ast.Name(id=group), iter=groups, body=body, orelse=[]):
            owner = _owner(groups)
            sets = owner is not None and all(_sets_number(draft, s, group) for s in body)
            return [owner] if owner is not None and sets else []
        case ast.Assign(targets=[ast.Subscript(value=ast.Subscript(value=groups, slice=ast.Constant()))]):
            owner = _owner(groups)
            return [owner] if owner is not None and _is_setting(draft, statement) else []
    return []


def set_behind(draft: Draft, load: ast.stmt, optimizer: Variable) -> list[ast.stmt]:
    """The statements behind a state that is loaded, in its block, that put other numbers into the groups of the optimizer.

    optimizer.load_state_dict(checkpoint["optimizer"])
    optimizer.param_groups[0]["lr"] = args.lr
    """
    block = draft.source.block_of(load)
    behind = block[block.index(load) + 1 :]
    owners = {s: groups_set(draft, s) for s in behind}
    own = {s for s in behind if owners[s] and all(draft.variable(o, draft.nest.entry) is optimizer for o in owners[s])}
    return [s for s in behind if s in own and _names_no_more(draft, s)]


def _names_no_more(draft: Draft, statement: ast.stmt) -> bool:
    """Whether the loops of a statement run by names that are mentioned in it alone."""
    inside = {id(n) for n in walk(statement)}
    names = flow([statement]).written
    return all(id(n) in inside for n in draft.source.all(ast.Name) if n.id in names)


def finds_by_text(source: Source) -> bool:
    """Whether the script may find a variable by a text."""
    return bool(source.names & _BY_TEXT) or any(not c.args for name in ("vars", "dir") for c in source.calls_to(name))


def stay_inside(draft: Draft, statements: Iterable[ast.stmt], making: list[ast.stmt]) -> bool:
    """Whether nothing finds the names that loops of these statements run by, once those statements stand elsewhere."""
    return all(_stays_inside(draft, statement, making) for statement in statements)


def _stays_inside(draft: Draft, statement: ast.stmt, making: list[ast.stmt]) -> bool:
    names = {n for node in walk(statement) if isinstance(node, ast.For) for n in target_names(node.target)}
    if not names:
        return True
    roles, source, scope = draft.roles, draft.source, draft.nest.entry.scope
    later = [s for s in statements_between(draft, statement.lineno) if s not in making]
    if finds_by_text(source) or names & flow([*later, draft.nest.outermost, *statements_after(draft)]).exposed:
        return False
    others = (n for n in source.all(ast.Name) if n.id in names and source.scope_of(n) is not scope)
    return not any(roles.key(source.scope_of(n), n.id) == (scope, n.id) for n in others)


def _owner(groups: ast.expr) -> ast.Name | None:
    match groups:
        case ast.Attribute(value=ast.Name() as owner, attr="param_groups"):
            return owner
    return None


def _sets_number(draft: Draft, statement: ast.stmt, group: str) -> bool:
    match statement:
        case (
            ast.Assign(targets=[ast.Subscript(value=ast.Name(id=name))])
            | ast.AugAssign(target=ast.Subscript(value=ast.Name(id=name)))
        ):
            return name == group and _is_setting(draft, statement)
    return False


def _is_setting(draft: Draft, statement: ast.Assign | ast.AugAssign) -> bool:
    """Whether a named item gets a value of which asking runs nothing of the script's."""
    target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
    named = isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant)
    return named and all(_is_quiet(draft, node) for node in walk(statement.value))


def _is_quiet(draft: Draft, node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Name(id=name), keywords=[]):
            own = draft.source.function(name) or draft.roles.key(draft.nest.entry.scope, name)
            return name in _NUMBERS and own is None
    return not isinstance(node, ast.Call | _RUNS)
