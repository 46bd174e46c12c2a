"""Evaluations of one epoch by the same function, one after the other over other loaders: one validation over several loaders.

train_acc = evaluate(model, train_loader)        fit(module, train_loader, [train_loader, valid_loader])
valid_acc = evaluate(model, valid_loader)
"""

from __future__ import annotations

import ast
from dataclasses import replace

from ..recover.items import Guard, Item, parts
from ..recover.loops import loop_names
from ..recover.phases import Validation, validation_at, validation_in_result
from ..recover.syntax import dotted, walk, walk_scope
from ..recover.variables import Use, Variable
from .changes import changed_names, reached_names
from .draft import Draft
from .looks import Looks
from .modes import mode_calls
from .steps import controls

_SHOWS = {
    "print", "pprint", "display", "show", "write", "writelines", "dump", "save", "savefig", "log", "debug", "info",
    "warning", "warn", "error", "critical", "exception", "tqdm", "trange", "set_description", "set_postfix", "set_postfix_str",
    "exec", "input", "open", "system", "add_scalar", "add_scalars", "summary",
}  # fmt: skip
"""What brings something to where its order can be seen."""
_SILENT = ("torch.", "numpy.", "math.")
LOADER_INDEX = "dataloader_idx"
"""What Lightning calls the place of a loader among several."""


def join_following(draft: Draft, found: Validation) -> None:
    """Let the evaluations by the same function that follow be part of this one, where that is the same.

    What stands between them runs after the last one now.
    """
    several = following(draft, found)
    if not several:
        return
    own, _ = divide(found)
    first = replace(found, trailing=own)
    evaluations = [first, *(one for _between, one in several)]
    moved: list[Item] = []
    for index, (between, one) in enumerate(several):
        before = evaluations[index].trailing
        moved += [*(map(value_alone, before) if follows_in_statement(one, before) else before), *between]
        if not may_pass(draft, moved, one):
            return
    apart = given_apart(draft, evaluations)
    if apart is None or not starts_plainly(draft, first):
        return
    last = several[-1][1]
    block, rest = last.leading, last.rest
    trailing = [*own]
    for between, one in several:
        if follows_in_statement(one, trailing):
            trailing.pop()
        trailing = [i for i in trailing if not _only_trains_again(draft, i, one)]
        trailing += [*between, *one.trailing]
    found.trailing, found.rest = [*trailing, *block], rest
    found.others = evaluations[1:]
    found.body = [*values_apart(evaluations, (*range(len(evaluations)),), apart), *found.body]
    for one in found.all:
        one.before = without_values(one.before, found.all, apart)
    found.unwrapped += [s for one in found.others for s in one.unwrapped if s not in found.unwrapped]


# ---- which evaluations follow


def following(draft: Draft, found: Validation, by_any: bool = False) -> list[tuple[list[Item], Validation]]:
    """The evaluations by the same function, or ``by_any``, that follow, each with the items between it and the one before.

    The last one's ``leading`` are the items of its block that are left, its ``rest`` those of the epoch.
    """
    if not by_any and (found.call is None or not isinstance(found.call.func, ast.Name)):
        return []
    several: list[tuple[list[Item], Validation]] = []
    own, tail = divide(found)
    last, rest = replace(found, trailing=own), found.rest
    while (step := _next(draft, last, tail, [] if found.every is not None else rest, by_any)) is not None:
        between, last, tail, left = step
        rest = rest if found.every is not None else left
        last.leading, last.rest = tail, rest
        several.append((between, last))
    return several


def divide(one: Validation) -> tuple[list[Item], list[Item]]:
    """What belongs to the function and the statement that calls it, and what stands after that in the same block."""
    if one.call is None:
        return [], one.trailing
    ends = [i for i, item in enumerate(one.trailing) if item.call is one.call or item.frame is one.frame]
    at = ends[-1] + 1 if ends else 0
    return one.trailing[:at], one.trailing[at:]


