"""What Lightning's validation does to the modes of the models, and what of it the script does not: the hooks that switch it off.

Lightning switches the module to eval mode before a validation and gives every part its own mode back behind it. A script may do otherwise
in either place; it only matters where somebody may see it.
"""

from __future__ import annotations

import ast

from ..recover.items import Item, parts
from ..recover.loops import Iterable
from ..recover.phases import Validation
from ..recover.roles import Role
from ..recover.syntax import walk
from ..recover.torch_calls import mode_of
from ..recover.variables import Variable
from .draft import EPOCH_END, VALIDATION_END, VALIDATION_START, VALIDATION_STEP, Draft, Removal, Second
from .held_models import held_models
from .may_run import may_run
from .mode_afterwards import items_path, mode_shows_after
from .mode_dependent import mode_dependent
from .modes import mode_calls, only_mode_call
from .second_evaluation import Divided, own_items
from .steps import open_controls

_KEEP_MODE = """\
def on_validation_model_eval(self):
    pass  # the script validates in the mode that it is in
"""
_KEEP_EVAL = """\
def on_validation_model_train(self):
    pass  # the script stays in eval mode until it calls train() itself
"""


def mirror_modes(draft: Draft, found: Validation, rest: list[Item]) -> None:
    """Leave to Lightning what it switches as the script does, and switch off what it would do otherwise."""
    inside = [i for hook in (VALIDATION_START, VALIDATION_STEP, VALIDATION_END) for i in draft.hooks.get(hook, [])]
    held = _held(draft, inside)
    paths = {model: items_path(draft, inside, model) for model in held}
    changed = [m for m in sorted(held, key=lambda v: v.rank) if paths[m].switches or _may_be_switched(draft, inside, m)]
    told = [m for m in changed if _shows_in_epoch(draft, found, m, rest)]
    after = [m for m in changed if m not in told and _is_seen_afterwards(draft, m, rest)]
    if not told and all(_surely_left_in_eval(draft, found, m, inside, rest) for m in after):
        draft.left_in_eval = [m.name for m in after]
        after = []
    as_it_is = any(path.shows for path in paths.values())
    stays = bool(told or after)
    if stays and not as_it_is and (switches := _switches_to_move(draft, found, [*told, *after], inside)):
        draft.hooks[VALIDATION_START] = [i for i in draft.hooks[VALIDATION_START] if i not in switches]
        draft.hooks[EPOCH_END] = [*switches, *draft.hooks.get(EPOCH_END, [])]
        stays = False
    # Where some models keep the mode that the script gives them and others none at all, Lightning must not switch.
    if as_it_is or (stays and not all(paths[m].switches for m in held)):
        draft.methods.append(_KEEP_MODE)
    else:
        _leave_eval_to_lightning(draft, draft.hooks[VALIDATION_START], held)
    if stays:
        draft.methods.append(_KEEP_EVAL)


def _switches_to_move(draft: Draft, found: Validation, models: list[Variable], inside: list[Item]) -> list[Item]:
    """The script's own switches of models to eval mode, when they may as well stand at the epoch's end; [] when they may not.

    Lightning switches before the validation itself, and gives back the mode of the training behind it.
    """
    first = [*draft.epoch.before, *draft.epoch.batch]
    if found.every is not None or _may_train(draft, inside) or _is_handed_on(draft, inside):
        return []
    if any(not isinstance(c, ast.Continue) for i in first for c in open_controls(draft, i.node)):
        return []
    moved: list[Item] = []
    for model in models:
        item = next((i for i in draft.hooks[VALIDATION_START] if (model, "eval") in mode_calls(draft, i)), None)
        if item is None or not isinstance(item.node, ast.Expr):
            return []
        moved.append(item)
    return moved


def _held(draft: Draft, inside: list[Item]) -> set[Variable]:
    """What the module holds and Lightning switches: models, and what else computes otherwise in eval mode."""
    return held_models(draft) | mode_dependent(draft, inside)


def modes_allow(draft: Draft, found: Validation, seconds: list[Second], divided: Divided) -> bool:
    """Whether evaluations behind the loop run in the modes in which `trainer.validate` runs them."""
    own = own_items(found)
    inside, rest = [*divided.start, *found.body, *divided.end], divided.epoch_end
    held = _held(draft, inside)
    if any(items_path(draft, inside, model).shows for model in held):
        return False
    shown = [model for model in held if items_path(draft, own, model).shows]
    left = all(_surely_left_in_eval(draft, found, model, inside, rest) for model in shown)
    return all(not shown or _in_eval_behind(draft, second, shown, left) for second in seconds)


def _in_eval_behind(draft: Draft, second: Second, models: list[Variable], left: bool) -> bool:
    """Whether models are in eval mode where an evaluation runs again: the script switches them on the way, or they are ``left`` so."""
    waiting = {*models}
    for statement in reversed(second.place.passed):
        if not draft.effects.of(statement, draft.source.scope_of(statement)).mode:
            continue
        item = Item(statement, draft.nest.entry)
        calls = mode_calls(draft, item) if draft.source.scope_of(statement) is draft.nest.entry.scope else []
        if not calls or not only_mode_call(item) or any(mode != "eval" for _, mode in calls):
            return False
        waiting -= {model for model, _ in calls}
        if not waiting:
            return True
    return left


