"""Does code that lists a model's parameters only ask what they are, and never what they hold?

groups = [p for n, p in model.named_parameters() if p.requires_grad and "bias" not in n]      lists them
count = sum(p.numel() for p in model.parameters())                                            asks for sizes
print(sum(p.abs().sum() for p in model.parameters()))                                         reads values
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from ..recover.roles import Roles
from ..recover.syntax import Source, walk

LISTS = ("parameters", "named_parameters")
_ASKED = {"requires_grad", "shape", "ndim", "dtype", "device", "is_leaf"}
_CALLED = {"numel", "nelement", "size", "dim", "requires_grad_", "startswith", "endswith"}
_PASSES = {"list", "tuple", "enumerate", "reversed", "filter", "zip"}


def reads_values(source: Source, roles: Roles, call: ast.Call) -> bool | None:
    """Whether what runs over the listed parameters may read or change values; None where nothing here runs over them."""
    node: ast.AST = call
    while isinstance(parent := source.parents[node], ast.Call) and _is_passed_on(parent, node):
        node = parent
    match parent:
        case ast.comprehension() if parent.iter is node:
            whole = source.parents[parent]
            parts: list[ast.AST] = [n for n in ast.iter_child_nodes(whole) if n is not parent]
            given = source.parents[whole]
            listed = isinstance(whole, ast.ListComp | ast.SetComp | ast.DictComp)
            listed = listed or (isinstance(given, ast.Call) and roles.full_name(given.func).startswith("torch.optim."))
            return _any_loud(source, parent.target, [*parts, *parent.ifs], listed=listed)
        case ast.For() if parent.iter is node:
            return _any_loud(source, parent.target, parent.body, listed=False)
    return None


def _is_passed_on(call: ast.Call, node: ast.AST) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id in _PASSES and node in call.args


def _any_loud(source: Source, target: ast.expr, parts: Sequence[ast.AST], *, listed: bool) -> bool:
    names = {n.id for n in walk(target) if isinstance(n, ast.Name)}
    used = [n for part in parts for n in walk(part) if isinstance(n, ast.Name) and n.id in names]
    return any(not _is_quiet(source, n, listed=listed) for n in used)


def _is_quiet(source: Source, name: ast.Name, *, listed: bool) -> bool:
    """Whether one use of a parameter, or of its name, asks what it is; ``listed``: as the element of a new list it may stand by itself."""
    parent = source.parents[name]
    match parent:
        case ast.Attribute(attr=attribute):
            call = source.parents[parent]
            called = isinstance(call, ast.Call) and call.func is parent
            return attribute in _CALLED if called else attribute in _ASKED
        case ast.ListComp(elt=element) | ast.SetComp(elt=element) | ast.GeneratorExp(elt=element):
            return listed and element is name
        case ast.DictComp(value=value):
            return listed and value is name
        case ast.Compare(ops=[ast.In() | ast.NotIn()]):
            return True
        case ast.Call(func=ast.Attribute(attr="append"), args=[only]):
            return only is name and isinstance(source.parents[parent], ast.Expr)
        case ast.Call(func=ast.Name(id="id" | "len"), args=[only]):
            return only is name
    return False
