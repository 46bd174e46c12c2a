"""Calls of the validation's function after the training, on other data, or instead of it: `trainer.validate` runs the same hooks for them.

All other uses of the function must be such calls, else it stays in the text and goes on being called.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace

from ..recover.items import Item
from ..recover.names import parameter_names
from ..recover.nest import last_statement
from ..recover.phases import NotStraight, Validation, breaks_text, check_call_first, parts_before
from ..recover.roles import Role, bound_argument
from ..recover.syntax import dotted, walk, walk_scope
from ..recover.variables import Variable
from .afterwards import statements_after
from .behind import as_called, as_given, behind, changed_on_the_way, is_same_global
from .draft import Behind, Draft, Second
from .entry_names import epoch_counters
from .evaluate_only import before, leaves_nothing, may_be_made_above
from .looks import Looks
from .made_anew import before_made_anew
from .modes import mode_calls, only_mode_call
from .moved_back import uses_models_behind
from .own_loaders import own_loader
from .returned_values import found_at_the_end
from .samplers import sampler_with_epoch
from .state import State
from .steps import controls
from .train_data import constructions, owns_generator
from .validation_epochs import guard_of

_OF_TRAINING = {Role.OPTIMIZER, Role.SCHEDULER, Role.SCALER, Role.LOADER}
"""What the hooks ask the Trainer for, which has none when it validates."""


@dataclass(frozen=True, slots=True)
class _Own:
    """The function and what of it runs in hooks; ``loader`` is the parameter that it runs over."""

    function: ast.FunctionDef
    loader: str
    items: list[Item]


def own_items(found: Validation) -> list[Item]:
    """What of a validation its function does itself."""
    return [i for i in [*found.before, *found.body, *found.trailing] if i.kind != "result" and _inner(i, found)]


def _inner(item: Item, found: Validation) -> bool:
    frames = [one.frame for one in found.all]
    frame = item.frame
    while frame.caller is not None:
        if frame in frames:
            return True
        frame = frame.caller
    return False


def second_evaluations(draft: Draft, found: Validation) -> list[Second]:
    """The calls after the loop that `trainer.validate` can make in the function's stead: all others that there are, or none.

    Where other trainings follow, of other networks, their calls are theirs.
    """
    function, call = found.frame.scope, found.call
    if call is None or not isinstance(function, ast.FunctionDef) or found.frame.caller is not draft.nest.entry:
        return []
    apart = before_made_anew(draft) if draft.other_loops else None
    if draft.other_loops and apart is None:
        return []
    if draft.source.view is not None or (found.every is not None and found.others):
        return []
    if draft.group is not None or draft.options.several_processes or function.name in draft.wanted_elsewhere:
        return []
    mine = [one.call for one in found.all if one.frame.scope is function]
    others = [c for c in draft.source.calls_to(function.name) if c not in mine]
    uses = sum(n.id == function.name for n in draft.source.all(ast.Name))
    if not others or uses != len(others) + len(mine) or "__all__" in draft.source.text:
        return []
    base = found.loop.base
    if (
        not isinstance(base, ast.Name)
        or base.id not in parameter_names(function)
        or not _is_the_same_again(draft, found)
    ):
        return []
    if found.arms and _asks_loaders(draft, found):
        return []
    own = _Own(function, base.id, own_items(found))
    if not _only_counts(draft, found, own) or _looks_at_gradients(draft, apart):
        return []
    trailing = [i for i in found.trailing if i.kind != "result" and _inner(i, found)]
    if not found.others and any(not _may_end_validation(draft, item) for item in trailing):
        return []
    if _is_read_behind(draft, found):
        return []
    seconds = [_second(draft, found, own, other) for other in others]
    return [s for s in seconds if s is not None] if all(seconds) or apart is not None else []


@dataclass(frozen=True, slots=True)
class Divided:
    """The items of a validation's hooks, which run again for every evaluation, and those of the epoch's end."""

    start: list[Item]
    end: list[Item]
    epoch_end: list[Item]


def divide_at_function(draft: Draft, found: Validation, seconds: list[Second]) -> Divided:
    """What stands around the validation loop, parted: the function's own runs again, and its result where that is kept.

    The script's numbers of the epoch that stand before it may wait: in `trainer.validate` there is no training loader to ask.
    """
    kept = seconds[0].kept is not None
    guard = guard_of(draft, found)
    own = [i for i in found.trailing if (kept if i.kind == "result" else _inner(i, found))]
    if found.others:  # what it makes of every loader's numbers would run for loaders that are not there
        own = []
    before = around_hooks(found)
    waiting = [i for i in before if not _inner(i, found) and not (mode_calls(draft, i) and only_mode_call(i))]
    return Divided(
        [i for i in before if i not in waiting],
        own,
        [*(replace(i, guard=guard) for i in [*waiting, *(i for i in found.trailing if i not in own)]), *found.rest],
    )


def around_hooks(found: Validation) -> list[Item]:
    """The items that the validation's first hook takes: where it runs in some epochs only, what leads to it stays with the batches."""
    return [*found.before] if found.every is not None else [*found.leading, *found.before]


