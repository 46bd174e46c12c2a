"""Take the hand-written device away where nothing needs it any more."""

from __future__ import annotations

import ast

import libcst as cst

from ..plan.draft import Draft, Removal
from ..plan.moved import moved_functions
from ..plan.state import State
from ..program import Edit
from ..recover.roles import Role
from ..recover.syntax import walk
from .entry import EntryEditor
from .statements import Statement


def unused_devices(draft: Draft, state: State, editor: EntryEditor, edits: list[Edit]) -> list[Edit]:
    """Drop ``device = ...`` and ``.to(device)`` on the model when the device has no other use left."""
    scope = draft.nest.entry.scope
    names = [n for n in sorted(draft.roles.locals(scope)) if draft.roles.role_of((scope, n)) is Role.DEVICE]
    for name in names:
        edits = _drop(draft, state, editor, edits, name)
    return edits


def _drop(draft: Draft, state: State, editor: EntryEditor, edits: list[Edit], name: str) -> list[Edit]:
    source, scope = draft.source, draft.nest.entry.scope
    bindings = draft.roles.bindings((scope, name))
    if len(bindings) != 1 or not isinstance(bindings[0].statement, ast.Assign) or bindings[0].index is not None:
        return edits
    definition = bindings[0].statement
    if len(definition.targets) != 1 or not isinstance(definition.targets[0], ast.Name):
        return edits
    if any(name in value for _, value in draft.trainer.arguments if value.split(".")[0] == name):
        return edits
    if draft.trainer.get("accelerator") not in ('"auto"', '"cpu"') and draft.options.accelerator is None:
        return edits
    if any(parameter == name for parameter, _a, _t in state.parameters):
        return edits
    gone = covered(draft)
    moves: dict[ast.stmt, list[ast.Call]] = {}
    for node in walk(source.tree):
        if not isinstance(node, ast.Name) or node.id != name or node is definition.targets[0]:
            continue
        owner = source.scope_of(node)
        if draft.roles.key(owner, name) != (scope, name):
            continue
        if id(node) in gone:
            continue
        call = source.parents.get(node)
        if owner is not scope or not _moves_model(draft, call, node):
            return edits
        assert isinstance(call, ast.Call)
        moves.setdefault(source.statement_of(node), []).append(call)
    if not all(editor.alone(s) for s in [definition, *moves]):
        return edits
    result = list(edits)
    for statement, calls in moves.items():
        if any(e.start < (statement.end_lineno or 0) and statement.lineno - 1 < e.end for e in result):
            return edits
        if len(calls) != 1:
            return edits
        result.append(_without_move(editor, statement, calls[0], name))
    if any(e.start < (definition.end_lineno or 0) and definition.lineno - 1 < e.end for e in result):
        return edits
    for statement in moves:
        draft.removals.setdefault(
            statement, Removal("Trainer(accelerator=...)", "device_moves", "Lightning moves the module")
        )
    draft.removals[definition] = Removal("Trainer(accelerator=...)", "device_moves", "the Trainer chooses the device")
    result.append(editor._remove(definition))
    return result


def covered(draft: Draft) -> set[int]:
    """The ids of all nodes that stand in replaced or removed code."""
    found = {id(n) for n in walk(draft.nest.outermost)}
    for function in moved_functions(draft):
        found |= {id(n) for n in walk(function)}
    for statement in draft.removals:
        found |= {id(n) for n in walk(statement)}
    return found


def _moves_model(draft: Draft, call: ast.AST | None, name: ast.Name) -> bool:
    match call:
        case ast.Call(func=ast.Attribute(value=receiver, attr="to"), args=[argument], keywords=[]):
            return argument is name and draft.roles.of(receiver, draft.nest.entry.scope) in (
                Role.MODEL,
                Role.CRITERION,
            )
    return False


def _without_move(editor: EntryEditor, statement: ast.stmt, call: ast.Call, name: str) -> Edit:
    """``model = Net().to(device)`` → ``model = Net()``; a statement that does nothing else leaves."""
    source = editor.source
    assert isinstance(call.func, ast.Attribute)
    receiver = call.func.value
    if isinstance(statement, ast.Expr) and statement.value is call:
        return editor._remove(statement)
    if isinstance(statement, ast.Assign) and statement.value is call and isinstance(receiver, ast.Name):
        if len(statement.targets) == 1 and ast.unparse(statement.targets[0]) == receiver.id:
            return editor._remove(statement)
    twin = source.twins[statement]
    assert isinstance(twin.node, Statement)
    changed = twin.node.visit(_Unmove(name))
    assert isinstance(changed, Statement)
    return Edit(editor._first_line(statement), editor._last_line(statement), editor.code(statement, changed))


class _Unmove(cst.CSTTransformer):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        match updated_node:
            case cst.Call(
                func=cst.Attribute(value=receiver, attr=cst.Name("to")), args=[cst.Arg(value=cst.Name(name))]
            ) if name == self.name:
                return receiver
        return updated_node
