"""Why an evaluation by a function is not considered as Lightning's validation, or not alone, in a user's words."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..recover.items import Item, enter_frame, no_grad_with
from ..recover.loops import Iterable, describe
from ..recover.nest import Frame
from ..recover.phases import NotStraight, acts, check_call_first, parts_before
from ..recover.syntax import Source, dotted, walk_scope
from .draft import Draft
from .steps import controls

_BLOCKS = (ast.For, ast.AsyncFor, ast.While, ast.Try, ast.With, ast.AsyncWith, ast.Match)
_WIDTH = 60


def why_by_hand(draft: Draft, after: list[Item], call: ast.Call) -> str:
    """What keeps the call, which stands somewhere behind the batch loop, from being looked at."""
    name = ast.unparse(call.func)
    item = next(i for i in after if any(n is call for n in walk_scope(i.node)))
    if (leaving := _leaves_before(after[: after.index(item)])) is not None:
        return f"`{leaving}` stands before it and may leave the epoch"
    return (
        _around(draft, item, call)
        or _in_statement(draft.source, call)
        or _of_function(draft, item.frame, call)
        or f"no loop over a loader that is understood stands straight in `{name}`"
    )


def called_as_well(source: Source, call: ast.Call) -> str:
    """What to say of another call of the same function within the loop, which is no part of the validation."""
    statement = _head(source.statement_of(call))
    return f"`{statement}` calls its function too, and one validation for both is not known to be the same"


def _leaves_before(items: list[Item]) -> str | None:
    found = (i.node for i in items if i.kind == "statement" and controls(i.node))
    return next((_head(node) for node in found), None)


def _around(draft: Draft, item: Item, call: ast.Call) -> str:
    """The blocks in which its statement stands, where that is more than one condition."""
    blocks = [*_blocks(draft.source, draft.source.statement_of(call), item.node)]
    if (strange := _strange(blocks)) is not None:
        return f"it stands inside of `{_head(strange)}`"
    tests = [b for b in blocks if isinstance(b, ast.If)]
    if len(tests) > 1:
        return f"it stands under `{_head(tests[0])}` inside of `{_head(tests[1])}`"
    if tests and all(_runs_over_loader(draft, item.frame, arm) for arm in (tests[0].body, tests[0].orelse)):
        return f"both arms of `{_head(tests[0])}` evaluate"
    return ""


def _runs_over_loader(draft: Draft, frame: Frame, arm: list[ast.stmt]) -> bool:
    """Whether a block, or a function that it calls, has a loop over a loader."""
    called = (draft.source.function(dotted(n.func)) for n in walk_scope(arm) if isinstance(n, ast.Call))
    blocks = [(frame.scope, arm), *((f, f.body) for f in called if f is not None)]
    loops = ((scope, n) for scope, block in blocks for n in walk_scope(block) if isinstance(n, ast.For))
    return any(describe(loop, scope, draft.roles).kind is Iterable.LOADER for scope, loop in loops)


def _in_statement(source: Source, call: ast.Call) -> str:
    """What of its own statement stands in the way."""
    statement = source.statement_of(call)
    try:
        check_call_first(statement, call)
    except NotStraight as problem:
        return str(problem)
    acting = (n for part in parts_before(statement, call) for n in walk_scope(part) if acts(source, n))
    other = next(acting, None)
    return "" if other is None else f"`{_head(other)}` is called before it in the same statement"


def _of_function(draft: Draft, caller: Frame, call: ast.Call) -> str:
    """What of the function stands in the way: how it takes its arguments and returns, or what stands around its loop."""
    name, frame = ast.unparse(call.func), enter_frame(draft.source, call, caller)
    if isinstance(frame, str):
        return f"its function `{name}` cannot be taken apart: {frame}"
    assert isinstance(frame.scope, ast.FunctionDef)
    for loop in (n for n in walk_scope(frame.scope.body) if isinstance(n, ast.For)):
        if describe(loop, frame.scope, draft.roles).kind is not Iterable.LOADER:
            continue
        around = [*_blocks(draft.source, loop, frame.scope)]
        if (strange := _strange(around)) is not None:
            return f"its loop stands inside of `{_head(strange)}` in `{name}`"
        return f"its loop stands under a condition in `{name}`" if any(isinstance(b, ast.If) for b in around) else ""
    return ""


def _blocks(source: Source, node: ast.AST, outer: ast.AST) -> Iterator[ast.AST]:
    """What stands around a node up to an outer one, that included, innermost first."""
    if node is outer:
        return
    current = source.parents.get(node)
    while current is not None and current is not outer:
        yield current
        current = source.parents.get(current)
    yield outer


def _strange(blocks: list[ast.AST]) -> ast.AST | None:
    return next((b for b in blocks if isinstance(b, _BLOCKS) and not no_grad_with(b)), None)


def _head(node: ast.AST) -> str:
    """The first line of its text, cut short."""
    line = ast.unparse(node).splitlines()[0].rstrip(":")
    return line if len(line) <= _WIDTH else f"{line[:_WIDTH]}..."