def _may_be_switched(draft: Draft, inside: list[Item], model: Variable) -> bool:
    """Whether code of the validation may switch a model: it has its name, and switches something or calls what may."""
    if not any(draft.effects_of(item).mode for item in inside) and not _is_handed_on(draft, inside):
        return False
    nodes = [part for item in inside for part, _ in parts(item)]
    names = {n.id for n in may_run(draft.source, nodes) if isinstance(n, ast.Name)}
    frames = [frame for item in inside for _, frame in parts(item)]
    own = {name for name in names if any(draft.variables.of(frame, name) == model for frame in frames)}
    return bool(own) or model.name in names


def _leave_eval_to_lightning(draft: Draft, start: list[Item], held: set[Variable]) -> None:
    """Take out the script's own switches to eval mode where the module's models are in it by then."""
    for item in start:
        calls = mode_calls(draft, item)
        if (not calls and draft.effects_of(item).mode) or any(mode != "eval" for _, mode in calls):
            break
        if calls and all(model in held for model, _ in calls) and only_mode_call(item):
            draft.removals[item.node] = Removal(
                "validation", "eval_mode", "Lightning switches the module to eval mode for validation"
            )
    draft.hooks[VALIDATION_START] = [i for i in start if i.node not in draft.removals]


def _shows_in_epoch(draft: Draft, found: Validation, model: Variable, rest: list[Item]) -> bool:
    """Whether the mode of a model after a validation may show in the rest of the epoch or in the next one."""
    if not items_path(draft, [*rest, *draft.epoch.before, *draft.epoch.batch], model).shows:
        return False
    switched = [mode for i in draft.epoch.before for _, mode in mode_calls(draft, i)]
    switched += [m for i in [*rest, *draft.epoch.batch] for _, m in mode_calls(draft, i) if m == "train"]
    if not switched:
        draft.note(
            "never-back-to-train",
            found.loop.node,
            "after the first validation the model is never switched back to train mode; the conversion keeps that",
        )
    return True


def _is_seen_afterwards(draft: Draft, model: Variable, rest: list[Item]) -> bool:
    """Whether the mode after the last validation may be seen when the training is over."""
    return not items_path(draft, rest, model).switches and mode_shows_after(draft, model)


# ---- a model that the loop surely leaves in eval mode


def _surely_left_in_eval(
    draft: Draft, found: Validation, model: Variable, inside: list[Item], rest: list[Item]
) -> bool:
    """Whether a model surely is in eval mode, as a whole, when the loop has ended."""
    entry = draft.nest.entry.scope
    if draft.roles.key(entry, model.name) != (model.scope, model.name) or found.every is not None:
        return False
    start = [*found.leading, *found.before]
    later = [*start, *inside, *rest]
    if not items_path(draft, start, model).switches or _may_train(draft, later) or _is_handed_on(draft, later):
        return False
    if any(isinstance(a, ast.Try) and a.handlers for a in draft.source.ancestors(draft.nest.outermost)):
        return False
    first = [*draft.epoch.before, *draft.epoch.batch]
    leaving = any(not isinstance(c, ast.Continue) for i in first for c in open_controls(draft, i.node))
    return not leaving and _has_turns(draft)


def _may_train(draft: Draft, items: list[Item]) -> bool:
    """Whether any code that items may run switches something to a mode other than eval."""
    for node in may_run(draft.source, [i.node for i in items]):
        if isinstance(node, ast.Attribute) and node.attr in ("train", "training"):
            return True
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "eval":
            if mode_of(node) is not False:
                return True
    return False


def _is_handed_on(draft: Draft, items: list[Item]) -> bool:
    """Whether any of that code hands a model to code of which the file does not show what it does with the mode."""
    for node in may_run(draft.source, [i.node for i in items]):
        if not isinstance(node, ast.Call):
            continue
        scope, full = draft.source.scope_of(node), draft.roles.full_name(node.func)
        given = [*node.args, *(k.value for k in node.keywords)]
        if any(isinstance(a, ast.Name) and draft.roles.of(a, scope) is Role.MODEL for a in given):
            if draft.source.function(full) is None and not full.startswith("torch.") and full != "print":
                return True
    return False


def _has_turns(draft: Draft) -> bool:
    """Whether the epoch loop surely has a turn: a `range` of plain numbers that is not empty."""
    epochs = draft.nest.epochs
    if epochs is None or epochs.kind is not Iterable.RANGE or not isinstance(epochs.base, ast.Call):
        return False
    numbers = [_number(draft, a) for a in epochs.base.args]
    if epochs.base.keywords or not numbers or len(numbers) > 2 or None in numbers:
        return False
    first, last = (0, numbers[0]) if len(numbers) == 1 else numbers
    assert first is not None and last is not None
    return first < last


def _number(draft: Draft, node: ast.expr) -> int | None:
    """The whole number that an expression of the entry surely is."""
    match node:
        case ast.Constant(value=int() as number) if type(number) is int:
            return number
        case ast.Name(id=name):
            key = draft.roles.key(draft.nest.entry.scope, name)
            bindings = draft.roles.bindings(key) if key is not None else []
            if key is None or len(bindings) != 1 or bindings[0].index is not None:
                return None
            bound = [n for n in walk(draft.source.tree) if isinstance(n, ast.Name | ast.arg) and _binds(n, name)]
            if len(bound) != 1 or draft.roles.rebound_unseen(key):
                return None
            value = bindings[0].value
            if isinstance(value, ast.Constant) and type(value.value) is int:
                return value.value
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            one, other = _number(draft, left), _number(draft, right)
            return one + other if one is not None and other is not None else None
    return None


def _binds(node: ast.Name | ast.arg, name: str) -> bool:
    if isinstance(node, ast.arg):
        return node.arg == name
    return node.id == name and not isinstance(node.ctx, ast.Load)
