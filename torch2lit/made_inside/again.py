"""Trainings that go on with the optimizer of the one before: each may have one of its own, which loads the state of the other.

for epoch in range(2): ...                            for epoch in range(2): ...
                                                      optimizer_state = optimizer.state_dict()
for epoch in range(9): ... optimizer.step() ...   →   optimizer = Adam(net.parameters(), lr=0.1)
                                                      optimizer.load_state_dict(optimizer_state)
                                                      for epoch in range(9): ... optimizer.step() ...
"""

from __future__ import annotations

import ast
from collections.abc import Container
from dataclasses import dataclass

from ..files.lines import dominant_newline, split_lines
from ..plan.same_parameters import SameParameters
from ..recover.names import flow
from ..recover.nest import Nest
from ..recover.roles import Key, Role, Roles
from ..recover.syntax import Source, walk
from ..recover.ways_on import ways_on

_STATE_IS_ALL = {
    f"torch.optim.{name}" for name in ("Adam", "AdamW", "SGD", "RMSprop", "Adadelta", "Adamax", "NAdam", "RAdam")
}
"""Their steps read nothing but parameters, gradients and what ``state_dict`` holds."""


@dataclass(frozen=True, slots=True)
class Again:
    """A loop that goes on with an optimizer, what has made that, and what its state is called."""

    loop: ast.For | ast.While
    made: ast.Assign
    state: str


def find_again(nests: list[Nest], roles: Roles, wanted: Container[str]) -> list[Again]:
    """Every such loop of the program; ``wanted`` are the names that other files take."""
    source = roles.source
    loops = {nest.outermost for nest in nests if nest.entry.scope is source.scope_of(nest.outermost)}
    found: list[Again] = []
    for made in source.all(ast.Assign):
        match made:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call() as call) if name not in wanted:
                following = _following(source, made, name, loops)
                search = _Search(roles, made, name, call)
                if (
                    len(following) > 1
                    and all(map(search.clears_first, following))
                    and search.goes_on_everywhere(following[1:])
                ):
                    state = _free_name(source, f"{name}_state")
                    found += [Again(loop, made, state) for loop in following[1:]]
    return found


def made_again(source: Source, found: list[Again]) -> tuple[str, dict[int, int], tuple[int, ...]]:
    """The text in which each loop has its own, the raw line of each line that has one, and the lines that make one."""
    newline = dominant_newline(source.text)
    above: dict[int, list[str]] = {}
    for one in found:
        name = ast.unparse(one.made.targets[0])
        indent = source.lines[one.loop.lineno - 1][: one.loop.col_offset]
        above.setdefault(one.loop.lineno, []).extend(
            f"{indent}{line}{newline}"
            for line in (
                f"{one.state} = {name}.state_dict()",
                f"{name} = {ast.unparse(one.made.value)}",
                f"{name}.load_state_dict({one.state})",
            )
        )
    lines: list[str] = []
    raw: dict[int, int] = {}
    makers: list[int] = []
    for number, line in enumerate(split_lines(source.text), start=1):
        for place, new in enumerate(above.get(number, [])):
            lines.append(new)
            makers += [len(lines)] if place % 3 else []
        lines.append(line)
        raw[len(lines)] = number
    return "".join(lines), raw, tuple(makers)


def _following(
    source: Source, made: ast.Assign, name: str, loops: set[ast.For | ast.While]
) -> list[ast.For | ast.While]:
    """The training loops behind the making, in its block, that mention what it makes."""
    block = source.block_of(made)
    later = [s for s in block[block.index(made) + 1 :] if isinstance(s, ast.For | ast.While)]
    return [s for s in later if s in loops and any(isinstance(n, ast.Name) and n.id == name for n in walk(s))]


def _free_name(source: Source, name: str) -> str:
    while name in source.names:
        name += "_"
    return name