def _next(
    draft: Draft, last: Validation, block: list[Item], rest: list[Item], by_any: bool
) -> tuple[list[Item], Validation, list[Item], list[Item]] | None:
    """What stands between the last evaluation and the next one, that one, and what is then left of its block and the epoch."""
    if len(last.trailing) == 1 and last.trailing[0].kind == "result":
        again = validation_in_result(draft.source, draft.roles, last.trailing[0])
        if again is not None and (by_any or _name(again) == _name(last)):
            again.trailing, _ = divide(again)
            return [], again, block, rest
    items = [*block, *rest]
    for index, item in enumerate(items):
        if item.kind != "statement" or controls(item.node):
            return None
        one = validation_at(draft.source, draft.roles, item)
        if one is None:
            continue
        if one.every is not None or not (by_any or (one.call is not None and _name(one) == _name(last))):
            return None
        outer = [i for i in one.before if i.frame is not one.frame]
        one.before = [i for i in one.before if i.frame is one.frame]
        one.trailing, inside = divide(one)
        left = [*inside, *block[index + 1 :]] if index < len(block) else inside
        return [*items[:index], *outer], one, left, rest[max(0, index - len(block) + 1) :]
    return None


def _name(one: Validation) -> str:
    return dotted(one.call.func) if one.call is not None else ""


def follows_in_statement(one: Validation, items: list[Item]) -> bool:
    """Whether the call stands in a statement that takes a result of the items, too."""
    return any(item.inner is not None and item.inner in items for item in one.trailing)


def value_alone(item: Item) -> Item:
    """The result of a call without the statement around it."""
    assert item.call is not None
    return replace(item, node=ast.Expr(item.call), inner=None)


# ---- whether one validation over all loaders is the same


def may_pass(draft: Draft, moved: list[Item], one: Validation) -> bool:
    """Whether items may run after an evaluation that they stood before."""
    loop = [*one.before, *one.body]
    moved = [item for item in moved if not _only_trains_again(draft, item, one)]
    use, other = draft.variables.sequence(moved), draft.variables.sequence(loop)
    if use.written & (other.read | other.written) or use.read & other.written:
        return False
    for item in moved:
        effects = draft.effects_of(item)
        if effects.model or effects.mode or effects.gradients or effects.optimizer or effects.rng or effects.clock:
            return False
        if item.kind == "statement" and (controls(item.node) or _asks_model(draft, item)):
            return False
    if _change_each_other(draft, moved, use, one):
        return False
    if any(draft.effects_of(item).clock for item in loop):
        return False
    return not (_shows(draft, moved) and _shows(draft, loop))


def _only_trains_again(draft: Draft, item: Item, one: Validation) -> bool:
    """Whether an item only switches models to train mode, which the next evaluation switches to eval mode at once."""
    switched = {model for model, mode in mode_calls(draft, item) if mode == "train"}
    names = [(v.scope, v.name) for i in one.before for v, mode in mode_calls(draft, i) if mode == "eval"]
    return isinstance(item.node, ast.Expr) and bool(switched) and all((v.scope, v.name) in names for v in switched)


def _change_each_other(draft: Draft, moved: list[Item], use: Use, one: Validation) -> bool:
    """Whether the items, or an evaluation, may change an object that the other one looks at. Locals of the function are of no concern."""
    own, loop = one.frame.scope, [*one.before, *one.body]
    inside = {*draft.roles.locals(own)}
    changed = changed_names(draft, loop)
    for name in changed & one.frame.arguments.keys():
        changed |= {n.id for n in ast.walk(one.frame.arguments[name]) if isinstance(n, ast.Name)}
    if (changed - inside | changed & _given(one)) & {v.name for v in use.read | use.written if v.scope is not own}:
        return True
    looks = Looks(draft)
    doing = [item for item in moved if not only_looks(looks, item)]
    reached = reached_names(draft, [i for i in loop if i.kind != "bind" or not isinstance(i.value, ast.Name)])
    return bool(changed_names(draft, doing) & (reached - inside | _given(one, reached)))


def only_looks(looks: Looks, item: Item) -> bool:
    """Whether an item finds a value, and does nothing but to bind it."""
    for part, frame in parts(item):
        value = part.value if isinstance(part, ast.Assign | ast.Expr) else part
        bound = part.targets if isinstance(part, ast.Assign) else [part]
        if isinstance(part, ast.Name | ast.Tuple) and isinstance(part.ctx, ast.Store):
            continue
        plain = all(isinstance(n, ast.Name | ast.Tuple | ast.expr_context) for b in bound for n in ast.walk(b))
        if isinstance(part, ast.Assign) and not plain:
            return False
        if not isinstance(value, ast.expr) or not looks.only(value, frame):
            return False
    return True


