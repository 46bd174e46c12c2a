"""Which values are the same from where the optimizer is made to the end of the training?"""

from __future__ import annotations

import ast
import builtins
from dataclasses import dataclass, field

from ..recover.bindings import Binding
from ..recover.names import bound_otherwise, parameter_names
from ..recover.nest import Nest
from ..recover.roles import Roles, bound_argument
from ..recover.syntax import Scope, root_name, walk, walk_scope

Handed = dict[tuple[Scope, str], tuple[ast.expr, Scope]]
_ONLY_LOOK = {"vars", "print", "str", "repr", "len", "type", "isinstance", "hasattr", "getattr"}


@dataclass(frozen=True, slots=True)
class Settled:
    """Answers for one nest whose optimizer ``made`` makes."""

    roles: Roles
    nest: Nest
    made: ast.Assign
    handed: Handed = field(default_factory=dict)
    """What a function's parameters are given, and the scope of the call."""

    @property
    def scope(self) -> Scope:
        """The scope that holds the loop."""
        return self.nest.entry.scope

    def value(self, node: ast.expr, scope: Scope) -> bool:
        """Whether a name, an attribute or an item of one is there when the optimizer is made, and stays the same."""
        root = root_name(node)
        parts = [n for n in walk(node) if isinstance(n, ast.expr)]
        if not root or not all(isinstance(n, ast.Name | ast.Attribute | ast.Subscript | ast.Constant) for n in parts):
            return False
        if (outer := self.outer(root, scope)) is None:
            return isinstance(node, ast.Name) and self._is_given_settled(root, scope)
        root, scope = outer
        if not self._name(root, scope):
            return False
        if root in self.roles.origins or isinstance(node, ast.Name):
            return True
        for part in parts:
            if isinstance(part, ast.Attribute) and not self._attribute(part.attr):
                return False
            if isinstance(part, ast.Subscript) and self._items_change(root):
                return False
        return not self._is_handed_on(root)

    def outer(self, name: str, scope: Scope) -> tuple[str, Scope] | None:
        """The variable that a parameter is given, and its scope; None for one that is given anything else, or bound anew."""
        while (given := self.handed.get((scope, name))) is not None:
            bound = [n for n in walk_scope(scope.body) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)]
            if not isinstance(given[0], ast.Name) or any(n.id == name for n in bound):
                return None
            name, scope = given[0].id, given[1]
        return name, scope

    def number(self, node: ast.expr, scope: Scope) -> float | None:
        """The number that an expression of settled values surely gives; None when that is not written out."""
        match node:
            case ast.Constant(value=int() | float() as value):
                return None if isinstance(value, bool) else value
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                inner = self.number(operand, scope)
                return None if inner is None else -inner
            case ast.BinOp(left=left, op=ast.Add() | ast.Sub() | ast.Mult() as operator, right=right):
                one, two = self.number(left, scope), self.number(right, scope)
                if one is None or two is None:
                    return None
                return (
                    one + two
                    if isinstance(operator, ast.Add)
                    else one - two
                    if isinstance(operator, ast.Sub)
                    else one * two
                )
            case ast.Name(id=name):
                if (outer := self.outer(name, scope)) is None or not self.value(node, scope):
                    return None
                key = self.roles.key(outer[1], outer[0])
                bindings = self.roles.bindings(key) if key is not None else []
                if len(bindings) != 1 or bindings[0].index is not None:
                    return self._unpacked(bindings[0]) if len(bindings) == 1 else None
                made = bindings[0].value
                return self.number(made, self.scope) if isinstance(made, ast.Constant | ast.UnaryOp) else None
        return None

    def _unpacked(self, binding: Binding) -> float | None:
        """The number that a name gets of a written-out tuple."""
        match binding.value:
            case ast.Tuple(elts=parts) if binding.index is not None and 0 <= binding.index < len(parts):
                part = parts[binding.index]
                return self.number(part, self.scope) if isinstance(part, ast.Constant) else None
        return None

    def _is_given_settled(self, name: str, scope: Scope) -> bool:
        """Whether a parameter is given an attribute or an item that stays the same."""
        given = self.handed.get((scope, name))
        bound = [n for n in walk_scope(scope.body) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)]
        return given is not None and not any(n.id == name for n in bound) and self.value(*given)

    def function(self, name: ast.Name, scope: Scope) -> bool:
        """Whether a name is the one function of the module that is called so."""
        key = self.roles.key(scope, name.id)
        tree = self.roles.source.tree
        same = [f for f in self.roles.source.functions if f.name == name.id]
        plain = len(same) == 1 and self.roles.source.parents[same[0]] is tree
        return plain and key == (tree, name.id) and not self.roles.bindings(key)

    def _name(self, name: str, scope: Scope) -> bool:
        roles, source = self.roles, self.roles.source
        key = roles.key(scope, name)
        if key is None:
            return hasattr(builtins, name)
        if roles.rebound_unseen(key) or key[0] not in (self.scope, source.tree):
            return False
        if name in roles.origins:
            return not roles.bindings(key)
        if any(name in bound_otherwise(n) for n in walk_scope(key[0].body)):
            return False
        stores = [n for n in source.all(ast.Name) if n.id == name and not isinstance(n.ctx, ast.Load)]
        stores = [n for n in stores if roles.key(source.scope_of(n), name) == key]
        if key[0] is not self.scope:
            return len(stores) == 1 and source.scope_of(stores[0]) is source.tree
        given = not isinstance(self.scope, ast.Module) and name in parameter_names(self.scope)
        inside = [n for n in stores if n.lineno >= self.made.lineno or source.scope_of(n) is not self.scope]
        return not inside and (given or bool(stores))

    def _attribute(self, attribute: str) -> bool:
        """Whether nothing sets an attribute of this name once the optimizer is made."""
        source = self.roles.source
        if source.calls_to("setattr") or source.calls_to("delattr"):
            return False
        for node in source.all(ast.Attribute):
            if node.attr == attribute and not isinstance(node.ctx, ast.Load) and not self._is_over(node):
                return False
        return True

    def _is_over(self, node: ast.AST) -> bool:
        """Whether a statement has surely run before the optimizer is made, for the last time."""
        source = self.roles.source
        scope = source.scope_of(node)
        line: int = node.lineno  # type: ignore[attr-defined]
        if scope is self.scope or scope is source.tree:
            return scope is not self.scope or line < self.made.lineno
        if (owner := source.in_class(scope)) is not None:
            held = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
            return held and self.roles.is_module_class(owner.name)  # what a model sets of itself
        calls = source.calls_to(scope.name)  # type: ignore[union-attr]
        return all(
            source.scope_of(c) is source.tree or (source.scope_of(c) is self.scope and c.lineno < self.made.lineno)
            for c in calls
        ) and not (isinstance(self.scope, ast.Module) and any(c.lineno >= self.made.lineno for c in calls))

    def _items_change(self, root: str) -> bool:
        source = self.roles.source
        changed = [n for n in source.all(ast.Subscript) if not isinstance(n.ctx, ast.Load) and root_name(n) == root]
        return bool(changed)

    def _is_handed_on(self, root: str) -> bool:
        """Whether code of which nothing is seen may get the object, or one of its methods is called, once the optimizer is made."""
        source, names = self.roles.source, self._called(root)
        for node in source.all(ast.Name):
            if node.id not in names or not isinstance(node.ctx, ast.Load) or self._is_early(node):
                continue
            parent = source.parents[node]
            if isinstance(parent, ast.Attribute):
                above = source.parents[parent]
                if isinstance(above, ast.Call) and above.func is parent:
                    return True
            elif isinstance(parent, ast.Subscript) and parent.value is node:
                continue
            elif not self._only_looks(node, parent):
                return True
        return False

    def _called(self, root: str) -> set[str]:
        """The names under which functions of this file may get the object."""
        names, source = {root}, self.roles.source
        while True:
            more = set[str]()
            for call in source.calls:
                own = source.function(call.func.id) if isinstance(call.func, ast.Name) else None
                for parameter in parameter_names(own) if own is not None else ():
                    value = bound_argument(own, call, parameter) if own is not None else None
                    if isinstance(value, ast.Name) and value.id in names:
                        more.add(parameter)
            if more <= names:
                return names
            names |= more

    def _is_early(self, node: ast.Name) -> bool:
        source = self.roles.source
        scope = source.scope_of(node)
        if scope is self.scope:
            return node.lineno < self.made.lineno
        return scope is source.tree

    def _only_looks(self, node: ast.Name, parent: ast.AST) -> bool:
        """Whether a bare name is an argument of a function of this file, or of one that only looks."""
        if isinstance(parent, ast.FormattedValue):
            return True
        call = self.roles.source.parents[parent] if isinstance(parent, ast.keyword) else parent
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            return False
        return call.func.id in _ONLY_LOOK or self.roles.source.function(call.func.id) is not None
