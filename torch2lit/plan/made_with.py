"""What belongs to the making of an optimizer besides the optimizer, and what only looks as if it did.

optimizer = Adam(model.parameters())
optimizer.zero_grad()                      says something to the optimizer alone, and goes with it
optimizer.param_groups[0]["lr"] = 0.1      so do numbers of its groups
scheduler = StepLR(optimizer, 10)          so does a schedule that nobody steps, or that another one is made of
warmup = WarmUp(optimizer, 100)             and an object of the script's own that is given the optimizer, for the loop
low = args.lr / 100                        and under a test what only a schedule is made of
warmup = CosineSchedule(0.1, steps)        knows no optimizer: a value like any other
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Container

from ..recover.names import flow, parameter_names
from ..recover.own_classes import class_of_call, is_bare
from ..recover.roles import Key, Role
from ..recover.syntax import walk
from ..recover.variables import Variable
from ..recover.wanted_names import WantedNames
from .draft import Draft
from .group_settings import finds_by_text, groups_set
from .may_show import may_show
from .statements_between import statements_between


def holds_no_optimizer(draft: Draft, scheduler: Variable) -> bool:
    """Whether what is taken for a scheduler is made of numbers alone: the script asks it for a rate and sets that itself."""
    return _knows_none(draft, (scheduler.scope, scheduler.name), frozenset())


_WEIGHTS = {"parameters", "named_parameters", "state_dict", "state", "values", "items"}
"""What is asked for weights: models, optimizers, and the groups of these."""


def objects_around(draft: Draft, optimizers: Collection[Variable]) -> list[Variable]:
    """The objects of the script's own that are given an optimizer when they are made: warm-ups, whatever they are called."""
    found: list[Variable] = []
    for statement in statements_between(draft, 0):
        match statement:
            case ast.Assign(targets=[ast.Name() as target], value=ast.Call() as call):
                given = [*call.args, *(k.value for k in call.keywords)]
                made = draft.variable(target, draft.nest.entry)
                if made is None or not any(draft.variable(a, draft.nest.entry) in optimizers for a in given):
                    continue
                own = class_of_call(draft.roles, call)
                quiet = own is not None and is_bare(draft.roles, own) and not may_show(draft.roles, call)
                if quiet and made not in found:
                    found.append(made)
    return found


def looks_at_weights(draft: Draft, variable: Variable) -> bool:
    """Whether an object of the script's own may keep weights as they are when it is made: they may be loaded after that."""
    values = [b.value for b in draft.roles.bindings((variable.scope, variable.name))]
    return any(isinstance(value, ast.Call) and _looks_at_weights(draft, value) for value in values)


def _looks_at_weights(draft: Draft, call: ast.Call) -> bool:
    roles, scope = draft.roles, draft.source.scope_of(call)
    own = class_of_call(roles, call)
    if own is None or not is_bare(roles, own):
        return False
    if any(isinstance(n, ast.Name) and roles.role(scope, n.id) is Role.MODEL for n in walk(call)):
        return True
    return any(
        (isinstance(n, ast.Attribute) and n.attr in _WEIGHTS) or (isinstance(n, ast.Constant) and n.value == "params")
        for n in walk(own)
    )


def _knows_none(draft: Draft, key: Key, asked: frozenset[Key]) -> bool:
    roles = draft.roles
    values = [(draft.source.scope_of(b.value), b.value) for b in roles.bindings(key)] or roles.arguments(*key)
    if not values or roles.rebound_unseen(key) or _comes_with_an_optimizer(draft, key):
        return False
    for scope, value in values:
        for node in walk(value):
            if isinstance(node, ast.Lambda | ast.Await | ast.Yield | ast.Starred):
                return False
            if isinstance(node, ast.Call) and roles.full_name(node.func).startswith("torch.optim."):
                return False
            inner = roles.key(scope, node.id) if isinstance(node, ast.Name) else None
            if inner is None or inner == key or inner in asked:
                continue
            if inner in draft.effects.optimizers:
                if roles.role_of(inner) is not Role.SCHEDULER or not _knows_none(draft, inner, asked | {key}):
                    return False
    return True


def _comes_with_an_optimizer(draft: Draft, key: Key) -> bool:
    """Whether one call gives the object and an optimizer, of which the object may be made."""
    roles = draft.roles
    statements = [b.statement for b in roles.bindings(key) if b.index is not None]
    given = {roles.key(key[0], name) for s in statements for name in flow([s]).written}
    return any(one is not None and roles.role_of(one) is Role.OPTIMIZER for one in given)