def _given(one: Validation, read: set[str] | None = None) -> set[str]:
    """The caller's names in the arguments of a call, or in those of the parameters that are read."""
    values = [value for name, value in one.frame.arguments.items() if read is None or name in read]
    return {n.id for value in values for n in ast.walk(value) if isinstance(n, ast.Name)}


def _asks_model(draft: Draft, item: Item) -> bool:
    return any(isinstance(n, ast.Attribute) and n.attr in ("training", "grad") for n in walk_scope(item.node))


def _shows(draft: Draft, items: list[Item]) -> bool:
    """Whether the code may print or write something, itself or by what it calls."""
    waiting: list[ast.AST] = [part for item in items for part, _frame in parts(item)]
    seen: set[str] = set()
    while waiting:
        for call in (n for n in walk(waiting.pop()) if isinstance(n, ast.Call)):
            last = dotted(call.func).rpartition(".")[2]
            if last in _SHOWS and not draft.roles.full_name(call.func).startswith(_SILENT):
                return True
            names = {last, "__init__"} if last in draft.source.classes else {last}
            if last not in draft.roles.origins and not any(f.name == last for f in draft.source.functions):
                names |= {"forward", "__call__"}
            waiting += [f for f in draft.source.functions if f.name in names - seen]
            seen |= names
    return False


def given_apart(draft: Draft, evaluations: list[Validation]) -> set[str] | None:
    """The parameters for which calls of one function give values of their own that what is done with a batch reads.

    None where they cannot be one validation.
    """
    apart: set[str] = set()
    for one in evaluations[1:]:
        if (own := _given_otherwise(draft, evaluations[0], one)) is None:
            return None
        apart |= own
    return apart


def values_apart(evaluations: list[Validation], places: tuple[int, ...], names: set[str]) -> list[Item]:
    """What gives parameters their values for the batches of each of the loaders at these places."""
    found: list[Item] = []
    for place in places:
        guard = Guard(loaders=(place,), count=len(evaluations), part=places[0] + 1)
        binds = [i for i in evaluations[place].before if _binds_one(i, evaluations[place], names)]
        found += [replace(i, guard=guard) for i in binds]
    return found


def without_values(items: list[Item], evaluations: list[Validation], names: set[str]) -> list[Item]:
    """Items without what gives those parameters their values in evaluations."""
    return [i for i in items if not any(_binds_one(i, one, names) for one in evaluations)]


def _binds_one(item: Item, one: Validation, names: set[str]) -> bool:
    return item.kind == "bind" and item.frame is one.frame and item.target in names


def _given_otherwise(draft: Draft, first: Validation, other: Validation) -> set[str] | None:
    """The parameters whose values differ where another call runs the same code; None where more does than values of which only the
    end asks, or what is done with a batch.
    """
    scope = first.frame.scope
    if (
        other.frame.scope is not scope
        or other.loop.node is not first.loop.node
        or (other.unwrapped and not first.unwrapped)
    ):
        return None
    arguments = {**first.frame.arguments}, {**other.frame.arguments}
    if arguments[0].keys() != arguments[1].keys() or not isinstance(first.loop.base, ast.Name):
        return None
    begins, body = (draft.variables.sequence(items) for items in (_statements(first.before), first.body))
    counted = {n.id for n in ast.walk(first.loop.first) if isinstance(n, ast.Name)} if first.loop.first else set()
    inside = {*begins.read}
    inside |= {v for name in counted if (v := draft.variables.of(first.frame, name)) is not None}
    apart: set[str] = set()
    behind = draft.variables.sequence(first.trailing).read
    for name, value in arguments[0].items():
        if ast.dump(value) == ast.dump(arguments[1][name]) and not _has_call(value):
            continue
        variable = draft.variables.of(first.frame, name)
        kinds = {type(value), type(arguments[1][name])}
        unread = kinds == {ast.Constant} and variable not in behind
        if variable is None or variable in inside or not (kinds == {ast.Name} or unread):
            return None
        if variable in body.read:
            if variable in behind or name == first.loop.base.id:
                return None
            if not _stays(draft, first, value) or not _stays(draft, other, arguments[1][name]):
                return None
            apart.add(name)
    return apart if first.loop.base.id in arguments[0] else None


