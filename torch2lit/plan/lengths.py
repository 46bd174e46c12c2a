"""May a loader's number of batches change while the loop runs? Lightning asks for it once, before the first epoch starts.

data.limit = 8 * (epoch + 1)        loader.dataset.samples.append(x)        batch_sampler.batch_size = 4
"""

from __future__ import annotations

import ast
from collections.abc import Iterable

from ..recover.bindings import Names
from ..recover.makings import Making, Value, makings, sources
from ..recover.nest import Frame
from ..recover.own_classes import lineage
from ..recover.roles import Role
from ..recover.syntax import Scope, root_name, walk
from .draft import Draft
from .may_run import runs_in_loop

_DEPTH = 6
_COUNTED = {
    "tensors", "indices", "dataset", "datasets", "cumulative_sizes", "data_source", "num_samples", "_num_samples",
    "total_size", "num_replicas", "batch_size", "drop_last", "sampler", "batch_sampler", "replacement",
}  # fmt: skip
"""Attributes of torch's own loaders, samplers and data sets that their length is made of."""
_RESIZING = {
    "append", "extend", "insert", "pop", "remove", "clear", "add", "discard", "update", "popitem", "appendleft",
    "popleft", "setdefault", "resize_", "__setitem__", "__delitem__",
}  # fmt: skip
_SAME_LENGTH = {
    "set_epoch", "state_dict", "load_state_dict", "manual_seed", "seed", "set_transform", "train", "eval", "next_epoch",
    "shuffle", "sort", "reverse", "barrier", "set_description", "set_description_str", "set_postfix", "set_postfix_str",
    "close", "refresh",
}  # fmt: skip


def length_change(draft: Draft, base: ast.expr, frame: Frame) -> ast.AST | None:
    """What may change the loader's length between the start of the training and its end."""
    loaders = makings(Value(base, frame.scope, draft.roles))
    if not loaders:
        return None
    counted = _Counted(draft, base, frame, loaders)
    return next((node for node in runs_in_loop(draft) if counted.changes(node)), None)


