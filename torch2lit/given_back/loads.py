"""What a function does with an optimizer that it is given, when it does no more than loading a state into it."""

from __future__ import annotations

import ast
import itertools
from dataclasses import dataclass

from ..recover.role import Role
from ..recover.roles import Roles
from ..recover.syntax import Scope, conditions_of, root_name, walk

_FILES = {"torch.load", "torch.hub.load_state_dict_from_url"}
_MOVES = {"to", "cuda", "cpu", "float", "double", "half", "bfloat16", "type", "xpu", "apply"}
_LOOKS = {"keys"}


@dataclass(frozen=True, slots=True)
class Load:
    """A parameter; the one statement that loads a state into it, if any; the questions whether there is such an object."""

    parameter: str
    statement: ast.Expr | None
    asked: tuple[ast.expr, ...]

    @property
    def state(self) -> str:
        """What the function names the state; "" when it loads none."""
        return f"{self.parameter}_state" if self.statement is not None else ""


def loaded_in(roles: Roles, function: ast.FunctionDef, parameter: str) -> Load | None:
    """What the function loads into a parameter; None when it does anything else with it."""
    mentions = [n for n in walk(function) if isinstance(n, ast.Name) and n.id == parameter]
    if any(roles.source.scope_of(n) is not function for n in mentions):
        return None
    loads = [s for n in mentions if (s := _load(roles, n)) is not None]
    asked = [test for n in mentions if (test := _asked(roles, n)) is not None]
    handed = [n for n in mentions if _is_handed(roles, n)]
    if len(loads) > 1 or len(loads) + len(asked) + len(handed) != len(mentions):
        return None
    if loads and not (
        all(isinstance(a, ast.If) for a in around(roles, function, loads[0]))
        and _is_of_file(roles, function, loads[0])
        and _rests(roles, function, loads[0])
    ):
        return None
    return Load(parameter, loads[0] if loads else None, tuple(asked))


def around(roles: Roles, scope: Scope, statement: ast.stmt) -> list[ast.AST]:
    """What stands around a statement of a function or of the file, the innermost first."""
    return list(itertools.takewhile(lambda a: a is not scope, roles.source.ancestors(statement)))


def _load(roles: Roles, mention: ast.Name) -> ast.Expr | None:
    """The statement that loads a state into what is mentioned."""
    statement = roles.source.statement_of(mention)
    match statement:
        case ast.Expr(
            value=ast.Call(func=ast.Attribute(value=owner, attr="load_state_dict"), args=[ast.Subscript()], keywords=[])
        ):
            return statement if owner is mention else None
    return None


def _asked(roles: Roles, mention: ast.Name) -> ast.expr | None:
    """The question whether there is such an object, where an `if` asks it, alone or with others."""
    parents = roles.source.parents
    node: ast.expr = mention
    match parents[mention]:
        case ast.Compare(left=left, ops=[ast.IsNot()], comparators=[ast.Constant(value=None)]) as test:
            if left is not mention:
                return None
            node = test
    owner = parents[node]
    if isinstance(owner, ast.BoolOp):
        owner = parents[owner]
    asks = isinstance(owner, ast.If) and not owner.orelse and node in conditions_of(owner.test)
    return node if asks else None


def _is_handed(roles: Roles, mention: ast.Name) -> bool:
    """Whether the function hands it back: alone, or among other things."""
    parent = roles.source.parents[mention]
    if isinstance(parent, ast.Tuple):
        parent = roles.source.parents[parent]
    return isinstance(parent, ast.Return)


def _is_of_file(roles: Roles, function: ast.FunctionDef, load: ast.Expr) -> bool:
    """Whether the state is an item of what the function has read from a file, of which nobody else gets hold."""
    assert isinstance(load.value, ast.Call)
    state = load.value.args[0]
    assert isinstance(state, ast.Subscript)
    part: ast.expr = state
    while isinstance(part, ast.Subscript) and isinstance(part.value, ast.Subscript):
        if not isinstance(part.slice, ast.Constant):
            return False
        part = part.value
    if not isinstance(part, ast.Subscript) or not isinstance(part.value, ast.Name):
        return False
    key = roles.key(function, part.value.id)
    made = roles.bindings(key) if key is not None else []
    if key is None or key[0] is not function or not made or not isinstance(part.slice, ast.Constant):
        return False
    if not all(isinstance(b.value, ast.Call) and roles.full_name(b.value.func) in _FILES for b in made):
        return False
    if any(b.index is not None for b in made):
        return False
    mentions = [n for n in walk(function) if isinstance(n, ast.Name) and n.id == part.value.id]
    return all(n is part.value or _leaves(roles, n, part.slice.value) for n in mentions)


def _leaves(roles: Roles, file: ast.Name, own: object) -> bool:
    """Whether a mention of what was read leaves the item of this key as it is, and hands it to nobody."""
    if isinstance(file.ctx, ast.Store | ast.Del):
        return True
    parent = roles.source.parents[file]
    match parent:
        case ast.Subscript(value=value, slice=ast.Constant(value=key)) if value is file:
            return key != own
        case ast.Compare(ops=[ast.In() | ast.NotIn()], comparators=[asked]):
            return asked is file
        case ast.Attribute(attr=method) if method in _LOOKS:
            return isinstance(roles.source.parents[parent], ast.Call)
        case ast.Attribute(attr="get"):
            call = roles.source.parents[parent]
            match call:
                case ast.Call(args=[ast.Constant(value=key), *_]):
                    return key != own
    return False


def _rests(roles: Roles, function: ast.FunctionDef, load: ast.Expr) -> bool:
    """Whether parameters keep their place and kind behind the load: an optimizer puts a state where they are."""
    for node in walk(function):
        if not isinstance(node, ast.Call) or node.lineno <= load.lineno:
            continue
        if isinstance(node.func, ast.Attribute) and node.func.attr in _MOVES:
            return False
        if any(_is_model(roles, function, a) for a in (*node.args, *(k.value for k in node.keywords))):
            return False
    return True


def _is_model(roles: Roles, function: ast.FunctionDef, argument: ast.expr) -> bool:
    return any(
        isinstance(n, ast.Name) and n.id == root_name(argument) and roles.role(function, n.id) is Role.MODEL
        for n in walk(argument)
    )