def settings_of(draft: Draft, variables: list[Variable], making: list[ast.stmt]) -> list[ast.stmt]:
    """The statements between the making and the loop that do nothing but to the optimizers, and bind nothing that is read."""
    if not making:
        return []
    between = [s for s in statements_between(draft, making[0].lineno) if s not in making]
    found: list[ast.stmt] = []
    for place, statement in enumerate(between):
        cleared = clears(draft, statement, variables)
        if cleared and any(_may_fill(draft, s) for s in between[place + 1 :] if not clears(draft, s, variables)):
            continue
        if cleared or _goes_with(draft, statement, variables) or _is_own_schedule(draft, statement, variables, making):
            found.append(statement)
    return found


def _goes_with(draft: Draft, statement: ast.stmt, variables: list[Variable]) -> bool:
    """Whether all that a statement does is a step of a schedule, or that groups get other numbers."""
    return _steps(draft, statement, variables) or _sets_groups(draft, statement, variables)


def _sets_groups(draft: Draft, statement: ast.stmt, variables: list[Variable]) -> bool:
    """Whether all that a statement does is that groups of the optimizers get other numbers."""
    owners = groups_set(draft, statement)
    return bool(owners) and all(draft.variable(owner, draft.nest.entry) in variables for owner in owners)


def _may_fill(draft: Draft, statement: ast.stmt) -> bool:
    """Whether a statement may take gradients, or look at them, before the loop does."""
    return draft.effects.of(statement, draft.nest.entry.scope).gradients


def _said_to(draft: Draft, statement: ast.stmt, method: str, *, told: bool = False) -> Variable | None:
    """The variable whose method a statement calls, and does no more; ``told``: it may be told numbers by their names."""
    match statement:
        case ast.Expr(
            value=ast.Call(func=ast.Attribute(value=ast.Name() as owner, attr=called), args=args, keywords=[])
        ):
            plain = not args or (told and all(isinstance(a, ast.Name | ast.Constant) for a in args))
            return draft.variable(owner, draft.nest.entry) if plain and called == method else None
    return None


def clears(draft: Draft, statement: ast.stmt, variables: list[Variable]) -> bool:
    """Whether a statement clears the gradients that one of the optimizers steps by, and does no more."""
    cleared = _said_to(draft, statement, "zero_grad")
    return cleared in variables and draft.roles.role_of((cleared.scope, cleared.name)) is Role.OPTIMIZER


def _steps(draft: Draft, statement: ast.stmt, variables: list[Variable]) -> bool:
    """Whether a statement steps schedules, as often as ranges and tests say maybe."""
    match statement:
        case ast.For(target=ast.Name(), iter=ast.Call(func=ast.Name(id="range")), body=inner, orelse=[]):
            return all(_steps(draft, s, variables) for s in inner)
        case ast.If(body=body, orelse=orelse):
            return all(_steps(draft, s, variables) for s in [*body, *orelse])
    stepped = _said_to(draft, statement, "step", told=True)
    return stepped in variables and draft.roles.role_of((stepped.scope, stepped.name)) is Role.SCHEDULER


def _is_own_schedule(draft: Draft, statement: ast.stmt, variables: list[Variable], making: list[ast.stmt]) -> bool:
    """Whether a statement makes a schedule of torch's of which nothing but the making reads: nobody, or another schedule."""
    match statement:
        case ast.Assign(
            targets=[ast.Name(id=name) as target], value=ast.Call(func=function, args=[ast.Name() as first, *_])
        ):
            if not draft.roles.full_name(function).startswith("torch.optim.lr_scheduler."):
                return False
            inside = {id(n) for s in making for n in walk(s)}
            mentions = [n for n in draft.source.all(ast.Name) if n.id == name and n is not target]
            return draft.variable(first, draft.nest.entry) in variables and all(id(n) in inside for n in mentions)
    return False


def is_named_there_alone(draft: Draft, names: Collection[str], making: list[ast.stmt]) -> bool:
    """Whether nothing but the making mentions names that it binds beside its optimizers: steps on the way to them."""
    if not names:
        return True
    scope, source = draft.nest.entry.scope, draft.source
    if finds_by_text(source):
        return False
    declared = {name for n in walk(source.tree) if isinstance(n, ast.Global | ast.Nonlocal) for name in n.names}
    if declared & {*names}:
        return False
    neighbours = draft.roles.neighbours
    taken: Container[str] = () if isinstance(scope, ast.Module) else parameter_names(scope)
    if isinstance(scope, ast.Module) and neighbours is not None:
        taken = WantedNames(neighbours.path)
    inside = {id(n) for s in making for n in walk(s)}
    return not any(name in taken for name in names) and not any(
        isinstance(n, ast.Name) and n.id in names and id(n) not in inside for n in walk(scope)
    )


def is_unread(draft: Draft, statement: ast.stmt) -> bool:
    """Whether nothing mentions what a statement of the making binds."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)]):
            return sum(n.id == name for n in draft.source.all(ast.Name)) == 1
    return False
