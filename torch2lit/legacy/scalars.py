"""Which values are tensors of no dimension: what was a tensor with one element up to PyTorch 0.3."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Sequence
from typing import Literal

from ..recover.roles import Roles
from ..recover.syntax import Source, walk_scope

Scalar = Literal["", "one element", "no dimension"]
NO_DIMENSION: Scalar = "no dimension"
_DEPTH = 12
_REDUCTIONS = {"mean", "sum", "max", "min", "prod", "std", "var", "norm", "median"}
_SAME_SHAPE = {
    "abs", "clone", "contiguous", "cpu", "cuda", "detach", "double", "exp", "float", "half", "log", "neg", "sqrt", "to",
}  # fmt: skip
_LOSS = re.compile(r"torch\.nn\.functional\.(\w*_loss|\w*cross_entropy\w*|kl_div)")
_LOSS_CLASS = re.compile(r"torch\.nn\.\w*Loss(2d)?")


class Scalars:
    """Answers by following names, functions and criteria of the file to what makes their values."""

    def __init__(self, source: Source, roles: Roles, values: Callable[[ast.Name], Sequence[ast.expr] | None]) -> None:
        self._source = source
        self._roles = roles
        self._values = values
        self._open: set[ast.AST] = set()

    def of(self, node: ast.expr) -> Scalar:
        """ "no dimension" for what must have none, "one element" for what `backward()` takes, "" for the rest."""
        if self._without_dimension(node):
            return NO_DIMENSION
        return "one element" if self._is_differentiated(node) else ""

    def _without_dimension(self, node: ast.expr) -> bool:
        """Whether the value is a tensor of no dimension in every run. A value that is still asked about counts as one."""
        if node in self._open:
            return True
        if len(self._open) > _DEPTH:
            return False
        self._open.add(node)
        try:
            return self._find(node)
        finally:
            self._open.discard(node)

    def _find(self, node: ast.expr) -> bool:
        match node:
            case ast.Name():
                values = self._values(node)
                tensors = [v for v in values or [] if not _is_number(v)]
                return bool(tensors) and all(map(self._without_dimension, tensors))
            case ast.Attribute(attr="data", value=inner) | ast.UnaryOp(op=ast.USub(), operand=inner):
                return self._without_dimension(inner)
            case ast.BinOp(left=left, right=right):
                sides = [s for s in (left, right) if not self._is_number(s)]
                return bool(sides) and all(map(self._without_dimension, sides))
            case ast.IfExp(body=body, orelse=orelse):
                return self._without_dimension(body) and self._without_dimension(orelse)
            case ast.Call():
                return self._call(node)
            case ast.Subscript(value=ast.Call() as call, slice=ast.Constant(value=int() as index)):
                return self._returns(call, index)
        return False

    def _is_number(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Name):
            values = self._values(node)
            return bool(values) and all(map(_is_number, values or ()))
        return _is_number(node)

    def _call(self, call: ast.Call) -> bool:
        full = self._roles.full_name(call.func)
        if _LOSS.fullmatch(full):
            return not _may_not_reduce(call, 3)
        if full.startswith("torch.") and full.rpartition(".")[2] in _REDUCTIONS and full.count(".") == 1:
            return len(call.args) == 1 and not call.keywords
        if full == "torch.abs" and len(call.args) == 1:
            return self._without_dimension(call.args[0])
        if isinstance(call.func, ast.Attribute) and (not full or full.partition(".")[0] not in ("torch", "numpy")):
            method = call.func.attr
            if method in _REDUCTIONS and not call.keywords:
                return (not call.args or (method == "norm" and len(call.args) == 1)) and self._is_tensor(
                    call.func.value
                )
            if method in _SAME_SHAPE:
                return self._without_dimension(call.func.value)
        return self._is_criterion(call.func) or self._returns(call, None)

    def _is_criterion(self, function: ast.expr) -> bool:
        """Whether calling it gives one number: one of torch's losses, made so that it reduces, or the file's own."""
        if isinstance(function, ast.Name):
            if function in self._open:
                return True
            self._open.add(function)
            try:
                values = self._values(function)
                return bool(values) and all(map(self._is_criterion, values or ()))
            finally:
                self._open.discard(function)
        if not isinstance(function, ast.Call):
            return False
        full = self._roles.full_name(function.func)
        if _LOSS_CLASS.fullmatch(full):
            return not _may_not_reduce(function, 2)
        if isinstance(function.func, ast.Attribute) and function.func.attr in ("cuda", "to", "cpu", "float", "double"):
            return self._is_criterion(function.func.value)
        definition = self._source.classes.get(full) if "." not in full else None
        forward = (
            [n for n in definition.body if isinstance(n, ast.FunctionDef) and n.name == "forward"] if definition else []
        )
        return bool(forward) and self._all_returned(forward[0], None)

    def _returns(self, call: ast.Call, index: int | None) -> bool:
        full = self._roles.full_name(call.func)
        function = self._source.function(full) if full and "." not in full else None
        return function is not None and self._all_returned(function, index)

    def _all_returned(self, function: ast.FunctionDef, index: int | None) -> bool:
        returned = [n.value for n in walk_scope(function.body) if isinstance(n, ast.Return)]
        if index is not None:
            if not all(isinstance(r, ast.Tuple) and 0 <= index < len(r.elts) for r in returned):
                return False
            returned = [r.elts[index] for r in returned if isinstance(r, ast.Tuple)]
        return bool(returned) and all(r is not None and self._without_dimension(r) for r in returned)

    def _is_tensor(self, node: ast.expr) -> bool:
        """Whether the value is surely no array of numpy: a Python number of its sum would have no ``data``."""
        return not any(
            isinstance(n, ast.Call) and self._roles.full_name(n.func).startswith("numpy.") for n in ast.walk(node)
        ) and ".numpy()" not in ast.unparse(node)

    def _is_differentiated(self, node: ast.expr) -> bool:
        """Whether ``node.backward()`` without a gradient stands in the same scope: that takes one element only."""
        while isinstance(node, ast.Attribute) and node.attr == "data":
            node = node.value
        if not isinstance(node, ast.Name):
            return False
        scope = self._source.scope_of(node)
        return any(
            isinstance(n, ast.Call)
            and not n.args
            and not any(k.arg in ("gradient", None) for k in n.keywords)
            and isinstance(n.func, ast.Attribute)
            and n.func.attr == "backward"
            and isinstance(n.func.value, ast.Name)
            and n.func.value.id == node.id
            for n in walk_scope(scope.body)
        )


def _may_not_reduce(call: ast.Call, positions: int) -> bool:
    """Whether the arguments may ask for one loss per element: ``reduction="none"`` or ``reduce=False``."""
    for keyword in call.keywords:
        if keyword.arg is None or keyword.arg == "reduce":
            return True
        if keyword.arg == "reduction" and not (
            isinstance(keyword.value, ast.Constant)
            and keyword.value.value in ("mean", "sum", "elementwise_mean", "batchmean")
        ):
            return True
    return len(call.args) > positions or any(isinstance(a, ast.Starred) for a in call.args)


def _is_number(node: ast.expr) -> bool:
    """Whether the value is a plain Python number; names of numbers are not followed."""
    match node:
        case ast.Constant(value=int() | float()):
            return True
        case ast.UnaryOp(operand=inner):
            return _is_number(inner)
        case ast.BinOp(left=left, right=right):
            return _is_number(left) and _is_number(right)
        case ast.Call(func=ast.Name(id="len" | "float" | "int")) | ast.Call(func=ast.Attribute(attr="item" | "size")):
            return True
        case ast.Subscript(value=ast.Attribute(attr="shape") | ast.Call(func=ast.Attribute(attr="size"))):
            return True
        case ast.Attribute(value=ast.Name(id="args" | "opt" | "opts" | "cfg" | "config")):
            return True
    return False
