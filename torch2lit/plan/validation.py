"""Whether the evaluation in an epoch can be Lightning's validation, and what must be mirrored for it."""

from __future__ import annotations

import ast
from dataclasses import replace

from ..recover.items import Guard, Item, grad_mode
from ..recover.loops import Iterable
from ..recover.phases import Validation, find_validation, hidden_evaluation
from ..recover.state_names import is_whole
from ..recover.syntax import walk, walk_scope
from .breaks import remove_break, validation_break
from .changes import changed_names
from .draft import BATCH_END, EPOCH_END, EPOCH_START, VALIDATION_END, VALIDATION_START, VALIDATION_STEP, Draft, Second
from .drawn_before import drawing_before, is_its_bar, told_before
from .entry_names import written_in_loop
from .evaluation_loaders import loader_text, make_once, tell_made
from .evaluations_by_hand import called_as_well, why_by_hand
from .kept_in_eval_mode import keep_where_mode_shows
from .late_validation import drawn_late, may_start_late, starts_late
from .lengths import first_change
from .limited_validation import limit_obstacle, tell_limit
from .own_bars import give_back_bar, set_aside_bar_of
from .own_loaders import own_loader
from .recorded import graph_is_seen
from .samplers import sampler_with_epoch
from .second_evaluation import Divided, divide_at_function, second_evaluations
from .several_evaluations import unite_in_step, with_other_functions
from .several_loaders import join_following, unite
from .steps import controls, open_controls
from .train_data import constructions, is_still_loader, owns_generator
from .validation_epochs import epochs_obstacle, guard_of, is_every_epoch, otherwise, tell_epochs
from .validation_modes import mirror_modes, modes_allow


def place_after(draft: Draft) -> None:
    """Give everything after the batch loop its hook."""
    after = draft.epoch.after
    found = find_validation(draft.source, draft.roles, draft.nest, after)
    if found is not None and draft.module_that_trains:
        why = f"class `{draft.module_that_trains}` is a module, and Lightning would switch all of it"
        draft.note("validation-kept", found.loop.node, f"the evaluation loop stays as it is: {why}")
    elif found is not None:
        if is_every_epoch(draft, found) and not found.otherwise:
            found.every = None
        for several in with_other_functions(draft, found):
            if _place_together(draft, several):
                return
        join_following(draft, found)
        bars = set_aside_bar_of(draft, found)
        united = unite(draft, found) if found.others else unite_own(draft, found)
        reason = _obstacle(draft, found)
        if not reason:
            _place(draft, found)
            return
        give_back_bar(draft, bars)
        if united:
            draft.united = [i for i in draft.united if i not in united]
        draft.note("validation-kept", found.loop.node, f"the evaluation loop stays as it is: {reason}")
    elif (call := hidden_evaluation(draft.source, draft.roles, after)) is not None:
        why = why_by_hand(draft, after, call)
        draft.note("validation-kept", call, f"the evaluation loop stays as it is: {why}")
    draft.hooks[EPOCH_END] = list(after)


def _place_together(draft: Draft, found: Validation) -> bool:
    """Let evaluations by several functions be Lightning's validation, where all of them can; whether they can."""
    variables, united = draft.variables, draft.united
    draft.variables, draft.united = variables.fork(), [*united]
    unite_in_step(draft, found)
    unite(draft, found)
    if _obstacle(draft, found):
        draft.variables, draft.united = variables, united
        return False
    _place(draft, found)
    return True


def unite_own(draft: Draft, found: Validation) -> list[Item]:
    """Bring names of the validation's function and of the epoch together; give back the items that fall away."""
    dropped: list[Item] = []
    found.before = draft.variables.unite_binds(found.before)
    for item in list(found.trailing):
        if draft.variables.unite_result(item):
            dropped.append(item)
    found.trailing = [i for i in found.trailing if i not in dropped]
    draft.united.extend(dropped)
    return dropped


def _obstacle(draft: Draft, found: Validation) -> str:
    """Why the evaluation at an epoch's end cannot be Lightning's validation; "" when it can."""
    if reason := evaluation_obstacle(draft, found):
        return reason
    limited = found.limit is not None or validation_break(draft, found.body, found.loop) is not None
    return epochs_obstacle(draft, found, limited)


