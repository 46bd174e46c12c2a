"""What may reach a plainly seen object (torch2lit/objects) without naming its attributes: it may read and change all of them.

callback.set_trainer(self)      from here on, callback.on_epoch_end() may do anything with the object
self.worker = Worker(self)
DataLoader(..., collate_fn=self.collate)
"""

from __future__ import annotations

import ast
import functools

from .bindings import Key, Names
from .names import free_names, parameter_names, target_names
from .state_names import is_attribute, is_state, plain
from .syntax import Scope, root_name, walk

_HARMLESS = {"print", "isinstance", "type", "id", "repr", "str", "hasattr", "len", "callable"}


class Escapes:
    """Answers whether code may touch the object's attributes in ways that its text does not show."""

    def __init__(self, roles: Names) -> None:
        self.roles = roles
        self.source = roles.source
        self._open: set[ast.FunctionDef] = set()
        self._functions: dict[ast.FunctionDef, bool] = {}
        self._attributes: dict[ast.FunctionDef, tuple[set[str], set[str]]] = {}
        self._touching: dict[tuple[ast.AST, Scope], bool] = {}

    @functools.cached_property
    def stored(self) -> dict[str, int]:
        """How often each attribute is bound anywhere."""
        found: dict[str, int] = {}
        for node in self.source.all(ast.Name):
            if is_attribute(node.id) and not isinstance(node.ctx, ast.Load):
                found[node.id] = found.get(node.id, 0) + 1
        return found

    @functools.cached_property
    def attributes(self) -> frozenset[str]:
        """Every attribute that the program names and that is no method."""
        names = {n.id for n in self.source.all(ast.Name) if is_attribute(n.id)}
        return frozenset(name for name in names if self.source.function(name) is None)

    @functools.cached_property
    def reaching(self) -> frozenset[Key]:
        """The variables whose value may hold on to the object or to one of its methods."""
        found: set[Key] = set()
        statements = [n for n in walk(self.source.tree) if isinstance(n, ast.stmt)]
        changed = True
        while changed:
            changed = False
            for statement in statements:
                for key in self._receiving(statement, found):
                    if key not in found:
                        found.add(key)
                        changed = True
        return frozenset(found)

    def _receiving(self, statement: ast.stmt, found: set[Key]) -> list[Key]:
        scope = self.source.scope_of(statement)
        value: ast.AST | None = None
        targets: list[ast.AST] = []
        match statement:
            case ast.Assign(value=value):
                targets += statement.targets
            case ast.AnnAssign(value=value) | ast.AugAssign(value=value):
                targets.append(statement.target)
            case ast.For(iter=value):
                targets.append(statement.target)
            case ast.With(items=items):
                value = ast.Tuple([i.context_expr for i in items], ast.Load())
                targets += [i.optional_vars for i in items if i.optional_vars is not None]
            case ast.FunctionDef() if self._holds_on(statement, scope, found):
                key = self.roles.key(scope, statement.name)
                return [key] if key is not None and not is_state(statement.name) else []
            case ast.Expr(value=value) | ast.Return(value=value):
                pass
        if value is None:
            return []
        names: list[str] = []
        if any(self._hands_on(part, scope, found) for part in walk(value)):
            for target in targets:
                names += target_names(target) or [root_name(target)]
        keys = [self.roles.key(scope, name) for name in names if name]
        for call in walk(value):
            if isinstance(call, ast.Call):
                keys += self._given(call, scope, found)
        return [key for key in keys if key is not None and key[1] not in self.roles.origins]

    def _given(self, call: ast.Call, scope: Scope, found: set[Key]) -> list[Key | None]:
        """What a call may hand the object to: its receiver, or the parameters of one of the file's functions."""
        arguments = [*call.args, *(k.value for k in call.keywords)]
        given = [a for a in arguments if any(self._hands_on(part, scope, found) for part in walk(a))]
        if not given:
            return []
        function = self.source.function(call.func.id) if isinstance(call.func, ast.Name) else None
        if function is not None:
            return [(function, name) for name in parameter_names(function)]
        name = root_name(call.func)
        if name in _HARMLESS or name in self.roles.origins:
            return []
        return [self.roles.key(scope, name)] if isinstance(call.func, ast.Attribute) else []

    def _hands_on(self, node: ast.AST, scope: Scope, found: set[Key]) -> bool:
        """Whether a part of an expression may be the object, hold on to it, or be one of its methods."""
        if isinstance(node, ast.Lambda):
            return self._holds_on(node, scope, found)
        if not isinstance(node, ast.Name) or not isinstance(node.ctx, ast.Load):
            return False
        parent = self.source.parents.get(node)
        called = isinstance(parent, ast.Call) and parent.func is node
        if is_state(node.id) and not is_attribute(node.id):
            return not (called or isinstance(parent, ast.Attribute))
        if is_attribute(node.id) and self.source.function(node.id) is not None:
            return not called
        if node.id in self._knowing:
            return True
        key = self.roles.key(scope, node.id)
        return key in found

    @functools.cached_property
    def _knowing(self) -> frozenset[str]:
        """The other classes of the file whose methods know the object by a name of the module."""
        return frozenset(
            name for name, definition in self.source.classes.items()
            if any(isinstance(n, ast.Name) and is_state(n.id) for n in walk(definition))
        )  # fmt: skip

    def _holds_on(self, function: ast.Lambda | ast.FunctionDef, scope: Scope, found: set[Key]) -> bool:
        """Whether a function that may run later reads attributes that change, or calls methods."""
        if isinstance(function, ast.FunctionDef) and is_state(function.name):
            return False
        for name in free_names(function):
            if is_state(name) and not is_attribute(name):
                return True
            if is_attribute(name) and (self.source.function(name) is not None or self.stored.get(name, 0) > 1):
                return True
            if self.roles.key(scope, name) in found:
                return True
        return False

    def touches(self, node: ast.AST, scope: Scope) -> bool:
        """Whether running the node may touch attributes that it does not name."""
        if self._open:  # an answer that a recursion has cut short is not to be remembered
            return self._find_touches(node, scope)
        place = (node, scope)
        if place not in self._touching:
            self._touching[place] = self._find_touches(node, scope)
        return self._touching[place]

    def _find_touches(self, node: ast.AST, scope: Scope) -> bool:
        for part in walk(node):
            if not isinstance(part, ast.Name):
                continue
            if is_state(part.id) and not is_attribute(part.id):
                if not self._harmless(part):
                    return True
            elif self.roles.key(scope, part.id) in self.reaching:
                return True
            if (function := self.source.function(part.id)) is not None and self._function_touches(function):
                return True
        return False

    def _harmless(self, node: ast.Name) -> bool:
        parent = self.source.parents.get(node)
        return isinstance(parent, ast.Call) and isinstance(parent.func, ast.Name) and parent.func.id in _HARMLESS

    def _function_touches(self, function: ast.FunctionDef) -> bool:
        if function in self._functions:
            return self._functions[function]
        if function in self._open:
            return False
        self._open.add(function)
        found = self.touches(ast.Module(function.body, []), function)
        self._open.discard(function)
        if not self._open:
            self._functions[function] = found
        return found

    # ---- what functions of the view do with attributes

    def through_calls(self, node: ast.AST) -> tuple[frozenset[str], frozenset[str]]:
        """The attributes that the methods called in a node read, and those that they bind."""
        read: set[str] = set()
        written: set[str] = set()
        for part in walk(node):
            if isinstance(part, ast.Name) and (function := self.source.function(part.id)):
                inner = self._of_function(function)
                read |= inner[0]
                written |= inner[1]
        return frozenset(read), frozenset(written)

    @functools.cached_property
    def changing(self) -> frozenset[str]:
        """The attributes that may be bound again once the object has been made."""
        view = self.source.view
        assert view is not None
        late: set[str] = set(self.bound_outside)
        for node in self.source.all(ast.Name):
            if is_attribute(node.id) and not isinstance(node.ctx, ast.Load):
                if view.method(self.source.scope_of(node)) != "__init__":
                    late.add(node.id)
        return frozenset(late)

    @functools.cached_property
    def bound_outside(self) -> frozenset[str]:
        """The attributes that code outside of the class may bind: what its project says of them, in this file and others."""
        view = self.source.view
        assert view is not None
        names = view.bound_outside
        return self.attributes if names is None else frozenset(n for n in self.attributes if plain(n) in names)

    def _of_function(self, function: ast.FunctionDef) -> tuple[set[str], set[str]]:
        if function not in self._attributes:
            self._attributes[function] = self._find_attributes(function)
        return self._attributes[function]

    def _find_attributes(self, function: ast.FunctionDef) -> tuple[set[str], set[str]]:
        read: set[str] = set()
        written: set[str] = set()
        todo, done = [function], {function}
        while todo:
            current = todo.pop()
            for node in walk(current):
                if not isinstance(node, ast.Name) or not is_attribute(node.id):
                    if isinstance(node, ast.Name) and (own := self.source.function(node.id)) and own not in done:
                        done.add(own)
                        todo.append(own)
                    continue
                inner = self.source.function(node.id)
                if inner is not None:
                    if inner not in done:
                        done.add(inner)
                        todo.append(inner)
                elif isinstance(node.ctx, ast.Load):
                    read.add(node.id)
                else:
                    written.add(node.id)
        return read, written
