"""Whether a statement gives the same under autocast and without: it multiplies no matrices and computes no loss."""

from __future__ import annotations

import ast
import sys

from ..recover.effects import NO_TORCH_RNG
from ..recover.items import Item, parts
from ..recover.loops import loop_names
from ..recover.nest import Frame
from ..recover.own_classes import own_class
from ..recover.roles import Role
from ..recover.syntax import Scope, dotted, root_name, walk
from .draft import Draft

_DEPTH = 4
_METHODS = {
    "item", "detach", "cpu", "cuda", "to", "float", "long", "int", "bool", "double", "numpy", "tolist", "size", "view",
    "reshape", "flatten", "squeeze", "unsqueeze", "permute", "transpose", "t", "argmax", "argmin", "max", "min", "eq", "ne",
    "gt", "lt", "ge", "le", "topk", "expand", "expand_as", "repeat", "contiguous", "clone", "type", "type_as", "add_",
    "sub_", "mul_", "div_", "add", "sub", "mul", "div", "mean", "all", "any", "nelement", "numel", "dim", "view_as",
    "zero_", "fill_", "copy_", "masked_fill_", "clamp", "clamp_", "sort", "gather", "requires_grad_",
    "append", "extend", "update", "copy", "items", "keys", "values", "get", "format", "split", "join", "strip", "write",
    "flush", "set_description", "set_postfix", "set_postfix_str", "pop", "insert", "clear", "setdefault", "index",
}  # fmt: skip
"""Methods of tensors, of containers and of progress bars that no autocast changes."""
_FUNCTIONS = {
    "max", "min", "argmax", "argmin", "eq", "ne", "gt", "lt", "is_tensor", "isnan", "isinf", "isfinite", "no_grad", "tensor",
    "as_tensor", "zeros", "ones", "zeros_like", "ones_like", "full", "arange", "rand", "randn", "randint", "randperm",
    "rand_like", "randn_like", "stack", "where", "from_numpy", "device", "is_available", "synchronize", "mean", "topk",
    "unsqueeze", "squeeze", "argsort", "sort", "one_hot", "flatten", "save", "Size", "set_grad_enabled", "enable_grad",
    "memory_allocated", "max_memory_allocated", "empty_cache", "get_rank", "get_world_size", "all_reduce", "barrier",
}  # fmt: skip
_HARMLESS_ON_MODELS = {"zero_grad", "train", "eval", "parameters", "named_parameters", "state_dict", "requires_grad_"}
_COUNTS = {"eq", "ne", "gt", "lt", "ge", "le", "float", "long", "int", "double", "bool"}


def autocast_matters(draft: Draft, item: Item) -> str:
    """What in an item autocast may change, as source; "" when it surely changes nothing."""
    for part, frame in parts(item):
        if found := _in_code(draft, part, frame.scope, frame, 0):
            return found
    return ""


def _in_code(draft: Draft, code: ast.AST, scope: Scope, frame: Frame | None, depth: int) -> str:
    for node in walk(code):
        match node:
            case ast.BinOp(op=ast.MatMult() | ast.Pow()) | ast.AugAssign(op=ast.MatMult() | ast.Pow()):
                if not all(isinstance(n, ast.Constant) for n in ast.iter_child_nodes(node) if isinstance(n, ast.expr)):
                    return _text(node)
            case ast.Call():
                if not _harmless(draft, node, scope, frame, depth):
                    return _text(node)
    return ""


def _text(node: ast.AST) -> str:
    return ast.unparse(node)[:60]


def _harmless(draft: Draft, call: ast.Call, scope: Scope, frame: Frame | None, depth: int) -> bool:
    roles = draft.roles
    function = call.func
    last = function.attr if isinstance(function, ast.Attribute) else dotted(function)
    head = root_name(function)
    full = roles.full_name(function)
    module = full.partition(".")[0]
    if head in roles.origins and full:
        if module == "torch":
            return last in _FUNCTIONS or (last == "sum" and _counts(call.args[0] if call.args else None))
        if module in sys.stdlib_module_names or module in NO_TORCH_RNG:
            return True
        return _only_numbers(draft, call, frame)
    if isinstance(function, ast.Name):
        if (own := draft.source.function(function.id)) is not None:
            return depth < _DEPTH and not _in_code(draft, ast.Module(own.body, []), own, None, depth + 1)
        return roles.key(scope, function.id) is None
    if not isinstance(function, ast.Attribute):
        return False
    if (definition := own_class(roles, function.value, scope)) is not None:
        methods = [s for s in definition.body if isinstance(s, ast.FunctionDef) and s.name == last]
        known = methods and definition in draft.source.classes.values()
        if known and depth < _DEPTH:
            return not any(_in_code(draft, ast.Module(m.body, []), m, None, depth + 1) for m in methods)
    role = roles.of(function.value, scope)
    if role is Role.MODEL:
        return last in _HARMLESS_ON_MODELS
    if role in (Role.OPTIMIZER, Role.SCHEDULER):
        return True
    if definition is not None:
        return _only_numbers(draft, call, frame)
    if last == "sum":
        return _counts(function.value)
    return last in _METHODS or _only_numbers(draft, call, frame)


def _counts(node: ast.expr | None) -> bool:
    """Whether a sum counts what compares, or adds up numbers that have full precision already."""
    return node is not None and any(
        isinstance(n, ast.Compare) or (isinstance(n, ast.Attribute) and n.attr in _COUNTS) for n in walk(node)
    )


def _only_numbers(draft: Draft, call: ast.Call, frame: Frame | None) -> bool:
    """Whether a function that cannot be seen is given numbers and words only, no tensor and no model."""
    arguments = [*call.args, *(k.value for k in call.keywords)]
    return all(_is_number(draft, a, frame, 0) for a in arguments)


def _is_number(draft: Draft, node: ast.expr, frame: Frame | None, depth: int) -> bool:
    match node:
        case ast.Constant() | ast.JoinedStr():
            return True
        case ast.Call(func=ast.Attribute(attr="item" | "size" | "numel" | "tolist" | "get_last_lr" | "format")):
            return True
        case ast.Call(func=ast.Name(id="len" | "float" | "int" | "str" | "round")):
            return True
        case ast.BinOp(left=left, right=right):
            return _is_number(draft, left, frame, depth) and _is_number(draft, right, frame, depth)
        case ast.UnaryOp(operand=operand):
            return _is_number(draft, operand, frame, depth)
        case ast.Dict(values=values) | ast.List(elts=values) | ast.Tuple(elts=values):
            return all(_is_number(draft, v, frame, depth) for v in values)
        case ast.Attribute() | ast.Subscript():
            root = ast.Name(root_name(node), ast.Load())
            return frame is not None and draft.roles.of(root, frame.scope) in (Role.CONFIG, Role.OPTIMIZER)
        case ast.Name(id=name):
            return frame is not None and _name_is_number(draft, name, frame, depth)
    return False


def _name_is_number(draft: Draft, name: str, frame: Frame, depth: int) -> bool:
    nest = draft.nest
    counters = [*(loop_names(nest.epochs) if nest.epochs else ()), *([nest.batches.index] if nest.batches else ())]
    if name in counters:
        return True
    key = draft.roles.key(frame.scope, name)
    bindings = draft.roles.bindings(key) if key else []
    return (
        depth < _DEPTH
        and bool(bindings)
        and all(b.index is None and _is_number(draft, b.value, frame, depth + 1) for b in bindings)
    )
