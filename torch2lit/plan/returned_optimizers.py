"""Which optimizers a function of the project makes and returns together, and whether the loop can do with a list of them.

def make_optimizers(nets, lr):
    first, second = nets
    slow = SGD(first.parameters(), lr=lr)
    fast = Adam(second.parameters())
    return slow, fast                           optimizers = make_optimizers(nets, args.lr)
"""

from __future__ import annotations

import ast

from ..recover.items import names_in
from ..recover.names import local_names, parameter_names
from ..recover.roles import Roles, bound_argument
from ..recover.syntax import walk
from ..recover.variables import Variable
from .draft import Draft
from .making_functions import plain_function

_DEPTH = 3
_RUN_THROUGH = {"zip", "enumerate", "len", "reversed"}


def returned_by(roles: Roles, call: ast.Call) -> ast.Tuple | ast.List | None:
    """The optimizers of torch's that the function which a call runs surely returns, as it writes them down."""
    found = plain_function(roles, call)
    if found is None:
        return None
    function, file = found
    returned = [n for n in walk(function) if isinstance(n, ast.Return)]
    match function.body[-1]:
        case ast.Return(value=ast.Tuple(elts=parts) | ast.List(elts=parts) as value) if len(returned) == 1:
            made = all(_is_made_there(file, function, part) for part in parts)
            return value if parts and made else None
    return None


def _is_made_there(file: Roles, function: ast.FunctionDef, part: ast.expr) -> bool:
    """Whether what a function returns is an optimizer that a call makes, in whatever branch."""
    if not isinstance(part, ast.Name):
        return isinstance(part, ast.Call) and _is_torchs(file, part)
    stored = [n for n in walk(function) if isinstance(n, ast.Name) and n.id == part.id and not _is_read(n)]
    if not stored or part.id in parameter_names(function) or part.id not in local_names(function):
        return False
    for name in stored:
        match file.source.parents[name]:
            case ast.Assign(targets=[target], value=ast.Call() as made) if target is name and _is_torchs(file, made):
                continue
        return False
    return True


def _is_torchs(file: Roles, made: ast.Call) -> bool:
    full = file.full_name(made.func)
    return full.startswith("torch.optim.") and "lr_scheduler" not in full


def _is_read(name: ast.Name) -> bool:
    return isinstance(name.ctx, ast.Load)


def only_taken_apart(draft: Draft, variable: Variable) -> bool:
    """Whether the loop does nothing with a tuple but what it can do with a list: it asks for its elements."""
    named = [n for item in draft.all_items() for n, frame in names_in(item) if draft.variable(n, frame) is variable]
    return all(_takes_apart(draft.roles, node, _DEPTH) for node in named)


def _takes_apart(roles: Roles, name: ast.AST, depth: int) -> bool:
    match above := roles.source.parents[name]:
        case ast.For(iter=looped) | ast.comprehension(iter=looped):
            return looped is name
        case ast.Subscript(value=held, slice=place):
            return held is name and isinstance(above.ctx, ast.Load) and not isinstance(place, ast.Slice)
        case ast.Assign(targets=targets):
            return all(isinstance(t, ast.Tuple | ast.List) for t in targets)
        case ast.Call(func=ast.Name(id=called)) if called in _RUN_THROUGH and roles.source.function(called) is None:
            return True
        case ast.Call() | ast.keyword():
            call = roles.source.parents[above] if isinstance(above, ast.keyword) else above
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
    return len(names) == 1 and all(_is_read(n) and _takes_apart(file, n, depth - 1) for n in mentions)
