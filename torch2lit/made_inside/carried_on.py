"""An optimizer that several loops step one after the other: each later loop may make its own, which begins with the state of the one before.

optimizer = Adam(net.parameters(), lr=0.01)         optimizer = Adam(net.parameters(), lr=0.01)
for batch in loader: ...  # a warm-up               for batch in loader: ...
for epoch in range(9): ...                     →    optimizer_state = optimizer.state_dict()
                                                    optimizer = Adam(net.parameters(), lr=0.01)
                                                    optimizer.load_state_dict(optimizer_state)
                                                    for epoch in range(9): ...

That is the same training: the state of such an optimizer is all that it knows beside its parameters, and those are the same.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Container, Iterator
from dataclasses import dataclass

from ..files.lines import dominant_newline, split_lines
from ..plan.same_parameters import SameParameters
from ..recover.items import only_names
from ..recover.nest import Nest
from ..recover.roles import Key, Role, Roles, bound_argument
from ..recover.syntax import Scope, Source, root_name, walk
from ..recover.ways_on import ways_on
from .given import makes_no_more, only_called

_KNOWN = {f"torch.optim.{name}" for name in ("SGD", "Adam", "AdamW", "Adamax", "Adadelta", "RMSprop")}
"""Of these the state is numbers, and tensors of the kind of their parameters: what is loaded is what was saved."""
_OF_ANOTHER_KIND = {"half", "double", "float", "bfloat16", "type", "to", "to_empty", "apply"}
"""Methods that may give parameters another kind of number."""
_LATER = (ast.Lambda, ast.GeneratorExp, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
Loop = ast.For | ast.While


@dataclass(frozen=True, slots=True)
class Carried:
    """The statement that makes an optimizer, its name, and the loops before which it may as well be made anew."""

    made: ast.Assign
    name: str
    loops: tuple[Loop, ...]


@dataclass(frozen=True, slots=True)
class Derived:
    """The new text; for its lines the raw ones, where there is one; the new lines on which something is made."""

    text: str
    lines: dict[int, int]
    made: tuple[int, ...]


def find_carried(nests: list[Nest], roles: Roles, wanted: Container[str]) -> list[Carried]:
    """The optimizers that several loops of one function step, and that only these loops change."""
    scopes: dict[Scope, list[Loop]] = {}
    for nest in nests:
        loops = scopes.setdefault(nest.entry.scope, [])
        if nest.outermost not in loops:
            loops.append(nest.outermost)
    found: list[Carried] = []
    for scope, loops in scopes.items():
        for made in roles.source.all(ast.Assign) if len(loops) > 1 else ():
            names = only_names(made.targets[0]) if len(made.targets) == 1 else None
            if names and len(names) == 1 and roles.source.scope_of(made) is scope and names[0] not in wanted:
                one = _Search(roles, scope, made, names[0]).found(sorted(loops, key=lambda s: s.lineno))
                found += [one] if one is not None else []
    return found


class _Search:
    def __init__(self, roles: Roles, scope: Scope, made: ast.Assign, name: str) -> None:
        self.roles, self.source = roles, roles.source
        self.scope, self.made, self.name = scope, made, name

    def found(self, loops: list[Loop]) -> Carried | None:
        key = self.roles.key(self.scope, self.name)
        if key is None or not self._is_made_once(key):
            return None
        mentions = [n for n in self.source.all(ast.Name) if n.id == self.name and n not in self.made.targets]
        mentions = [n for n in mentions if self.roles.key(self.source.scope_of(n), self.name) == key]
        loops = [loop for loop in loops if any(loop in self.source.ancestors(n) for n in mentions)]
        if len(loops) < 2 or not all(map(self._is_on_the_way, loops)):
            return None
        last = loops[-1].lineno
        if not all(self._is_plain(n) and (n.lineno >= last or self._only_steps(n)) for n in mentions):
            return None
        return Carried(self.made, self.name, tuple(loops[1:])) if self._keeps_parameters(last) else None

    def _is_made_once(self, key: Key) -> bool:
        """Whether a name is bound by nothing else, to an optimizer whose state is all of it."""
        value = self.made.value
        if key[0] is not self.scope or self.roles.rebound_unseen(key) or len(self.roles.bindings(key)) != 1:
            return False
        if any(self.name in n.names for n in self.source.all(ast.Global)):
            return False
        if not isinstance(value, ast.Call) or self.roles.full_name(value.func) not in _KNOWN:
            return False
        settings = [n for a in (*value.args[1:], *value.keywords) for n in walk(a) if isinstance(n, ast.Name)]
        return makes_no_more(self.roles, value) and not any(map(self._may_be_tensor, settings))

    def _may_be_tensor(self, setting: ast.Name) -> bool:
        """Whether a setting is what torch computes: the script may go on changing it in place, and a state holds a copy."""
        key = self.roles.key(self.scope, setting.id)
        values = [b.value for b in self.roles.bindings(key)] if key is not None else []
        return any(isinstance(v, ast.Call) and self.roles.full_name(v.func).startswith("torch.") for v in values)

    def _is_on_the_way(self, loop: Loop) -> bool:
        """Whether a loop stands behind the making, in its block or in what stands there and repeats nothing."""
        node: ast.AST = loop
        block = self.source.block_of(self.made)
        while node not in block:
            node = self.source.parents[node]
            if not isinstance(node, ast.With | ast.If):
                return False
        return isinstance(node, ast.stmt) and block.index(node) > block.index(self.made)

    def _is_plain(self, mention: ast.Name) -> bool:
        """Whether a name is read right there, behind the making."""
        if not isinstance(mention.ctx, ast.Load) or mention.lineno <= self.made.lineno:
            return False
        for ancestor in self.source.ancestors(mention):
            if ancestor is self.scope:
                return True
            if isinstance(ancestor, _LATER):
                return False
        return False

    def _only_steps(self, node: ast.Name, depth: int = 3) -> bool:
        """Whether a read keeps nothing of the optimizer that could be asked later."""
        above = self.source.parents[node]
        match above:
            case ast.Attribute(attr="step" | "zero_grad"):
                call = self.source.parents[above]
                return isinstance(call, ast.Call) and call.func is above
            case ast.Attribute(attr="param_groups"):
                return self._is_setting(above)
            case ast.Call() if above.func is not node:
                return depth > 0 and self._is_given(node, above, depth)
            case ast.keyword():
                outer = self.source.parents[above]
                return depth > 0 and isinstance(outer, ast.Call) and self._is_given(node, outer, depth)
        return False

    def _is_setting(self, groups: ast.Attribute) -> bool:
        """Whether it is asked for a setting of a group, ``optimizer.param_groups[0]["lr"]``, or for each group in a loop."""
        above = self.source.parents[groups]
        match above:
            case ast.Subscript():
                return self._is_item(above)
            case ast.For(target=ast.Name(id=name), iter=iterated) if iterated is groups:
                scope = self.source.scope_of(above)
                key, inside = self.roles.key(scope, name), {id(n) for n in walk(above)}
                named = [n for n in self.source.all(ast.Name) if n.id == name]
                named = [n for n in named if self.roles.key(self.source.scope_of(n), name) == key]
                return all(id(n) in inside and (n is above.target or self._is_item(n)) for n in named)
        return False

    def _is_item(self, group: ast.expr) -> bool:
        """Whether a group is asked for, or given, a setting by its name: its parameters are none."""
        match self.source.parents[group]:
            case ast.Subscript(value=value, slice=ast.Constant(value=str(setting))) if value is group:
                return setting != "params"
        return False

    def _is_given(self, node: ast.Name, call: ast.Call, depth: int) -> bool:
        """Whether a function of the file is given the optimizer, and does no more with it."""
        function = self.source.function(call.func.id) if isinstance(call.func, ast.Name) else None
        if not isinstance(function, ast.FunctionDef) or not only_called(self.roles, function):
            return False
        names = [p.arg for p in (*function.args.args, *function.args.kwonlyargs)]
        taken = [name for name in names if bound_argument(function, call, name) is node]
        if len(taken) != 1:
            return False
        uses = [n for n in self.source.all(ast.Name) if n.id == taken[0] and n is not node]
        key = (function, taken[0])
        uses = [n for n in uses if self.roles.key(self.source.scope_of(n), n.id) == key]
        return all(self._is_read_in(function, n) and self._only_steps(n, depth - 1) for n in uses)

    def _is_read_in(self, function: ast.FunctionDef, node: ast.Name) -> bool:
        between: Iterator[ast.AST] = iter(self.source.ancestors(node))
        outer = next(a for a in between if isinstance(a, _LATER))
        return outer is function and isinstance(node.ctx, ast.Load)

    def _keeps_parameters(self, last: int) -> bool:
        """Whether what the making reads stands for the same parameters, of the same kind, until the last loop begins."""
        same = SameParameters(self.roles, self.scope, [self.made])
        used = same.used_by(self.made.value)
        if any(self._changes_kind(call, last) for call in self.source.calls):
            return False
        passed = [part for s in self._passed(last) for part in ways_on(s)]
        return all(same.after(part, used - {self.name}) for part in passed)

    def _passed(self, last: int) -> list[ast.stmt]:
        """The statements of the block from the making to the last loop."""
        block: Collection[ast.stmt] = self.source.block_of(self.made)
        behind = [s for s in block if s.lineno > (self.made.end_lineno or 0) and s.lineno <= last]
        return [s for s in behind if not isinstance(s, ast.FunctionDef | ast.ClassDef)]

    def _changes_kind(self, call: ast.Call, last: int) -> bool:
        """Whether a call between the two, or in a function, may give a model's parameters another kind of number."""
        scope = self.source.scope_of(call)
        if scope is self.scope and not self.made.lineno < call.lineno < last:
            return False
        match call:
            case ast.Call(func=ast.Attribute(attr="to"), args=[place], keywords=[]) if self._is_device(place, scope):
                return False
            case ast.Call(func=ast.Attribute(value=value, attr=method)) if method in _OF_ANOTHER_KIND:
                role = self.roles.of(value, scope)
                return role is Role.MODEL or root_name(value) == "self"
        return False

    def _is_device(self, node: ast.expr, scope: Scope) -> bool:
        """Whether a value is a device, as it was made."""
        if isinstance(node, ast.Name):
            key = self.roles.key(scope, node.id)
            bindings = self.roles.bindings(key) if key is not None else []
            if key is None or not bindings or self.roles.rebound_unseen(key):
                return False
            return all(b.index is None and self._is_made_device(b.value) for b in bindings)
        return self._is_made_device(node)

    def _is_made_device(self, node: ast.expr) -> bool:
        match node:
            case ast.Constant(value=str()) | ast.Attribute(attr="device"):
                return True
            case ast.IfExp(body=one, orelse=other):
                return self._is_made_device(one) and self._is_made_device(other)
            case ast.Call():
                return self.roles.full_name(node.func) == "torch.device"
        return False