def _may_end_validation(draft: Draft, item: Item) -> bool:
    effects = draft.effects_of(item)
    inert = not (effects.gradients or effects.optimizer or effects.rng or effects.model)
    return inert and not controls(item.node)


def _is_read_behind(draft: Draft, found: Validation) -> bool:
    """Whether code behind the loop reads a variable of the script that the validation's hooks write: they run once more."""
    hooks = [*around_hooks(found), *found.body, *(i for i in found.trailing if i.kind != "result")]
    written = {v.name for v in draft.variables.sequence(hooks).written if _is_of_script(draft, v)}
    return bool(written & _loaded_behind(draft))


def _loaded_behind(draft: Draft) -> set[str]:
    nodes = (n for s in statements_after(draft) for n in walk(s))
    return {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}


def _second(draft: Draft, found: Validation, own: _Own, call: ast.Call) -> Second | None:
    statement = draft.source.statement_of(call)
    result = next((i for i in found.trailing if i.kind == "result"), None)
    place = behind(draft, statement) or _before(draft, found, own, statement)
    if place is None or not isinstance(statement, ast.Expr | ast.Assign | ast.Return):
        return None
    last = last_statement(own.function.body)
    value = last.value if isinstance(last, ast.Return) else None
    if found.others:
        ends = [i for i in found.trailing if i.kind != "result" and i.frame is found.frame]
        if (value := found_at_the_end(draft, ends, value)) is None:
            return None
    calls = [n for n in walk(statement) if isinstance(n, ast.Call) and dotted(n.func) == own.function.name]
    if len(calls) != 1 or breaks_text(statement, call, value):
        return None
    try:
        check_call_first(_as_expression(statement), call)
    except NotStraight:
        return None
    if any(isinstance(n, ast.Call | ast.Await) for part in parts_before(statement, call) for n in walk_scope(part)):
        return None
    arguments: list[tuple[str, ast.expr]] = []
    for name in parameter_names(own.function):
        first, second = found.frame.arguments.get(name), bound_argument(own.function, call, name)
        if first is None or second is None or any(isinstance(n, ast.Call | ast.NamedExpr) for n in walk(second)):
            return None
        if name != own.loader:
            same, given_there = as_called(draft, first, place), as_given(draft, second, place)
            if same is None or given_there is None or ast.dump(same) != ast.dump(given_there):
                return None
        arguments.append((name, second))
    given = dict(arguments)
    if _is_another(draft, own, place, given) or not _may_be_run(draft, given[own.loader], place):
        return None
    if place.call is not None and not _is_known_there(draft, found, own, value, place):
        return None
    if place.inner is not None and uses_models_behind(draft, place, statement):
        return None
    kept = _kept_in(draft, found, result)
    return Second(call, statement, given[own.loader], value, tuple(arguments), kept, found.frame, place)


def _before(draft: Draft, found: Validation, own: _Own, statement: ast.stmt) -> Behind | None:
    """The place of a call in a branch above the loop that leaves."""
    return before(draft, statement) if leaves_nothing(draft, found, own.items) else None


