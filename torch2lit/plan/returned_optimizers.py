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
from ..recover.roles import Roles
from ..recover.syntax import walk
from ..recover.variables import Variable
from .draft import Draft
from .making_functions import plain_function
from .takes_apart import takes_apart


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
    return all(takes_apart(draft.roles, node) for node in named)
