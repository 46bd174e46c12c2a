"""Functions that are given optimizers and schedulers only to load their states: they may as well give the states back.

def load(path, model, optimizer):                     def load(path, model):
    checkpoint = torch.load(path)                         checkpoint = torch.load(path)
    model.load_state_dict(checkpoint["model"])            model.load_state_dict(checkpoint["model"])
    optimizer.load_state_dict(checkpoint["opt"])          optimizer_state = checkpoint["opt"]
    return checkpoint["epoch"]                            return checkpoint["epoch"], optimizer_state
...                                                →  ...
epoch = load("last.pt", model, optimizer)             epoch, optimizer_state = load("last.pt", model)
                                                      optimizer.load_state_dict(optimizer_state)
"""

from __future__ import annotations

import ast
from collections.abc import Container
from dataclasses import dataclass

from ..made_inside.given import only_called
from ..recover.role import Role
from ..recover.roles import Key, Roles, bound_argument
from ..recover.syntax import walk
from .loads import Load, around, loaded_in
from .results import Results, results_of

_STEPPED = (Role.OPTIMIZER, Role.SCHEDULER)
_BY_TEXT = {"locals", "vars", "eval", "exec", "dir"}
"""What finds a parameter by a text."""


@dataclass(frozen=True, slots=True)
class Loader:
    """A function, what it loads of each parameter that it needs no more, its calls, and what it hands back."""

    function: ast.FunctionDef
    loads: tuple[Load, ...]
    calls: tuple[ast.Call, ...]
    results: Results


def find_loaders(roles: Roles, wanted: Container[str]) -> list[Loader]:
    """The functions of a file that may give states back; ``wanted`` are the names that other files take."""
    found = (_loader(roles, f) for f in roles.source.tree.body if isinstance(f, ast.FunctionDef))
    return [one for one in found if one is not None and one.function.name not in wanted]


def _loader(roles: Roles, function: ast.FunctionDef) -> Loader | None:
    args = function.args
    if args.kwonlyargs or not only_called(roles, function):
        return None
    if any(isinstance(n, ast.Global | ast.Nonlocal) or _finds_by_text(n) for n in walk(function)):
        return None
    if not all(isinstance(default, ast.Constant) for default in args.defaults):
        return None
    calls = tuple(roles.source.calls_to(function.name))
    if not all(_is_plain(roles, function, call) for call in calls):
        return None
    given = [a.arg for a in args.args if all(_gives_stepped(roles, function, call, a.arg) for call in calls)]
    loads = [load for name in given if (load := loaded_in(roles, function, name)) is not None]
    new = {load.state for load in loads if load.state}
    if not loads or new & roles.source.names or any(_state_names(roles, function, c, loads) is None for c in calls):
        return None
    results = results_of(roles, function, calls, loads)
    return None if results is None else Loader(function, tuple(loads), calls, results)


def _finds_by_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id in _BY_TEXT


def _is_plain(roles: Roles, function: ast.FunctionDef, call: ast.Call) -> bool:
    """Whether a call stands in a statement of its own, and an error in it ends the program."""
    source = roles.source
    if any(isinstance(a, ast.Starred) for a in call.args) or any(k.arg is None for k in call.keywords):
        return False
    statement = source.statement_of(call)
    match statement:
        case ast.Expr(value=value) | ast.Assign(targets=[_], value=value) if value is call:
            scope = source.scope_of(statement)
            return scope is not function and all(isinstance(a, ast.If) for a in around(roles, scope, statement))
    return False


def _gives_stepped(roles: Roles, function: ast.FunctionDef, call: ast.Call, parameter: str) -> bool:
    """Whether a call gives an optimizer or scheduler by its name, which is surely one."""
    argument = bound_argument(function, call, parameter)
    passed = argument in (*call.args, *(k.value for k in call.keywords))
    if not passed or not isinstance(argument, ast.Name):
        return False
    key = roles.key(roles.source.scope_of(call), argument.id)
    return key is not None and roles.role_of(key) in _STEPPED and _is_made(roles, key)


def _is_made(roles: Roles, key: Key) -> bool:
    made = roles.bindings(key)
    calls = all(isinstance(b.value, ast.Call) for b in made)
    return bool(made) and calls and not roles.rebound_unseen(key)


def argument_of(function: ast.FunctionDef, call: ast.Call, parameter: str) -> str:
    """What a call names the object that it gives."""
    argument = bound_argument(function, call, parameter)
    assert isinstance(argument, ast.Name)
    return argument.id


def state_names(function: ast.FunctionDef, call: ast.Call, loads: tuple[Load, ...] | list[Load]) -> list[str]:
    """What a caller names the states that come back."""
    return [f"{argument_of(function, call, load.parameter)}_state" for load in loads if load.state]


def _state_names(roles: Roles, function: ast.FunctionDef, call: ast.Call, loads: list[Load]) -> list[str] | None:
    """The same, None where the script has one of them, or they are not different ones."""
    names = state_names(function, call, loads)
    return None if len({*names}) < len(names) or roles.source.names & {*names} else names