def _as_expression(statement: ast.stmt) -> ast.stmt:
    """A `return` as the statement that its value would be."""
    if not isinstance(statement, ast.Return) or statement.value is None:
        return statement
    return ast.copy_location(ast.Expr(statement.value), statement)


def _is_another(draft: Draft, own: _Own, place: Behind, given: dict[str, ast.expr]) -> bool:
    """Whether a name that the evaluation reads may stand for something else where it runs again."""
    read = {v.name for v in draft.variables.sequence(own.items).exposed if _is_of_script(draft, v)}
    loop = {v.name for v in _rebound(draft) if _is_of_script(draft, v)}
    values = [value for name, value in given.items() if name != own.loader]
    values += [v for value in values if (v := as_given(draft, value, place)) is not None]
    values += [ast.Name(name, ast.Load()) for name in read]
    names = {n.id for value in values for n in walk(value) if isinstance(n, ast.Name)}
    on_the_way = replace(place, passed=(*place.passed, *place.between))
    if changed_on_the_way(draft, on_the_way, values) or names & loop:
        return True
    module = draft.source.tree
    return any(draft.roles.rebound_unseen((module, name)) for name in names if _is_global(draft, name, place))


def _asks_loaders(draft: Draft, found: Validation) -> bool:
    """Whether the hooks ask any of several loaders for something, which are not there where the Trainer validates over another one."""
    loaders = {draft.variable(one.loop.base, one.frame) for one in found.all}
    hooks = [*around_hooks(found), *found.body, *found.trailing]
    return bool(draft.variables.sequence([i for i in hooks if i.kind != "bind"]).read & loaders)


def _is_global(draft: Draft, name: str, place: Behind) -> bool:
    key = draft.roles.key(place.frame.scope, name)
    return key is not None and isinstance(key[0], ast.Module)


def _is_known_there(draft: Draft, found: Validation, own: _Own, value: ast.expr | None, place: Behind) -> bool:
    """Whether what the returned value reads is the same where the function around the loop is called, and no hook binds such a name."""
    inside = draft.roles.locals(own.function)
    names = {n.id for n in walk(value) if isinstance(n, ast.Name)} - inside if value is not None else set()
    hooks = [*found.leading, *found.before, *found.body, *found.trailing]
    if any(v.is_global for v in draft.variables.sequence(hooks).written):
        return False
    return all(is_same_global(draft, name, place) for name in names)


def _is_the_same_again(draft: Draft, found: Validation) -> bool:
    """Whether what stands before the function's call only finds numbers that the evaluation neither reads nor changes."""
    outer = [i for i in around_hooks(found) if not _inner(i, found)]
    again = draft.variables.sequence([*own_items(found), *(i for i in found.trailing if i.kind == "result")])
    written = draft.variables.sequence([*around_hooks(found), *found.body, *found.trailing]).written
    looks = Looks(draft)
    for item in outer:
        calls = mode_calls(draft, item)
        if only_mode_call(item) and calls and all(mode == "eval" for _, mode in calls):
            continue
        node = item.node
        if item.kind not in ("statement", "result") or not isinstance(node, ast.Assign):
            return False
        if not all(isinstance(target, ast.Name) for target in node.targets):
            return False
        seen, frame = node.value, item.frame
        if item.kind == "result":
            if item.value is None or item.callee is None or node.value is not item.call:
                return False
            seen, frame = item.value, item.callee
        use = draft.variables.use(item)
        if use.read & written or use.written & again.read or not looks.only(seen, frame):
            return False
    return True


def _only_counts(draft: Draft, found: Validation, own: _Own) -> bool:
    """Whether the function reads nothing that the training changes but the weights, and knows its loader as its parameter only."""
    use = draft.variables.sequence(own.items)
    loader = draft.variable(found.loop.base, found.frame)
    last = last_statement(own.function.body)
    given = {n.id for n in walk(last) if isinstance(n, ast.Name)} if isinstance(last, ast.Return) else set()
    exposed = use.exposed | {v for name in given if (v := draft.variables.of(found.frame, name)) is not None}
    exposed -= use.definite
    used = {v for v in exposed if v is not loader and draft.roles.role_of((v.scope, v.name)) in _OF_TRAINING}
    if used or exposed & (_rebound(draft) | epoch_counters(draft)):
        return False
    for item in [*found.leading, *found.before, *found.body, *found.trailing]:
        if item.kind == "bind":
            continue
        for node in walk(item.node if item.kind == "statement" else item.value or ast.Constant(None)):
            frame = item.callee if item.kind == "result" and item.callee is not None else item.frame
            if not isinstance(node, ast.Name) or draft.variable(node, frame) is not loader:
                continue
            if frame is not found.frame:
                return False
    return True


