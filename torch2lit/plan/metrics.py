"""Which numbers of a validation are worth logging: those that the script itself prints or decides by."""

from __future__ import annotations

import ast

from ..recover.items import names_in
from ..recover.syntax import walk_scope
from ..recover.variables import Variable
from .draft import EPOCH_END, VALIDATION_END, VALIDATION_START, VALIDATION_STEP, Draft
from .numbers import Numbers
from .state import State


def logged_numbers(draft: Draft, state: State) -> dict[str, str]:
    """Names and attributes of the numbers that `self.log` may show at the end of every validation.

    Only what is provably a plain number then: `self.log` takes numbers and tensors of one element.
    """
    if draft.validation is None:
        return {}
    hooks = (VALIDATION_START, VALIDATION_STEP, VALIDATION_END)
    items = [i for hook in hooks for i in draft.hooks.get(hook, [])]
    written = draft.variables.sequence(items).written
    surely = draft.variables.sequence(
        [*draft.hooks.get(VALIDATION_START, []), *draft.hooks.get(VALIDATION_END, [])]
    ).definite
    of_validation = draft.variables.sequence(
        [*draft.hooks.get(VALIDATION_STEP, []), *draft.hooks.get(VALIDATION_END, [])]
    ).written
    found: dict[str, str] = {}
    for variable in _shown(draft, (VALIDATION_END, EPOCH_END)):
        if variable not in of_validation:
            continue  # a number of the training, which is logged under a name of its own where it is shown
        home = state.homes.get(variable, "")
        if variable in state.per_loader:
            continue
        if variable in written and variable in surely and home.startswith("self.") and home.count(".") == 1:
            if Numbers(draft).holds(variable) and not _global(draft, variable):
                found[home.removeprefix("self.")] = home
    return found


def _global(draft: Draft, variable: Variable) -> bool:
    return variable.is_global and variable.frame is None


def _shown(draft: Draft, hooks: tuple[str, ...]) -> list[Variable]:
    """The variables that are printed, formatted or compared in hooks, in order."""
    found: dict[Variable, None] = {}
    for item in (item for hook in hooks for item in draft.hooks.get(hook, [])):
        shown = {id(name) for node in walk_scope(item.node) for name in _shown_by(node)}
        for name, frame in names_in(item):
            variable = draft.variables.of(frame, name.id)
            if variable is not None and id(name) in shown:
                found.setdefault(variable)
    return list(found)


def _shown_by(node: ast.AST) -> list[ast.AST]:
    """What a node shows or compares as it is: numbers that only go into a quotient are no result of their own."""
    match node:
        case ast.Compare(left=left, comparators=others):
            return [left, *others]
        case ast.FormattedValue(value=value):
            return [value]
        case ast.BinOp(left=ast.Constant(value=str()), op=ast.Mod(), right=ast.Tuple(elts=values)):
            return list(values)
        case ast.BinOp(left=ast.Constant(value=str()), op=ast.Mod(), right=value):
            return [value]
        case ast.Call(func=function, args=arguments) if ast.unparse(function).rpartition(".")[2] in _SHOWS:
            return list(arguments)
    return []


_SHOWS = {"print", "info", "debug", "format", "add_scalar", "append", "log", "write"}
