"""One variable, one thing: names of several functions that stand for the same value are brought together."""

from __future__ import annotations

import ast
import copy
from collections.abc import Container, Iterable
from dataclasses import dataclass, replace

from .items import Guard, Item, only_names, parts
from .names import Flow, bound_names, declared, flow
from .nest import Frame
from .roles import Key, Roles
from .state_names import is_state
from .syntax import Scope, walk_statements
from .torch_calls import fits_torch


@dataclass(eq=False)
class Variable:
    """A value under one name in one running of a scope. ``frame`` is None for a scope that is not part of the nest."""

    frame: Frame | None
    scope: Scope
    name: str

    def __repr__(self) -> str:
        owner = "module" if isinstance(self.scope, ast.Module) else self.scope.name
        return f"<{owner}.{self.name}>"

    @property
    def rank(self) -> tuple[str, int, int, int]:
        """A place in a fixed order: two variables of one name differ in how deep their call stands, or where."""
        depth, frame = -1, self.frame
        while frame is not None:
            depth, frame = depth + 1, frame.caller
        line = 0 if isinstance(self.scope, ast.Module) else self.scope.lineno
        call = self.frame.call if self.frame is not None else None
        return self.name, depth, line, 0 if call is None else call.lineno

    @property
    def is_global(self) -> bool:
        """Whether it lives at module level."""
        return isinstance(self.scope, ast.Module)


@dataclass(frozen=True, slots=True)
class Use:
    """What one item does with variables, as :class:`torch2lit.recover.names.Flow` says it of names."""

    exposed: frozenset[Variable]
    definite: frozenset[Variable]
    written: frozenset[Variable]
    read: frozenset[Variable]


