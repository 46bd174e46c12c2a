"""The statements of a nest in the order in which they run, across the functions that they stand in."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace

from .names import free_names, parameter_names, target_names
from .nest import Frame, inline_problem, last_statement
from .roles import bound_argument, spread_argument
from .syntax import Source, dotted, walk, walk_scope

_GRAD_MODES = {"no_grad", "inference_mode", "enable_grad"}


@dataclass(frozen=True, eq=False, slots=True)
class Guard:
    """When alone some items of a hook run: where ``test`` holds, read in ``frame``; behind an epoch's last batch, where there is none.

    ``counted``: Lightning itself validates in just the epochs in which the test holds. ``loaders``: for the batches of those among
    the ``count`` loaders of a validation; guards of one ``part`` stand for one choice among them.
    """

    test: ast.expr | None = None
    frame: Frame | None = None
    block: ast.stmt | None = None
    counted: bool = False
    loaders: tuple[int, ...] = ()
    count: int = 0
    part: int = 0


@dataclass(eq=False)
class Item:
    """One thing that runs: a raw statement, a parameter that gets its argument, or a call's result that is used.

    ``kind`` is ``statement``; ``bind`` (``target = value``, the value read in the caller's frame; several
    ``spread`` take it apart); ``result``: the
    caller's statement ``node`` with its ``call`` replaced by ``value``, read in the frame ``callee``; ``enter`` and
    ``leave``: the `with` statement ``node`` begins, and ends, around a loop that Lightning runs; ``stop``: training ends when
    ``value``, the condition of the `while` loop ``node``, does not hold any more; ``validates``: Lightning validates in this
    epoch if ``value``, the condition of the `if` statement ``node``, holds; ``saves``: a callback has ``value`` written by the function ``target``, or
    by ``value`` itself where that is a call.
    """

    node: ast.stmt
    frame: Frame
    kind: str = "statement"
    target: str = ""
    value: ast.expr | None = None
    call: ast.Call | None = None
    callee: Frame | None = None
    spread: tuple[str, ...] = ()
    parent: ast.stmt | None = None
    """The `with` or `if` that was unwrapped around it."""
    inner: Item | None = None
    """For a ``result``: that of an earlier call in the same statement, which is put into it, too."""
    unless: tuple[ast.expr, ast.expr] | None = None
    """For a ``result``: the condition, read in the frame ``callee``, under which the call has another value, and that one."""
    limit: tuple[ast.expr, Frame] | None = None
    """For ``validates``: over how many batches, read in that frame; over all of them where nothing says so. For ``saves``: under which condition."""
    guard: Guard | None = None
    """Set where the hook runs more often than the item."""

    @property
    def calls(self) -> list[ast.Call]:
        """The calls in whose place results stand."""
        return [*(self.inner.calls if self.inner is not None else []), *([self.call] if self.call is not None else [])]

    @property
    def bound(self) -> tuple[str, ...]:
        """The parameters that a ``bind`` gives a value."""
        return self.spread or (self.target,)

    def __repr__(self) -> str:
        return f"<{self.kind} {', '.join(self.spread) or self.target or ast.unparse(self.node).splitlines()[0][:50]}>"


def parts(item: Item) -> list[tuple[ast.AST, Frame]]:
    """The code that runs for an item, each part with the frame whose names it uses.

    What a call's result item hands to the called function is not among it: the parameters are items of their own.
    """
    guard = item.guard
    if guard is not None and guard.test is not None and guard.frame is not None:
        return [(guard.test, guard.frame), *parts(replace(item, guard=None))]
    if item.kind == "bind":
        assert item.value is not None and item.frame.caller is not None
        return [(item.value, item.frame.caller)]
    if item.kind == "enter":
        assert isinstance(item.node, ast.With)
        return [(part, item.frame) for i in item.node.items for part in (i.context_expr, i.optional_vars) if part]
    if item.kind == "leave":
        return []
    if item.kind in ("stop", "validates", "saves"):
        assert item.value is not None
        return [(item.value, item.frame), *([item.limit] if item.limit is not None else [])]
    if item.kind == "result":
        found: list[tuple[ast.AST, Frame]] = []
        result: Item | None = item
        while result is not None:
            if result.value is not None and result.callee is not None:
                found += [(part, result.callee) for part in (*(result.unless or ()), result.value)]
            result = result.inner
        found += [(part, item.frame) for part in around(item.node, item.calls)]
        return found
    return [(item.node, item.frame)]


def around(node: ast.AST, calls: list[ast.Call]) -> list[ast.AST]:
    """The largest parts of a statement that hold none of the calls."""
    if node in calls:
        return []
    if not any(inner in calls for inner in ast.walk(node)):
        return [node]
    return [part for child in ast.iter_child_nodes(node) for part in around(child, calls)]


def names_in(item: Item) -> Iterator[tuple[ast.Name, Frame]]:
    """Every name of the item's own scope that it mentions, in lambdas and nested functions too, and the frame to look it up in."""
    for part, frame in parts(item):
        for node in walk_scope(part):
            if isinstance(node, ast.Name):
                yield node, frame
            elif isinstance(node, ast.Lambda | ast.FunctionDef | ast.AsyncFunctionDef):
                free = free_names(node)
                for inner in walk(node):
                    if isinstance(inner, ast.Name) and inner.id in free:
                        yield inner, frame


