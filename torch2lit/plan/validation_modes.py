"""What Lightning's validation does to the modes of the models, and what of it the script does not: the hooks that switch it off.

Lightning switches the module to eval mode before a validation and gives every part its own mode back behind it. A script may do otherwise
in either place; it only matters where somebody may see it.
"""

from __future__ import annotations

import ast

from ..recover.items import Item, parts
from ..recover.phases import Validation
from ..recover.torch_calls import mode_of
from ..recover.variables import Variable
from .draft import BATCH_END, EPOCH_END, VALIDATION_END, VALIDATION_START, VALIDATION_STEP, Draft, Removal, Second
from .eval_mode_before import in_eval_already
from .held_models import held_models
from .may_run import may_run
from .mode_afterwards import mode_shows_after
from .mode_dependent import made_of_models, mode_dependent
from .mode_in_loop import items_path
from .modes import mode_calls, only_mode_call
from .one_batch import has_one_batch
from .same_model import keeps_its_model, leaves_its_model
from .second_evaluation import Divided, own_items
from .state import State
from .steps import open_controls
from .surely_runs import has_turns
from .train_mode_kept import begins_in_train, is_handed_on, is_mode_switch, keeps_train_mode

_EVAL_BY_LIGHTNING = Removal("validation", "eval_mode", "Lightning switches the module to eval mode for validation")
_KEEP_MODE = """\
def on_validation_model_eval(self):
    pass  # the script validates in the mode that it is in
"""
KEEP_EVAL = """\
def on_validation_model_train(self):
    pass  # the script stays in eval mode until it calls train() itself
"""


def mirror_modes(draft: Draft, found: Validation, rest: list[Item]) -> None:
    """Leave to Lightning what it switches as the script does, and switch off what it would do otherwise."""
    inside = [i for hook in (VALIDATION_START, VALIDATION_STEP, VALIDATION_END) for i in draft.hooks.get(hook, [])]
    held = _held(draft, inside)
    paths = {model: items_path(draft, inside, model) for model in held}
    asked = [m for m in sorted(held, key=lambda v: v.rank) if not in_eval_already(draft, found, m, inside)]
    changed = [m for m in asked if paths[m].switches or _may_be_switched(draft, inside, m)]
    back = [m for m in changed if _back_in_train(draft, found, m, inside, rest)]
    changed = [m for m in changed if m not in back]
    told = [m for m in changed if _shows_in_epoch(draft, found, m, inside, rest)]
    after = [m for m in changed if m not in told and _is_seen_afterwards(draft, m, rest)]
    if not told and not draft.resumed and all(_left_in_eval(draft, found, m, inside, rest) for m in after):
        draft.left_in_eval, draft.has_turns = [m.name for m in after], has_turns(draft)
        after = []
    shown = [m for m in asked if paths[m].shows]
    made = made_of_models(draft, inside)
    unswitched = {(m.scope, m.name) for m in asked if not paths[m].switches}
    reached = any(models & unswitched for models in made.values())
    as_it_is = bool(shown) or reached
    stays = bool(told or after)
    if stays and all(_in_eval_behind(draft, found, m, inside, rest) for m in changed):
        draft.eval_at_end, stays = changed, False
    # Where some models keep the mode that the script gives them and others none at all, Lightning must not switch.
    if as_it_is and not (stays or reached) and all(_trains_before(draft, found, m, inside, rest) for m in shown):
        draft.validated_in_train = shown
        as_it_is = False
    if as_it_is or (stays and not all(paths[m].switches for m in asked)):
        draft.methods.append(_KEEP_MODE)
    else:
        _leave_eval_to_lightning(draft, draft.hooks[VALIDATION_START], held)
    if stays:
        draft.methods.append(KEEP_EVAL)
    else:
        _leave_train_to_lightning(draft, back)
    _leave_early_eval_to_lightning(draft, found, held, inside, rest)


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
    return all(not shown or _in_eval_where_asked(draft, second, shown, left) for second in seconds)


def _in_eval_where_asked(draft: Draft, second: Second, models: list[Variable], left: bool) -> bool:
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
    return left and second.place.branch is None


def _may_be_switched(draft: Draft, inside: list[Item], model: Variable) -> bool:
    """Whether code of the validation may switch a model: it has its name, and switches something or calls what may."""
    if not any(draft.effects_of(item).mode for item in inside) and not is_handed_on(draft, inside):
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
            draft.removals[item.node] = _EVAL_BY_LIGHTNING
    draft.hooks[VALIDATION_START] = [i for i in start if i.node not in draft.removals]