def evaluation_obstacle(draft: Draft, found: Validation) -> str:
    """Why an evaluation cannot be Lightning's validation, whenever that runs; "" when it can."""
    if found.loop.kind is not Iterable.LOADER:
        return "it does not run over a loader"
    if draft.epoch.leaving:
        return "a `break` at a batch's top ends the epoch, and Lightning does not validate then"
    late = may_start_late(draft, found)
    if not late and any(one.loop.asks_twice for one in found.all):
        return "the progress bar of `tqdm.auto` starts the loader once more, which draws a random number"
    if draft.effects.asks_grad_mode():
        return "the script asks whether gradients are recorded, and in Lightning's validation they never are"
    if (other := _other_evaluation(draft, found)) is not None:
        return called_as_well(draft.source, other)
    if reason := next(filter(None, (_loader_obstacle(draft, found, one, late) for one in found.all)), ""):
        return reason
    if found.others and (draft.group is not None or draft.options.several_processes):
        return "its function runs over several loaders"
    if reason := graph_is_seen(draft, found):
        return reason
    if reason := limit_obstacle(draft, found):
        return reason
    if _changes_earlier(draft, found):
        return "its statement has read before the call what the evaluation changes"
    limited = validation_break(draft, found.body, found.loop)
    if limited and found.others:
        return "`break` leaves the loop"
    taken = {id(n) for n in walk(limited[0])} if limited else set()
    for item in found.body:
        for control in open_controls(draft, item.node):
            if id(control) not in taken and not isinstance(control, ast.Continue):
                return f"`{type(control).__name__.lower()}` leaves the loop"
        if draft.effects_of(item).gradients:
            return "it touches gradients"
    early = drawing_before(draft, found)
    for item in [*found.leading, *found.before]:
        if item.kind == "statement" and controls(item.node):
            return "control flow stands before it"
        effects = draft.effects_of(item)
        told = item in early or is_its_bar(found, item)
        if (
            effects.rng
            and not told
            and not is_still_loader(draft, found.loop.base, found.frame)
            and not (late and drawn_late(draft, item))
        ):
            return f"`{ast.unparse(item.node).splitlines()[0][:60]}` before it may draw random numbers or run the model"
        if effects.gradients:
            return f"`{ast.unparse(item.node).splitlines()[0][:60]}` before it touches gradients"
        if _switches_gradients(item):
            return "gradients are switched by hand"
    return ""


def _loader_obstacle(draft: Draft, found: Validation, one: Validation, late: bool) -> str:
    """Why Lightning cannot validate over the loader of one of several evaluations, which may start ``late``; "" when it can."""
    base = draft.variable(one.loop.base, one.frame)
    if base is None and not _fixed(draft, one.loop.base, one):
        return "its loader is not a plain variable"
    own = draft.variables.sequence([*found.leading, *found.before, *found.body]).written
    anew = base is not None and (base in written_in_loop(draft) or base in own)
    if anew and (reason := make_once(draft, found, one)):
        return reason
    if not loader_text(draft, one):
        return "its loader is not known where the Trainer is made"
    if owns_generator(draft, one.loop.base, one.frame):
        return "its loader has a random generator of its own, which a loop asks once more at its end"
    if reason := own_loader(draft, one.loop.base, one.frame):
        return reason
    if first_change(draft, [one.loop.base], one.frame) is not None:
        return "the length of its loader may change, and Lightning asks for it only once"
    if not late and sampler_with_epoch(constructions(draft, one.loop.base, one.frame)) is not None:
        return "Lightning would call `set_epoch` on its sampler"
    return ""


def _changes_earlier(draft: Draft, found: Validation) -> bool:
    """Whether the evaluation changes what the statement around its call has already looked at, which it reads after it now."""
    caller = next((one.frame.caller for one in found.all if one.call is not None), None)
    if caller is None:
        return False
    earlier = [part for one in found.all for part in one.earlier]
    looked = [part for part in earlier if not isinstance(part, ast.Name)]
    named = {n.id for part in earlier for n in walk_scope(part) if isinstance(n, ast.Name)}
    inside = {n.id for part in looked for n in walk_scope(part) if isinstance(n, ast.Name)}
    arguments: dict[str, set[str]] = {}
    for name, value in (given for one in found.firsts for given in one.frame.arguments.items()):
        arguments.setdefault(name, set()).update(x.id for x in walk(value) if isinstance(x, ast.Name))
    own = [*found.before, *found.body, *(i for i in found.trailing if i.frame is not caller)]
    written = draft.variables.sequence(own).written
    changed = changed_names(draft, own)
    changed |= {name for parameter in changed & arguments.keys() for name in arguments[parameter]}
    return any(draft.variables.of(caller, name) in written for name in named) or bool(inside & changed)


def _switches_gradients(item: Item) -> bool:
    return any(isinstance(n, ast.Call) and grad_mode(n) for n in walk_scope(item.node) if item.kind == "statement")