class Variables:
    """The variables of a nest."""

    def __init__(self, roles: Roles) -> None:
        self.roles = roles
        self._by_frame: dict[tuple[int, str], Variable] = {}
        self._by_key: dict[Key, Variable] = {}
        self._same: dict[Variable, Variable] = {}
        self._joined: list[tuple[Variable, ast.Name, Frame]] = []
        self.gone: Container[ast.AST] = ()
        """Statements that leave the program: what they read and write does not count."""
        self.anew: Container[ast.AST] = ()
        """Statements ``x /= n`` that give a variable a value in which its old one has no part."""
        self._rebound: dict[Scope, set[str]] = {}
        self._static: dict[Key, bool] = {}
        self._handed: frozenset[Key] = frozenset()
        self._defined: dict[Scope, set[str]] = {}
        self._sequences: dict[tuple[int, ...], tuple[object, Use]] = {}
        """What was said of several items; each answer holds what its key stands for."""

    def find(self, variable: Variable) -> Variable:
        """The one variable that stands for all that are the same."""
        while variable in self._same:
            variable = self._same[variable]
        return variable

    def unite(self, one: Variable, other: Variable) -> None:
        """From now on ``one`` is another name of ``other``."""
        one, other = self.find(one), self.find(other)
        if one is not other:
            self._same[one] = other

    def joined(self, variable: Variable) -> list[tuple[ast.Name, Frame]]:
        """Where a call hands a variable over as a result, and nothing but its name is left of the statement: both names, each with its frame."""
        return [(name, frame) for one, name, frame in self._joined if self.find(one) is variable]

    def fork(self) -> Variables:
        """The same variables, of which others may be united from now on."""
        other = copy.copy(self)
        other._same, other._rebound, other._sequences = dict(self._same), {}, {}
        other._joined = [*self._joined]
        return other

    def of(self, frame: Frame, name: str) -> Variable | None:
        """The variable that a name stands for in a frame; None for builtins, imports, functions and classes."""
        key = self.roles.key(frame.scope, name)
        if key is None or self.is_static(key):
            return None
        owner: Frame | None = frame
        while owner is not None and owner.scope is not key[0]:
            owner = owner.caller
        if owner is None:
            variable = self._by_key.setdefault(key, Variable(None, *key))
            return self.find(variable)
        entry = (id(owner), name)
        if entry not in self._by_frame:
            if owner.caller is None:
                self._by_frame[entry] = self._by_key.setdefault(key, Variable(owner, *key))
            else:
                self._by_frame[entry] = Variable(owner, *key)
        return self.find(self._by_frame[entry])

    def of_script(self, key: Key) -> Variable:
        """The variable of a scope that is no part of the nest."""
        return self.find(self._by_key.setdefault(key, Variable(None, *key)))

    def is_static(self, key: Key) -> bool:
        """Whether a name only ever stands for an import, a function or a class."""
        if key in self._handed:
            return False
        if key not in self._static:
            scope, name = key
            if scope not in self._defined:
                self._defined[scope] = {n for s in _definitions(scope) for n in _defined(s)}
            self._static[key] = name in self._defined[scope] and not self.roles.bindings(key)
        return self._static[key]

    def hand(self, keys: Iterable[Key]) -> None:
        """From now on these functions are values as any other: the module is handed them."""
        self._handed |= frozenset(keys)
        self._sequences.clear()

    def names(self, frame: Frame, names: frozenset[str]) -> frozenset[Variable]:
        """The variables of several names."""
        return frozenset(v for name in names if (v := self.of(frame, name)) is not None)

    def unite_binds(self, items: list[Item]) -> list[Item]:
        """Drop the parameter bindings that only give a caller's variable another name; unite the two."""
        kept: list[Item] = []
        for item in items:
            if item.target and isinstance(item.value, ast.Name) and self._unchanging(item):
                assert item.frame.caller is not None
                outer = self.of(item.frame.caller, item.value.id)
                inner = self.of(item.frame, item.target)
                if outer is not None and inner is not None:
                    self.unite(inner, outer)
                    continue
            kept.append(item)
        return kept

    def _unchanging(self, item: Item) -> bool:
        scope = item.frame.scope
        if scope not in self._rebound:
            self._rebound[scope] = bound_names(scope.body, self.gone)
        assert isinstance(item.value, ast.Name)
        if item.target in self._rebound[scope]:
            return False
        if self.roles.escapes is not None and item.value.id in self.roles.escapes.changing:
            return False
        return item.value.id not in declared(scope.body, ast.Global) | declared(scope.body, ast.Nonlocal)

    def unite_result(self, item: Item) -> bool:
        """Unite what a call returns with what it is assigned to. True when nothing else is left of the statement."""
        if item.kind != "result" or item.callee is None or item.unless is not None:
            return False
        node = item.node
        if isinstance(node, ast.Expr) and node.value is item.call:
            return item.value is None or all(self._only_reads(n, item.callee.scope) for n in ast.walk(item.value))
        if not isinstance(node, ast.Assign) or len(node.targets) != 1 or node.value is not item.call:
            return False
        outer, inner = only_names(node.targets[0]), only_names(item.value)
        if not outer or not inner or len(outer) != len(inner) or len(set(inner)) != len(inner):
            return False
        if any(is_state(name) for name in outer):  # methods that the callee calls may look at the attribute meanwhile
            return False
        pairs = []
        passed = {n.id for a in item.callee.arguments.values() for n in ast.walk(a) if isinstance(n, ast.Name)}
        touched = declared(item.callee.scope.body, ast.Global)
        for outside, inside in zip(outer, inner, strict=True):
            target, value = self.of(item.frame, outside), self.of(item.callee, inside)
            if (
                target is None
                or value is None
                or value.scope is not item.callee.scope
                or value.frame is not item.callee
            ):
                return False
            if outside in passed or outside in touched or self._read_as_global(item.callee.scope, target):
                return False
            pairs.append((value, target))
        for value, target in pairs:
            self.unite(value, target)
        for part, frame in ((node.targets[0], item.frame), (item.value, item.callee)):
            names = [n for n in ast.walk(part) if isinstance(n, ast.Name)] if part is not None else []
            self._joined += [(v, n, frame) for n in names if (v := self.of(frame, n.id)) is not None]
        return True

    def _only_reads(self, node: ast.AST, scope: Scope) -> bool:
        """Whether a part of a value that nobody takes may be left out: it calls nothing that could do anything."""
        match node:
            case ast.Call(func=ast.Attribute(attr="item"), args=[], keywords=[]):
                return not any(f.name == "item" for f in self.roles.source.functions)
            case ast.Call(func=ast.Name(id="len" | "float" as name), args=[_], keywords=[]):
                return self.roles.key(scope, name) is None
            case ast.Call() | ast.Await() | ast.Yield() | ast.YieldFrom() | ast.NamedExpr():
                return False
        return True

    def _read_as_global(self, scope: Scope, variable: Variable) -> bool:
        return (
            variable.is_global
            and variable.name not in self.roles.locals(scope)
            and variable.name in flow(scope.body).read
        )

    def use(self, item: Item) -> Use:
        """What the item does with variables."""
        found = self._use(item)
        escapes = self.roles.escapes
        if escapes is None or item.kind == "leave" or item.node in self.gone:
            return found
        read: set[Variable] = set()
        written: set[Variable] = set()
        for part, frame in parts(item):
            read_names, written_names = escapes.through_calls(part)
            if escapes.touches(part, frame.scope):
                read_names, written_names = escapes.attributes, written_names | escapes.bound_outside
            read |= self.names(frame, read_names)
            written |= self.names(frame, written_names)
        return Use(found.exposed | read, found.definite, found.written | written, found.read | read)

    def written_in_sight(self, items: list[Item]) -> frozenset[Variable]:
        """What several items surely or possibly bind by their own text, whatever code they hand an object to may do."""
        return frozenset(v for item in items for v in self._use(item).written)

    def _use(self, item: Item) -> Use:
        guard = item.guard
        if guard is not None and guard.test is not None and guard.frame is not None:
            test, found = self.names(guard.frame, flow([guard.test]).read), self._use(replace(item, guard=None))
            return Use(found.exposed | test, frozenset(), found.written, found.read | test)
        if guard is not None and guard.loaders:
            found = self._use(replace(item, guard=None))
            return Use(found.exposed, frozenset(), found.written, found.read)
        if item.kind == "bind":
            assert item.frame.caller is not None and item.value is not None
            value = flow([item.value], self.gone)
            read = self.names(item.frame.caller, value.read)
            bound = self.names(item.frame, frozenset(item.bound))
            return Use(read, bound, bound, read)
        if item.kind == "validates" and item.limit is not None:
            found = self._from_flow(item.frame, flow([item.value] if item.value is not None else []))
            limit = self.names(item.limit[1], flow([item.limit[0]]).read)
            return Use(found.exposed | limit, found.definite, found.written, found.read | limit)
        if item.kind in ("enter", "leave", "stop", "validates", "saves"):
            return self._from_flow(item.frame, flow([part for part, _frame in parts(item)]))
        if item.kind == "result":
            assert item.callee is not None
            outer = flow([_without_calls(item.node, item.calls)])
            exposed = self.names(item.frame, outer.exposed)
            read = self.names(item.frame, outer.read)
            result: Item | None = item
            while result is not None:
                if result.value is not None and result.callee is not None:
                    inner = self.names(result.callee, flow([*(result.unless or ()), result.value], self.gone).read)
                    exposed, read = exposed | inner, read | inner
                result = result.inner
            return Use(exposed, self.names(item.frame, outer.definite), self.names(item.frame, outer.written), read)
        node = _written_anew(item.node) if item.node in self.anew else item.node
        found = self._from_flow(item.frame, flow([node], self.gone))
        if switches_itself(item.node, item.frame.scope, self.roles):
            return Use(found.exposed, frozenset(), frozenset(), found.read)
        return found

    def _from_flow(self, frame: Frame, found: Flow) -> Use:
        return Use(
            self.names(frame, found.exposed),
            self.names(frame, found.definite),
            self.names(frame, found.written),
            self.names(frame, found.read),
        )

    def sequence(self, items: list[Item]) -> Use:
        """What several items do one after the other."""
        gone = self.gone
        place = (len(self._same), id(gone), *(id(part) for item in items for part in (item, item.inner, item.guard)))
        if place not in self._sequences:
            self._sequences[place] = (gone, [(item, item.inner, item.guard) for item in items]), self._sequence(items)
        return self._sequences[place][1]

    def _sequence(self, items: list[Item]) -> Use:
        exposed: set[Variable] = set()
        definite: set[Variable] = set()
        written: set[Variable] = set()
        read: set[Variable] = set()
        guard, inside = None, set[Variable]()
        arms: dict[Guard, set[Variable]] = {}
        for item in items:
            use = self.use(item)
            if item.guard is not guard:
                guard = item.guard
                inside = _known_for(arms, guard.loaders) if guard is not None else set()
            exposed |= use.exposed - definite - inside
            definite |= use.definite
            if guard is not None:
                inside |= self.use(replace(item, guard=None)).definite
                arms.setdefault(guard, set()).update(inside)
                definite |= _known_for(arms, range(guard.count))
            written |= use.written
            read |= use.read
        return Use(frozenset(exposed), frozenset(definite), frozenset(written), frozenset(read))


