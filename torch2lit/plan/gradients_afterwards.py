"""Whether code behind the loop may use the gradients that training leaves: later training loops clear theirs before they use them."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from ..recover.effects import touches_gradients
from ..recover.roles import Role
from ..recover.syntax import walk
from .afterwards import statements_after
from .draft import Draft
from .may_run import may_run


def gradients_used_after(draft: Draft) -> bool:
    """Whether what runs after the loop may read gradients, or step by them, that it has not cleared itself."""
    scope = draft.nest.entry.scope
    after = statements_after(draft)
    if not any(draft.effects.of(s, scope).gradients for s in after):
        return False
    nodes = list(may_run(draft.source, after))
    clean = {id(call) for node in nodes for call in _cleared(draft, node)}
    return any(_uses(draft, node) for node in nodes if id(node) not in clean)


def _uses(draft: Draft, node: ast.AST) -> bool:
    """Whether a node touches gradients in any way, or steps an optimizer."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "step":
        return draft.roles.of(node.func.value, draft.source.scope_of(node)) in (Role.OPTIMIZER, Role.SCALER, None)
    return touches_gradients(node)


def _cleared(draft: Draft, node: ast.AST) -> Iterable[ast.AST]:
    """The parts of a block's plain steps: ``opt.zero_grad()``, then ``loss.backward()``, then ``opt.step()``, as statements of one block."""
    block = getattr(node, "body", None)
    if not isinstance(block, list) or not isinstance(node, ast.For | ast.While | ast.With | ast.FunctionDef):
        return
    cleared: dict[str, ast.Call] = {}
    backward: ast.Call | None = None
    for statement in block:
        call = statement.value if isinstance(statement, ast.Expr) else None
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute) or call.args or call.keywords:
            if any(_uses(draft, n) for n in walk(statement)):
                cleared, backward = {}, None  # somebody else looks at them in between
            continue
        owner = ast.dump(call.func.value)
        if (
            call.func.attr == "zero_grad"
            and draft.roles.of(call.func.value, draft.source.scope_of(call)) is Role.OPTIMIZER
        ):
            cleared[owner] = call
            yield from walk(call)
        elif call.func.attr == "backward" and cleared:
            backward = call
            yield from walk(call)
        elif call.func.attr == "step" and owner in cleared and backward is not None:
            yield from walk(call)
