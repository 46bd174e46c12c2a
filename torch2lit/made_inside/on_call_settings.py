"""What the making of an optimizer reads in a constructor, as another method of the object may read it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from ..recover.names import parameter_names
from ..recover.roles import Roles
from ..recover.syntax import walk

_PLAIN = (ast.Constant, ast.Attribute, ast.Name, ast.Tuple, ast.List, ast.UnaryOp, ast.BinOp)


class Settings:
    """The constructor of one class up to the statement that makes an optimizer."""

    def __init__(self, roles: Roles, init: ast.FunctionDef, before: list[ast.stmt]) -> None:
        self.roles = roles
        self.source = roles.source
        self.init = init
        self.before = before
        self.itself, *self.parameters = parameter_names(init)
        self.kept = dict(self._kept())

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

    def model_of(self, call: ast.Call) -> str:
        """The attribute of which the optimizer is given the parameters; "" for whatever else it is given."""
        match call.args[:1] or [k.value for k in call.keywords if k.arg == "params"]:
            case [
                ast.Call(func=ast.Attribute(value=ast.Attribute() as model, attr="parameters"), args=[], keywords=[])
            ]:
                held = self._own(model)
                return held if held and self._is_settled(held) else ""
        return ""

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

    def words(self, made: Sequence[ast.Assign], method: ast.FunctionDef) -> dict[ast.expr, str] | None:
        """How a method calls what the statements name; None when it cannot know some of it, or may find another value."""
        itself = parameter_names(method)[0]
        own = {self._own(t) for s in made for t in s.targets}
        found: dict[ast.expr, str] = {}
        for statement in made:
            for node in walk(statement.value):
                if isinstance(node, ast.expr) and not self._is_plain(node, statement, own):
                    return None
                if not isinstance(node, ast.Name) or node.id in self.roles.origins:
                    continue
                if node.id == self.itself:
                    found[node] = itself
                elif node.id in self.kept and self._is_stored_once(self.kept[node.id]):
                    found[node] = f"{itself}.{self.kept[node.id]}"
                else:
                    return None
            found.update({n: itself for t in statement.targets for n in walk(t) if isinstance(n, ast.Name)})
        return found

    def _is_stored_once(self, attribute: str) -> bool:
        stores = [a for a in self.source.all(ast.Attribute) if a.attr == attribute and not isinstance(a.ctx, ast.Load)]
        return len(stores) == 1

    def _is_plain(self, node: ast.expr, statement: ast.Assign, own: set[str]) -> bool:
        """Whether a part of a making only looks at what stays as it is: the call itself, the model's parameters, numbers."""
        if isinstance(node, ast.Call):
            asks = isinstance(node.func, ast.Attribute) and node.func.attr == "parameters" and not node.args
            return node is statement.value or (asks and bool(self.model_of(ast.Call(node.func, [node], []))))
        if not isinstance(node, _PLAIN):
            return False
        if not isinstance(node, ast.Attribute) or self._is_of_module(node):
            return True
        held = self._own(node)
        if held:
            return held in own or self._is_settled(held)
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
            if model in stored:
                found |= named & {*self.parameters}
            if named & found:
                found |= stored
        return found
