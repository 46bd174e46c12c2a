"""Blocks of which nothing is left: the statement around them goes where its head only asks or switches, and stays with `pass` elsewhere."""

from __future__ import annotations

from typing import Any

import libcst as cst

_SWITCHES = {"no_grad", "enable_grad", "set_grad_enabled", "inference_mode", "autocast", "nullcontext"}
"""Contexts that change nothing but how what stands in them is computed."""


def without_empty_parts(node: Any) -> Any:
    """A compound statement whose blocks became empty: `pass` where it must stay, nothing where it may go."""
    orelse = getattr(node, "orelse", None)
    if isinstance(orelse, cst.Else) and _is_empty(orelse.body):
        node = node.with_changes(orelse=None)
        orelse = None
    if not hasattr(node, "body") or not _is_empty(node.body):
        return node
    if orelse is None and _does_nothing(node):
        return cst.RemoveFromParent()
    return node.with_changes(body=cst.IndentedBlock([cst.SimpleStatementLine([cst.Pass()])]))


def _does_nothing(node: cst.CSTNode) -> bool:
    """Whether running the statement without its block changes nothing that anybody can see."""
    match node:
        case cst.If(test=test):
            return not _acts(test)
        case cst.With(items=items):
            return all(_is_switch(item.item) for item in items)
        case cst.For(target=cst.Name(value=name), iter=values):  # the last value stays in the name
            return name.startswith("_") and _is_plain(values)
        case cst.Try(finalbody=None):
            return True
    return False


def _is_switch(context: cst.BaseExpression) -> bool:
    match context:
        case cst.Call(func=cst.Name(value=name) | cst.Attribute(attr=cst.Name(value=name)), args=arguments):
            return name in _SWITCHES and not any(_acts(a.value) for a in arguments)
    return False


def _is_plain(values: cst.BaseExpression) -> bool:
    """Whether running through the values takes nothing from anything."""
    match values:
        case cst.Call(func=cst.Name(value="range"), args=arguments):
            return not any(_acts(a.value) for a in arguments)
        case cst.Tuple() | cst.List():
            return not _acts(values)
    return False


def _is_empty(body: cst.CSTNode) -> bool:
    return isinstance(body, cst.IndentedBlock) and not body.body


class _Acts(cst.CSTVisitor):
    found = False

    def visit_Call(self, node: cst.Call) -> None:
        self.found = True

    def visit_NamedExpr(self, node: cst.NamedExpr) -> None:
        self.found = True

    def visit_Await(self, node: cst.Await) -> None:
        self.found = True


def _acts(node: cst.CSTNode) -> bool:
    """Whether evaluating an expression may do more than look."""
    visitor = _Acts()
    node.visit(visitor)
    return visitor.found
