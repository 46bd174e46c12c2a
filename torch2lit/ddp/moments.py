"""When code runs in a program whose model is wrapped in one method and trained in another: by the order of calls."""

from __future__ import annotations

import ast
from enum import Enum

from ..recover.state_names import is_attribute, plain
from ..recover.syntax import Scope, Source, walk_scope


class Moment(Enum):
    """A time of the program."""

    BEFORE = "before the model is wrapped"
    BETWEEN = "between the wrapping and the training loop"
    AFTER = "in the training loop or after it"


Moments = frozenset[Moment]
_ALWAYS: Moments = frozenset(Moment)


class Timeline:
    """The moments at which a node may run, as far as the file's own calls show; all of them where they do not."""

    def __init__(self, source: Source, wrapping: ast.stmt, loop: ast.stmt) -> None:
        self.source = source
        self.wrapping = wrapping
        self.loop = loop
        self._open: set[ast.AST] = set()
        self._known: dict[ast.AST, Moments] = {}
        self._wraps = self._reaching(source.scope_of(wrapping))
        self._trains = self._reaching(source.scope_of(loop))

    def of(self, node: ast.AST) -> Moments:
        """When a node runs."""
        scope = self.source.scope_of(node)
        wraps = self._events(scope, self.wrapping, self._wraps)
        trains = self._events(scope, self.loop, self._trains)
        if not wraps and not trains:
            return self._of_scope(scope)
        if any(self._repeats(event, scope) for event in [*wraps, *trains]):
            return _ALWAYS
        line = getattr(node, "lineno", 0)
        if trains and self._is_past(node, trains[0], line):
            return frozenset([Moment.AFTER]) if self._surely(trains[0], node, scope) else _LATE
        if not wraps:
            return self._of_scope(scope) | {Moment.BETWEEN} if scope is self._scope_of_loop else _EARLY
        if line <= _end(wraps[0]) or any(w is a for w in wraps for a in [node, *self.source.ancestors(node)]):
            return frozenset([Moment.BEFORE])
        return frozenset([Moment.BETWEEN]) if trains else _LATE

    @property
    def _scope_of_loop(self) -> Scope:
        return self.source.scope_of(self.loop)

    def _is_past(self, node: ast.AST, event: ast.AST, line: int) -> bool:
        """Whether a node of the event's scope runs in the event or after it; what a call is given is evaluated before."""
        inside = node is event or any(a is event for a in self.source.ancestors(node))
        return event is self.loop if inside else line > _end(event)

    def _surely(self, event: ast.AST, node: ast.AST, scope: Scope) -> bool:
        """Whether the event has happened wherever a later node runs."""
        return not skipped_at(self.source, event, node, scope)

    def _repeats(self, event: ast.AST, scope: Scope) -> bool:
        """Whether an event stands in a loop, so that what follows it runs before it, too."""
        for ancestor in self.source.ancestors(event):
            if ancestor is scope:
                return False
            if isinstance(ancestor, ast.For | ast.While | ast.AsyncFor | ast.comprehension | ast.Lambda):
                return True
        return False

    def _of_scope(self, scope: Scope) -> Moments:
        if isinstance(scope, ast.Module) or scope in self._open:
            return _ALWAYS if isinstance(scope, ast.Module) else frozenset()
        if scope not in self._known:
            self._open.add(scope)
            found: Moments = frozenset()
            for mention in self._mentions(scope):
                moments = self.of(mention)
                called = isinstance(parent := self.source.parents[mention], ast.Call) and parent.func is mention
                found |= moments if called else _ALWAYS
            self._open.discard(scope)
            if self._open:
                return found  # what is being asked for may add to it
            self._known[scope] = found or self._of_uncalled(scope)
        return self._known[scope]

    def _of_uncalled(self, scope: Scope) -> Moments:
        """A function that nothing in the file calls: another file may, when it names it."""
        view, name = self.source.view, getattr(scope, "name", "")
        own = is_attribute(name) and view is not None and bool(view.method(scope)) and "__of_" not in name
        named = view is None or not own or plain(name) in view.mentioned_elsewhere
        return _ALWAYS if named else frozenset()

    def _mentions(self, scope: Scope) -> list[ast.AST]:
        name = getattr(scope, "name", "")
        return [n for n in self.source.all(ast.Name) if n.id == name and isinstance(n.ctx, ast.Load)]

    def _events(self, scope: Scope, event: ast.stmt, reaching: frozenset[str]) -> list[ast.AST]:
        """The places of a scope at which something happens: the statement itself, or calls that come to it."""
        own: list[ast.AST] = [event] if self.source.scope_of(event) is scope else []
        body = scope.body
        found = [n for n in walk_scope(body) if isinstance(n, ast.Call) and _name(n.func) in reaching]
        return sorted([*own, *found], key=lambda n: getattr(n, "lineno", 0))

    def _reaching(self, scope: Scope) -> frozenset[str]:
        """The names of all functions whose running comes to a scope."""
        if isinstance(scope, ast.Module):
            return frozenset()
        found = {scope.name}
        grown = True
        while grown:
            grown = False
            for function in self.source.functions:
                names = {_name(n.func) for n in walk_scope(function.body) if isinstance(n, ast.Call)}
                if function.name not in found and names & found:
                    found.add(function.name)
                    grown = True
        return frozenset(found)


def skipped_at(source: Source, event: ast.AST, node: ast.AST, scope: Scope) -> bool:
    """Whether a later node of the scope may run although the event did not: a condition stands around the event alone."""
    around = {node, *source.ancestors(node)}
    for ancestor in source.ancestors(event):
        if ancestor is scope:
            break
        if isinstance(ancestor, ast.If | ast.Try | ast.IfExp | ast.BoolOp | ast.Match) and ancestor not in around:
            return True
    return False


_LATE: Moments = frozenset([Moment.BETWEEN, Moment.AFTER])
_EARLY: Moments = frozenset([Moment.BEFORE, Moment.BETWEEN])


def _end(node: ast.AST) -> int:
    return getattr(node, "end_lineno", None) or 0


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ""
