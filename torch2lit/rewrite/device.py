"""Take the hand-written device away where nothing needs it any more."""

from __future__ import annotations

import ast
import re

import libcst as cst

from ..ddp.own import own_group
from ..plan.draft import Draft, Removal
from ..plan.moved import moved_functions
from ..plan.moved_back import moved_back
from ..plan.state import State
from ..program import Edit
from ..recover.roles import Role
from ..recover.syntax import dotted, walk, walk_statements
from .entry import EntryEditor
from .statements import Statement

_MOVES = {"to", "cuda", "float", "double", "half", "train", "eval", "requires_grad_"}


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
    if draft.placement is not None and draft.placement.measured:
        return edits
    if draft.group is None and own_group(source, draft.roles) is not None:
        return edits  # its wrapper wants the model where it is
    told = [*(value for _, value in draft.trainer.arguments), *moved_back(draft, "trainer")]
    told += [draft.placement.before] if draft.placement is not None else []
    kept = any(re.search(rf"\b{name}\b", text) for text in told) or _read_in_hooks(draft, state, name)
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
    if not all(editor.alone(s) for s in [definition, *moves]) or any(draws_later(draft, s) for s in moves):
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
    if kept:
        return result
    draft.removals[definition] = Removal("Trainer(accelerator=...)", "device_moves", "the Trainer chooses the device")
    result.append(editor._remove(definition))
    return result


def draws_later(draft: Draft, move: ast.stmt) -> bool:
    """Whether something draws random numbers for what a statement moves, before the Trainer moves it: other devices draw others."""
    source, scope = draft.source, draft.nest.entry.scope
    names = {n.id for n in walk(move) if isinstance(n, ast.Name) and draft.roles.key(scope, n.id) == (scope, n.id)}
    names = {n for n in names if draft.roles.role_of((scope, n)) in (Role.MODEL, Role.CRITERION)}
    if any(
        isinstance(c, ast.Call)
        and isinstance(c.func, ast.Attribute)
        and c.func.attr not in _MOVES
        and any(isinstance(m, ast.Call) and _is_move(m) for m in walk(c.func.value))
        for c in walk(move)
    ):
        return True  # Net().to(device).apply(init)
    body = source.tree.body if isinstance(scope, ast.Module) else scope.body
    for statement in walk_statements(body):
        if statement.lineno <= (move.end_lineno or move.lineno) or statement.lineno >= draft.nest.outermost.lineno:
            continue
        if isinstance(statement, ast.FunctionDef | ast.ClassDef) or draft.nest.outermost in walk(statement):
            continue
        read = {n.id for n in walk(statement) if isinstance(n, ast.Name)}
        touched = {key[1] for key in draft.effects.touched(statement, scope) if key[0] is scope}
        if not (read | touched) & names:
            continue
        if draft.effects.draws(statement, scope) or _asks_for_place(draft, statement, names):
            return True
        names |= {n.id for n in walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return False


def _asks_for_place(draft: Draft, statement: ast.stmt, names: set[str]) -> bool:
    """Whether a statement may see where a model is: it reads its device, or hands the model to code that cannot be seen."""
    for node in walk(statement):
        if isinstance(node, ast.Attribute) and node.attr in ("device", "is_cuda", "get_device"):
            return True
        if isinstance(node, ast.Call):
            full = draft.roles.full_name(node.func)
            foreign = dotted(node.func).partition(".")[0] in draft.roles.origins and not full.startswith("torch.")
            if foreign and any(isinstance(a, ast.Name) and a.id in names for a in node.args):
                return True
    return False


def _is_move(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr in ("to", "cuda")


def _read_in_hooks(draft: Draft, state: State, name: str) -> bool:
    """Whether a hook goes on reading the script's own device, as autocast does that wants its name: ``device_type=device``."""
    variable = draft.variables.of(draft.nest.entry, name)
    if variable is None or variable in state.homes:
        return False
    return variable in draft.variables.sequence(draft.all_items()).read


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