def items_of(body: list[ast.stmt], frame: Frame, parent: ast.stmt | None = None) -> list[Item]:
    """A block's statements as items of a frame."""
    return [Item(node, frame, parent=parent) for node in body]


def enter_frame(source: Source, call: ast.Call, caller: Frame, early: ast.Return | None = None) -> Frame | str:
    """The frame of a call of one of the file's own functions, or why it cannot be entered.

    An ``early`` return is what the caller of this function answers for.
    """
    function = source.function(call.func.id) if isinstance(call.func, ast.Name) else None
    if function is None:
        return "it is not a function of this file"
    if problem := inline_problem(source, function, call, early):
        return problem
    scope: Frame | None = caller
    while scope is not None:
        if scope.scope is function:
            return "it calls itself"
        scope = scope.caller
    arguments = {
        name: value for name in parameter_names(function) if (value := bound_argument(function, call, name)) is not None
    }
    return Frame(function, caller, call, source.statement_of(call), arguments)


def callee_items(frame: Frame, statement: ast.stmt) -> tuple[list[Item], list[Item], list[Item]]:
    """A call's items: parameters bound, body, result used. The `return` is part of the result."""
    assert frame.caller is not None and frame.call is not None
    function = frame.scope
    assert isinstance(function, ast.FunctionDef)
    binds = [
        Item(statement, frame, "bind", target=name, value=frame.arguments[name])
        for name in parameter_names(function)
        if name in frame.arguments
    ]
    if (spread := spread_argument(function, frame.call)) is not None:
        names, value = spread
        binds.append(Item(statement, frame, "bind", value=value, spread=tuple(names)))
    body = [s for s in function.body if not _is_docstring(s, function)]
    body = [s for s in body if not isinstance(s, ast.Global | ast.Nonlocal | ast.Pass)]
    last = last_statement(function.body)
    result: list[Item] = []
    if isinstance(last, ast.Return):
        result = [Item(statement, frame.caller, "result", value=last.value, call=frame.call, callee=frame)]
    elif not isinstance(statement, ast.Expr) or statement.value is not frame.call:
        result = [Item(statement, frame.caller, "result", value=ast.Constant(None), call=frame.call, callee=frame)]
    return binds, items_of(body, frame), result


def _is_docstring(statement: ast.stmt, function: ast.FunctionDef) -> bool:
    return (
        statement is function.body[0]
        and isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def no_grad_with(node: ast.stmt) -> bool:
    """Whether the statement is a `with` that only switches gradients (``no_grad``, ``inference_mode``, ``enable_grad``)."""
    if not isinstance(node, ast.With):
        return False
    return all(
        (item.optional_vars is None and grad_mode(item.context_expr)) or is_bar(item.context_expr)
        for item in node.items
    )


def is_bar(node: ast.expr) -> bool:
    """Whether the expression makes a progress bar."""
    return isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] in ("tqdm", "trange")


def grad_mode(node: ast.expr) -> str:
    """``no_grad``, ``enable_grad`` or "" for a context expression."""
    if not isinstance(node, ast.Call):
        return ""
    last = dotted(node.func).rpartition(".")[2]
    if last == "set_grad_enabled" and node.args and isinstance(node.args[0], ast.Constant):
        return "enable_grad" if node.args[0].value else "no_grad"
    if last in _GRAD_MODES:
        return "enable_grad" if last == "enable_grad" else "no_grad"
    return ""


def direct_calls(statement: ast.stmt) -> Iterator[ast.Call]:
    """The calls by plain name that surely run when the statement runs, outermost expression first."""
    if isinstance(statement, ast.Expr | ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Return):
        for node in walk_scope(statement):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                yield node


def only_names(node: ast.expr | None) -> list[str] | None:
    """The names of a name or a tuple of names; None for anything else."""
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Tuple) and all(isinstance(e, ast.Name) for e in node.elts):
        return (
            target_names(node)
            if isinstance(node.ctx, ast.Store)
            else [e.id for e in node.elts if isinstance(e, ast.Name)]
        )
    return None