def _other_evaluation(draft: Draft, found: Validation) -> ast.Call | None:
    """A call by which the validation's function stays in use in the loop, so that moving it would double it."""
    mine = found.calls
    names = {call.func.id for call in mine if isinstance(call.func, ast.Name)}
    others = [call for name in sorted(names) for call in draft.source.calls_to(name) if call not in mine]
    outermost = draft.nest.outermost
    inside = {id(n) for n in walk(outermost)}
    for frame in (draft.nest.inner, draft.nest.step_frame):
        inside |= {id(n) for n in walk(frame.scope)} if frame.scope is not draft.nest.entry.scope else set()
    for function in draft.source.functions:
        inside |= {id(n) for n in walk(function)} if function.name in names else set()
    return next((call for call in others if id(call) in inside), None)


def _fixed(draft: Draft, base: ast.expr, found: Validation) -> bool:
    if not isinstance(base, ast.Subscript | ast.Attribute):
        return False
    written = written_in_loop(draft)
    for node in walk(base):
        if isinstance(node, ast.Call):
            return False
        if isinstance(node, ast.Name):
            variable = draft.variables.of(found.frame, node.id)
            if (
                is_whole(node.id)
                or variable is None
                or variable in written
                or (variable.frame is found.frame and found.frame.caller)
            ):
                return False
    return True


def _place(draft: Draft, found: Validation) -> None:
    draft.validation = found
    found.late = starts_late(draft, found)
    tell_made(draft, found)
    if limited := validation_break(draft, found.body, found.loop):
        remove_break(draft, limited[0], "limit_val_batches")
        draft.trainer = draft.trainer.set("limit_val_batches", limited[1])
    tell_limit(draft, found)
    own = [*found.before, *found.body, *found.trailing, *found.rest]
    found.before = draft.without_unread_constants(found.before, own)
    early = found.leading if found.every is not None else drawing_before(draft, found)
    again = not any(item in early for item in found.before)
    found.leading = [i for i in found.leading if i not in early]
    found.before = [i for i in found.before if i not in early]
    once = limited or found.limit or found.otherwise or found.late or not again
    evaluated = None if once else _evaluated_again(draft, found)
    if not once and evaluated is None and (before := told_before(draft, found)):
        leading, found.leading = found.leading, []
        evaluated = _evaluated_again(draft, found)
        early, found.leading = ([*early, *before], []) if evaluated else (early, leading)
    found.early = early
    if early:
        guard = Guard()
        draft.hooks[BATCH_END] = [*draft.hooks.get(BATCH_END, []), *(replace(i, guard=guard) for i in early)]
    start = [*found.leading, *found.before]
    draft.hooks[VALIDATION_STEP] = list(found.body)
    trailing, rest = keep_where_mode_shows(draft, found, *_divide_rest(draft, found))
    if evaluated is not None:
        draft.seconds, divided = evaluated
        start, trailing, rest = divided.start, divided.end, divided.epoch_end
    draft.hooks[VALIDATION_START] = start
    draft.hooks[VALIDATION_END] = trailing
    draft.hooks[EPOCH_END] = rest
    if (told := tell_epochs(draft, found)) is not None:
        draft.hooks[EPOCH_START] = [*draft.hooks.get(EPOCH_START, []), told]
    mirror_modes(draft, found, rest)


def _evaluated_again(draft: Draft, found: Validation) -> tuple[list[Second], Divided] | None:
    """The calls behind the loop that the Trainer makes, with the hooks as they run again for them; None where the function is called."""
    if not (seconds := second_evaluations(draft, found)):
        return None
    divided = divide_at_function(draft, found, seconds)
    return (seconds, divided) if modes_allow(draft, found, seconds, divided) else None


def _divide_rest(draft: Draft, found: Validation) -> tuple[list[Item], list[Item]]:
    """What runs at the validation's end and what at the epoch's end: from the first control flow on, the latter."""
    trailing: list[Item] = []
    rest = [*found.trailing, *found.rest]
    own = len(found.trailing)
    written = draft.variables.sequence([*found.before, *found.body]).written
    while rest:
        item = rest[0]
        if item.kind == "statement" and controls(item.node):
            break
        effects = draft.effects_of(item)
        if effects.gradients or effects.optimizer or effects.rng:
            break
        use = draft.variables.use(item)
        if len(trailing) >= own and (found.every is not None or found.call is not None or not use.read & written):
            break
        if len(trailing) >= own and effects.model:
            break
        trailing.append(rest.pop(0))
    guard = guard_of(draft, found)
    left = max(0, own - len(trailing))
    guarded = [replace(i, guard=guard) for i in rest[:left]]
    return trailing, [*guarded, *otherwise(draft, found), *rest[left:]]
