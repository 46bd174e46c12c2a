"""A number of the training that is only told when a validation ends: the step that finds it logs it, as a validation's numbers are others.

loss = criterion(...)  # training_step          self.log("loss", self.loss)  # training_step
print(epoch, loss, val_loss)             →      ...
                                                self.log("val_loss", ...)    # on_validation_epoch_end
"""

from __future__ import annotations

import ast
import re
from dataclasses import replace

from ..recover.items import Item
from ..recover.names import flow
from ..recover.syntax import walk_scope
from ..recover.variables import Variable
from .draft import TRAINING_STEP, VALIDATION_END, VALIDATION_START, VALIDATION_STEP, Draft, Logged, Reports
from .log_names import is_training_loss

_OF_VALIDATION = (VALIDATION_START, VALIDATION_STEP, VALIDATION_END)
_TRAINING = re.compile(r"(?:^|_)(?:train|training|tr)(?:_|$)")


def log_in_step(draft: Draft) -> None:
    """Move the losses that hooks of the validation log to the statements of the step that find them."""
    if any(proposal.trainer.loggers for proposal in draft.accepted) and not draft.own_points:
        return  # a logger has one point for each epoch then; of steps it has every 50th
    step = draft.hooks.get(TRAINING_STEP, [])
    names = {n.name for s in _statements(step) if (r := draft.reports.get(s)) for n in (*r.before, *r.after)}
    for hook in _OF_VALIDATION:
        for item in draft.hooks.get(hook, []):
            for statement in _statements([item]):
                reports = draft.reports.get(statement)
                for one in list(reports.after) if reports is not None else ():
                    if one.form or one.name in names or not is_training_loss(one.name):
                        continue
                    if (found := _found_by(draft, one, item, step)) is not None:
                        assert reports is not None
                        reports.after.remove(one)
                        made, name = found
                        draft.reports.setdefault(made, Reports()).after.append(replace(one, value=name))
                        names.add(one.name)
    _log_returned(draft, step)


def _log_returned(draft: Draft, step: list[Item]) -> None:
    """Log what the step returns where the script tells a loss of its training, and only an evaluation finds it."""
    hooks = [i for hook in _OF_VALIDATION for i in draft.hooks.get(hook, [])]
    told = {n.name for s in _statements(hooks) if (r := draft.reports.get(s)) for n in (*r.before, *r.after)}
    trained = [i for hook, items in draft.hooks.items() if hook not in _OF_VALIDATION for i in items]
    known = {n.name for s in _statements(trained) if (r := draft.reports.get(s)) for n in (*r.before, *r.after)}
    if not any(is_training_loss(n) and _TRAINING.search(n) for n in told) or any("loss" in n for n in known):
        return
    if not isinstance(draft.returned, ast.Name) or not step or "loss" in told:
        return
    one = Logged("loss", draft.returned.id)
    if (found := _found_by(draft, one, Item(step[0].node, draft.nest.step_frame), step)) is not None:
        draft.reports.setdefault(found[0], Reports()).after.append(replace(one, value=found[1]))


def _statements(items: list[Item]) -> list[ast.stmt]:
    return [n for i in items if i.kind == "statement" for n in walk_scope(i.node) if isinstance(n, ast.stmt)]


def _found_by(draft: Draft, one: Logged, item: Item, step: list[Item]) -> tuple[ast.stmt, str] | None:
    """The plain statement of a step that alone gives the logged variable its value, and what it calls it."""
    name = one.value.removesuffix(".item()")
    variable = draft.variables.of(item.frame, name) if name.isidentifier() else None
    if variable is None:
        return None
    writers = [i for i in draft.all_items() if variable in draft.variables.use(i).written]
    if len(writers) != 1 or writers[0] not in step or _is_changed(draft, variable):
        return None
    made = writers[0]
    if made.kind not in ("statement", "result") or made.guard is not None or made.node in draft.removals:
        return None
    if not isinstance(made.node, ast.Assign | ast.AnnAssign) or made.node in draft.claims:
        return None
    own = [n for n in flow([made.node]).definite if draft.variables.of(made.frame, n) == variable]
    return (made.node, own[0]) if len(own) == 1 else None


def _is_changed(draft: Draft, variable: Variable) -> bool:
    """Whether the value may be made another one in place, as ``loss /= n`` and ``loss.div_(n)`` do."""
    for item in draft.all_items():
        for node in walk_scope(item.node):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=method)) if method.endswith("_"):
                    if draft.variables.of(item.frame, name) == variable:
                        return True
    return False
