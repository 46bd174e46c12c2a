"""What the making of an optimizer reads in a constructor, as another method of the object may read it."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ..recover.names import local_names, parameter_names
from ..recover.roles import Roles
from ..recover.syntax import root_name, walk
from .holders import holder_of
from .plain_values import PlainValues

if TYPE_CHECKING:
    from .object_uses import ObjectMade

_PLAIN = (ast.Constant, ast.Attribute, ast.Name, ast.Tuple, ast.List, ast.UnaryOp, ast.BinOp, ast.Dict)


class Settings:
    """The constructor of one class up to the statement that makes an optimizer."""

    def __init__(
        self, roles: Roles, init: ast.FunctionDef, before: list[ast.stmt], made: Sequence[ObjectMade] = ()
    ) -> None:
        self.roles = roles
        self.source = roles.source
        self.init = init
        self.before = before
        self.plain = PlainValues(roles, init, before, made)
        self.itself, *self.parameters = parameter_names(init)
        self.kept = dict(self._kept())
        self.held: dict[str, str] = {}
        """The attributes that hold models which the constructor is given, by its names for them."""

    def _kept(self) -> Iterator[tuple[str, str]]:
        """The attributes that hold what the constructor is given, by its parameters."""
        bound = {n.id for n in walk(self.init) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
        for statement in self.init.body:
            match statement:
                case ast.Assign(
                    targets=[ast.Attribute(value=ast.Name(id=itself), attr=name)], value=ast.Name(id=given)
                ):
                    if itself == self.itself and given in self.parameters and given not in bound:
                        yield given, name

    def models_of(self, call: ast.Call) -> set[str]:
        """The attributes of which the optimizer is given the parameters; none for whatever else it is given."""
        given = call.args[0] if call.args else next((k.value for k in call.keywords if k.arg == "params"), None)
        found = self._listed(given) if given is not None else None
        return found or set()

    def _listed(self, given: ast.expr) -> set[str] | None:
        """The attributes whose parameters an expression gives, in the order in which it asks for them."""
        match given:
            case ast.Call(func=ast.Attribute(value=ast.Attribute() as model, attr="parameters"), args=[], keywords=[]):
                held = self._own(model)
                return {held} if held and self._is_settled(held) else None
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="parameters"), args=[], keywords=[]):
                if name in self.parameters and (given_as := holder_of(self.roles, self.init, name)):
                    self.held[name] = given_as.attribute
                    return {given_as.attribute}
            case ast.Call(func=ast.Name(id="list") as function, args=[inner], keywords=[]):
                return self._listed(inner) if self.roles.key(self.init, function.id) is None else None
            case ast.Call(func=function, args=[*parts], keywords=[]) if (
                self.roles.full_name(function) == "itertools.chain"
            ):
                return self._all_listed(parts)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self._all_listed([left, right])
            case ast.List(elts=[*groups]) if groups and all(isinstance(g, ast.Dict) for g in groups):
                return self._all_listed([_parameters_of(g) for g in groups if isinstance(g, ast.Dict)])
        return None

    def _all_listed(self, parts: Sequence[ast.expr | None]) -> set[str] | None:
        found = [self._listed(part) if part is not None else None for part in parts]
        return {name for one in found if one for name in one} if found and all(found) else None

    def _own(self, node: ast.AST) -> str:
        """The attribute of the object itself that an expression names."""
        match node:
            case ast.Attribute(value=ast.Name(id=itself), attr=name) if itself == self.itself:
                return name
        return ""

    def _is_settled(self, attribute: str) -> bool:
        """Whether all that binds an attribute stands in the constructor above the making."""
        above = {id(n) for s in self.before for n in walk(s)}
        stores = [a for a in self.source.all(ast.Attribute) if a.attr == attribute and not isinstance(a.ctx, ast.Load)]
        return bool(stores) and all(id(a) in above and self._own(a) for a in stores)

    def words(self, statement: ast.Assign, method: ast.FunctionDef, own: set[str]) -> dict[ast.expr, str] | None:
        """How a method calls what a statement names; None when it cannot know some of it, or may find another value."""
        itself = parameter_names(method)[0]
        found: dict[ast.expr, str] = {}
        for node in walk(statement.value):
            if isinstance(node, ast.expr) and not self.is_plain(node, statement, own):
                return None
            if not isinstance(node, ast.Name) or (node.id in self.roles.origins and self.is_known(node, own)):
                continue
            if node.id == self.itself:
                found[node] = itself
            elif node.id in self.held and self._is_given(node):
                found[node] = f"{itself}.{self.held[node.id]}"
            elif node.id in self.kept and self._is_given(node) and self._is_stored_once(self.kept[node.id]):
                found[node] = f"{itself}.{self.kept[node.id]}"
            elif not self._is_builtin(node):
                return None
        return found | {n: itself for t in statement.targets for n in walk(t) if isinstance(n, ast.Name)}

    def _is_stored_once(self, attribute: str) -> bool:
        stores = [a for a in self.source.all(ast.Attribute) if a.attr == attribute and not isinstance(a.ctx, ast.Load)]
        return len(stores) == 1

    def is_known(self, node: ast.expr, own: set[str]) -> bool:
        """Whether a method finds the same under a name or an attribute, because it is imported or one of the object's that stays."""
        if isinstance(node, ast.Attribute) and (held := self._own(node)):
            return held in own or self._is_settled(held)
        root, scope = root_name(node), self.source.scope_of(node)
        if root in self.roles.origins:
            return isinstance(scope, ast.Module) or root not in local_names(scope)
        return isinstance(node, ast.Name) and self._is_builtin(node)

    def _is_given(self, node: ast.Name) -> bool:
        """Whether a name is one of the constructor's own, and not of a method whose body runs there."""
        return self.source.scope_of(node) is self.init

    def _is_builtin(self, node: ast.Name) -> bool:
        return self.roles.key(self.source.scope_of(node), node.id) is None and hasattr(builtins, node.id)

    def attribute_of(self, value: ast.expr) -> str:
        """The attribute that the constructor gives just this value, which is still the same; "" for none."""
        for place, statement in enumerate(self.before):
            match statement:
                case ast.Assign(targets=[ast.Attribute() as target], value=kept) if ast.dump(kept) == ast.dump(value):
                    name = self._own(target)
                    if name and self._is_stored_once(name) and self._stays(value, self.before[place + 1 :]):
                        return name
        return ""

    def _stays(self, value: ast.expr, statements: list[ast.stmt]) -> bool:
        """Whether statements surely leave a value what it is: they ask its owner for attributes, and bind none of that name."""
        root, parents = root_name(value), self.source.parents
        bound = {n.attr for n in walk(value) if isinstance(n, ast.Attribute)}
        for node in (n for s in statements for n in walk(s)):
            match node:
                case ast.Name(id=name, ctx=ast.Load()) if name == root and not isinstance(value, ast.Name):
                    above = parents[node]
                    call = parents[above]
                    if not isinstance(above, ast.Attribute) or (isinstance(call, ast.Call) and call.func is above):
                        return False
                case ast.Name(id=name, ctx=ast.Store() | ast.Del()) if name == root:
                    return False
                case ast.Attribute(attr=name, ctx=ast.Store() | ast.Del()) if name in bound:
                    return False
        return True

    def is_plain(self, node: ast.expr, statement: ast.Assign, own: set[str]) -> bool:
        """Whether a part of a making only looks at what stays as it is: the call itself, the model's parameters, numbers."""
        if isinstance(node, ast.Call):
            return node is statement.value or bool(self._listed(node))
        if not isinstance(node, _PLAIN):
            return False
        if not isinstance(node, ast.Attribute) or self._is_of_module(node):
            return True
        if self._own(node):
            return self.is_known(node, own)
        return node.attr == "parameters" or not self._is_set_on_others(node.attr)

    def _is_of_module(self, node: ast.Attribute) -> bool:
        full = self.roles.full_name(node)
        return full.startswith("torch.")

    def _is_set_on_others(self, attribute: str) -> bool:
        """Whether any object but the one itself gets an attribute of that name anywhere."""
        stores = [a for a in self.source.all(ast.Attribute) if a.attr == attribute and not isinstance(a.ctx, ast.Load)]
        return any(not isinstance(a.value, ast.Name) or a.value.id != self.itself for a in stores)

    def tainted(self, model: str) -> set[str]:
        """What may lead to the model: attributes and names that the constructor gives values that mention it."""
        found = {model}
        for statement in self.before:
            named = {
                n.attr if isinstance(n, ast.Attribute) else n.id
                for n in walk(statement)
                if isinstance(n, ast.Attribute | ast.Name)
            }
            stored = {
                n.attr if isinstance(n, ast.Attribute) else n.id
                for n in walk(statement)
                if isinstance(n, ast.Attribute | ast.Name) and not isinstance(n.ctx, ast.Load)
            }
            if model in stored and not self._makes_of_plain(statement):
                found |= named & {*self.parameters}
            if named & found:
                found |= stored
                found |= self._told(statement, found)
        return found

    def makes_itself(self, model: str) -> bool:
        """Whether the constructor makes the model for its object alone: nothing else is told of it."""
        bound = [
            s.value
            for s in self.before
            for t in (s.targets if isinstance(s, ast.Assign) else ())
            if self._own(t) == model and isinstance(s, ast.Assign)
        ]
        stored = [n for s in self.before for n in walk(s) if isinstance(n, ast.Attribute) and n.attr == model]
        if len(bound) != 1 or sum(not isinstance(n.ctx, ast.Load) for n in stored) != 1:
            return False
        return self.plain.makes_object(bound[0]) and self.tainted(model) == {model}

    def _makes_of_plain(self, statement: ast.stmt) -> bool:
        """Whether a statement gives the object a network that is made of plain values."""
        match statement:
            case ast.Assign(targets=[ast.Attribute()], value=value):
                return self.plain.makes_object(value)
        return False

    def _told(self, statement: ast.stmt, found: set[str]) -> set[str]:
        """What calls of a statement get together with what may lead to the model: they may put it there."""
        told: set[str] = set()
        for call in (n for n in walk(statement) if isinstance(n, ast.Call)):
            given = [n for a in (call.func, *call.args, *call.keywords) for n in walk(a)]
            read = {n.attr for n in given if isinstance(n, ast.Attribute) and self._own(n)}
            read |= {n.id for n in given if isinstance(n, ast.Name)} - {self.itself, *self.roles.origins}
            told |= read if read & found else set()
        return {
            name for name in told if self.roles.key(self.init, name) is None or name not in self.roles.source.classes
        }


def _parameters_of(group: ast.Dict) -> ast.expr | None:
    """What a group of parameters that is written out lists; None for another dictionary."""
    keys = [k.value if isinstance(k, ast.Constant) else None for k in group.keys]
    return group.values[keys.index("params")] if keys.count("params") == 1 and None not in keys else None