class _Counted:
    """What a loader's length is made of: names of objects, attributes of the project's classes, names that these read."""

    def __init__(self, draft: Draft, base: ast.expr, frame: Frame, loaders: list[Making]) -> None:
        self.draft = draft
        self.source = draft.source
        self.names: set[tuple[Scope, str]] = set()
        self.paths: set[str] = set()
        self.unseen = False
        """Whether something in it is of a class whose text is not known, so that any attribute may count."""
        self.attributes: set[str] = set()
        self.owners: set[str] = set()
        self.free: set[str] = set()
        self.classes: set[int] = set()
        self._reach(base, frame.scope, draft.roles)
        for made in loaders:
            self._follow(made, 0)
        self._aliases()

    # ---- what is counted

    def _reach(self, node: ast.expr, scope: Scope, roles: Names) -> None:
        if roles is not self.draft.roles or roles.of(node, scope) is Role.CONFIG:
            return
        if isinstance(node, ast.Name) and (key := roles.key(scope, node.id)):
            self.names.add(key)
        elif isinstance(node, ast.Attribute):
            self.paths.add(ast.unparse(node))

    def _follow(self, made: Making, depth: int) -> None:
        own = made.roles.own_class_named(made.full_name)
        if own is not None:
            self._look_into(*own)
        elif not made.full_name.startswith("torch.") and made.last_name[:1].isupper():
            self.unseen = True
        for argument in _data_of(made) if depth < _DEPTH else ():
            self._reach(argument.node, argument.scope, argument.roles)
            for inner in makings(argument):
                self._follow(inner, depth + 1)

    def _look_into(self, definition: ast.ClassDef, roles: Names) -> None:
        """The attributes that the length of a class's objects is made of, as its text shows."""
        for own, _where in lineage(definition, roles):
            if id(own) in self.classes:
                continue
            self.classes.add(id(own))
            self.owners.add(own.name)
            methods = {s.name: s for s in own.body if isinstance(s, ast.FunctionDef)}
            waiting, seen = ["__len__"], {"__len__"}
            while waiting:
                method = methods.get(waiting.pop())
                for node in walk(method) if method is not None else ():
                    if isinstance(node, ast.Attribute):
                        self.attributes.add(node.attr)
                        if node.attr in methods and node.attr not in seen:
                            seen.add(node.attr)
                            waiting.append(node.attr)
                    elif isinstance(node, ast.Name) and node.id not in ("self", "len", "int", "min", "max", "math"):
                        self.free.add(node.id)
            if "__len__" not in methods:
                self.attributes |= _COUNTED

    def _aliases(self) -> None:
        """Other names of these objects: ``data = loader.dataset``, and parameters that are given them."""
        changed = True
        while changed:
            before = len(self.names)
            for statement in walk(self.source.tree):
                if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Name | ast.Attribute):
                    scope = self.source.scope_of(statement)
                    if self._is_counted(statement.value, scope):
                        for target in statement.targets:
                            if isinstance(target, ast.Name) and (key := self.draft.roles.key(scope, target.id)):
                                self.names.add(key)
            for function in self.source.functions:
                for parameter in (a.arg for a in [*function.args.args, *function.args.kwonlyargs]):
                    for caller, argument in self.draft.roles.arguments(function, parameter):
                        if isinstance(argument, ast.Name | ast.Attribute) and self._is_counted(argument, caller):
                            self.names.add((function, parameter))
            changed = len(self.names) != before

    def _is_counted(self, node: ast.AST, scope: Scope) -> bool:
        """Whether an expression is one of these objects or part of one."""
        name = root_name(node)
        if name == "self" and not isinstance(scope, ast.Module):
            owner = self.source.in_class(scope)
            return owner is not None and id(owner) in self.classes
        key = self.draft.roles.key(scope, name) if name else None
        if key in self.names or name in self.owners:
            return True
        text = ast.unparse(node) if self.paths else ""
        return any(text == path or text.startswith(f"{path}.") for path in self.paths)

    # ---- what changes it

    def changes(self, node: ast.AST) -> bool:
        """Whether running the node may give the loader another number of batches."""
        match node:
            case ast.Attribute(ctx=ast.Store() | ast.Del()):
                return self._counts(node) and not self._makes(node)
            case ast.Subscript(value=ast.Attribute() | ast.Name() as held, ctx=ast.Del()):
                return self._holds(held)
            case ast.Subscript(value=ast.Attribute() | ast.Name() as held, slice=ast.Slice(), ctx=ast.Store()):
                return self._holds(held)
            case ast.AugAssign(op=ast.Add(), target=ast.Name() | ast.Attribute() as held):
                return self._is_list(held, node.value) and self._holds(held)
            case ast.Name(id=name, ctx=ast.Store()) if name in self.free:
                scope = self.source.scope_of(node)
                key = self.draft.roles.key(scope, name)
                return key is not None and isinstance(key[0], ast.Module)
            case ast.Call(func=ast.Name(id="setattr"), args=[owner, name, *_]):
                if isinstance(name, ast.Constant) and name.value not in self.attributes | _COUNTED:
                    return False
                return self._is_counted(owner, self.source.scope_of(node))
            case ast.Call(func=ast.Attribute(value=held, attr=method)):
                return self._is_resized(node, held, method)
        return False

    def _is_resized(self, call: ast.Call, held: ast.expr, method: str) -> bool:
        if method in _RESIZING:
            return self._holds(held)
        scope = self.source.scope_of(call)
        if (
            not isinstance(held, ast.Name | ast.Attribute)
            or not self._is_counted(held, scope)
            or method in _SAME_LENGTH
        ):
            return False
        if not isinstance(self.source.parents.get(call), ast.Expr):
            return False  # it is asked for something
        return not any(
            f.name == method and self.source.in_class(f) for f in self.source.functions
        )  # its body is looked at

    def _holds(self, held: ast.expr) -> bool:
        """Whether a container may be what is counted."""
        if isinstance(held, ast.Attribute):
            return self._counts(held)
        return self._is_counted(held, self.source.scope_of(held)) or (
            isinstance(held, ast.Name) and held.id in self.free
        )

    def _counts(self, node: ast.Attribute) -> bool:
        """Whether an attribute may be one that a length is made of."""
        scope = self.source.scope_of(node)
        if self._is_counted(node.value, scope):
            return node.attr in self.attributes or node.attr in _COUNTED or self.unseen
        if node.attr not in self.attributes:
            return False
        if root_name(node) == "self":
            return not isinstance(node.value, ast.Name)  # an attribute of another class's own object
        return self.draft.roles.of(node.value, scope) in (None, Role.LOADER) and not _is_known(node)

    def _is_list(self, held: ast.expr, added: ast.expr) -> bool:
        """Whether ``held += added`` makes a container longer, rather than a number larger or a tensor another one."""
        if isinstance(added, ast.List | ast.ListComp):
            return True
        value = Value(held, self.source.scope_of(held), self.draft.roles)
        return any(isinstance(part.node, ast.List | ast.ListComp) for part in sources(value))

    def _makes(self, node: ast.Attribute) -> bool:
        """Whether an object is given the attribute where it is made, or where its length is asked for, of what is counted itself."""
        scope = self.source.scope_of(node)
        return root_name(node) == "self" and not isinstance(scope, ast.Module) and scope.name in ("__init__", "__len__")


def _is_known(node: ast.Attribute) -> bool:
    """Whether it is a tensor's own attribute of that name: ``p.data``, ``p.grad``."""
    return node.attr in ("data", "grad", "requires_grad") and isinstance(node.value, ast.Name)


def _data_of(made: Making) -> list[Value]:
    """What is passed that may take part in a length."""
    if made.last_name == "DataLoader":
        given = (made.argument("dataset", 0), made.argument("sampler", 3), made.argument("batch_sampler", 4))
        return [value for value in given if value is not None]
    return [v for v in made.arguments() if not isinstance(v.node, ast.Constant | ast.Lambda)]


def first_change(draft: Draft, bases: Iterable[ast.expr], frame: Frame) -> ast.AST | None:
    """The first thing in the loop that may change the length of one of these loaders."""
    found = (length_change(draft, base, frame) for base in bases)
    return next((node for node in found if node is not None), None)
