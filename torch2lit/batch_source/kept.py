"""May what a turn gets at its head go through the Trainer's hands? On the way containers are built anew, and tensors go to the network's device."""

from __future__ import annotations

import ast

from ..recover.effects import EffectAnalysis
from ..recover.names import parameter_names
from ..recover.role import Role
from ..recover.roles import Roles, bound_argument
from ..recover.syntax import Scope, dotted, walk
from ..recover.tensors import may_use_gpu

_CHANGES = {
    "append", "extend", "insert", "pop", "remove", "clear", "add", "discard", "update", "popitem", "appendleft", "popleft",
    "setdefault", "sort", "reverse", "write", "close", "seek", "read", "readline", "send", "throw", "add_",
}  # fmt: skip
_VIEWS = {
    "unsqueeze",
    "squeeze",
    "contiguous",
    "view",
    "reshape",
    "view_as",
    "t",
    "transpose",
    "permute",
    "float",
    "long",
}
_DEPTH = 3
_DEVICE = ("to", "cuda")


class Kept:
    """Asks it of the names that the statements ``made`` at the head of a loop's body give to the rest."""

    def __init__(
        self, roles: Roles, effects: EffectAnalysis, loop: ast.For, made: list[ast.stmt], scope: Scope
    ) -> None:
        self.roles, self.source, self.effects = roles, roles.source, effects
        self.loop, self.made, self.scope = loop, made, scope
        inside = {id(n) for s in made for n in walk(s)}
        self.uses = [n for n in self.source.all(ast.Name) if id(n) not in inside and isinstance(n.ctx, ast.Load)]
        self.on_gpu = may_use_gpu(self.source.tree)

    def call_may_take(self, call: ast.Call, argument: ast.expr) -> bool:
        """Whether an argument of a call, the parts of a spread one, may be handed over instead of being made there."""
        function = self.source.function(dotted(call.func))
        if function is None:
            return False
        if isinstance(argument, ast.Starred):
            names = parameter_names(function)[call.args.index(argument) :]
        else:
            names = [n for n in parameter_names(function) if bound_argument(function, call, n) is argument]
        reads = [n for n in walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)]
        changed = self.effects.changed_parameters(function)
        for name in names:
            uses = [n for n in reads if n.id == name]
            if name in changed or any(self._is_changed(use, 1) for use in uses):
                return False
            if self.on_gpu and not self._surely(function.body, {use for use in uses if self._is_moved(use, 1)}):
                return False
        return bool(names)

    def all(self, names: list[str]) -> bool:
        """Whether every one of them may."""
        return all(self._may_be_handed(name) for name in names)

    def stay(self, names: tuple[str, ...]) -> bool:
        """Whether nothing in the loop, or in a function, changes what the batches are made of: they may be parts of it."""
        rest = [s for s in self.loop.body if s not in self.made]
        for name in names:
            key = self.roles.key(self.scope, name)
            if any(key in self.effects.of(s, self.scope).mutates for s in rest):
                return False
            for use in self.uses:
                scope = self.source.scope_of(use)
                inside = self.loop in self.source.ancestors(use) or scope is not self.scope
                if use.id == name and inside and self.roles.key(scope, name) == key and self._is_changed(use):
                    return False
        return True

    def _may_be_handed(self, name: str) -> bool:
        key = (self.scope, name)
        rest = [s for s in self.loop.body if s not in self.made]
        if any(key in self.effects.of(s, self.scope).mutates for s in rest):
            return False
        uses = [u for u in self.uses if u.id == name and self.roles.key(self.source.scope_of(u), name) == key]
        if any(self._is_changed(use) for use in uses):
            return False
        return not self.on_gpu or self._is_placed(name) or self._surely(rest, {u for u in uses if self._is_moved(u)})

    def _is_changed(self, use: ast.Name, depth: int = 0) -> bool:
        """Whether the object itself is changed, or compared with another: it may be a copy by then."""
        node: ast.expr = use
        parent = self.source.parents[node]
        while isinstance(parent, ast.Subscript) and parent.value is node:
            if not isinstance(parent.ctx, ast.Load):
                return True
            node, parent = parent, self.source.parents[parent]
        if isinstance(parent, ast.Attribute):
            called = isinstance(self.source.parents.get(parent), ast.Call)
            return not isinstance(parent.ctx, ast.Load) or (called and parent.attr in _CHANGES)
        if isinstance(parent, ast.Compare):
            others = [o for o in (parent.left, *parent.comparators) if o is not node]
            known = all(isinstance(o, ast.Constant) for o in others)
            return not known and any(isinstance(op, ast.Is | ast.IsNot) for op in parent.ops)
        if isinstance(parent, ast.Call) and node in parent.args:
            if dotted(parent.func) in ("id", "next", "iter", "random.shuffle", "shuffle", "setattr"):
                return True
            return any(self._is_changed(inner, depth + 1) for inner in self._uses_inside(parent, node, depth))
        return False

    def _uses_inside(self, call: ast.Call, argument: ast.expr, depth: int) -> list[ast.Name]:
        """The reads of a parameter in the file's own function that a call hands the argument to."""
        function = self.source.function(dotted(call.func)) if depth < _DEPTH else None
        if function is None:
            return []
        names = [n for n in parameter_names(function) if bound_argument(function, call, n) is argument]
        return [n for n in walk(function) if isinstance(n, ast.Name) and n.id in names and isinstance(n.ctx, ast.Load)]

    # ---- where the tensors are

    def _is_placed(self, name: str) -> bool:
        """Whether the statements themselves put it on a device, or take it from tensors that are there."""
        values = [
            value
            for s in self.made
            for n in walk(s)
            if isinstance(n, ast.Assign)
            for target, value in _pairs(n)
            if target == name
        ]
        return bool(values) and all(self._ends_on_device(v) or _is_number(v) for v in values)

    def _ends_on_device(self, value: ast.expr) -> bool:
        match value:
            case ast.Call(func=ast.Attribute(attr=attribute)) if attribute in _DEVICE:
                return True
            case ast.Call(keywords=keywords):
                return any(k.arg == "device" for k in keywords)
        return False

    def _is_moved(self, use: ast.Name, depth: int = 0) -> bool:
        """Whether the rest of the turn moves it, or gives it to the network, which takes nothing that is elsewhere."""
        match self.source.parents[use]:
            case ast.Attribute(value=value, attr=attribute) if value is use and attribute in _DEVICE:
                return True
        node = self._seen_from(use)
        match self.source.parents[node]:
            case ast.Call(func=function, args=arguments) if node in arguments:
                scope = self.source.scope_of(use)
                taken = self.roles.of(function, scope) in (Role.MODEL, Role.CRITERION)
                if taken or self.roles.full_name(function).startswith("torch.nn.functional."):
                    return True
                call = self.source.parents[node]
                assert isinstance(call, ast.Call)
                called = self.source.function(dotted(call.func))
                inner = self._uses_inside(call, node, depth)
                moved = {one for one in inner if self._is_moved(one, depth + 1)}
                return called is not None and self._surely(called.body, moved)
        return False

    def _seen_from(self, use: ast.Name) -> ast.expr:
        """The tensor that is made of it by methods: ``x.unsqueeze(1).contiguous()``."""
        node: ast.expr = use
        while True:
            method = self.source.parents[node]
            call = self.source.parents.get(method)
            if isinstance(method, ast.Subscript) and method.value is node:
                node = method
                continue
            if not isinstance(method, ast.Attribute) or not isinstance(call, ast.Call) or call.func is not method:
                return node
            if method.attr not in _VIEWS:
                return node
            node = call

    def _surely(self, block: list[ast.stmt], uses: set[ast.Name]) -> bool:
        """Whether one of the uses runs whenever the block does."""
        for statement in block:
            if isinstance(statement, ast.If):
                if self._surely(statement.body, uses) and self._surely(statement.orelse, uses):
                    return True
            elif isinstance(statement, ast.For | ast.With):
                if self._surely(statement.body, uses):
                    return True
            elif not isinstance(statement, ast.While | ast.Try) and any(n in uses for n in walk(statement)):
                return True
        return False


def _pairs(assignment: ast.Assign) -> list[tuple[str, ast.expr]]:
    match assignment:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            return [(name, value)]
        case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)) if len(targets) == len(values):
            return [(t.id, v) for t, v in zip(targets, values, strict=True) if isinstance(t, ast.Name)]
        case ast.Assign(targets=[ast.Tuple(elts=targets)], value=value):
            return [(t.id, value) for t in targets if isinstance(t, ast.Name)]
    return []


def _is_number(value: ast.expr) -> bool:
    """Whether it is made of numbers of Python's own: those are moved nowhere."""
    match value:
        case ast.Constant():
            return True
        case ast.BinOp(left=left, right=right):
            return _is_number(left) and _is_number(right)
        case ast.Call(func=ast.Name(id="int" | "len" | "min" | "float")):
            return True
    return False