def _looks_at_gradients(draft: Draft, apart: list[ast.stmt] | None) -> bool:
    """Whether code behind the loop reads the gradients that training leaves, which `trainer.validate` clears."""
    entry = draft.nest.entry.scope
    if any(draft.effects.of(s, entry).gradients for s in (statements_after(draft) if apart is None else apart)):
        return True
    inside = {id(n) for n in walk(draft.nest.outermost)}
    for frame in draft.nest.entered:
        inside |= {id(n) for n in walk(frame.scope)} if not isinstance(frame.scope, ast.Module) else set()
    if isinstance(entry, ast.Module):
        return False
    asked = (n for n in draft.source.all(ast.Attribute) if n.attr in ("grad", "backward", "zero_grad", "step"))
    return any(id(n) not in inside for n in asked)


def _is_of_script(draft: Draft, variable: Variable) -> bool:
    return variable.frame is draft.nest.entry or variable.is_global


def _rebound(draft: Draft) -> set[Variable]:
    """The variables that a turn of the loop may bind to something else: `model = model.eval()` does not."""
    items = [i for i in draft.epoch.items if not (mode_calls(draft, i) and only_mode_call(i))]
    return set(draft.variables.sequence(items).written)


def _may_be_run(draft: Draft, loader: ast.expr, place: Behind) -> bool:
    if not isinstance(loader, ast.Name) or owns_generator(draft, loader, place.frame):
        return False
    made = constructions(draft, loader, place.frame)
    return not own_loader(draft, loader, place.frame) and sampler_with_epoch(made) is None


def _kept_in(draft: Draft, found: Validation, result: Item | None) -> Variable | None:
    """The variable of the loop that the result is assigned to, where the epoch reads it later and nothing behind the loop does."""
    if found.others or result is None or not isinstance(result.node, ast.Assign):
        return None
    if result.node.value is not result.call:
        return None
    targets = result.node.targets
    if len(targets) != 1 or not isinstance(targets[0], ast.Name):
        return None
    variable = draft.variables.of(result.frame, targets[0].id)
    if (
        variable is None
        or variable.name in _loaded_behind(draft)
        or variable not in draft.variables.sequence(found.rest).read
    ):
        return None
    return variable


def can_be_asked(draft: Draft, state: State, second: Second) -> bool:
    """Whether what the function returns can be read behind the loop: all that it reads is on the module, or known there."""
    if second.place.branch is not None and not may_be_made_above(draft, state, second.place):
        return False
    return values_behind(draft, state, second) is not None


def values_behind(draft: Draft, state: State, second: Second) -> dict[str, str] | None:
    """What stands for the names of the returned value behind the loop: source, "self.x" for an attribute of the module, "self.x[0]" for
    one that has a value for each loader.
    """
    if second.kept is not None:
        home = state.homes.get(second.kept, "")
        return {"": state.reading(second.kept)} if home.startswith("self.") and home[5:].isidentifier() else None
    found: dict[str, str] = {}
    arguments = dict(second.arguments)
    for node in walk(second.value) if second.value is not None else []:
        if not isinstance(node, ast.Name) or node.id in found:
            continue
        if node.id in arguments:
            found[node.id] = draft.source.segment(arguments[node.id])
            continue
        variable = draft.variables.of(second.frame, node.id)
        if variable is None or (variable.is_global and variable not in state.homes):
            continue
        home = state.homes.get(variable, "")
        if not home.startswith("self.") or not home[5:].isidentifier():
            return None
        found[node.id] = (
            f"{home}[0]" if variable in state.per_loader else state.reading(variable)
        )  # its loader is the only one there
    return found
