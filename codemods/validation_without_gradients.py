"""``with torch.no_grad():`` in an evaluation loop goes: Lightning validates without gradients.

with torch.no_grad():                 →      outputs = self.model(inputs)
    outputs = model(inputs)

Source: https://lightning.ai/docs/pytorch/stable/common/trainer.html#inference-mode (validation runs under
`torch.inference_mode` or `torch.no_grad`, and what is recorded under neither is not recorded without the block either).
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

import libcst as cst

from ..program import Claim, Site


@dataclass(frozen=True, slots=True)
class ValidationWithoutGradients:
    """Claims a `with` of a validation step that only switches gradients off."""

    name: str = "validation_without_gradients"

    def claim(self, site: Site) -> Claim | None:
        """Claim the header; the block's statements stay. A block in another one stays: gradients may be switched on there."""
        if site.hook != "validation_step" or not isinstance(site.statement, ast.With) or not site.outermost:
            return None
        if all(item.optional_vars is None and _switches_off(item.context_expr) for item in site.statement.items):
            return Claim("validation_step", "Lightning validates without gradients", _only_body)
        return None


def _switches_off(node: ast.expr) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="torch"), attr="no_grad"), args=[], keywords=[]):
            return True
        case ast.Call(
            func=ast.Attribute(value=ast.Name(id="torch"), attr="set_grad_enabled"),
            args=[ast.Constant(value=False)],
            keywords=[],
        ):
            return True
    return False


def _only_body(node: cst.With) -> list[cst.BaseStatement]:
    block = node.body
    if isinstance(block, cst.SimpleStatementSuite):
        return [cst.SimpleStatementLine(block.body, node.leading_lines, block.trailing_whitespace)]
    first, *rest = block.body
    comment = getattr(getattr(block, "header", None), "comment", None)
    above = [*node.leading_lines, *([cst.EmptyLine(comment=comment)] if comment else [])]
    first = first.with_changes(leading_lines=[*above, *first.leading_lines])  # type: ignore[attr-defined]
    return [statement for statement in (first, *rest) if isinstance(statement, cst.BaseStatement)]


IDIOM = ValidationWithoutGradients()
