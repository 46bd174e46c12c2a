"""A program whose training stands in methods, seen plainly: attributes of the object are variables, its methods functions.

class Solver:                                     if True:
    def __init__(self, net):                          def Solver(net):
        self.net = net                                    net of Solver = net
    def train(self):                                  def train of Solver():
        for epoch in range(self.epochs):                  for epoch in range(epochs of Solver):

Every line keeps its number, so that what is planned for the view is done to the raw text; see `restore.py` for the way back.
The view means the same as long as one object is looked at, which is what `classes.py` makes sure of.
"""

from __future__ import annotations

import ast
import functools
import re
from dataclasses import dataclass, field

import libcst as cst

from ..memory import tree_of
from ..recover.names import local_names
from ..recover.project_text import mentioned, stored
from ..recover.state_names import ABOVE, STATE, WHOLE, is_attribute, plain, state_name
from ..recover.syntax import Scope, Source, walk
from .classes import Family, named

_GONE = "_t2l_gone"


@dataclass
class PlainView:
    """The plain text of a program, and what its names stand for."""

    text: str
    raw: Source
    family: Family
    receivers: dict[int, str] = field(default_factory=dict)
    """For each function, by the line of its `def`, the name under which it knows the object; 0 is the module."""
    others: str = ""
    """The text of the project's other files."""

    def receiver(self, source: Source, scope: Scope) -> str | None:
        """What a scope of the view calls the object, None when it does not know it."""
        while not isinstance(scope, ast.Module):
            if scope.lineno in self.receivers:
                return self.receivers[scope.lineno]
            scope = source.scope_of(scope)
        return self.receivers.get(0)

    def method(self, scope: Scope) -> str:
        """The name of the method that a function of the view is, "" for any other function."""
        return "" if isinstance(scope, ast.Module) else self.family.method_at.get(scope.lineno, "")

    @functools.cached_property
    def bound_outside(self) -> frozenset[str] | None:
        """The attributes that code outside of the class binds on objects; None when it may be any."""
        elsewhere = stored(self.others)
        if elsewhere is None or any(map(self._sets_any, [*self.raw.calls, *self.raw.all(ast.Attribute)])):
            return None
        own = {n.attr for n in self.raw.all(ast.Attribute) if self._stored_from_outside(n)}
        return elsewhere | own | self.family.bound_by_bases

    def _sets_any(self, node: ast.expr) -> bool:
        """Whether code that may run after the object was made may bind attributes of any name."""
        match node:
            case ast.Call(func=ast.Name(id="setattr"), args=[_, ast.Constant(), _]):
                return False
            case ast.Call(func=ast.Name(id="setattr" | "vars")) | ast.Attribute(attr="__dict__"):
                method = self.raw.scope_of(node)
                return not (method in self.family.names and getattr(method, "name", "") == "__init__")
        return False

    def _stored_from_outside(self, node: ast.Attribute) -> bool:
        if isinstance(node.ctx, ast.Load):
            return False
        method = self.raw.scope_of(node)
        owner = self.raw.parents.get(method)
        if isinstance(method, ast.Module) or not isinstance(owner, ast.ClassDef):
            return True
        first = [*method.args.posonlyargs, *method.args.args][:1]
        return not (isinstance(node.value, ast.Name) and first and node.value.id == first[0].arg)

    @functools.cached_property
    def overridden(self) -> frozenset[str]:
        """What the functions of the view that no plain method is begin with, after what all names begin with."""
        names = [name for method, name in self.family.names.items() if name not in (state_name(method.name),)]
        return frozenset(plain(name) for name in names if is_attribute(name))

    @functools.cached_property
    def mentioned_elsewhere(self) -> frozenset[str]:
        """The attributes that the project's other files read or bind on anything."""
        return mentioned(self.others)

    @functools.cached_property
    def is_made_elsewhere(self) -> bool:
        """Whether another file may make objects of the class, and give them what this file does not show."""
        return named(self.family.leaf.name, self.others)

    @functools.cached_property
    def is_made_here(self) -> bool:
        """Whether the file makes an object of the class itself."""
        return bool(self.raw.calls_to(self.family.leaf.name))


def plain_view(source: Source, family: Family, others: str) -> PlainView | None:
    """The view of a family of classes; None when the text cannot be seen so."""
    if STATE in source.text or _GONE in source.text:
        return None
    viewer = _Viewer(source, family)
    text = source.module.visit(viewer).code
    text = re.sub(rf"{_GONE}[^\S\r\n]*,?[^\S\r\n]*", "", text)
    try:
        tree = tree_of(text)
    except SyntaxError:
        return None
    if _lines(tree) != _lines(source.tree) or _patterns(tree) != _patterns(source.tree):
        return None
    used = sorted({n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and is_attribute(n.id)})
    methods = {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}
    names = ", ".join([WHOLE, *(name for name in used if name not in methods)])
    end = "" if text.endswith(("\n", "\r")) else "\n"
    return PlainView(f"{text}{end}global {names}\n", source, family, viewer.receivers, others)


def _lines(tree: ast.Module) -> list[tuple[int, int | None]]:
    return [(n.lineno, n.end_lineno) for n in walk(tree) if isinstance(n, ast.stmt)]


def _patterns(tree: ast.Module) -> int:
    """How many values patterns compare with: a name alone would be bound instead."""
    return sum(isinstance(n, ast.MatchValue) for n in ast.walk(tree))


