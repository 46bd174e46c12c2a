"""Whether a function of the script only makes an optimizer, or a schedule, of what it is given: then it may as well be called later.

def build(args, model):
    if args.kind == "adam":
        return Adam(model.parameters(), lr=args.lr)
    raise ValueError(args.kind)                             an error is told later, too: nothing may be shown before it
"""

from __future__ import annotations

import ast

from ..plan.making_functions import is_error, plain_function
from ..plan.quiet_tests import runs_property
from ..recover.names import local_names
from ..recover.roles import Roles
from ..recover.syntax import walk

_BUILTINS = {"list", "len", "float", "int", "str", "bool", "min", "max", "isinstance", "any", "all", "dict", "tuple"}
_MAKES_ALSO = ("torch.optim.Adagrad", "torch.optim.swa_utils.")
"""What copies values or shapes of the parameters, wherever they are at the time."""
_LISTING = {"parameters", "named_parameters"}
_OF_TEXTS = {"lower", "upper", "startswith", "endswith"}
_STATEMENTS = (
    ast.Assign, ast.AugAssign, ast.AnnAssign, ast.If, ast.For, ast.Return, ast.Raise, ast.Expr, ast.Pass, ast.Continue,
)  # fmt: skip
_UNSURE = (ast.Lambda, ast.NamedExpr, ast.Await, ast.Yield, ast.YieldFrom, ast.GeneratorExp)


def is_torchs_making(roles: Roles, call: ast.Call) -> bool:
    """Whether a call makes an optimizer or a schedule of torch's own that keeps the parameters, and nothing that they are at the time."""
    full = roles.full_name(call.func)
    named = full.startswith("torch.optim.") and full.rpartition(".")[2][:1].isupper()
    return named and not full.startswith(_MAKES_ALSO)


def function_that_makes(roles: Roles, call: ast.Call) -> ast.FunctionDef | None:
    """The function of the file that a call runs, when it does nothing but making what it gives."""
    found = plain_function(roles, call) if isinstance(call.func, ast.Name) else None
    if found is None or found[1] is not roles:
        return None
    function = found[0]
    bodies = [n for s in function.body for n in walk(s)]
    return function if all(_only_makes(roles, function, n) for n in bodies) else None


def may_raise(function: ast.FunctionDef) -> bool:
    """Whether a function raises an error by a statement."""
    return any(isinstance(n, ast.Raise) for n in walk(function))


def _only_makes(roles: Roles, function: ast.FunctionDef, node: ast.AST) -> bool:
    if isinstance(node, ast.stmt) and not isinstance(node, _STATEMENTS):
        return False
    if isinstance(node, _UNSURE) or runs_property(roles, node):
        return False
    match node:
        case ast.Attribute(ctx=ast.Store() | ast.Del()) | ast.Subscript(ctx=ast.Store() | ast.Del()):
            return False
        case ast.Call():
            return _is_harmless(roles, function, node)
    return True


def _is_harmless(roles: Roles, function: ast.FunctionDef, call: ast.Call) -> bool:
    match call.func:
        case ast.Name(id=name) if name in _BUILTINS:
            return roles.key(function, name) is None
        case ast.Name(id="getattr") if roles.key(function, "getattr") is None:
            return len(call.args) > 1 and isinstance(call.args[1], ast.Constant) and not call.keywords
        case ast.Attribute(attr=method) if method in _LISTING | _OF_TEXTS:
            return not any(f.name == method and roles.source.in_class(f) for f in roles.source.functions)
        case ast.Attribute(value=ast.Name(id=name), attr="append" | "extend"):
            return name in local_names(function) - {a.arg for a in function.args.args}
    return is_torchs_making(roles, call) or is_error(call)
