"""What may raise StopIteration in a hook, which Lightning takes for the end of the epoch: the script itself would stop with an error.

x, y = next(batches)        →        try:
                                         x, y = next(self.batches)
                                     except StopIteration as end:
                                         raise RuntimeError(...) from end

Lightning's loops are left by StopIteration (`_TrainingEpochLoop.run`, `_FitLoop.run`), and manual optimization only suppresses it, so that the
epoch, or the batch, would end without a word. RuntimeError is what Python itself makes of it in a generator (PEP 479).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..recover.items import Item, parts
from ..recover.makings import Making, Value, sources
from ..recover.nest import Frame
from ..recover.syntax import Scope, blocks, dotted, walk, walk_scope
from .draft import Draft
from .handlers import caught

_TAKE_IT = {"StopIteration", "Exception", "BaseException"}
_NEVER_EMPTY = {"parameters", "named_parameters"}
_ENDLESS = {"itertools.count", "itertools.repeat"}
_DEEPEST = 8


def place_errors(draft: Draft) -> None:
    """Mark what is to raise an error that Lightning does not take for its own. Raises Refused when the script takes StopIteration itself."""
    asks = _Asks(draft)
    for item in draft.all_items():
        for node in asks.of_item(item):
            if (taker := _taker(draft)) is not None:
                message = f"`{ast.unparse(node)[:60]}` may raise StopIteration, which line {taker} takes: Lightning ends its epoch by it"
                raise draft.refuse("end-of-iterator-taken", node, message)
            _mark(draft, item, node)
    for ask in asks.when_empty[:1]:
        message = f"`{ast.unparse(ask)[:60]}` raises StopIteration if there are no data at all: Lightning would end the epoch and go on"
        draft.note("no-data-ends-epoch", ask, message)


def _mark(draft: Draft, item: Item, node: ast.AST) -> None:
    statement = node if isinstance(node, ast.stmt) else draft.source.statement_of(node)
    if item.kind != "statement":
        draft.loud_items.append(item)
    elif statement in draft.removals:
        if draft.returned is not None and node in walk(draft.returned):
            message = f"`{ast.unparse(node)[:60]}` may raise StopIteration where the loss is made"
            raise draft.refuse("end-of-iterator-taken", node, message)
    else:
        draft.loud.append(statement)


class _Asks:
    """Looks for what may raise StopIteration, in functions of the file as well."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.source, self.roles = draft.source, draft.roles
        self.when_empty: list[ast.Call] = []
        """What only raises it where there are no data at all."""
        self._known: dict[int, bool] = {}

    def of_item(self, item: Item) -> Iterator[ast.AST]:
        """The nodes of an item from which StopIteration may leave it."""
        for root, frame in parts(item):
            yield from self._of(root, frame)

    def _of(self, root: ast.AST, frame: Frame | Scope) -> Iterator[ast.AST]:
        scope = frame.scope if isinstance(frame, Frame) else frame
        for node in walk_scope(root):
            if not self._may_raise(node, scope) or self._is_taken(node, root):
                continue
            if isinstance(node, ast.Call) and self._is_new(node):
                self.when_empty.append(node)
            else:
                yield node

    def _may_raise(self, node: ast.AST, scope: Scope) -> bool:
        match node:
            case ast.Raise(exc=ast.Name(id="StopIteration") | ast.Call(func=ast.Name(id="StopIteration"))):
                return True
            case ast.Call(func=ast.Name(id="next"), args=[iterator], keywords=[]) if (
                self.roles.key(scope, "next") is None
            ):
                return not self._goes_on(iterator, scope)
            case ast.Call(func=ast.Attribute(value=iterator, attr="__next__"), args=[], keywords=[]):
                return not self._goes_on(iterator, scope)
            case ast.Call(func=ast.Name(id=name)):
                return any(self._function_raises(f) for f in self._called(name, scope))
            case ast.Call(func=ast.Attribute(attr=name)):
                return any(self._function_raises(f) for f in self._methods(name))
        return False

    def _called(self, name: str, scope: Scope) -> Iterator[ast.AST]:
        """The functions that a plain name may call: one of that name, or how objects are called."""
        for function in self.source.functions:
            if function.name == name and not self.source.in_class(function):
                yield function
        if self.roles.key(scope, name) is not None:
            yield from self._methods("forward")
            yield from self._methods("__call__")

    def _methods(self, name: str) -> Iterator[ast.AST]:
        return (f for f in self.source.functions if f.name == name and self.source.in_class(f))

    def _function_raises(self, function: ast.AST) -> bool:
        """Whether StopIteration may leave a function; one that is looked at already does not by that."""
        assert isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        if id(function) not in self._known:
            self._known[id(function)] = False
            if not any(isinstance(n, ast.Yield | ast.YieldFrom) for n in walk_scope(function.body)):
                found = any(True for s in function.body for _ in self._of(s, function))
                self._known[id(function)] = found
        return self._known[id(function)]

    def _is_taken(self, node: ast.AST, root: ast.AST) -> bool:
        """Whether a handler inside of ``root`` takes it, or a generator makes an error of it."""
        below = node
        while below is not root:
            above = self.source.parents[below]
            if isinstance(above, ast.GeneratorExp):
                return True
            if isinstance(above, ast.Try) and below in above.body and _takes(above):
                return True
            if isinstance(above, ast.With) and below in above.body and any(_suppresses(i) for i in above.items):
                return True
            below = above
        return False

    # ---- iterators that have a next value

    def _goes_on(self, iterator: ast.expr, scope: Scope) -> bool:
        """Whether the iterator never ends."""
        if isinstance(iterator, ast.Call) and isinstance(iterator.func, ast.Attribute):
            if iterator.func.attr in _NEVER_EMPTY:  # a network that trains has parameters
                return True
        found = sources(Value(iterator, scope, self.roles))
        return bool(found) and all(self._is_endless(one, 0) for one in found)

    def _is_endless(self, one: Value, depth: int) -> bool:
        if not isinstance(one.node, ast.Call) or depth > _DEEPEST:
            return False
        made = Making(one.node, one.scope, one.roles)
        if made.full_name == "iter" and len(one.node.args) == 1:
            inner = sources(Value(one.node.args[0], one.scope, one.roles))
            return bool(inner) and all(self._is_endless(i, depth + 1) for i in inner)
        if made.full_name in _ENDLESS:
            return len(one.node.args) < 2 or made.full_name == "itertools.count"
        function = one.roles.function_named(made.full_name)
        return function is not None and _yields_for_ever(function[0])

    def _is_new(self, ask: ast.Call) -> bool:
        """Whether the iterator that ``next`` asks was made just now: it has nothing only where there is no data at all."""
        if not ask.args or dotted(ask.func) != "next":
            return False
        iterator = ask.args[0]
        if isinstance(iterator, ast.Call):
            return (
                dotted(iterator.func) in ("iter", "enumerate")
                or self.roles.full_name(iterator.func) == "itertools.cycle"
            )
        statement = self.source.statement_of(ask)
        if not isinstance(iterator, ast.Name):
            return False
        for block in blocks(self.source.parents[statement]):
            if statement in block and (place := block.index(statement)):
                return _starts(block[place - 1], iterator.id)
        return False


