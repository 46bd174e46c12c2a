"""Whether a mention of a collection asks for its elements alone, so that a list is as good as a tuple, and a dictionary as another one."""

from __future__ import annotations

import ast

from ..recover.names import parameter_names
from ..recover.roles import Roles, bound_argument
from ..recover.syntax import walk
from .making_functions import plain_function

_DEPTH = 3
_RUN_THROUGH = {"zip", "enumerate", "len", "reversed"}
_OF_DICTIONARIES = {"get", "items", "keys", "values"}


def takes_apart(roles: Roles, name: ast.AST, depth: int = _DEPTH) -> bool:
    """Whether a name is read for its elements alone, in functions of the project too that it is given to."""
    match above := roles.source.parents.get(name):
        case ast.For(iter=looped) | ast.comprehension(iter=looped):
            return looped is name
        case ast.Subscript(value=held, slice=place):
            return held is name and isinstance(above.ctx, ast.Load) and not isinstance(place, ast.Slice)
        case ast.Assign(targets=targets):
            return all(isinstance(t, ast.Tuple | ast.List) for t in targets)
        case ast.Attribute(attr=attribute):
            return attribute in _OF_DICTIONARIES and isinstance(roles.source.parents.get(above), ast.Call)
        case ast.Compare(ops=[ast.In() | ast.NotIn()], comparators=[container]):
            return container is name
        case ast.Starred() | ast.keyword(arg=None):
            return True
        case ast.Call(func=ast.Name(id=called)) if called in _RUN_THROUGH and roles.source.function(called) is None:
            return True
        case ast.Call() | ast.keyword():
            call = roles.source.parents.get(above) if isinstance(above, ast.keyword) else above
            return isinstance(call, ast.Call) and bool(depth) and _function_takes_apart(roles, call, name, depth)
    return False


def _function_takes_apart(roles: Roles, call: ast.Call, given: ast.AST, depth: int) -> bool:
    """Whether a function of the project asks what it is given for its elements alone."""
    found = plain_function(roles, call)
    if found is None:
        return False
    function, file = found
    names = [p for p in parameter_names(function) if bound_argument(function, call, p) is given]
    mentions = [n for n in walk(function) if isinstance(n, ast.Name) and n.id in names]
    reads = all(isinstance(n.ctx, ast.Load) and takes_apart(file, n, depth - 1) for n in mentions)
    return len(names) == 1 and reads
