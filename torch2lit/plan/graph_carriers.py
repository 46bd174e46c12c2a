"""Which variables may hold a tensor for which gradients are recorded, behind code that runs the model.

loss = criterion(model(x), y)      `loss` does
total += loss.item()               `total` is a number, whatever `loss` records
best = meter.value()               so is what an object tells that has been given numbers only
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from ..recover.items import Item, grad_mode, parts
from ..recover.names import free_names
from ..recover.nest import Frame
from ..recover.role import Role
from ..recover.state_names import is_state
from ..recover.syntax import walk
from ..recover.variables import Variable
from .draft import Draft

_RECORDING = {Role.MODEL, Role.CRITERION}
_CUTS = {"item", "tolist", "numpy", "detach", "state_dict"}
_NUMBERS = {"float", "int", "bool", "len", "str", "print"}


class GraphCarriers:
    """Follows tensors through code; an object or name that may get one, by whatever way, may hold it."""

    def __init__(self, draft: Draft, items: list[Item]) -> None:
        self.draft = draft
        self.hooked = any("hook" in n.attr for n in draft.source.all(ast.Attribute))
        self.found: set[Variable] = set()
        for item in items:
            self._take_named(self._known_to_functions(), item.frame)
        count = -1
        while count != len(self.found):
            count = len(self.found)
            for item in items:
                self._follow(item)

    def _follow(self, item: Item) -> None:
        if item.kind == "statement":
            for node, quiet in _simple_parts(item.node, False):
                if self._gives_on(node, item.frame, quiet):
                    self._take(node, item.frame)
            return
        if any(self._gives_on(node, frame, False) for node, frame in parts(item)):
            for node, frame in [*parts(item), (item.node, item.frame)]:
                self._take(node, frame)
            self.found |= {v for name in item.bound if (v := self.draft.variables.of(item.frame, name)) is not None}

    def _take(self, node: ast.AST, frame: Frame) -> None:
        calls = (n for n in walk(node) if isinstance(n, ast.Call) and self._only_computes(n.func, frame))
        left = {argument for call in calls for argument in call.args if isinstance(argument, ast.Name)}
        names = {n.id for n in walk(node) if isinstance(n, ast.Name) and n not in left}
        for function in (f for f in self.draft.source.functions if f.name in names):
            names |= {*free_names(function)}
        self._take_named(names, frame)

    def _take_named(self, names: Iterable[str], frame: Frame) -> None:
        self.found |= {v for name in names if (v := self.draft.variables.of(frame, name)) is not None}

    def _known_to_functions(self) -> set[str]:
        """The names from outside that functions of the file know: they may put there what they are given, or a model's output."""
        inner = [*self.draft.source.functions, *self.draft.source.all(ast.Lambda)]
        return {name for function in inner for name in free_names(function) if self.hooked or not is_state(name)}

    def _gives_on(self, node: ast.AST, frame: Frame, quiet: bool) -> bool:
        """Whether the code may hand on what records gradients; ``quiet``: it records none itself."""
        if any(self._calls_model(n, frame) for n in walk(node)):
            return True
        names = (n for n in walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load))
        return any(self._records(n, frame, quiet) and not self._is_cut(n, frame) for n in names)

    def _calls_model(self, node: ast.AST, frame: Frame) -> bool:
        """Whether it calls a function of the script's that reaches a model."""
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            return False
        own = self.draft.source.function(node.func.id)
        return own is not None and self.draft.effects.of(node, frame.scope).model

    def _records(self, name: ast.Name, frame: Frame, quiet: bool) -> bool:
        key = self.draft.roles.key(frame.scope, name.id)
        if key in self.draft.effects.models or self.draft.roles.of(name, frame.scope) in _RECORDING:
            return not (quiet and self._is_run(name))
        return self.draft.variables.of(frame, name.id) in self.found

    def _is_run(self, name: ast.Name) -> bool:
        """Whether a module is called, so that its output alone is handed on."""
        parent = self.draft.source.parents[name]
        return isinstance(parent, ast.Call) and parent.func is name

    def _is_cut(self, node: ast.expr, frame: Frame) -> bool:
        """Whether a number, or a tensor without gradients, is all that the code around makes of it."""
        parent = self.draft.source.parents.get(node)
        match parent:
            case ast.Compare():
                return True
            case ast.Attribute(attr=attr):
                return attr == "data" or self._calls_cut(parent) or self._is_cut(parent, frame)
            case ast.Call(func=ast.Name(id=name), args=[argument]) if argument is node and name in _NUMBERS:
                return self.draft.roles.key(frame.scope, name) is None
            case ast.Call(func=function) if function is node or self._only_computes(function, frame):
                return self._is_cut(parent, frame)
            case ast.BinOp() | ast.UnaryOp():
                return self._is_cut(parent, frame)
            case ast.Subscript(value=value) if value is node:
                return self._is_cut(parent, frame)
        return False

    def _calls_cut(self, node: ast.Attribute) -> bool:
        call = self.draft.source.parents.get(node)
        own = any(f.name == node.attr for f in self.draft.source.functions)
        plain = isinstance(call, ast.Call) and call.func is node and not call.args and not call.keywords
        return plain and node.attr in _CUTS and not own

    def _only_computes(self, function: ast.expr, frame: Frame) -> bool:
        """Whether it is a module or a function of torch's, which keep nothing of what they are given."""
        named = self.draft.roles.of(function, frame.scope) in _RECORDING if isinstance(function, ast.Name) else False
        full = self.draft.roles.full_name(function)
        return named or (full.startswith("torch.") and not full.endswith("_"))


def _simple_parts(node: ast.AST, quiet: bool) -> Iterator[tuple[ast.AST, bool]]:
    """The statements without blocks in a statement, and the heads of those with one; with each whether gradients are off there."""
    match node:
        case ast.With(items=items, body=body):
            modes = [grad_mode(i.context_expr) for i in items]
            yield from ((part, quiet) for i in items for part in (i.context_expr, i.optional_vars) if part is not None)
            off = quiet if not any(modes) else all(mode == "no_grad" for mode in modes if mode)
            blocks = [(s, off) for s in body]
        case ast.If(test=test, body=body, orelse=orelse) | ast.While(test=test, body=body, orelse=orelse):
            yield test, quiet
            blocks = [(s, quiet) for s in (*body, *orelse)]
        case ast.For(target=target, iter=looped, body=body, orelse=orelse):
            yield ast.Tuple([target, looped], ast.Load()), quiet
            blocks = [(s, quiet) for s in (*body, *orelse)]
        case _:
            yield node, quiet
            return
    for statement, off in blocks:
        yield from _simple_parts(statement, off)
