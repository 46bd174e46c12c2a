"""Where a value lives: a variable of a scope, or an attribute that the methods of a class share through ``self``."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from .names import parameter_names
from .roles import Roles
from .syntax import Scope, Source

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True, slots=True)
class Holder:
    """A variable of a scope, or an attribute of a class's instances."""

    owner: Scope | ast.ClassDef
    name: str

    @property
    def is_attribute(self) -> bool:
        """Whether it is an attribute of instances."""
        return isinstance(self.owner, ast.ClassDef)


class Holders:
    """Finds the holder of an expression and everything that reads or writes a holder."""

    def __init__(self, source: Source, roles: Roles) -> None:
        self.source = source
        self.roles = roles
        self._reads: dict[Holder, list[ast.expr]] = {}
        self._stores: dict[Holder, list[ast.expr]] = {}
        self._attributes: dict[str, list[ast.Attribute]] = {}
        self.shadowed: set[str] = set()
        self._index()

    def of(self, node: ast.AST) -> Holder | None:
        """The holder that an expression names; None when it is no plain name and no attribute of ``self``."""
        if isinstance(node, ast.Name):
            if self._in_class_body(node):
                return None
            key = self.roles.key(self.source.scope_of(node), node.id)
            return Holder(*key) if key else None
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            owner = self.class_of_self(node.value)
            return Holder(owner, node.attr) if owner is not None else None
        return None

    def class_of_self(self, node: ast.Name) -> ast.ClassDef | None:
        """The class whose instance a name stands for: the first parameter of a method."""
        key = self.roles.key(self.source.scope_of(node), node.id)
        if key is None or not isinstance(key[0], _FUNCTIONS):
            return None
        method = key[0]
        owner = self.source.parents.get(method)
        first = [*method.args.posonlyargs, *method.args.args][:1]
        if not isinstance(owner, ast.ClassDef) or not first or first[0].arg != node.id:
            return None
        marks = {ast.unparse(d) for d in method.decorator_list}
        return None if marks & {"staticmethod", "classmethod"} else owner

    def reads(self, holder: Holder) -> list[ast.expr]:
        """Every place that reads it, in source order."""
        return self._reads.get(holder, [])

    def stores(self, holder: Holder) -> list[ast.expr]:
        """Every place that binds or deletes it, in source order; a parameter is bound by its function, too."""
        return self._stores.get(holder, [])

    def from_outside(self, holder: Holder) -> list[ast.Attribute]:
        """Attributes of the same name on something that may be an instance of the class, but is not its ``self``."""
        found = []
        for node in self._attributes.get(holder.name, []):
            if isinstance(node.value, ast.Name) and node.value.id in self.roles.origins:
                continue
            other = self.of(node)
            if other is None or (
                other != holder and isinstance(other.owner, ast.ClassDef) and self._kin(other, holder)
            ):
                found.append(node)
        return found

    def is_parameter(self, holder: Holder) -> bool:
        """Whether it is a parameter of a function."""
        return isinstance(holder.owner, _FUNCTIONS) and holder.name in parameter_names(holder.owner)

    def method(self, owner: ast.ClassDef, name: str) -> ast.FunctionDef | None:
        """The class's own plain method of this name."""
        found = [s for s in owner.body if isinstance(s, ast.FunctionDef) and s.name == name]
        return found[0] if len(found) == 1 else None

    def _kin(self, other: Holder, holder: Holder) -> bool:
        assert isinstance(other.owner, ast.ClassDef) and isinstance(holder.owner, ast.ClassDef)
        return holder.owner.name in self._bases(other.owner) or other.owner.name in self._bases(holder.owner)

    def _bases(self, owner: ast.ClassDef, depth: int = 0) -> set[str]:
        found: set[str] = set()
        for base in owner.bases:
            name = ast.unparse(base).rpartition(".")[2]
            found.add(name)
            definition = self.source.classes.get(name)
            if definition is not None and depth < 8:
                found |= self._bases(definition, depth + 1)
        return found

    def _in_class_body(self, node: ast.AST) -> bool:
        for ancestor in self.source.ancestors(node):
            if isinstance(ancestor, (*_FUNCTIONS, ast.Lambda, ast.Module)):
                return False
            if isinstance(ancestor, ast.ClassDef):
                return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        return False

    def _index(self) -> None:
        for comprehension in self.source.all(ast.comprehension):
            self.shadowed |= {n.id for n in ast.walk(comprehension.target) if isinstance(n, ast.Name)}
        for function in self.source.all(ast.Lambda):
            self.shadowed |= set(parameter_names(function))
        for name in sorted(self.source.all(ast.Name), key=_place):
            if isinstance(name.ctx, ast.Store) and self._in_class_body(name):
                self.shadowed.add(name.id)
            self._add(name)
        for attribute in sorted(self.source.all(ast.Attribute), key=_place):
            self._attributes.setdefault(attribute.attr, []).append(attribute)
            self._add(attribute)

    def _add(self, node: ast.Name | ast.Attribute) -> None:
        holder = self.of(node)
        if holder is not None:
            places = self._reads if isinstance(node.ctx, ast.Load) else self._stores
            places.setdefault(holder, []).append(node)


def _place(node: ast.expr) -> tuple[int, int]:
    return node.lineno, node.col_offset
