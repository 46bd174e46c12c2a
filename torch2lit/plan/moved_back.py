"""Models that the script goes on using: after ``fit`` Lightning leaves them on the processor, and the script's data is elsewhere."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from ..recover.names import parameter_names
from ..recover.roles import Role, bound_argument
from ..recover.state_names import is_attribute, is_whole
from ..recover.syntax import Scope, dotted, walk
from ..recover.variables import Variable
from .afterwards import statements_after
from .draft import Behind, Draft, Placement, Second
from .held_models import held_models
from .moved import moved_functions

_ANYWHERE = {"state_dict", "load_state_dict", "eval", "train", "zero_grad", "requires_grad_", "training", "__class__"}
"""What a model does on any device."""
NO_HOLDERS = {Role.OPTIMIZER, Role.SCHEDULER, Role.LOADER, Role.WRITER, Role.BAR, Role.DEVICE}


def moved_back(draft: Draft, trainer: str, behind: ast.stmt | None = None) -> list[str]:
    """The moves of used models to the script's own device, as statements behind ``fit``, or behind an evaluation by the Trainer."""
    place = draft.placement
    if place is None or place.of_script == '"cpu"':
        return []
    return [
        f"{model.name}.to({_target(place, trainer)})"
        for model in sorted(held_models(draft), key=lambda v: v.rank)
        if not is_whole(model.name) and _is_used(draft, model, behind)
    ]


def moved_back_in_caller(draft: Draft, trainer: str, second: Second) -> list[str]:
    """The same behind an evaluation where the function around the loop is called, by the names that models have there."""
    placement, function = draft.placement, draft.nest.entry.scope
    if (
        placement is None
        or placement.of_script == '"cpu"'
        or second.place.call is None
        or second.place.inner is not None
    ):
        return []
    assert isinstance(function, ast.FunctionDef)
    found: list[str] = []
    for model in sorted(held_models(draft), key=lambda v: v.rank):
        given: ast.expr | None = ast.Name(model.name, ast.Load())
        if model.scope is function:
            given = bound_argument(function, second.place.call, model.name)
        if not isinstance(given, ast.Name):
            continue
        if _used_behind(draft, second.place.frame.scope, given.id, second.statement) and given.id not in found:
            found.append(given.id)
    return [f"{name}.to({trainer}.strategy.root_device)" for name in found]


def uses_models_behind(draft: Draft, place: Behind, statement: ast.stmt) -> bool:
    """Whether a model may still be used behind an evaluation in a function that is called there: it would have to be moved back for that."""
    if place.inner is None or place.call is None or isinstance(place.frame.scope, ast.Module):
        return False
    outer = draft.source.scope_of(place.inner)
    below = [s for s in walk(place.frame.scope) if isinstance(s, ast.stmt) and s.lineno > statement.lineno]
    names = {n.id for n in walk(place.call) if isinstance(n, ast.Name)}
    roles = draft.roles
    held = sorted(name for name in names if roles.of(ast.Name(name, ast.Load()), outer) is Role.MODEL)
    return (
        any(_used_behind(draft, outer, name, draft.source.statement_of(place.inner)) for name in held)
        or any(isinstance(n, ast.Name) and roles.of(n, place.frame.scope) is Role.MODEL for s in below for n in walk(s))
        or not held
    )


def _target(place: Placement, trainer: str) -> str:
    if place.device:
        return place.device
    return f"{trainer}.strategy.root_device" if place.measured else place.of_script


def _is_used(draft: Draft, model: Variable, behind: ast.stmt | None) -> bool:
    entry, roles = draft.nest.entry.scope, draft.roles
    if is_attribute(model.name):
        return True  # whoever has the object may go on using it
    key = (model.scope, model.name)
    if roles.key(entry, model.name) != key:
        return False
    after = statements_after(draft)
    if behind is not None:
        after = [s for s in after if s.lineno > behind.lineno]
    if (used := _used_in_order(draft, after, key)) is not None:
        return used
    if isinstance(model.scope, ast.Module):
        return not isinstance(entry, ast.Module) and _used_outside(draft, key, entry)
    return model.name in parameter_names(model.scope) and _used_by_callers(draft, model)


def _used_in_order(draft: Draft, after: list[ast.stmt], key: tuple[Scope, str]) -> bool | None:
    """Whether what follows the loop uses a model before it moves it itself; None when nothing there names it."""
    names = made_of(draft, key)
    for statement in after:
        if any(_is_moved(n, key[1]) for n in walk(statement)):
            return False
        if _uses(draft, [statement], names) or _reaches(draft, statement, key):
            return True
    return None


def _is_moved(node: ast.AST, name: str) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id=moved), attr="to" | "cuda" | "cpu")):
            return moved == name
    return False


