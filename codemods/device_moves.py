"""Batch moves go: Lightning moves every batch to the module's device before the hooks see it.

    data, target = data.to(device), target.to(device)   →   (nothing)
    images = images.reshape(-1, 784).to(device)         →   images = images.reshape(-1, 784)

Source: https://lightning.ai/docs/pytorch/stable/accelerators/accelerator_prepare.html (delete .cuda() and .to() calls).
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

import libcst as cst

from ..program import Claim, Site

_PASSED_ON = {"non_blocking"}


@dataclass(frozen=True, slots=True)
class DeviceMoves:
    """Drops ``.to(device)`` and ``.cuda()`` on elements of the batch."""

    name: str = "device_moves"

    def claim(self, site: Site) -> Claim | None:
        """Claim assignments and expressions that move elements of the batch."""
        statement = site.statement
        if not isinstance(statement, ast.Assign | ast.Expr | ast.AnnAssign | ast.Return):
            return None
        moves = [n for n in ast.walk(statement) if isinstance(n, ast.Call) and _is_move(n, site)]
        if not moves:
            return None
        texts = frozenset(ast.unparse(m) for m in moves)
        return Claim("Trainer(accelerator=...)", "Lightning moves the batch to the device", _Unmove(texts).apply)


def _is_move(node: ast.Call, site: Site) -> bool:
    if not isinstance(node.func, ast.Attribute) or not site.from_batch(node.func.value):
        return False
    keywords = [k for k in node.keywords if k.arg not in _PASSED_ON]
    if node.func.attr == "cuda":
        return not keywords and len(node.args) <= 2
    if node.func.attr != "to" or len(node.args) + len(keywords) != 1:
        return False
    target = node.args[0] if node.args else keywords[0].value
    if keywords and keywords[0].arg != "device":
        return False
    if isinstance(target, ast.Constant) and isinstance(target.value, str):
        return target.value.startswith(("cuda", "cpu"))
    return site.role(target) == "device"


@dataclass(frozen=True, slots=True)
class _Unmove:
    moves: frozenset[str]

    def apply(self, node: cst.CSTNode) -> cst.CSTNode | None:
        """The statement without the moves; None when only ``x = x`` is left."""
        changed = node.visit(_DropMoves(self.moves))
        if isinstance(changed, cst.Assign) and len(changed.targets) == 1:
            if _plain(changed.targets[0].target) == _plain(changed.value) is not None:
                return None
        if isinstance(changed, cst.Expr) and isinstance(changed.value, cst.Name):
            return None
        assert isinstance(changed, cst.CSTNode)
        return changed


class _DropMoves(cst.CSTTransformer):
    def __init__(self, moves: frozenset[str]) -> None:
        super().__init__()
        self.moves = moves

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        function = updated_node.func
        if isinstance(function, cst.Attribute) and function.attr.value in ("to", "cuda"):
            code = cst.Module([]).code_for_node(original_node.with_changes(lpar=[], rpar=[]))
            try:
                text = ast.unparse(ast.parse(code.strip(), mode="eval"))
            except SyntaxError:
                return updated_node
            if text in self.moves:
                return function.value
        return updated_node


def _plain(node: cst.BaseExpression) -> str | None:
    """The code of a name or a tuple of names, without parentheses and spaces."""
    if isinstance(node, cst.Name):
        return node.value
    if isinstance(node, cst.Tuple) and all(isinstance(e.value, cst.Name) for e in node.elements):
        return ",".join(e.value.value for e in node.elements if isinstance(e.value, cst.Name))
    return None


IDIOM = DeviceMoves()