def _leave_early_eval_to_lightning(
    draft: Draft, found: Validation, held: set[Variable], inside: list[Item], rest: list[Item]
) -> None:
    """Take out the switches to eval mode behind the last batch that only a validation sees, which some epochs do without."""
    for place, item in enumerate(found.early):
        calls = mode_calls(draft, item)
        if not calls or not only_mode_call(item) or any(m not in held or mode != "eval" for m, mode in calls):
            continue
        later = [*found.early[place + 1 :], *found.otherwise, *rest, *draft.epoch.before, *draft.epoch.batch]
        if _may_train(draft, [*found.early, *inside]):
            return
        if not any(items_path(draft, later, m).shows or _is_seen_afterwards(draft, m, rest) for m, _ in calls):
            draft.removals[item.node] = _EVAL_BY_LIGHTNING
    draft.hooks[BATCH_END] = [i for i in draft.hooks.get(BATCH_END, []) if i.node not in draft.removals]


def _leave_train_to_lightning(draft: Draft, back: list[Variable]) -> None:
    """Take out the switches back to train mode with which a validation ends, where Lightning switches back at once.

    ``back`` are the models that were in train mode, as a whole, when it began.
    """
    end = draft.hooks[VALIDATION_END]
    for place, item in enumerate(end):
        calls = mode_calls(draft, item)
        behind = [i for i in end[place + 1 :] if i.node not in draft.removals]
        if not calls or not only_mode_call(item) or any(m not in back or mode != "train" for m, mode in calls):
            continue
        if not any(items_path(draft, behind, model).shows for model, _ in calls):
            draft.removals[item.node] = Removal(
                "validation", "train_mode", "Lightning gives the model its mode back behind a validation"
            )
    draft.hooks[VALIDATION_END] = [i for i in end if i.node not in draft.removals]


def _shows_in_epoch(draft: Draft, found: Validation, model: Variable, inside: list[Item], rest: list[Item]) -> bool:
    """Whether the mode of a model after a validation may show in the rest of the epoch or in the next one."""
    batch = found.trained(draft.epoch.batch)
    ways = [[*rest, *draft.epoch.before, *batch], *([batch] if found.in_batch else [])]
    if not any(items_path(draft, way, model).shows for way in ways):
        return False
    switched = [mode for i in draft.epoch.before for _, mode in mode_calls(draft, i)]
    later = [*inside, *rest, *draft.epoch.batch]
    switched += [m for i in later for _, m in mode_calls(draft, i) if m == "train"]
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
    return _left_in_eval(draft, found, model, inside, rest) and has_turns(draft)


def _left_in_eval(draft: Draft, found: Validation, model: Variable, inside: list[Item], rest: list[Item]) -> bool:
    """The same, if the loop has a turn at all."""
    entry = draft.nest.entry.scope
    if draft.roles.key(entry, model.name) != (model.scope, model.name) or found.every is not None:
        return False
    start = [*found.leading, *found.before]
    later = [*start, *inside, *rest]
    run = [*found.leading, *inside] if has_one_batch(draft, found) else start
    if not items_path(draft, run, model).switches or _may_train(draft, later) or is_handed_on(draft, later):
        return False
    if any(isinstance(a, ast.Try) and a.handlers for a in draft.source.ancestors(draft.nest.outermost)):
        return False
    first = [*draft.epoch.before, *draft.epoch.batch]
    leaving = any(not isinstance(c, ast.Continue) for i in first for c in open_controls(draft, i.node))
    return not leaving


def _in_eval_behind(draft: Draft, found: Validation, model: Variable, inside: list[Item], rest: list[Item]) -> bool:
    """Whether a model surely is in eval mode, as a whole, behind every validation, and every epoch has one that has run by its end."""
    asked = found.every is not None or found.block is not None
    counted = any(i.kind == "validates" or i.guard is not None for i in draft.all_items())
    everywhere = [*draft.epoch.before, *draft.epoch.batch, *inside, *rest]
    binding = [i for i in everywhere if not leaves_its_model(draft, i, model.name)]
    if asked or counted or model in draft.variables.written_in_sight(binding) or not _is_straight(draft):
        return False
    start = [*found.leading, *found.before]
    run = inside if has_one_batch(draft, found) else start
    if not items_path(draft, run, model).switches:
        return False
    later = [*start, *inside]
    return not _may_train(draft, later) and not is_handed_on(draft, later)


