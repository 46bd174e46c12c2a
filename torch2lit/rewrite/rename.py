"""Give names other homes inside a statement, f-strings and nested functions included."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import libcst as cst

Node = TypeVar("Node", bound=cst.CSTNode)


def rename(node: Node, names: Mapping[str, str]) -> Node:
    """A copy of the node in which each free name of ``names`` reads as the expression given for it.

    Attributes, keywords and names bound inside lambdas, comprehensions and nested functions are left alone.
    """
    if not names:
        return node
    renamed = node.visit(_Renamer({name: cst.parse_expression(text) for name, text in names.items()}))
    assert isinstance(renamed, cst.CSTNode)
    return renamed


def rename_statements(node: Node, names: Mapping[str, str]) -> tuple[Node, dict[int, cst.CSTNode]]:
    """The same, and for the ``id`` of each node what has come of it."""
    renamer = _Follower({name: cst.parse_expression(text) for name, text in names.items()})
    renamed = node.visit(renamer)
    assert isinstance(renamed, cst.CSTNode)
    return renamed, renamer.found


class _Renamer(cst.CSTTransformer):
    def __init__(self, names: Mapping[str, cst.BaseExpression]) -> None:
        super().__init__()
        self.names = names
        self.hidden: list[set[str]] = []

    def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> cst.BaseExpression:
        name = original_node.value
        if name not in self.names or any(name in hidden for hidden in self.hidden):
            return updated_node
        new = self.names[name]
        if not updated_node.lpar:
            return new.deep_clone()
        return new.deep_clone().with_changes(lpar=updated_node.lpar, rpar=updated_node.rpar)

    def leave_Attribute(self, original_node: cst.Attribute, updated_node: cst.Attribute) -> cst.Attribute:
        value = updated_node.value
        if isinstance(value, cst.BinaryOperation | cst.UnaryOperation | cst.Comparison) and not value.lpar:
            value = value.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
        return updated_node.with_changes(value=value, attr=original_node.attr)

    def leave_Arg(self, original_node: cst.Arg, updated_node: cst.Arg) -> cst.Arg:
        return updated_node.with_changes(keyword=original_node.keyword)

    def leave_NameItem(self, original_node: cst.NameItem, updated_node: cst.NameItem) -> cst.NameItem:
        return original_node

    def leave_Param(self, original_node: cst.Param, updated_node: cst.Param) -> cst.Param:
        return updated_node.with_changes(name=original_node.name)

    def visit_Import(self, node: cst.Import) -> bool:
        return False

    def visit_ImportFrom(self, node: cst.ImportFrom) -> bool:
        return False

    def leave_FormattedStringExpression(
        self, original_node: cst.FormattedStringExpression, updated_node: cst.FormattedStringExpression
    ) -> Any:
        if original_node.equal is None or original_node.expression.deep_equals(updated_node.expression):
            return updated_node
        text = cst.Module([]).code_for_node(original_node.expression)
        conversion = updated_node.conversion or (None if updated_node.format_spec else "r")
        plain = updated_node.with_changes(equal=None, conversion=conversion)
        return cst.FlattenSentinel([cst.FormattedStringText(f"{text}="), plain])

    # ---- names that nested scopes bind themselves

    def visit_Lambda(self, node: cst.Lambda) -> bool:
        self.hidden.append(_parameters(node.params))
        return True

    def leave_Lambda(self, original_node: cst.Lambda, updated_node: cst.Lambda) -> cst.Lambda:
        self.hidden.pop()
        return updated_node

    def visit_FunctionDef(self, node: cst.FunctionDef) -> bool:
        bound = _Bound()
        node.body.visit(bound)
        self.hidden.append((_parameters(node.params) | bound.names) - bound.outer)
        return True

    def leave_FunctionDef(self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef) -> cst.FunctionDef:
        self.hidden.pop()
        return updated_node.with_changes(name=original_node.name)

    def leave_ClassDef(self, original_node: cst.ClassDef, updated_node: cst.ClassDef) -> cst.ClassDef:
        return updated_node.with_changes(name=original_node.name)

    def _enter_comprehension(self, node: cst.BaseComp) -> bool:
        bound: set[str] = set()
        part: cst.CompFor | None = node.for_in
        while part is not None:
            bound |= _targets(part.target)
            part = part.inner_for_in
        self.hidden.append(bound)
        return True

    def visit_ListComp(self, node: cst.ListComp) -> bool:
        return self._enter_comprehension(node)

    def visit_SetComp(self, node: cst.SetComp) -> bool:
        return self._enter_comprehension(node)

    def visit_DictComp(self, node: cst.DictComp) -> bool:
        return self._enter_comprehension(node)

    def visit_GeneratorExp(self, node: cst.GeneratorExp) -> bool:
        return self._enter_comprehension(node)

    def leave_ListComp(self, original_node: cst.ListComp, updated_node: cst.ListComp) -> cst.ListComp:
        self.hidden.pop()
        return updated_node

    def leave_SetComp(self, original_node: cst.SetComp, updated_node: cst.SetComp) -> cst.SetComp:
        self.hidden.pop()
        return updated_node

    def leave_DictComp(self, original_node: cst.DictComp, updated_node: cst.DictComp) -> cst.DictComp:
        self.hidden.pop()
        return updated_node

    def leave_GeneratorExp(self, original_node: cst.GeneratorExp, updated_node: cst.GeneratorExp) -> cst.GeneratorExp:
        self.hidden.pop()
        return updated_node


class _Bound(cst.CSTVisitor):
    """The names that a function's body binds, and those that it declares as another scope's."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.outer: set[str] = set()

    def visit_AssignTarget(self, node: cst.AssignTarget) -> None:
        self.names |= _targets(node.target)

    def visit_AnnAssign(self, node: cst.AnnAssign) -> None:
        self.names |= _targets(node.target)

    def visit_AugAssign(self, node: cst.AugAssign) -> None:
        self.names |= _targets(node.target)

    def visit_For(self, node: cst.For) -> None:
        self.names |= _targets(node.target)

    def visit_AsName(self, node: cst.AsName) -> None:
        self.names |= _targets(node.name)

    def visit_NamedExpr(self, node: cst.NamedExpr) -> None:
        self.names |= _targets(node.target)

    def visit_FunctionDef(self, node: cst.FunctionDef) -> bool:
        self.names.add(node.name.value)
        return False

    def visit_Lambda(self, node: cst.Lambda) -> bool:
        return False

    def visit_NameItem(self, node: cst.NameItem) -> None:
        self.outer.add(node.name.value)


def _parameters(params: cst.Parameters) -> set[str]:
    found = {p.name.value for p in (*params.params, *params.posonly_params, *params.kwonly_params)}
    for star in (params.star_arg, params.star_kwarg):
        if isinstance(star, cst.Param):
            found.add(star.name.value)
    return found


def _targets(node: cst.CSTNode) -> set[str]:
    if isinstance(node, cst.Name):
        return {node.value}
    if isinstance(node, cst.Tuple | cst.List):
        return {name for element in node.elements for name in _targets(element.value)}
    if isinstance(node, cst.StarredElement):
        return _targets(node.value)
    return set()


class _Follower(_Renamer):
    def __init__(self, names: Mapping[str, cst.BaseExpression]) -> None:
        super().__init__(names)
        self.found: dict[int, cst.CSTNode] = {}

    def on_leave(self, original_node: Any, updated_node: Any) -> Any:
        left = super().on_leave(original_node, updated_node)
        if isinstance(left, cst.CSTNode):
            self.found[id(original_node)] = left
        return left
