"""Which expressions are plain numbers, whatever runs before them."""

from __future__ import annotations

import ast

from ..recover.nest import Frame
from ..recover.syntax import walk, walk_scope
from ..recover.variables import Variable
from .draft import Draft

_NUMBER_CALLS = {"len", "float", "int", "abs", "round"}


class Numbers:
    """Proves that names hold plain numbers."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.asked: dict[Variable, bool] = {}

    def holds(self, variable: Variable) -> bool:
        """Whether every value that the script ever gives the variable is a plain number."""
        if variable not in self.asked:
            self.asked[variable] = True  # a running sum refers to itself
            values = self._values(variable)
            self.asked[variable] = bool(values) and all(v is not None and self.number(v, f) for v, f in values)
        return self.asked[variable]

    def _values(self, variable: Variable) -> list[tuple[ast.expr | None, Frame]]:
        found: list[tuple[ast.expr | None, Frame]] = []
        for item in self.draft.all_items():
            if item.kind == "bind":
                if any(self.draft.variables.of(item.frame, name) is variable for name in item.bound):
                    found.append((None, item.frame))
                continue
            for node in walk_scope(item.node):
                found += [
                    (v, item.frame) for n, v in _assigned(node) if self.draft.variables.of(item.frame, n) is variable
                ]
            if item.kind == "result" and any(
                self.draft.variables.of(item.frame, n) is variable for n in _targets(item.node)
            ):
                found.append((None, item.frame))
        scope = variable.scope
        if variable.frame is not None:
            united = {item.node for item in self.draft.united}
            for binding in self.draft.roles.bindings((scope, variable.name)):
                if binding.statement in united:
                    continue
                value = None if binding.index is not None else binding.value
                found.append((value, variable.frame))
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
            case ast.Call(func=ast.Attribute(attr="item"), args=[]):
                return True
            case ast.Call(func=ast.Attribute(attr="size"), args=[_]):
                return True
            case ast.Subscript(value=ast.Attribute(attr="shape"), slice=ast.Constant()):
                return True
            case ast.Call(func=ast.Name(id=name)):
                return name in _NUMBER_CALLS and self.draft.roles.key(frame.scope, name) is None
        return False


def _assigned(node: ast.AST) -> list[tuple[str, ast.expr | None]]:
    match node:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            return [(name, value)]
        case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)) if len(names) == len(values):
            return [(n.id, v) for n, v in zip(names, values, strict=True) if isinstance(n, ast.Name)]
        case ast.Assign():
            return [(name, None) for name in _targets(node)]
        case ast.AugAssign(target=ast.Name(id=name), value=value):
            return [(name, value)]
        case ast.For(target=target):
            return [(n.id, None) for n in walk(target) if isinstance(n, ast.Name)]
    return []


def _targets(node: ast.AST) -> list[str]:
    targets = node.targets if isinstance(node, ast.Assign) else []
    return [n.id for t in targets for n in walk(t) if isinstance(n, ast.Name)]