def carried_text(source: Source, found: list[Carried]) -> Derived | None:
    """The text in which every later loop makes its own; None when a name is taken or something else stands on a line."""
    above: dict[int, list[tuple[Loop, Carried]]] = {}
    for one in found:
        text = source.segment(one.made.value)
        if f"{one.name}_state" in source.names or "'''" in text or '"""' in text:
            return None
        for loop in one.loops:
            above.setdefault(_first_line(source, loop), []).append((loop, one))
    lines: list[str] = []
    raw: dict[int, int] = {}
    made: list[int] = []
    newline = dominant_newline(source.text)
    for number, line in enumerate(split_lines(source.text), start=1):
        for loop, one in above.get(number, ()):
            indent = source.lines[loop.lineno - 1].encode()[: loop.col_offset].decode()
            if indent.strip():
                return None
            made.append(len(lines) + 2)
            lines += [f"{indent}{new}{newline}" for new in _made_anew(source, one)]
        lines.append(line)
        raw[len(lines)] = number
    return Derived("".join(lines), raw, tuple(made))


def _made_anew(source: Source, one: Carried) -> Iterator[str]:
    """The lines that make an optimizer with the state of the one before."""
    state, made = f"{one.name}_state", one.made
    own = source.lines[made.lineno - 1].encode()[: made.col_offset].decode()
    first, *others = source.segment(made.value).replace("\r\n", "\n").split("\n")
    yield f"{state} = {one.name}.state_dict()"
    yield f"{one.name} = {first}"
    yield from (line.removeprefix(own) for line in others)
    yield f"{one.name}.load_state_dict({state})"


def _first_line(source: Source, loop: Loop) -> int:
    """The line of a loop, or of the comments right above it."""
    line = loop.lineno
    while line > 1 and source.lines[line - 2].strip().startswith("#"):
        line -= 1
    return line