def _known_for(arms: dict[Guard, set[Variable]], loaders: Iterable[int]) -> set[Variable]:
    """What surely has a value for the batches of each of the loaders, as the arms have run that are for some of them each."""
    ways = [[known for arm, known in arms.items() if place in arm.loaders] for place in loaders]
    return set.intersection(*(set[Variable]().union(*way) for way in ways)) if ways else set()


def switches_itself(node: ast.stmt, scope: Scope, roles: Roles) -> bool:
    """Whether the statement is ``x = x.train()`` or the like: the call gives back ``x`` itself."""
    match node:
        case ast.Assign(
            targets=[ast.Name(id=target)],
            value=ast.Call(func=ast.Attribute(value=ast.Name(id=name) as owner, attr="train" | "eval")) as call,
        ):
            return target == name and fits_torch(call) and not roles.is_bare_object(owner, scope)
    return False


def _written_anew(node: ast.AST) -> ast.AST:
    """A statement ``x /= n`` as one that does not read ``x``."""
    match node:
        case ast.AugAssign(target=ast.Name(id=name), value=value):
            return ast.Assign([ast.Name(name, ast.Store())], value)
    return node


def _without_calls(node: ast.AST, calls: list[ast.Call]) -> ast.AST:
    """The statement, or a copy with the calls taken out."""
    return _copy_without(node, calls) if calls else node


def _copy_without(node: ast.AST, calls: list[ast.Call]) -> ast.AST:
    if node in calls:
        return ast.Constant(None)
    fields: dict[str, object] = {}
    for name, value in ast.iter_fields(node):
        if isinstance(value, ast.AST):
            fields[name] = _copy_without(value, calls)
        elif isinstance(value, list):
            fields[name] = [_copy_without(v, calls) if isinstance(v, ast.AST) else v for v in value]
        else:
            fields[name] = value
    return type(node)(**fields)


def _definitions(scope: Scope) -> list[ast.stmt]:
    kinds = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return [s for s in walk_statements(scope.body) if isinstance(s, kinds)]


def _defined(statement: ast.stmt) -> set[str]:
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return {(alias.asname or alias.name).split(".")[0] for alias in statement.names}
    return {statement.name} if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) else set()
