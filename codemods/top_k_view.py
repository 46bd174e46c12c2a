"""The first rows of a comparison with a transposed tensor cannot be viewed as one row since PyTorch 1.5.

    correct = pred.t().eq(target.view(1, -1).expand_as(pred.t()))
    correct[:k].view(-1)   →   correct[:k].reshape(-1)

`eq` keeps the strides of what it compares since then; before, its result was contiguous. ``reshape`` has the same elements in the
same order, and is a view where one is possible.
Source: https://github.com/pytorch/pytorch/issues/42153 (view size is not compatible, in accuracy()).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass

from ..program import Modernisation, Script, replaced

_VIEW = re.compile(r"\s*\.\s*view\s*\(\s*-\s*1\s*\)")
_COMPARISONS = {"eq", "ne", "gt", "lt", "ge", "le"}


@dataclass(frozen=True, slots=True)
class TopKView:
    """Flattens the first rows of such a comparison by ``reshape``, where the result is only read."""

    name: str = "top_k_view"
    words: tuple[str, ...] = (".view(-1)",)

    def modernise(self, script: Script) -> Iterable[Modernisation]:
        """Every ``x[:k].view(-1).method(...)`` on the comparison of a transposed tensor."""
        for call in script.all(ast.Call):
            match call:
                case ast.Call(
                    func=ast.Attribute(
                        value=ast.Subscript(
                            value=ast.Name() as name, slice=ast.Slice(lower=None, upper=ast.expr() as upper, step=None)
                        ) as rows,
                        attr="view",
                    )
                ) if not _is_one(upper) and _VIEW.fullmatch(script.rest(rows, call)) and _is_read(call, script):
                    values = script.values(name)
                    if values and all(_compares_transposed(v, script) for v in values):
                        meaning = (
                            f"the rows of `{name.id}` do not lie one after the other in memory since PyTorch 1.5, so `view` raises; "
                            "`reshape` has the same elements"
                        )
                        yield replaced(call, ".reshape(-1)", meaning, after=rows)


def _is_one(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value in (0, 1)


def _is_read(call: ast.Call, script: Script) -> bool:
    """Whether a method that makes a new tensor is called on the result at once."""
    method = script.parent(call)
    return isinstance(method, ast.Attribute) and method.attr in ("float", "double", "sum", "int", "long")


def _compares_transposed(node: ast.expr, script: Script) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(value=compared, attr=method)) if method in _COMPARISONS:
            return _is_transposed(compared, script)
        case ast.Compare(left=compared):
            return _is_transposed(compared, script)
    return False


def _is_transposed(node: ast.expr, script: Script) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(attr="t" | "transpose")):
            return True
        case ast.Name():
            return any(isinstance(v, ast.Call) and _is_transposed(v, script) for v in script.values(node) or ())
    return False


MODERNIZER = TopKView()