def _starts(statement: ast.stmt, name: str) -> bool:
    match statement:
        case ast.Assign(targets=[ast.Name(id=target)], value=ast.Call(func=function)):
            return target == name and dotted(function) in ("iter", "enumerate")
    return False


def _yields_for_ever(function: ast.FunctionDef) -> bool:
    """Whether a generator ends with a `while True` that nothing leaves."""
    if not any(isinstance(n, ast.Yield | ast.YieldFrom) for n in walk_scope(function.body)):
        return False
    match function.body[-1]:
        case ast.While(test=ast.Constant(value=value), orelse=[]) as loop if value:
            ends = any(isinstance(n, ast.Return) for n in walk_scope(function.body))
            return not ends and not any(isinstance(n, ast.Break) for n in walk_scope(loop.body))
    return False


def _takes(block: ast.Try) -> bool:
    """Whether a handler takes StopIteration for good."""
    for handler in block.handlers:
        names = caught(handler)
        if not names or names & _TAKE_IT:
            return not any(isinstance(n, ast.Raise) for n in walk_scope(handler.body))
    return False


def _suppresses(item: ast.withitem) -> bool:
    call = item.context_expr
    if not isinstance(call, ast.Call) or dotted(call.func).rpartition(".")[2] != "suppress":
        return False
    return any(dotted(a).rpartition(".")[2] in _TAKE_IT for a in call.args)


def _taker(draft: Draft) -> int | None:
    """The line of what takes StopIteration around the loop, in the functions that call it as well."""
    waiting: list[ast.AST] = [draft.nest.outermost]
    seen: set[str] = set()
    while waiting:
        node = waiting.pop()
        for above in draft.source.ancestors(node):
            if isinstance(above, ast.Try) and node in above.body and _may_take(above):
                return above.lineno
            if isinstance(above, ast.With) and any(_suppresses(i) for i in above.items):
                return above.lineno
            node = above
            if isinstance(above, ast.FunctionDef | ast.AsyncFunctionDef):
                if above.name not in seen:
                    seen.add(above.name)
                    waiting += draft.source.calls_to(above.name)
                break
    return None


def _may_take(block: ast.Try) -> bool:
    names = [caught(handler) for handler in block.handlers]
    return any(not n or n & _TAKE_IT for n in names)