def _trains_before(draft: Draft, found: Validation, model: Variable, inside: list[Item], rest: list[Item]) -> bool:
    """Whether a model surely is in train mode, as a whole, when a validation begins, and nothing of the validation switches anything."""
    return not _switches(draft, inside) and _in_train(draft, found, model, inside, rest)


def _back_in_train(draft: Draft, found: Validation, model: Variable, inside: list[Item], rest: list[Item]) -> bool:
    """Whether a model surely is in train mode, as a whole, both when a validation begins and when it has ended."""
    last = [n for n, i in enumerate(inside) if (model, "train") in mode_calls(draft, i)]
    ends = bool(last) and inside[last[-1]] in draft.hooks.get(VALIDATION_END, [])
    later = inside[last[-1] + 1 :] if ends else inside
    return keeps_train_mode(draft, later, model) and _in_train(draft, found, model, inside, rest)


def _in_train(draft: Draft, found: Validation, model: Variable, inside: list[Item], rest: list[Item]) -> bool:
    """Whether a model surely is in train mode when a validation begins, if every validation leaves it so.

    Every epoch begins by switching it, or it was made so; what runs from then on leaves it so. Where every validation follows a batch,
    it is enough that a batch switches it.
    """
    items = [*draft.epoch.before, *found.trained(draft.epoch.batch), *found.early, *found.leading]
    first = items if found.in_batch else draft.epoch.before
    switched = [n for n, i in enumerate(first) if (model, "train") in mode_calls(draft, i)]
    later = items[switched[-1] + 1 :] if switched else [*items, *rest]
    seen = [*items, *inside, *(() if switched else rest)]
    if model in draft.variables.written_in_sight([i for i in seen if not keeps_its_model(draft, i, model.name)]):
        return False
    if is_handed_on(draft, [*later, *inside]) or not _is_straight(draft) or not keeps_train_mode(draft, later, model):
        return False
    return bool(switched) or begins_in_train(draft, model)


def _switches(draft: Draft, items: list[Item]) -> bool:
    """Whether any code that items may run switches the mode of anything."""
    return any(map(is_mode_switch, may_run(draft.source, [part for i in items for part, _ in parts(i)])))


def _is_straight(draft: Draft) -> bool:
    """Whether nothing leaves an epoch before its validation, or the validation itself."""
    code = [*draft.epoch.before, *draft.epoch.batch, *draft.epoch.leaving]
    code += [i for hook in (VALIDATION_START, VALIDATION_STEP, VALIDATION_END) for i in draft.hooks.get(hook, [])]
    return not any(not isinstance(c, ast.Continue) for i in code for c in open_controls(draft, i.node))


def _may_train(draft: Draft, items: list[Item]) -> bool:
    """Whether any code that items may run switches something to a mode other than eval."""
    for node in may_run(draft.source, [part for i in items for part, _ in parts(i)]):
        if is_mode_switch(node) and not _is_of_eval(draft, node):
            return True
    return False


def _is_of_eval(draft: Draft, node: ast.AST) -> bool:
    """Whether a node is, or is what is called by, ``model.eval()`` or ``model.train(False)``."""
    call = draft.source.parents.get(node) if isinstance(node, ast.Attribute) else node
    return isinstance(call, ast.Call) and node in (call, call.func) and mode_of(call) is False


def say_modes(draft: Draft, state: State) -> None:
    """Switch models in hooks where Lightning has switched them otherwise than the script."""
    _leave_in_eval(draft, state)
    homes = [state.homes.get(model, "") for model in draft.validated_in_train]
    if not all(home.startswith("self.") for home in homes):
        draft.methods.append(_KEEP_MODE)
        return
    lines = [f"{home}.train()  # the script validates in train mode" for home in homes]
    if lines:
        state.prologue.setdefault(VALIDATION_START, []).extend(lines)


def _leave_in_eval(draft: Draft, state: State) -> None:
    """Say at the end of an epoch that a model is in eval mode there, as the script has left it: Lightning has put it back."""
    homes = [state.homes.get(model, "") for model in draft.eval_at_end]
    if not all(home.startswith("self.") for home in homes):
        draft.methods.append(KEEP_EVAL)
        return
    lines = [f"{home}.eval()  # as the validation leaves it" for home in homes]
    if lines:
        state.prologue.setdefault(EPOCH_END, []).extend(lines)