class _Viewer(cst.CSTTransformer):
    def __init__(self, source: Source, family: Family) -> None:
        super().__init__()
        self.family = family
        self.statements = {id(twin.node): statement for statement, twin in source.twins.items()}
        self.known: list[frozenset[str]] = []
        """The names of the object in each scope around."""
        self.body: list[frozenset[str]] = []
        """The names that a family's class body binds, where its own statements stand."""
        self.owner: list[ast.ClassDef] = []
        self.receivers: dict[int, str] = {}
        self.known.append(self._outside(source.tree, frozenset()))
        self.body.append(frozenset())
        for name in self.known[0]:
            self.receivers[0] = name

    def _outside(self, scope: Scope, around: frozenset[str]) -> frozenset[str]:
        own = self.family.holders.get(scope)
        seen = around if isinstance(scope, ast.Module) else around - local_names(scope)
        return seen | {own} if own is not None else seen

    # ---- scopes

    def visit_ClassDef(self, node: cst.ClassDef) -> bool:
        definition = self.statements.get(id(node))
        assert isinstance(definition, ast.ClassDef)
        inside = definition in self.family.classes
        self.owner.append(definition)
        self.body.append(frozenset(self.family.class_level) if inside else frozenset())
        return True

    def leave_ClassDef(self, original_node: cst.ClassDef, updated_node: cst.ClassDef) -> cst.BaseStatement:
        definition = self.owner.pop()
        self.body.pop()
        if definition not in self.family.classes:
            return updated_node.with_changes(name=original_node.name)
        return cst.If(
            cst.Name("True"),
            updated_node.body,
            leading_lines=[*updated_node.leading_lines, *updated_node.lines_after_decorators],
        )

    def visit_FunctionDef(self, node: cst.FunctionDef) -> bool:
        function = self.statements.get(id(node))
        assert isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        known = self._outside(function, self.known[-1])
        if self._is_method(function) and (own := self.family.self_name(function)) is not None:
            known |= {own}
            self.receivers[function.lineno] = own
        elif function in self.family.holders:
            self.receivers[function.lineno] = self.family.holders[function]
        self.known.append(known)
        self.body.append(frozenset())
        return True

    def _is_method(self, function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
        return function in self.family.names

    def leave_FunctionDef(self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef) -> cst.FunctionDef:
        self.known.pop()
        self.body.pop()
        function = self.statements[id(original_node)]
        assert isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        if not self._is_method(function):
            return updated_node.with_changes(name=original_node.name)
        changed = updated_node.with_changes(name=cst.Name(self.family.names[function]))
        if self.family.self_name(function) is None:
            return changed
        params = changed.params
        lists = ("posonly_params", "params")
        for name in lists:
            several = getattr(params, name)
            if several:
                first = several[0].with_changes(name=cst.Name(_GONE), annotation=None)
                return changed.with_changes(params=params.with_changes(**{name: [first, *several[1:]]}))
        return changed

    def visit_Lambda(self, node: cst.Lambda) -> bool:
        hidden = {p.name.value for p in (*node.params.params, *node.params.posonly_params, *node.params.kwonly_params)}
        self.known.append(self.known[-1] - hidden)
        self.body.append(self.body[-1] - hidden)
        return True

    def leave_Lambda(self, original_node: cst.Lambda, updated_node: cst.Lambda) -> cst.Lambda:
        self.known.pop()
        self.body.pop()
        return updated_node

    # ---- names

    def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> cst.Name:
        name = original_node.value
        if name in self.known[-1]:
            return updated_node.with_changes(value=WHOLE)
        if name in self.body[-1]:
            return updated_node.with_changes(value=state_name(name))
        return updated_node

    def leave_AssignTarget(self, original_node: cst.AssignTarget, updated_node: cst.AssignTarget) -> cst.AssignTarget:
        """The statement that makes the object keeps the name that it gives it."""
        if isinstance(original_node.target, cst.Name) and original_node.target.value in self.known[-1]:
            return updated_node.with_changes(target=original_node.target)
        return updated_node

    def leave_Attribute(self, original_node: cst.Attribute, updated_node: cst.Attribute) -> cst.BaseExpression:
        attribute = original_node.attr.value
        updated = updated_node.with_changes(attr=original_node.attr)
        if _is_super(original_node.value) and self.owner and self.owner[-1] in self.family.classes:
            above = self.family.above(self.owner[-1], attribute)
            return cst.Name(above) if above else updated.with_changes(value=cst.Name(ABOVE))
        if not isinstance(original_node.value, cst.Name) or original_node.value.value not in self.known[-1]:
            return updated
        if (attribute.startswith("__") and attribute.endswith("__")) or attribute in self.family.opaque:
            return updated
        if updated.value.lpar:
            return updated
        return cst.Name(state_name(attribute), lpar=updated.lpar, rpar=updated.rpar)

    def leave_Arg(self, original_node: cst.Arg, updated_node: cst.Arg) -> cst.Arg:
        return updated_node.with_changes(keyword=original_node.keyword)

    def leave_Param(self, original_node: cst.Param, updated_node: cst.Param) -> cst.Param:
        return updated_node.with_changes(name=original_node.name)

    def leave_NameItem(self, original_node: cst.NameItem, updated_node: cst.NameItem) -> cst.NameItem:
        return original_node

    def visit_Import(self, node: cst.Import) -> bool:
        return False

    def visit_ImportFrom(self, node: cst.ImportFrom) -> bool:
        return False


def _is_super(node: cst.BaseExpression) -> bool:
    return isinstance(node, cst.Call) and isinstance(node.func, cst.Name) and node.func.value == "super"
