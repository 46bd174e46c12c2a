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
from .changes import changed_names, reached_names
from .draft import Draft
from .looks import Looks
from .settled_numbers import SettledNumbers


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
    """The names of what the evaluation may change in place, its function's and those that the callers have for them."""
    changed = changed_names(draft, own)
    for frame in found.frames:
        given = (value for name, value in frame.arguments.items() if name in changed)
        changed |= {n.id for value in given for n in walk(value) if isinstance(n, ast.Name)}
    return changed


def _is_plain(looks: Looks, node: ast.stmt, frame: Frame) -> bool:
    match node:
        case ast.If(test=test, body=body, orelse=orelse):
            return looks.only(test, frame) and all(_is_plain(looks, s, frame) for s in (*body, *orelse))
        case ast.Assign(targets=[ast.Name()], value=value):
            return looks.only(value, frame)
        case ast.AugAssign(target=ast.Name() as target, value=ast.Constant()):
            return SettledNumbers(looks.draft).surely(ast.Name(target.id, ast.Load()), frame.scope)
    return isinstance(node, ast.Break | ast.Pass)
