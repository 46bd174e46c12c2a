"""A model that is wrapped in one arm of a condition, or in each arm in its own way: what never meets the wrapper?

if args.gpu is not None:                                  if args.distributed:
    model = DDP(model, device_ids=[args.gpu])                 model = DDP(model)
else:                                                     else:
    model = DDP(model)                                        model = nn.DataParallel(model)
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence

from ..recover.opposites import opposite
from ..recover.syntax import Source, conditions_of, walk

_LOOPS = (ast.For, ast.While, ast.AsyncFor)


def apart(source: Source, one: ast.AST, other: ast.AST) -> bool:
    """Whether two nodes of a function stand in different arms of one `if`, which runs once: where one has run, the other does not."""
    return _parting(source, one, other) is not None


def meets(source: Source, first: ast.stmt, others: Sequence[ast.stmt]) -> ast.If | None:
    """The `if` of which each of two arms surely has one of two statements; None for any others."""
    if len(others) != 1 or (choice := _parting(source, first, others[0])) is None:
        return None
    arms = (choice.body, choice.orelse)
    return choice if all(any(s in arm for arm in arms) for s in (first, *others)) else None


def is_elif(source: Source, choice: ast.If) -> bool:
    """Whether an `if` is written as the `elif` of another."""
    return source.lines[choice.lineno - 1].lstrip().startswith("elif")


def is_all(source: Source, choice: ast.If, statements: Sequence[ast.stmt]) -> bool:
    """Whether the arms of an `if` that is no `elif` have these statements and no others, and its test does nothing."""
    if is_elif(source, choice):
        return False
    calls = any(isinstance(n, ast.Call | ast.NamedExpr | ast.Await) for n in walk(choice.test))
    return not calls and [*choice.body, *choice.orelse] == list(statements)


def raises(block: Sequence[ast.stmt]) -> bool:
    """Whether a block surely ends by an exception."""
    match block[-1:]:
        case [ast.Raise()]:
            return True
        case [ast.If(body=body, orelse=orelse)]:
            return raises(body) and raises(orelse)
    return False


def holding(source: Source, node: ast.AST) -> set[str]:
    """The conditions that surely hold where a node runs, as source: the parts of those around it."""
    found: set[str] = set()
    below = node
    for ancestor in source.ancestors(node):
        if isinstance(ancestor, ast.If | ast.IfExp) and below is not ancestor.test:
            body = ancestor.body if isinstance(ancestor.body, list) else [ancestor.body]
            test = ancestor.test if below in body else opposite(ancestor.test)
            found |= parts_of(test)
        below = ancestor
    return found


def parts_of(test: ast.expr) -> set[str]:
    """The conditions that hold where one does, as source."""
    return set(map(ast.unparse, conditions_of(test)))


def in_one_test(tests: Iterable[ast.expr]) -> str:
    """Tests of which the first is the innermost as one condition, as source."""
    values = list(reversed(list(tests)))
    return ast.unparse(ast.BoolOp(ast.And(), values) if len(values) > 1 else values[0]) if values else ""


def _parting(source: Source, one: ast.AST, other: ast.AST) -> ast.If | None:
    scope = source.scope_of(one)
    if scope is not source.scope_of(other):
        return None
    arms = {id(choice): arm for choice, arm in _arms(source, other, scope)}
    found: ast.If | None = None
    for ancestor in source.ancestors(one):
        if ancestor is scope:
            break
        if isinstance(ancestor, _LOOPS):
            return None
    for choice, arm in _arms(source, one, scope):
        if id(choice) in arms and arms[id(choice)] != arm:
            found = choice
    return found


def _arms(source: Source, node: ast.AST, scope: ast.AST) -> list[tuple[ast.If, str]]:
    """The conditions around a node, each with the arm in which it stands."""
    found: list[tuple[ast.If, str]] = []
    below = node
    for ancestor in source.ancestors(node):
        if ancestor is scope:
            break
        if isinstance(ancestor, ast.If) and below is not ancestor.test:
            found.append((ancestor, "body" if below in ancestor.body else "orelse"))
        below = ancestor
    return found