def made_of(draft: Draft, key: tuple[Scope, str]) -> set[tuple[Scope, str]]:
    """A model and the variables of its scope that are made of it: wrappers, agents, lists."""
    found, before = {key}, 0
    while len(found) > before:
        before = len(found)
        for name in draft.roles.locals(key[0]):
            own = (key[0], name)
            if own in found or draft.roles.role_of(own) in NO_HOLDERS:
                continue
            for binding in draft.roles.bindings(own):
                if isinstance(binding.value, ast.Call) and not _keeps(draft, binding.value, own):
                    continue
                whole = isinstance(binding.value, ast.Name | ast.List | ast.Tuple | ast.Dict | ast.Call)
                if whole and _names_whole(draft, binding.value, found):
                    found.add(own)
    return found


def _keeps(draft: Draft, call: ast.Call, made: tuple[Scope, str]) -> bool:
    """Whether a call may give something that holds what it was given: an object of a class, or a model."""
    last = dotted(call.func).rpartition(".")[2]
    return last[:1].isupper() or draft.roles.role_of(made) is Role.MODEL


def _names_whole(draft: Draft, value: ast.expr, names: set[tuple[Scope, str]]) -> bool:
    """Whether a value is made of a model itself, not of what one gives."""
    parts: Iterable[ast.expr] = [value]
    match value:
        case ast.Call(args=args, keywords=keywords):
            parts = [*args, *(k.value for k in keywords)]
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            parts = elements
        case ast.Dict(values=values):
            parts = values
    return any(isinstance(p, ast.Name) and draft.roles.key(draft.source.scope_of(p), p.id) in names for p in parts)


def _uses(draft: Draft, nodes: Iterable[ast.AST], names: set[tuple[Scope, str]]) -> bool:
    """Whether nodes use one of some models otherwise than in a way that any device knows."""
    gone = {id(n) for second in draft.seconds for n in walk(second.call)}
    for node in (n for root in nodes for n in walk(root) if id(n) not in gone):
        if not isinstance(node, ast.Name) or not isinstance(node.ctx, ast.Load):
            continue
        if draft.roles.key(draft.source.scope_of(node), node.id) not in names:
            continue
        parent = draft.source.parents.get(node)
        if not (isinstance(parent, ast.Attribute) and parent.attr in _ANYWHERE):
            return True
    return False


def _reaches(draft: Draft, statement: ast.stmt, key: tuple[Scope, str]) -> bool:
    """Whether a statement calls a function of the script that uses a model of the script's own names."""
    seen: set[ast.FunctionDef] = set()
    nodes: list[ast.AST] = [statement]
    while nodes:
        node = nodes.pop()
        gone = {id(second.call.func) for second in draft.seconds}
        for name in {n.id for n in walk(node) if isinstance(n, ast.Name) and id(n) not in gone}:
            function = draft.source.function(name)
            if function is not None and function not in seen:
                seen.add(function)
                nodes.append(function)
    return _uses(draft, seen, {key})


def _used_outside(draft: Draft, key: tuple[Scope, str], entry: Scope) -> bool:
    """Whether code that may run after the entry function uses a model of the module."""
    gone = {entry, *moved_functions(draft)}
    calls = [c.lineno for c in draft.source.calls_to(entry.name)] if not isinstance(entry, ast.Module) else []
    first = min(calls, default=0)
    later: list[ast.AST] = []
    for statement in draft.source.tree.body:
        if statement in gone:
            continue
        if isinstance(statement, ast.FunctionDef | ast.ClassDef) or (statement.end_lineno or 0) > first:
            later.append(statement)
    return _uses(draft, later, made_of(draft, key))


def _used_by_callers(draft: Draft, model: Variable) -> bool:
    """Whether a caller goes on using the model that it gave to the entry function."""
    assert not isinstance(model.scope, ast.Module)
    calls = draft.source.calls_to(model.scope.name)
    given = draft.roles.arguments(model.scope, model.name)
    if not calls or len(given) < len(calls):
        return True  # nobody here can say
    for (scope, argument), call in zip(given, calls, strict=True):
        if not isinstance(argument, ast.Name) or _used_behind(draft, scope, argument.id, call):
            return True
    return False


def _used_behind(draft: Draft, scope: Scope, name: str, node: ast.expr | ast.stmt) -> bool:
    """Whether what follows a node in its scope may use the model of a name."""
    key = draft.roles.key(scope, name)
    if key is None:
        return True
    if not isinstance(scope, ast.Module) and name in parameter_names(scope):
        return True
    body = draft.source.tree.body if isinstance(scope, ast.Module) else scope.body
    later = [n for s in body for n in walk(s) if getattr(n, "lineno", 0) > (node.end_lineno or node.lineno)]
    if _uses(draft, [n for n in later if isinstance(n, ast.Name)], made_of(draft, key)):
        return True
    return isinstance(key[0], ast.Module) and any(_reaches(draft, s, key) for s in later if isinstance(s, ast.stmt))
