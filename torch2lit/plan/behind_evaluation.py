"""What a batch does behind its evaluation and may as well do before it: it looks, gives names values, and ends the training.

if step % 100 == 0:                              def on_train_batch_end(self, outputs, batch, batch_idx):
    evaluate(model, val_loader)                      self.trainer.limit_val_batches = 1.0 if self.step % 100 == 0 else 0
if step == args.steps:                    →          if self.step == self.args.steps:
    done = True                                          self.done = True
    break                                                self.trainer.should_stop = True

Lightning validates behind the last hook of a batch, also where that has told it to stop.
"""

from __future__ import annotations

import ast

from ..recover.items import Item
from ..recover.nest import Frame
from ..recover.phases import Validation
from ..recover.syntax import walk
from .changes import bound_elsewhere, changed_names, reached_names
from .draft import Draft
from .looks import Looks
from .settled_numbers import SettledNumbers

_PLAIN = (
    ast.Name, ast.Attribute, ast.Subscript, ast.Constant, ast.Compare, ast.BoolOp, ast.UnaryOp, ast.BinOp, ast.operator, ast.unaryop,
    ast.boolop, ast.cmpop, ast.expr_context,
)  # fmt: skip


def plain_ending(draft: Draft, items: list[Item]) -> list[Item]:
    """The last items, as many as do no more than to look, to give names values and to leave the loop."""
    looks, found = Looks(draft), list[Item]()
    for item in reversed(items):
        if item.kind != "statement" or not _is_plain(looks, item.node, item.frame):
            break
        found.insert(0, item)
    return found


def may_come_first(draft: Draft, found: Validation, behind: list[Item]) -> bool:
    """Whether items that follow an evaluation may run before it: neither knows of what the other one gives values or changes."""
    own = [*found.before, *found.body, *found.trailing]
    use = draft.variables.sequence(behind)
    if use.read & draft.variables.sequence(own).written:
        return False
    written = {v.name for v in use.written}
    return not (written & reached_names(draft, own) or _changed(draft, found, own) & reached_names(draft, behind))


def _changed(draft: Draft, found: Validation, own: list[Item]) -> set[str]:
    """The names of what the evaluation may change in place, its function's and those that the callers have for them, and of what functions bind."""
    changed = changed_names(draft, own) | bound_elsewhere(draft, own)
    for frame in found.frames:
        given = (value for name, value in frame.arguments.items() if name in changed)
        changed |= {n.id for value in given for n in walk(value) if isinstance(n, ast.Name)}
    return changed


def _is_plain(looks: Looks, node: ast.stmt, frame: Frame) -> bool:
    match node:
        case ast.If(test=test, body=body, orelse=orelse):
            return _is_look(looks, test, frame) and all(_is_plain(looks, s, frame) for s in (*body, *orelse))
        case ast.Assign(targets=[ast.Name()], value=value):
            return _is_look(looks, value, frame)
        case ast.AugAssign(target=ast.Name() as target, value=ast.Constant()):
            return SettledNumbers(looks.draft).surely(ast.Name(target.id, ast.Load()), frame.scope)
    return isinstance(node, ast.Break | ast.Pass)


def _is_look(looks: Looks, node: ast.expr, frame: Frame) -> bool:
    """Whether the expression compares and counts with names, and with parts of objects that the file never sets, by any name of theirs."""
    if not looks.only(node, frame) or not all(isinstance(n, _PLAIN) for n in walk(node)):
        return False
    return _compares(node) and all(_is_never_set(looks.draft, n) for n in walk(node))


def _compares(node: ast.expr) -> bool:
    """Whether its truth is that of comparisons or settings: an object may get longer by another name."""
    match node:
        case ast.BoolOp(values=values):
            return all(map(_compares, values))
        case ast.UnaryOp(operand=operand):
            return _compares(operand)
    return not isinstance(node, ast.Name)


def _is_never_set(draft: Draft, node: ast.AST) -> bool:
    source = draft.source
    match node:
        case ast.Attribute(attr=attr):
            stored = any(n.attr == attr and not isinstance(n.ctx, ast.Load) for n in source.all(ast.Attribute))
            by_name = any(isinstance(c.func, ast.Name) and c.func.id in ("setattr", "exec") for c in source.calls)
            return not stored and not by_name and not any(f.name == attr for f in source.functions)
        case ast.Subscript(slice=ast.Constant(value=str() as key)):
            keys = [n.slice for n in source.all(ast.Subscript) if not isinstance(n.ctx, ast.Load)]
            return all(isinstance(k, ast.Constant) and k.value != key for k in keys)
        case ast.Subscript():
            return False
    return True
