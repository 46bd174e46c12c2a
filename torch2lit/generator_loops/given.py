"""What the names of a generator are called where its code stands in the loop that runs through it, arguments bound as Python does."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass

from ..recover.names import local_names, parameter_names, target_names
from ..recover.roles import Roles
from ..recover.syntax import Scope, walk
from .called import Called


@dataclass(frozen=True, slots=True)
class Given:
    """Names of a generator with the texts that stand for them, and the statements that make what has no name yet."""

    names: dict[str, str]
    made: tuple[str, ...]


def bound_arguments(called: Called, call: ast.Call) -> list[tuple[str, ast.expr]] | None:
    """For each parameter its argument or its plain default, in the order in which a call evaluates them; None when that is not known."""
    a = called.parts.function.args
    names = [p.arg for p in (*a.posonlyargs, *a.args)]
    defaults = dict(zip(names[len(names) - len(a.defaults) :], a.defaults, strict=True))
    defaults |= {p.arg: d for p, d in zip(a.kwonlyargs, a.kw_defaults, strict=True) if d is not None}
    positional = names[1:] if called.receiver else names
    by_name = {*positional, *(p.arg for p in a.kwonlyargs)} - {p.arg for p in a.posonlyargs}
    if len(call.args) > len(positional) or any(isinstance(one, ast.Starred) for one in call.args):
        return None
    found = list(zip(positional, call.args, strict=False))
    for keyword in call.keywords:
        if keyword.arg is None or keyword.arg not in by_name or keyword.arg in [name for name, _ in found]:
            return None
        found.append((keyword.arg, keyword.value))
    for name in (*positional, *(p.arg for p in a.kwonlyargs)):
        if name not in [known for known, _ in found]:
            default = defaults.get(name)
            if default is None or not _is_plain(default):
                return None
            found.append((name, default))
    return found


class Naming:
    """Names for one loop. ``taken`` are those that mean something around it; it grows by the new ones."""

    def __init__(self, called: Called, roles: Roles, loop: ast.For, scope: Scope, taken: set[str]) -> None:
        self.called = called
        self.roles = roles
        self.loop = loop
        self.scope = scope
        self.taken = taken
        self.function = called.parts.function
        self._nodes = [n for n in called.parts.nodes if isinstance(n, ast.Name)]
        self._stored = {n.id for n in self._nodes if not isinstance(n.ctx, ast.Load)}

    def given(self, arguments: list[tuple[str, ast.expr]], text: Callable[[ast.expr], str]) -> Given | None:
        """The names, or None where one would mean something else."""
        names: dict[str, str] = {}
        made: list[str] = []
        if self.called.receiver:
            names[self.function.args.args[0].arg] = self.called.receiver
        for place, (name, argument) in enumerate(arguments, start=1):
            last = all(self._may_stand_for(*other) for other in arguments[place:])
            if self._may_stand_for(name, argument) or (last and self._is_asked_first(name)):
                names[name] = text(argument)
            elif self._may_be(name, argument):
                names[name] = ast.unparse(argument)
            else:
                names[name] = self._new(name)
                made.append(f"{names[name]} = {text(argument)}")
        for name in sorted(local_names(self.function) - {*parameter_names(self.function)}):
            if name in self.taken:
                names[name] = self._new(name)
            self.taken.add(name)
        changed = {name: new for name, new in names.items() if name != new}
        words = {n.id for new in names.values() for n in ast.walk(ast.parse(new)) if isinstance(n, ast.Name)}
        if not self._inner.isdisjoint({*changed, *words}):
            return None
        return Given(changed, tuple(made))

    def _new(self, name: str) -> str:
        found = name
        if found in self.taken:
            found = base = f"{self.function.name.lstrip('_')}_{name.lstrip('_')}"
            number = 2
            while found in self.taken:
                found, number = f"{base}_{number}", number + 1
        self.taken.add(found)
        return found

    @property
    def _inner(self) -> set[str]:
        """What comprehensions and nested functions of the generator bind for themselves."""
        found: set[str] = set()
        for node in self.called.parts.nodes:
            if isinstance(node, ast.comprehension):
                found |= {*target_names(node.target)}
            elif isinstance(node, ast.Lambda):
                found |= {*parameter_names(node)}
        return found

    def _may_stand_for(self, name: str, argument: ast.expr) -> bool:
        """Whether the argument may be written wherever the generator reads its parameter."""
        if name in self._stored:
            return False
        match argument:
            case ast.Constant(value=value):
                if isinstance(value, str):
                    return False
                return value is None or isinstance(value, bool) or not self._is_asked(name)
            case ast.Name(id=own):
                return self._stays(own)
        return False

    def _is_asked_first(self, name: str) -> bool:
        """Whether all that the generator does with the parameter is to loop over it, before it does anything else."""
        over = self.called.parts.loop.iter
        if isinstance(over, ast.Call) and isinstance(over.func, ast.Name) and over.args:
            over = over.args[0]
        mentions = [n for n in self._nodes if n.id == name]
        return not self.called.parts.before and len(mentions) == 1 and mentions[0] is over

    def _is_asked(self, name: str) -> bool:
        """Whether the generator asks the parameter for an attribute, where a number would need brackets."""
        asked = (n.value for n in self.called.parts.nodes if isinstance(n, ast.Attribute))
        return any(isinstance(n, ast.Name) and n.id == name for n in asked)

    def _stays(self, name: str) -> bool:
        """Whether a name keeps its value while the loop runs: no code but the loop's own scope binds it, and that not in the loop."""
        key = self.roles.key(self.scope, name)
        if key is None or self.roles.rebound_unseen(key):
            return False
        inside = (n for n in walk(self.loop) if isinstance(n, ast.Name))
        return not any(n.id == name and not isinstance(n.ctx, ast.Load) for n in inside) and (
            name not in _bound_by_statements(self.loop)
        )

    def _may_be(self, name: str, argument: ast.expr) -> bool:
        """Whether the generator may go on with the caller's own variable: nothing else reads it, and each loop gets a new one."""
        if not isinstance(argument, ast.Name) or name not in self._stored or isinstance(self.scope, ast.Module):
            return False
        key = (self.scope, argument.id)
        if self.roles.key(*key) != key or not self._stays(argument.id):
            return False
        mentions = self.roles.mentions(key)
        if [n for n in mentions if isinstance(n.ctx, ast.Load)] != [argument]:
            return False
        return self._is_new_for_each_loop(argument.id)

    def _is_new_for_each_loop(self, name: str) -> bool:
        """Whether the variable gets its value again whenever the loop begins."""
        source = self.roles.source
        current: ast.stmt = self.loop
        while True:
            block = source.block_of(current)
            above = block[: block.index(current)] if block else []
            if any(isinstance(s, ast.Assign) and name in target_names(s.targets[0]) for s in above):
                return True
            around = source.parents[current]
            if around is self.scope:
                return name in parameter_names(self.scope) if not isinstance(self.scope, ast.Module) else False
            if not isinstance(around, ast.With | ast.If):
                return False
            current = around


def _bound_by_statements(loop: ast.For) -> set[str]:
    """The names that statements of the loop bind without holding them as variables."""
    found: set[str] = set()
    for node in walk(loop):
        match node:
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                found |= {(one.asname or one.name).split(".")[0] for one in aliases}
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.ExceptHandler(name=str(name)):
                found.add(name)
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                found.add(name)
    return found


def _is_plain(default: ast.expr) -> bool:
    if isinstance(default, ast.UnaryOp):
        default = default.operand
    return isinstance(default, ast.Constant)