def _stays(draft: Draft, one: Validation, value: ast.expr) -> bool:
    """Whether what a call gives is bound to nothing else while the evaluation runs."""
    written = draft.variables.sequence([*one.before, *one.body]).written
    caller = one.frame.caller
    return caller is not None and not (isinstance(value, ast.Name) and draft.variables.of(caller, value.id) in written)


def _has_call(node: ast.expr) -> bool:
    return any(isinstance(n, ast.Call) for n in ast.walk(node))


def _statements(items: list[Item]) -> list[Item]:
    return [item for item in items if item.kind == "statement"]


def starts_plainly(draft: Draft, first: Validation) -> bool:
    """Whether all that lives through the evaluation starts with fresh values, of which every loader can have its own."""
    started: set[Variable] = set()
    for item in _statements(first.before):
        if item.frame is not first.frame or is_mode_switch(item.node):
            continue
        names = started_names(item.node)
        effects = draft.effects_of(item)
        touches = (
            effects.model or effects.mode or effects.gradients or effects.optimizer or effects.rng or effects.clock
        )
        variables = [draft.variables.of(item.frame, name) for name in names]
        if not names or touches or effects.mutates or any(v is None or v.frame is not first.frame for v in variables):
            return False
        if draft.variables.use(item).read & started:
            return False
        started |= {v for v in variables if v is not None}
    given = {v for name in first.frame.arguments if (v := draft.variables.of(first.frame, name)) is not None}
    batch = {v for name in loop_names(first.loop) if (v := draft.variables.of(first.frame, name)) is not None}
    body = draft.variables.sequence(first.body)
    own, _ = divide(first)
    after = draft.variables.sequence(own)
    lives = {v for v in body.exposed | after.exposed if v.frame is first.frame}
    count = draft.variables.of(first.frame, first.loop.index) if first.loop.index else None
    if (after.exposed & batch) - {count}:  # the last batch of the last loader, for all of them
        return False
    return lives <= started | given | batch and not (started | batch | body.written) & given


def is_mode_switch(node: ast.stmt) -> bool:
    """Whether a statement is ``model.eval()`` or the like."""
    match node:
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(), attr="eval"), args=[], keywords=[])):
            return True
    return False


def started_names(node: ast.stmt) -> list[str]:
    """The names that a statement gives a value each, [] when it does anything else."""
    match node:
        case ast.Assign(targets=[ast.Name(id=name)]):
            return [name]
        case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)):
            plain = [n.id for n in names if isinstance(n, ast.Name)]
            starred = any(isinstance(v, ast.Starred) for v in values)
            return plain if len(plain) == len(names) == len(values) and not starred else []
    return []


# ---- one thing under one name


def unite(draft: Draft, found: Validation) -> list[Item]:
    """Bring the names of the evaluations together; give back the items that fall away.

    A value that only comes into being at an evaluation's end goes to what the caller calls it; all else has one name, and a place for each loader.
    """
    variables = draft.variables
    dropped: list[Item] = []
    scopes = found.frames
    for one in found.all:
        one.before = variables.unite_binds(one.before)
    living = variables.sequence([*found.before, *found.body]).written
    for item in list(found.trailing):
        names = [n.id for n in ast.walk(item.value) if isinstance(n, ast.Name)] if item.value is not None else []
        inner = {variables.of(item.callee, n) for n in names} if item.callee is not None else set()
        apart = not {v.name for v in living} & {v.name for v in inner if v is not None}
        if item.callee in scopes and (apart or isinstance(item.node, ast.Expr)):
            if variables.unite_result(item):
                dropped.append(item)
    found.trailing = [i for i in found.trailing if i not in dropped]
    for places in found.arms or (tuple(range(len(found.all))),):
        first = found.all[places[0]]
        for one in (found.all[i] for i in places[1:]):
            for name in draft.roles.locals(one.frame.scope):
                unite_local(draft, one, first, name)
    return dropped


def unite_local(draft: Draft, one: Validation, other: Validation, name: str) -> None:
    """Let a name of the functions that evaluate be one variable for two evaluations."""
    mine, theirs = draft.variables.of(one.frame, name), draft.variables.of(other.frame, name)
    if mine is not None and theirs is not None and mine.frame is one.frame and theirs.frame is other.frame:
        draft.variables.unite(mine, theirs)
