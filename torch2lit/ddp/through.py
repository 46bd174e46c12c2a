"""What is said through the wrapper where the bare model says the same in other words, and what asks whether there is a wrapper.

torch.save(model.state_dict(), path)                  →    {f"module.{key}": value for key, value in model.state_dict().items()}
model.load_state_dict(state)                          →    model.load_state_dict({key.removeprefix("module."): ... for ... in state.items()})
model.module if isinstance(model, DDP) else model     →    model
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import replace

from ..program import Modernisation, Piece, at, end_of
from ..recover.roles import Roles
from ..recover.syntax import Source
from .pieces import blank

_KEYS = "the keys have `module.` in front as before"
_BARE = "there is no wrapper around it any more"


def asks_for_wrapper(roles: Roles, test: ast.expr, name: str, wrappers: Iterable[str]) -> bool:
    """Whether a condition asks if a variable holds the wrapper, or anything like it."""
    match test:
        case ast.Call(func=ast.Name(id="hasattr"), args=[ast.Name(id=asked), ast.Constant(value="module")]):
            return asked == name
        case ast.Call(func=ast.Name(id="isinstance"), args=[ast.Name(id=asked), kind], keywords=[]):
            return asked == name and roles.full_name(kind) in wrappers
    return False


def only_gives(choice: ast.If | ast.IfExp, name: str) -> ast.IfExp | None:
    """A choice that asks for the wrapper's class, in one line, and gives the model itself in either arm."""
    match choice:
        case ast.IfExp(test=ast.Call(func=ast.Name(id="isinstance")), orelse=ast.Name(id=other)):
            return choice if other == name and choice.lineno == choice.end_lineno else None
    return None


def is_state(call: ast.Call) -> bool:
    """Whether a call of ``state_dict`` takes nothing that would change its keys."""
    return not call.args and not call.keywords


def is_load(source: Source, call: ast.Call) -> bool:
    """Whether a call of ``load_state_dict`` is a statement that takes a state with all keys, as the wrapper insists."""
    plain = len(call.args) == 1 and not isinstance(call.args[0], ast.Starred)
    strict = [k.value for k in call.keywords]
    same = all(isinstance(v, ast.Constant) and v.value is True for v in strict) and len(strict) < 2
    return plain and same and isinstance(source.parents[call], ast.Expr)


def with_prefix(call: ast.Call) -> Modernisation:
    """The state of the bare model with the keys of the wrapper's."""
    pieces = (
        Piece(at(call), at(call), '{f"module.{key}": value for key, value in '),
        Piece(end_of(call), end_of(call), ".items()}"),
    )
    return Modernisation(call.lineno, call.end_lineno or call.lineno, pieces, _KEYS)


def without_prefix(call: ast.Call) -> Modernisation:
    """The bare model, which takes such a state without its keys' first part."""
    state = call.args[0]
    bare = isinstance(state, ast.Name | ast.Attribute | ast.Subscript | ast.Call)
    pieces = (
        Piece(at(state), at(state), f'{{key.removeprefix("module."): value for key, value in {"" if bare else "("}'),
        Piece(end_of(state), end_of(state), f"{'' if bare else ')'}.items()}}"),
    )
    return Modernisation(call.lineno, call.end_lineno or call.lineno, pieces, _KEYS)


def without_choice(source: Source, choice: ast.IfExp) -> Modernisation:
    """The model, which both arms of a choice give."""
    first, *rest = blank(source, at(choice), end_of(choice))
    name = source.segment(choice.orelse)
    return Modernisation(choice.lineno, choice.end_lineno or choice.lineno, (replace(first, text=name), *rest), _BARE)
