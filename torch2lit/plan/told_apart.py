"""Does the script notice that ``Variable(x)`` is another object than ``x``, though it holds the same numbers?

Both hold one memory, so that a change of numbers is seen in both. What one of them alone has is its shape, what ``data`` is put there, and
that it is not the other one.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..recover.names import parameter_names, target_names
from ..recover.syntax import Source, root_name, walk

_SHAPES = frozenset(
    ["resize_", "resize_as_", "set_", "squeeze_", "swapaxes_", "swapdims_", "t_", "transpose_", "unsqueeze_"]
)
_OF_A_TENSOR = frozenset(["data", "requires_grad", "grad"])


def told_apart(source: Source, call: ast.Call) -> bool:
    """Whether the file may ask for, or change, what the Variable that the call makes has apart from its argument."""
    argument = call.args[0]
    names = {root_name(argument)} if isinstance(argument, ast.expr) else set()
    target = _target(source, call)
    if any(_asks_which(node) for node in walk(source.tree)):
        return True
    if isinstance(argument, ast.Name) and target == argument.id:
        return False  # nobody has the other one any more
    names |= {target} - {""}
    return any(_is_seen(source, node, names) for node in walk(source.tree))


def _target(source: Source, call: ast.Call) -> str:
    """The one name that an assignment gives the Variable; "" when it stands anywhere else."""
    around = source.parents[call]
    index = None
    if isinstance(around, ast.Tuple):
        index = around.elts.index(call)
        around = source.parents[around]
    if not isinstance(around, ast.Assign) or len(around.targets) != 1:
        return ""
    names = list(target_names(around.targets[0]))
    if index is None:
        return names[0] if isinstance(around.targets[0], ast.Name) else ""
    plain = isinstance(around.targets[0], ast.Tuple) and all(isinstance(e, ast.Name) for e in around.targets[0].elts)
    return names[index] if plain and index < len(names) else ""


def _asks_which(node: ast.AST) -> bool:
    """Whether two objects are compared, and not an object with None or a number."""
    match node:
        case ast.Compare(left=left, ops=ops, comparators=others):
            asked = any(isinstance(op, ast.Is | ast.IsNot) for op in ops)
            return asked and not any(isinstance(one, ast.Constant) for one in (left, *others))
        case ast.Name(id="id", ctx=ast.Load()):
            return True
    return False


def _is_seen(source: Source, node: ast.AST, names: set[str]) -> bool:
    """Whether a node changes one of two objects alone, or keeps tensors by what they are."""
    match node:
        case ast.Attribute(attr=attribute) if attribute in _SHAPES:
            return True
        case ast.Attribute(value=ast.Name(id=name), attr=attribute, ctx=ast.Store() | ast.Del()):
            return name in names or (attribute in _OF_A_TENSOR and name in _parameters(source, node))
        case ast.Call(func=ast.Name(id="setattr" | "delattr"), args=[ast.Name(id=name), *_]):
            return name in names
        case ast.Call(func=ast.Attribute(attr="add"), args=[ast.Name(id=name)]):
            return name in names
        case ast.Subscript(slice=ast.Name(id=name), ctx=ast.Store()):
            return name in names
        case ast.Compare(left=ast.Name(id=name), ops=ops):
            return name in names and any(isinstance(op, ast.In | ast.NotIn) for op in ops)
    return False


def _parameters(source: Source, node: ast.AST) -> Iterator[str]:
    for above in source.ancestors(node):
        if isinstance(above, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from parameter_names(above)
