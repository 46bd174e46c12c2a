"""A generator function taken apart: what runs before its loop, and before and behind each batch that it hands over.

def log_every(self, iterable, freq):        before
    for obj in iterable:                    the loop
        ...                                 ahead
        yield obj                           given
        ...                                 behind
    ...                                     after
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from ..recover.names import flow, local_names, parameter_names
from ..recover.syntax import leaves, walk
from ..rewrite.pull_in import OF_PLACE

_NO_PLAIN_CODE = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.Global,
    ast.Nonlocal,
    ast.Import,
    ast.ImportFrom,
    ast.Return,
    ast.YieldFrom,
    ast.Await,
    ast.Match,
)
_ENDS_OTHERWISE = {"next", "__next__", "StopIteration", "StopAsyncIteration", "GeneratorExit"}
"""What ends an iteration: inside of a generator Python makes an error of it."""
_LOOKS_AT_FRAMES = {"_getframe", "currentframe", "inspect", "__class__"}


@dataclass(frozen=True, slots=True)
class Parts:
    """The pieces of a generator function, each in the order of its statements."""

    function: ast.FunctionDef
    before: tuple[ast.stmt, ...]
    loop: ast.For
    ahead: tuple[ast.stmt, ...]
    given: ast.Expr
    behind: tuple[ast.stmt, ...]
    after: tuple[ast.stmt, ...]

    @property
    def value(self) -> ast.expr:
        """What is handed over."""
        assert isinstance(self.given.value, ast.Yield) and self.given.value.value is not None
        return self.given.value.value

    @property
    def nodes(self) -> Iterator[ast.AST]:
        """Every node that runs when the generator does."""
        for statement in (*self.before, self.loop, *self.after):
            yield from walk(statement)

    @property
    def passes_over(self) -> bool:
        """Whether a turn may end before it hands anything over."""
        return leaves(self.ahead, ast.Continue) or leaves(self.ahead, ast.Break)


def parts_of(function: ast.FunctionDef) -> Parts | None:
    """The pieces of a generator function whose one `yield` stands directly in its one loop, and which does nothing that needs a frame of its own."""
    a = function.args
    if function.decorator_list or a.vararg or a.kwarg or not function.body:
        return None
    body = function.body[1:] if _is_docstring(function.body[0]) else function.body
    yields = [n for n in walk(function) if isinstance(n, ast.Yield)]
    if len(yields) != 1 or yields[0].value is None:
        return None
    for place, loop in enumerate(body):
        if not isinstance(loop, ast.For) or loop.orelse:
            continue
        for turn, given in enumerate(loop.body):
            if isinstance(given, ast.Expr) and given.value is yields[0]:
                before, after = tuple(body[:place]), tuple(body[place + 1 :])
                ahead, behind = tuple(loop.body[:turn]), tuple(loop.body[turn + 1 :])
                parts = Parts(function, before, loop, ahead, given, behind, after)
                return parts if _is_plain(parts) else None
    return None


def _is_plain(parts: Parts) -> bool:
    siblings = ((*parts.before, parts.loop, *parts.after), (*parts.ahead, parts.given, *parts.behind))
    for block in siblings:  # each on lines of its own
        if any(one.lineno <= (above.end_lineno or 0) for above, one in itertools.pairwise(block)):
            return False
    if parts.loop.body[0].lineno == parts.loop.lineno:
        return False
    for node in parts.nodes:
        if isinstance(node, _NO_PLAIN_CODE):
            return False
        for name in (getattr(node, "id", None), getattr(node, "attr", None), getattr(node, "arg", None)):
            if not isinstance(name, str):
                continue
            if name in _ENDS_OTHERWISE | _LOOKS_AT_FRAMES | OF_PLACE:
                return False
            if name.startswith("__") and not name.endswith("__"):
                return False
    return _binds_before_it_reads(parts)


def _binds_before_it_reads(parts: Parts) -> bool:
    """Whether the generator reads none of its own variables before it has surely bound them: another run of it may have left a value."""
    own = local_names(parts.function) - {*parameter_names(parts.function)}
    return own.isdisjoint(flow([*parts.before, parts.loop, *parts.after]).exposed)


def _is_docstring(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
