"""Data that every turn of a loop makes in the same way: it may as well be made once, above the loop.

for epoch in range(n):                      inputs = torch.from_numpy(x_train)
    inputs = torch.from_numpy(x_train)  →   for epoch in range(n):
    loss = f(model(inputs), y)                  loss = f(model(inputs), y)
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from ..files.lines import split_lines
from ..recover.effects import EffectAnalysis, effects_of
from ..recover.lines_in_strings import lines_in_strings
from ..recover.loops import Iterable
from ..recover.nest import Nest
from ..recover.roles import Key, Roles
from ..recover.syntax import Scope, Source, blocks, walk

_MAKERS = {
    "torch.from_numpy", "torch.tensor", "torch.as_tensor", "torch.Tensor", "torch.FloatTensor", "torch.LongTensor",
    "torch.autograd.Variable",
}  # fmt: skip
_METHODS = {
    "float", "long", "double", "int", "view", "reshape", "unsqueeze", "squeeze", "to", "cuda", "cpu", "t", "type", "contiguous",
    "astype",
}  # fmt: skip
_KEYWORDS = {"dtype", "device", "dim", "non_blocking"}
_LOOKS = {"print", "len"}


@dataclass(frozen=True, slots=True)
class Constant:
    """A loop over epochs, and the statements at its head that give the same in every turn."""

    loop: ast.For
    statements: tuple[ast.stmt, ...]


def find_constant(nests: list[Nest], roles: Roles, path: str) -> list[Constant]:
    """The loops of a program that make such data."""
    found: list[Constant] = []
    if _may_change_its_input(roles):
        return found
    effects = effects_of(roles, path)
    for nest in nests:
        epochs = nest.epochs
        if nest.batches is None and epochs is not None and epochs.kind is Iterable.RANGE:
            assert isinstance(epochs.node, ast.For)
            if statements := _Finder(epochs.node, roles, effects).found():
                found.append(Constant(epochs.node, tuple(statements)))
    return found


def _may_change_its_input(roles: Roles) -> bool:
    """Whether a network may change in place what it is given: a turn has fresh data, and the next one would see the change."""
    source = roles.source
    if any(k.arg == "inplace" for call in source.calls for k in call.keywords):
        return True
    if roles.neighbours is not None and any(
        roles.neighbours.file(o) or roles.neighbours.file(o.rpartition(".")[0]) for o in roles.origins.values()
    ):
        return True  # another file may hold such a network
    methods = [f for f in source.functions if source.in_class(f) and f.name != "__init__"]
    return any(
        isinstance(n, ast.AugAssign)
        or (isinstance(n, ast.Subscript | ast.Attribute) and not isinstance(n.ctx, ast.Load))
        or (isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute) and n.func.attr.endswith("_"))
        for method in methods
        for n in walk(method)
    )


class _Finder:
    def __init__(self, loop: ast.For, roles: Roles, effects: EffectAnalysis) -> None:
        self.loop, self.roles, self.source, self.effects = loop, roles, roles.source, effects
        self.scope: Scope = self.source.scope_of(loop)
        self.changed = frozenset[Key]().union(*(effects.of(s, self.scope).mutates for s in loop.body))
        self.made: set[str] = set()

    def found(self) -> list[ast.stmt]:
        """Those statements, from the first of the loop on."""
        statements: list[ast.stmt] = []
        for statement in self.loop.body[:-1]:
            match statement:
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call() as value) if self._is_same(value):
                    if not self._is_its_own(name):
                        break
                    self.made.add(name)
                    statements.append(statement)
                case _:
                    break
        return statements

    def _is_same(self, value: ast.expr) -> bool:
        """Whether the expression gives the same in every turn, and does nothing else."""
        match value:
            case ast.Constant():
                return True
            case ast.Name(id=name):
                return name in self.made or self._stays(name)
            case ast.Attribute():
                return self.roles.full_name(value).startswith("torch.")
            case ast.UnaryOp(operand=operand):
                return self._is_same(operand)
            case ast.Call(func=function, args=arguments, keywords=keywords):
                parts = [*arguments, *(k.value for k in keywords)]
                if any(k.arg not in _KEYWORDS for k in keywords) or not all(map(self._is_same, parts)):
                    return False
                if self.roles.full_name(function) in _MAKERS:
                    return True
                method = isinstance(function, ast.Attribute) and function.attr in _METHODS
                return method and isinstance(function, ast.Attribute) and self._is_same(function.value)
        return False

    def _stays(self, name: str) -> bool:
        """Whether the loop leaves the name and what it stands for as they are."""
        key = self.roles.key(self.scope, name)
        if key is None or self.roles.rebound_unseen(key) or key in self.changed:
            return False
        for node in self.source.all(ast.Name):
            if node.id != name or self.roles.key(self.source.scope_of(node), name) != key:
                continue
            inside = self.loop in self.source.ancestors(node)
            if inside and not (isinstance(node.ctx, ast.Load) and self._only_looks(node)):
                return False
            if self.source.scope_of(node) not in (self.scope, key[0]):
                return False  # a function that the loop may call
        return True

    def _only_looks(self, node: ast.Name) -> bool:
        parent = self.source.parents[node]
        if isinstance(parent, ast.Attribute):
            above = self.source.parents[parent]
            called = isinstance(above, ast.Call) and above.func is parent
            return isinstance(parent.ctx, ast.Load) and (
                not called or parent.attr in _METHODS | {"astype", "sum", "mean"}
            )
        if isinstance(parent, ast.Call) and node in parent.args:
            full = self.roles.full_name(parent.func)
            return full in _MAKERS or full in _LOOKS or full.startswith("matplotlib.")
        return isinstance(parent, ast.Subscript | ast.BinOp | ast.Compare | ast.FormattedValue) and (
            not isinstance(parent, ast.Subscript) or isinstance(parent.ctx, ast.Load)
        )

    def _is_its_own(self, name: str) -> bool:
        """Whether only this statement binds the name, and only the loop reads it, without changing what it stands for."""
        key = (self.scope, name)
        if self.roles.key(self.scope, name) != key or self.roles.rebound_unseen(key) or key in self.changed:
            return False
        uses = self.roles.mentions(key)
        stores = [n for n in uses if not isinstance(n.ctx, ast.Load)]
        return len(stores) == 1 and all(self.loop in self.source.ancestors(n) for n in uses)


def hoisted(source: Source, found: list[Constant]) -> tuple[str, dict[int, int]] | None:
    """The program with those statements above their loops; for each of its lines the raw one. None when a place has no text of its own."""
    lines = split_lines(source.text)
    strings = lines_in_strings(source.text)
    above: dict[int, list[tuple[str, int]]] = {}
    gone: set[int] = set()
    for one in found:
        taken = {n for s in one.statements for n in range(s.lineno, (s.end_lineno or 0) + 1)}
        own = {id(s) for s in one.statements}
        others = (n for n in ast.walk(source.tree) if isinstance(n, ast.stmt) and id(n) not in own and not blocks(n))
        if taken & strings or any(n in taken for s in others for n in (s.lineno, s.end_lineno)):
            return None
        indent = lines[one.loop.lineno - 1][: one.loop.col_offset]
        first = min(taken)
        inner = lines[first - 1][: one.statements[0].col_offset]
        if not inner.startswith(indent) or inner.strip() or one.loop.lineno == first:
            return None
        while first - 1 > one.loop.lineno and lines[first - 2].startswith(f"{inner}#"):
            first -= 1
        moved = [(indent + lines[n - 1].removeprefix(inner), n) for n in range(first, max(taken) + 1)]
        gone |= {number for _text, number in moved}
        last = max(taken)
        while last < len(lines) and not lines[last].strip():
            last += 1
            gone.add(last)
        place = one.loop.lineno
        while place > 1 and lines[place - 2].startswith(f"{indent}#"):
            place -= 1
        above.setdefault(place, []).extend(moved)
    text: list[str] = []
    origins: dict[int, int] = {}
    for number, line in enumerate(lines, start=1):
        for new, raw in [*above.get(number, []), *([] if number in gone else [(line, number)])]:
            text.append(new)
            origins[len(text)] = raw
    return "".join(text), origins
