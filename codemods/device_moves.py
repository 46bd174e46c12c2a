"""Batch moves go: Lightning moves every batch to the module's device before the hooks see it.

    data, target = data.to(device), target.to(device)   →   (nothing)
    images = images.reshape(-1, 784).to(device)         →   images = images.reshape(-1, 784)
    data, target = data.cuda(), Variable(target)        →   (nothing)
    labels.extend(target.numpy())                       →   labels.extend(target.cpu().numpy())

A Variable around data is the data itself since PyTorch 0.4, and stands where the moves stand.
Sources: https://lightning.ai/docs/pytorch/stable/accelerators/accelerator_prepare.html (delete .cuda() and .to() calls),
https://pytorch.org/blog/pytorch-0_4_0-migration-guide/
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

import libcst as cst

from ..device_calls import moved
from ..program import Claim, Site


@dataclass(frozen=True, slots=True)
class DeviceMoves:
    """Drops ``.to(device)`` and ``.cuda()`` on elements of the batch."""

    name: str = "device_moves"

    def claim(self, site: Site) -> Claim | None:
        """Claim assignments and expressions that move elements of the batch."""
        statement = site.statement
        if not isinstance(statement, ast.Assign | ast.Expr | ast.AnnAssign | ast.Return):
            return None
        calls = [n for n in ast.walk(statement) if isinstance(n, ast.Call)]
        moves = frozenset(ast.unparse(n) for n in calls if _is_move(n, site))
        variables = frozenset(ast.unparse(n) for n in calls if site.is_plain_variable(n))
        arrays = frozenset(ast.unparse(n) for n in calls if site.needs_cpu(n))
        if arrays and not moves:
            target, why = "Tensor.cpu()", "Lightning moves the batch to the device"
            return Claim(target, why, _Unmove(moves, variables, arrays).apply)
        if moves:
            target, why = "Trainer(accelerator=...)", "Lightning moves the batch to the device"
            return Claim(target, why, _Unmove(moves, variables, arrays).apply)
        if variables:
            return Claim("the tensor itself", "a Variable around data is the data", _Unmove(moves, variables).apply)
        return None


def _is_move(node: ast.Call, site: Site) -> bool:
    what = moved(node, site)
    return what is not None and site.from_batch(what)


@dataclass(frozen=True, slots=True)
class _Unmove:
    moves: frozenset[str]
    variables: frozenset[str]
    arrays: frozenset[str] = frozenset()

    def apply(self, node: cst.CSTNode) -> cst.CSTNode | None:
        """The statement without the moves; None when only ``x = x`` is left."""
        changed = node.visit(_DropMoves(self.moves, self.variables, self.arrays))
        if isinstance(changed, cst.Assign) and len(changed.targets) == 1:
            if _plain(changed.targets[0].target) == _plain(changed.value) is not None:
                return None
            return _without_same(changed)
        if isinstance(changed, cst.Expr) and isinstance(changed.value, cst.Name):
            return None
        assert isinstance(changed, cst.CSTNode)
        return changed


class _DropMoves(cst.CSTTransformer):
    def __init__(self, moves: frozenset[str], variables: frozenset[str], arrays: frozenset[str]) -> None:
        super().__init__()
        self.moves, self.variables, self.arrays = moves, variables, arrays

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        function = updated_node.func
        if isinstance(function, cst.Attribute) and function.attr.value in ("to", "cuda"):
            if _text(original_node) in self.moves:
                return function.value
        if self.arrays and isinstance(function, cst.Attribute) and _text(original_node) in self.arrays:
            there = cst.Call(cst.Attribute(function.value, cst.Name("cpu")))
            return updated_node.with_changes(func=function.with_changes(value=there))
        if self.variables and updated_node.args and _text(original_node) in self.variables:
            return _alone(updated_node.args[0].value)
        return updated_node


def _text(node: cst.Call) -> str:
    code = cst.Module([]).code_for_node(node.with_changes(lpar=[], rpar=[]))
    try:
        return ast.unparse(ast.parse(code.strip(), mode="eval"))
    except SyntaxError:
        return ""


def _alone(node: cst.BaseExpression) -> cst.BaseExpression:
    """An expression that may stand anywhere."""
    if isinstance(node, cst.Name | cst.Call | cst.Attribute | cst.Subscript) or node.lpar:
        return node
    return node.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])


def _without_same(node: cst.Assign) -> cst.Assign:
    """``a, b = f(a), b`` as ``a = f(a)``."""
    target, value = node.targets[0].target, node.value
    if not isinstance(target, cst.Tuple) or not isinstance(value, cst.Tuple):
        return node
    if len(target.elements) != len(value.elements) or any(
        isinstance(e, cst.StarredElement) for e in (*target.elements, *value.elements)
    ):
        return node
    pairs = list(zip(target.elements, value.elements, strict=True))
    left = [(t, v) for t, v in pairs if not (isinstance(t.value, cst.Name) and _plain(t.value) == _plain(v.value))]
    if len(left) == len(pairs) or not left:
        return node
    if len(left) == 1:
        changed = [_alone(left[0][0].value), left[0][1].value]
    else:
        ends = [[t for t, _ in left], [v for _, v in left]]
        changed = [
            whole.with_changes(elements=[*elements[:-1], elements[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)])
            for whole, elements in zip((target, value), ends, strict=True)
        ]
    return node.with_changes(targets=[node.targets[0].with_changes(target=changed[0])], value=changed[1])


def _plain(node: cst.BaseExpression) -> str | None:
    """The code of a name or a tuple of names, without parentheses and spaces."""
    if isinstance(node, cst.Name):
        return node.value
    if isinstance(node, cst.Tuple) and all(isinstance(e.value, cst.Name) for e in node.elements):
        return ",".join(e.value.value for e in node.elements if isinstance(e.value, cst.Name))
    return None


IDIOM = DeviceMoves()
