"""The `except` blocks around the training loop: they see what the loop has reached, and what Lightning makes of ^C."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..recover.names import flow
from ..recover.raised import Takers, raised_by
from ..recover.stops import caught
from ..recover.syntax import blocks, dotted, walk
from .draft import Draft

INTERRUPT, EXIT = "KeyboardInterrupt", "SystemExit"


def handlers_around(draft: Draft) -> list[ast.ExceptHandler]:
    """The handlers of the entry scope that an exception of the loop may reach, innermost first."""
    return [handler for block in tries_around(draft) for handler in block.handlers]


def tries_around(draft: Draft) -> Iterator[ast.Try]:
    """The `try` statements of the entry scope whose body holds the loop, innermost first."""
    node: ast.AST = draft.nest.outermost
    for ancestor in draft.source.ancestors(node):
        if ancestor is draft.nest.entry.scope:
            return
        if isinstance(ancestor, ast.Try) and node in ancestor.body:
            yield ancestor
        node = ancestor


def raises_before(draft: Draft, block: ast.AST) -> ast.stmt | None:
    """The statement between the head of a `try` and the loop that raises what the `try` sees."""
    assert isinstance(block, ast.Try)
    takers = Takers(bool(block.finalbody), [caught(handler) for handler in block.handlers])
    node: ast.AST = draft.nest.outermost
    while node is not block:
        parent = draft.source.parents[node]
        for part in blocks(parent):
            if node in part:
                before = part[: part.index(node)]
                for early in before:
                    if takers.take(raised_by(draft.source, [early])) or takers.await_from(draft.source, [early]):
                        return early
        node = parent
    return None


def read_in_handlers(draft: Draft) -> set[str]:
    """The names that a handler reads before it binds them."""
    return {name for h in handlers_around(draft) for name in flow(h.body).exposed - {h.name}}


def written_in_handlers(draft: Draft) -> set[str]:
    """The names that a handler may bind."""
    return {name for h in handlers_around(draft) for name in flow(h.body).written}


def goes_on(handler: ast.ExceptHandler) -> bool:
    """Whether the code after the `try` may run when the handler has."""
    last = handler.body[-1]
    if isinstance(last, ast.Expr) and isinstance(last.value, ast.Call):
        return dotted(last.value.func) not in _EXITS
    return not isinstance(last, ast.Return | ast.Raise | ast.Continue | ast.Break)


def interrupt_handlers(draft: Draft) -> list[ast.ExceptHandler]:
    """The handlers of ^C for which `Trainer.fit` has turned it into an exit; those that take any exception are none."""
    found: list[ast.ExceptHandler] = []
    for block in tries_around(draft):
        for handler in block.handlers:
            names = caught(handler)
            if not names or {"BaseException", EXIT} & names:
                return found
            if INTERRUPT in names:
                found.append(handler)
                break
    return found


def may_exit(draft: Draft, handler: ast.ExceptHandler) -> bool:
    """Whether the code that the handler guards may end the program itself."""
    block = draft.source.parents[handler]
    assert isinstance(block, ast.Try)
    functions = [f for f in draft.source.functions if f is not draft.nest.entry.scope]
    return any(_exits(node) for root in [*block.body, *functions] for node in walk(root))


_EXITS = {"sys.exit", "exit", "quit", "_exit", "os._exit", "os.abort"}


def _exits(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        return dotted(node.func) in _EXITS or dotted(node.func).endswith("parse_args")
    return isinstance(node, ast.Name) and node.id == EXIT


def one_line(draft: Draft, handler: ast.ExceptHandler) -> bool:
    """Whether the handler's head is one line that holds nothing but the head."""
    kind = handler.type
    return kind is not None and kind.end_lineno == handler.lineno and handler.body[0].lineno > handler.lineno
