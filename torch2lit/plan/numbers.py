"""Which expressions are plain numbers, whatever runs before them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from ..recover.items import Item
from ..recover.nest import Frame
from ..recover.syntax import walk, walk_scope
from ..recover.variables import Variable
from .draft import Draft
from .proofs import Proofs
from .scope_numbers import ScopeNumbers


class Numbers:
    """Proves that names hold plain numbers."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.scoped = ScopeNumbers(draft.roles)
        self.proofs = Proofs()

    def holds(self, variable: Variable) -> bool:
        """Whether every value that the script ever gives the variable is a plain number."""
        return self.proofs.holds(variable, lambda: self._holds_only_numbers(variable))

    def _holds_only_numbers(self, variable: Variable) -> bool:
        values = self._values(variable)
        return bool(values) and all(map(self._is_number, values))

    def _is_number(self, given: _Given) -> bool:
        match given:
            case _Given(value=None):
                return False
            case _Given(value=ast.expr() as value, index=None):
                return self.number(value, given.frame)
            case _Given(value=ast.Call(func=ast.Name(id=name)), index=int() as index):
                function = self.draft.source.function(name)
                return function is not None and self.scoped.returns(function, index)
        return False

    def _values(self, variable: Variable) -> list[_Given]:
        found: list[_Given] = []
        for item in self.draft.all_items():
            for name, given in _given_by(item):
                if self.draft.variables.of(item.frame, name) is variable:
                    found.append(given)
        scope = variable.scope
        if variable.frame is not None:
            covered = {item.node for item in self.draft.united}
            covered |= {item.node for item in self.draft.all_items() if item.kind == "result"}
            for binding in self.draft.roles.bindings((scope, variable.name)):
                if binding.statement in covered:
                    continue
                found.append(_Given(binding.value, binding.index, variable.frame))
        return found

    def number(self, node: ast.expr, frame: Frame) -> bool:
        """Whether an expression is provably a plain number."""
        match node:
            case ast.Constant(value=value):
                return isinstance(value, int | float) and not isinstance(value, bool)
            case ast.Name(id=name):
                variable = self.draft.variables.of(frame, name)
                return variable is not None and self.holds(variable)
            case ast.BinOp(left=left, right=right):
                return self.number(left, frame) and self.number(right, frame)
            case ast.UnaryOp(operand=operand):
                return self.number(operand, frame)
            case ast.IfExp(body=body, orelse=other):
                return self.number(body, frame) and self.number(other, frame)
            case ast.Call(func=ast.Attribute(attr="size"), args=[_]):
                return True
            case ast.Subscript(value=ast.Attribute(attr="shape"), slice=ast.Constant()):
                return True
            case ast.Call(func=ast.Name(id="min" | "max" | "abs" | "round" as name), args=[_, *_] as values):
                plain = self.draft.roles.key(frame.scope, name) is None and not (
                    name in ("min", "max") and len(values) < 2
                )
                return (plain and all(self.number(v, frame) for v in values)) or self.scoped.number(node, frame.scope)
            case ast.Call() | ast.Subscript():
                return self.scoped.number(node, frame.scope)
        return False


@dataclass(frozen=True, slots=True)
class _Given:
    """What a name gets; ``index``: the place of it in what is taken apart; None when nobody knows."""

    value: ast.expr | None
    index: int | None
    frame: Frame


def _given_by(item: Item) -> Iterator[tuple[str, _Given]]:
    """The names that an item gives values."""
    if item.kind == "bind":
        for name in item.bound:
            caller = item.frame.caller
            known = caller is not None and not item.spread
            yield name, _Given(item.value if known else None, None, caller or item.frame)
    elif item.kind == "result":
        assert item.callee is not None
        for node in walk_scope(item.node):
            for name, value, index in _assigned(node):
                known = value is item.call and item.value is not None
                yield name, _returned(item.value, index, item.callee) if known else _Given(None, None, item.frame)
    else:
        for node in walk_scope(item.node):
            for name, value, index in _assigned(node):
                yield name, _Given(value, index, item.frame)


def _returned(value: ast.expr | None, index: int | None, frame: Frame) -> _Given:
    if isinstance(value, ast.Tuple) and index is not None and index < len(value.elts):
        return _Given(value.elts[index], None, frame)
    return _Given(value, index, frame)


def _assigned(node: ast.AST) -> list[tuple[str, ast.expr | None, int | None]]:
    match node:
        case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)) if len(names) == len(values):
            pairs = [(n.id, v) for n, v in zip(names, values, strict=True) if isinstance(n, ast.Name)]
            return [(name, value, None) for name, value in pairs]
        case ast.Assign(targets=[ast.Tuple(elts=names)], value=value) if all(isinstance(n, ast.Name) for n in names):
            return [(n.id, value, place) for place, n in enumerate(names) if isinstance(n, ast.Name)]
        case ast.Assign(targets=targets, value=value):
            plain = all(isinstance(t, ast.Name) for t in targets)
            found = [n.id for t in targets for n in walk(t) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
            return [(name, value if plain else None, None) for name in found]
        case ast.AugAssign(target=ast.Name(id=name), value=value):
            return [(name, value, None)]
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
            return [(name, value, None)]
        case ast.For(target=target):
            return [(n.id, None, None) for n in walk(target) if isinstance(n, ast.Name)]
    return []
