"""Whether a mention of a settings object hands its dictionary on to what may set an entry of it, or has it filled anew.

parser.parse_args(["--rate", "0.5"], namespace=args)        load(vars(args))        args.__setattr__("rate", 0.5)
"""

from __future__ import annotations

import ast

from ..recover.names import parameter_names
from ..recover.roles import Roles, bound_argument
from ..recover.syntax import dotted, walk
from .making_functions import called_in_project
from .writes_elsewhere import CHANGING

_FILLS = {"parse_args", "parse_known_args", "parse_intermixed_args", "__setattr__", "__delattr__", "__init__"}
_SETS = {"__setattr__", "__delattr__", "__init__", "__setstate__"}
_SETS_ENTRIES = {*CHANGING, "__setitem__", "__delitem__", "__ior__"}
_KEEPS = {"append", "insert", "add", "setdefault", "extend", "setitem", "delitem", "ChainMap"}
"""Functions that keep what they are given for others, or set an entry of it."""
_DEPTH = 3


def dictionary_of(name: ast.expr) -> ast.expr | None:
    """The settings whose dictionary an expression is."""
    match name:
        case ast.Attribute(value=owner, attr="__dict__") | ast.Call(func=ast.Name(id="vars"), args=[owner]):
            return owner
    return None


def may_set_entries(roles: Roles, name: ast.Name) -> bool:
    """Whether the mention does so: another name for the dictionary is looked at by itself."""
    parents = roles.source.parents
    match parents.get(name):
        case ast.Attribute(attr=attribute) as used if attribute in _SETS:
            return isinstance(parents.get(used), ast.Call)
        case ast.keyword() as given if isinstance(call := parents.get(given), ast.Call):
            return _last(call) in _FILLS
        case ast.Call(func=function) as call if function is not name and _last(call) in _FILLS:
            return True
        case ast.Attribute() | ast.Call() as known if dictionary_of(known) is name:
            return _is_handed_on(roles, known, _DEPTH)
    return False


def _is_handed_on(roles: Roles, node: ast.expr, depth: int) -> bool:
    """Whether a dictionary may get other entries where an expression stands for it."""
    parent = roles.source.parents.get(node)
    match parent:
        case ast.Subscript(ctx=context, value=value) if value is node:
            return not isinstance(context, ast.Load)
        case ast.Attribute(attr=method):
            return method in _SETS_ENTRIES
        case ast.Assign(targets=targets):
            return not all(isinstance(t, ast.Name) for t in targets)
        case ast.keyword(arg=None):
            return False
        case ast.Dict(keys=keys, values=values) if any(
            k is None and v is node for k, v in zip(keys, values, strict=True)
        ):
            return False
        case ast.Dict() | ast.List() | ast.Tuple():
            return not isinstance(roles.source.parents.get(parent), ast.Call | ast.keyword) or _is_handed_on(
                roles, parent, depth
            )
        case ast.keyword(value=value):
            call = roles.source.parents.get(parent)
            return not isinstance(call, ast.Call) or _call_sets(roles, call, value, depth)
        case ast.Call():
            return _call_sets(roles, parent, node, depth)
        case (
            ast.NamedExpr()
            | ast.AnnAssign()
            | ast.AugAssign()
            | ast.IfExp()
            | ast.BoolOp()
            | ast.Return()
            | ast.Yield()
        ):
            return True
        case ast.withitem() | ast.Starred() | ast.Lambda():
            return True
    return False


def _call_sets(roles: Roles, call: ast.Call, given: ast.expr, depth: int) -> bool:
    """Whether a call may set entries of a dictionary that it is given, or keep it."""
    found = called_in_project(roles, call)
    if found is None:
        if (
            isinstance(call.func, ast.Name)
            and roles.source.function(call.func.id) is None
            and call.func.id not in roles.origins
        ):
            return _last(call) in _KEEPS or roles.key(roles.source.scope_of(call), call.func.id) is not None
        own = any(f.name == _last(call) for f in roles.source.functions)
        changed = dotted(call.func).rpartition(".")[0] == "dict" and _last(call) in _SETS_ENTRIES
        return own or changed or _last(call) in _KEEPS
    function, file = found
    if not isinstance(function, ast.FunctionDef) or not depth:
        return True
    names = [p for p in parameter_names(function) if bound_argument(function, call, p) is given]
    mentions = [n for s in function.body for n in walk(s) if isinstance(n, ast.Name) and n.id in names]
    return not names or any(_sets_by(file, n, depth - 1) for n in mentions)


def _sets_by(file: Roles, name: ast.Name, depth: int) -> bool:
    """Whether a function sets entries of its parameter, keeps it, or gives it another name."""
    return isinstance(file.source.parents.get(name), ast.Assign) or _is_handed_on(file, name, depth)


def _last(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else dotted(call.func)