class _Search:
    """Asks of one making whether it may be repeated further down."""

    def __init__(self, roles: Roles, made: ast.Assign, name: str, call: ast.Call) -> None:
        self.roles = roles
        self.source = roles.source
        self.made = made
        self.name = name
        self.call = call
        self.scope = self.source.scope_of(made)

    def goes_on_everywhere(self, loops: list[ast.For | ast.While]) -> bool:
        """Whether another one above each of the loops is the same optimizer once it has the state of the one before."""
        key = self.roles.key(self.scope, self.name)
        if key is None or key[0] is not self.scope or not self._is_made_once(key):
            return False
        plain = all(self._stands_alone(loop) for loop in loops)
        return plain and self._makes_no_more() and self._is_only_stepped(key) and self._stays_the_same(loops[-1])

    def clears_first(self, loop: ast.For | ast.While) -> bool:
        """Whether a loop begins each step with clearing: what has cleared behind its steps does so for the same optimizer."""
        mentions = [n for n in walk(loop) if isinstance(n, ast.Name) and n.id == self.name]
        first = self.source.parents[min(mentions, key=lambda n: (n.lineno, n.col_offset))]
        return isinstance(first, ast.Attribute) and first.attr == "zero_grad"

    def _is_made_once(self, key: Key) -> bool:
        once = len(self.roles.bindings(key)) == 1 and not self.roles.rebound_unseen(key)
        told = any(self.name in n.names for n in self.source.all(ast.Global)) or any(
            self.name in n.names for n in self.source.all(ast.Nonlocal)
        )
        return once and not told and self.roles.role_of(key) is Role.OPTIMIZER

    def _stands_alone(self, statement: ast.stmt) -> bool:
        """Whether nothing stands before a statement on its line."""
        return not self.source.lines[statement.lineno - 1].encode()[: statement.col_offset].strip()

    def _makes_no_more(self) -> bool:
        """Whether the call lists the parameters of a model and looks at numbers."""
        parameters = self.call.args[:1] or [k.value for k in self.call.keywords if k.arg == "params"]
        others = [*self.call.args[1:], *(k.value for k in self.call.keywords if k.value not in parameters)]
        match parameters:
            case [ast.Call(func=ast.Attribute(value=ast.Name() as model, attr="parameters"), args=[], keywords=[])]:
                known = self.roles.role(self.scope, model.id) is Role.MODEL
                full = self.roles.full_name(self.call.func)
                return known and full in _STATE_IS_ALL and all(map(self._is_plain_number, others))
        return False

    def _is_plain_number(self, value: ast.expr) -> bool:
        """Whether a setting is written out, or a variable of one value or parsed argument that no tensor can be."""
        for node in walk(value):
            match node:
                case ast.Name(id=name):
                    key = self.roles.key(self.scope, name)
                    if key is None or not self._is_setting(key):
                        return False
                case ast.expr() if not isinstance(
                    node, ast.Constant | ast.Attribute | ast.Tuple | ast.UnaryOp | ast.BinOp
                ):
                    return False
        return True

    def _is_setting(self, key: Key) -> bool:
        if self.roles.role_of(key) is Role.CONFIG:
            return True
        bound = self.roles.bindings(key)
        if not bound:
            given = [value for _, value in self.roles.arguments(*key)]
            return bool(given) and all(isinstance(value, ast.Constant) for value in given)
        return len(bound) == 1 and bound[0].index is None and isinstance(bound[0].value, ast.Constant)

    def _is_only_stepped(self, key: Key) -> bool:
        """Whether the optimizer is nobody else's: the scope alone names it, to step it and to clear its gradients."""
        for node in self.source.all(ast.Name):
            scope = self.source.scope_of(node)
            if node.id != self.name or node in self.made.targets or self.roles.key(scope, node.id) != key:
                continue
            parent = self.source.parents.get(node)
            above = self.source.parents.get(parent) if parent is not None else None
            match parent, above:
                case ast.Attribute(attr="step" | "zero_grad"), ast.Call(args=[]) if above.func is parent:
                    if scope is self.scope:
                        continue
            return False
        return True

    def _stays_the_same(self, loop: ast.stmt) -> bool:
        """Whether the making gives the same parameters, and finds all that it reads, just above a loop."""
        block = self.source.block_of(self.made)
        between = block[block.index(self.made) + 1 : block.index(loop)]
        passed = [s for s in between if not isinstance(s, ast.FunctionDef | ast.ClassDef)]
        same = SameParameters(self.roles, self.scope, [self.made])
        used = same.used_by(self.made) - {self.name}
        if {*flow(passed).written} & used:
            return False
        return all(same.after(part, used) for statement in passed for part in ways_on(statement))
