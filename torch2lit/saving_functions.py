"""What a function of the script's own saves, and where, told by what a call gives it (``save_checkpoint(state, is_best, filename="last.pth")``)."""

from __future__ import annotations

import ast
import copy
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

from .feature import Training

_MAKES_FOLDERS = {"os.makedirs", "os.mkdir"}
_ASKS_FOLDERS = {"os.path.exists", "os.path.isdir"}
_COPIES = {"shutil.copyfile", "shutil.copy", "shutil.copy2"}
_ASKED = {"os.path.join", "os.path.basename", "os.path.dirname", "str", "int"}
_OF_PATHS = (
    ast.Constant, ast.Name, ast.Attribute, ast.BinOp, ast.Add, ast.Mod, ast.Tuple, ast.JoinedStr, ast.FormattedValue, ast.Call, ast.keyword, ast.expr_context, ast.Dict,
)  # fmt: skip


class MoreThanSaving(Exception):
    """Why a function is not seen through."""


@dataclass(slots=True)
class SavedByFunction:
    """What is saved at which path, and where it lies a second time when the ``flag`` is set: all in the words of the call.

    ``told`` are the calls of `print` among that, which ``prints`` are in the function.
    """

    function: ast.FunctionDef
    given: dict[str, ast.expr]
    saved: ast.expr | None = None
    path: ast.expr | None = None
    flag: ast.expr | None = None
    second: ast.expr | None = None
    names: list[ast.Name] = field(default_factory=list)
    told: list[ast.Call] = field(default_factory=list)
    prints: list[ast.stmt] = field(default_factory=list)


def saved_by(training: Training, call: ast.Call) -> SavedByFunction:
    """What the function that a call names does with what it is given. Raises MoreThanSaving."""
    found = _function(training, call)
    arguments = _arguments(found, call)
    result = SavedByFunction(found, {**arguments})
    for statement in found.body:
        _read(training, statement, result)
    if result.saved is None or result.path is None:
        raise MoreThanSaving("it may not save")
    given = {id(value) for value in arguments.values()}
    own = {id(n) for value in arguments.values() for n in ast.walk(value)}
    saved = {id(n) for n in ast.walk(result.saved)}
    if not all(id(value) in saved for value in result.given.values() if _asks_state(value) and id(value) not in given):
        raise MoreThanSaving("it asks a state that it does not save")
    seen = [p for p in (result.saved, result.path, result.second, *result.told) if p is not None]
    result.names = [n for p in seen for n in ast.walk(p) if isinstance(n, ast.Name) and id(n) not in own]
    for name in result.names:
        _check_same(training, name, call)
    return result


def saved_at(training: Training, call: ast.Call) -> tuple[ast.expr, list[ast.FunctionDef]]:
    """The path, in the words of the call, at which a function surely saves first, whatever else it does; and the functions that run for that. Raises MoreThanSaving."""
    function = _function(training, call)
    result = SavedByFunction(function, _arguments(function, call))
    own = {id(n) for value in result.given.values() for n in ast.walk(value)}
    known, local = dict(result.given), _own_names(function)
    for statement in function.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if _is_known(training, value, known, local):
                known[name] = _filled(value, known)
                continue
            case ast.Expr(value=ast.Call(args=[_, path, *_]) as save) if _calls(training, save, {"torch.save"}):
                if not _is_known(training, path, known, local):
                    raise MoreThanSaving("the name of its file is not known before the training")
                found = _filled(path, known)
                for free in (n for n in ast.walk(found) if isinstance(n, ast.Name) and id(n) not in own):
                    _check_same(training, free, call)
                return found, _run_by(training, function)
        for one in (n for n in ast.walk(statement) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)):
            known.pop(one.id, None)
    raise MoreThanSaving("it may not save")


def _own_names(function: ast.FunctionDef) -> set[str]:
    """The names that a function binds, its parameters among them."""
    stored = {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
    return stored | {n.arg for n in ast.walk(function) if isinstance(n, ast.arg)}


def _is_known(training: Training, value: ast.expr, known: Mapping[str, ast.expr], local: Set[str]) -> bool:
    """Whether an expression puts together what the call tells, and nothing that the function finds out."""
    names = {n.id for n in ast.walk(value) if isinstance(n, ast.Name)}
    return _only_puts_together(training, value) and not any(n in local and n not in known for n in names)


def _run_by(training: Training, function: ast.FunctionDef) -> list[ast.FunctionDef]:
    """A function, and those of the file that it may call."""
    found, left = [function], [function]
    while left:
        named = {n.id for n in ast.walk(left.pop()) if isinstance(n, ast.Name)}
        more = [f for f in training.all(ast.FunctionDef) if f.name in named and f not in found]
        found, left = [*found, *more], [*left, *more]
    return found


def _function(training: Training, call: ast.Call) -> ast.FunctionDef:
    assert isinstance(call.func, ast.Name)
    name = call.func.id
    [*found] = [f for f in training.all(ast.FunctionDef) if f.name == name]
    others = [n for n in training.all(ast.Name) if n.id == name and not isinstance(n.ctx, ast.Load)]
    if len(found) != 1 or found[0].col_offset or found[0].decorator_list or others:
        raise MoreThanSaving("it is not one function of the file")
    return found[0]


def _arguments(function: ast.FunctionDef, call: ast.Call) -> dict[str, ast.expr]:
    """What each parameter is given."""
    told = function.args
    names = [a.arg for a in (*told.posonlyargs, *told.args)]
    if told.vararg or told.kwarg or told.kwonlyargs or len(call.args) > len(names):
        raise MoreThanSaving("what it is given cannot be seen")
    given = dict(zip(names[len(names) - len(told.defaults) :], told.defaults, strict=True)) if told.defaults else {}
    given |= dict(zip(names, call.args, strict=False))
    for keyword in call.keywords:
        if keyword.arg is None:
            raise MoreThanSaving("what it is given cannot be seen")
        given[keyword.arg] = keyword.value
    if set(given) != set(names) or any(isinstance(a, ast.Starred) for a in call.args):
        raise MoreThanSaving("what it is given cannot be seen")
    return given


def _read(training: Training, statement: ast.stmt, result: SavedByFunction) -> None:
    """Take note of one statement of the function."""
    match statement:
        case ast.Expr(value=ast.Constant()) | ast.Pass():
            return
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if _only_puts_together(training, value):
            result.given[name] = _filled(value, result.given)
            return
        case ast.Expr(value=call) if _calls(training, call, _MAKES_FOLDERS):
            return
        case ast.Expr(value=ast.Call() as call) if _is_print(training, call):
            result.told.append(_told(training, call, result))
            result.prints.append(statement)
            return
        case ast.If(test=ast.UnaryOp(op=ast.Not(), operand=asked), body=[ast.Expr(value=made)], orelse=[]):
            if _calls(training, asked, _ASKS_FOLDERS) and _calls(training, made, _MAKES_FOLDERS):
                return
        case ast.Expr(value=ast.Call(args=[saved, path], keywords=[]) as call) if _calls(
            training, call, {"torch.save"}
        ):
            if result.saved is None:
                result.saved, result.path = _filled(saved, result.given), _filled(path, result.given)
                return
        case ast.If(
            test=ast.Name() as flag, body=[ast.Expr(value=ast.Call(args=[first, path], keywords=[]) as call)], orelse=[]
        ):
            if result.path is not None and result.second is None and _is_second(training, call, first, result):
                result.flag, result.second = _filled(flag, result.given), _filled(path, result.given)
                return
    raise MoreThanSaving(f"its line {statement.lineno} does more than saving")


def _only_puts_together(training: Training, value: ast.expr) -> bool:
    """Whether an expression only puts a path, or what is saved, together."""
    return all(
        isinstance(n, _OF_PATHS) and (not isinstance(n, ast.Call) or _only_asks(training, n)) for n in ast.walk(value)
    )


def _only_asks(training: Training, call: ast.Call) -> bool:
    match call.func:
        case ast.Attribute(attr="state_dict") if not call.args and not call.keywords:
            return True
        case ast.Attribute(value=ast.Constant(value=str()), attr="format"):
            return True
        case ast.Attribute(value=ast.Call(func=function), attr="zfill"):
            return training.full_name(function) == "str"
    return training.full_name(call.func) in _ASKED


def _asks_state(value: ast.expr) -> bool:
    calls = [n.func for n in ast.walk(value) if isinstance(n, ast.Call)]
    return any(isinstance(f, ast.Attribute) and f.attr == "state_dict" for f in calls)


def _is_print(training: Training, call: ast.Call) -> bool:
    return training.full_name(call.func) == "print" and not call.keywords


def _told(training: Training, call: ast.Call, result: SavedByFunction) -> ast.Call:
    """What is printed, which is no more than texts and what the caller's own variables hold: the file has another name now."""
    for argument in call.args:
        for node in ast.walk(argument):
            if not isinstance(node, _OF_PATHS) or (isinstance(node, ast.Call) and not _only_asks(training, node)):
                raise MoreThanSaving(f"its line {call.lineno} does more than saving")
            if isinstance(node, ast.Name) and not training.full_name(node):
                if not isinstance(result.given.get(node.id), ast.Name):
                    raise MoreThanSaving(f"its line {call.lineno} tells more than the caller's own numbers")
    filled = _filled(call, result.given)
    assert isinstance(filled, ast.Call)
    return filled


def _is_second(training: Training, call: ast.Call, first: ast.expr, result: SavedByFunction) -> bool:
    """Whether what has been saved is copied, or saved once more."""
    before = result.path if _calls(training, call, _COPIES) else result.saved
    known = _calls(training, call, _COPIES | {"torch.save"})
    return known and before is not None and ast.dump(_filled(first, result.given)) == ast.dump(before)


def _calls(training: Training, node: ast.expr, functions: set[str]) -> bool:
    return isinstance(node, ast.Call) and training.full_name(node.func) in functions


def _filled(node: ast.expr, given: Mapping[str, ast.expr]) -> ast.expr:
    """An expression of the function with what its names stand for in their places; what holds none of them is the very node."""
    if isinstance(node, ast.Name):
        return given.get(node.id, node)
    if not any(isinstance(n, ast.Name) and n.id in given for n in ast.walk(node)):
        return node
    if isinstance(node, ast.Attribute) and not isinstance(_filled(node.value, given), ast.Name | ast.Attribute):
        raise MoreThanSaving("it reads an attribute of what it is given")
    filled = copy.copy(node)
    for place in ("lineno", "end_lineno", "col_offset", "end_col_offset"):  # it has no text of its own
        vars(filled).pop(place, None)
    for name, value in ast.iter_fields(node):
        if isinstance(value, ast.expr):
            setattr(filled, name, _filled(value, given))
        elif isinstance(value, list):
            setattr(filled, name, _all_filled(value, given))
    return filled


def _all_filled(nodes: Sequence[ast.AST], given: Mapping[str, ast.expr]) -> list[ast.AST]:
    found: list[ast.AST] = []
    for node in nodes:
        if isinstance(node, ast.keyword):
            found.append(ast.keyword(node.arg, _filled(node.value, given)))
        else:
            found.append(_filled(node, given) if isinstance(node, ast.expr) else node)
    return found


def _check_same(training: Training, name: ast.Name, call: ast.Call) -> None:
    """A variable of the file that the function reads is the one of that name where it is called."""
    if training.full_name(name):
        return
    value, home = training.value(name), _home(training, call)
    if value is None or value.hidden or not any(_home(training, one) is home for one in value.mentions):
        raise MoreThanSaving(f"`{name.id}` may be another one where it is called")


def _home(training: Training, node: ast.AST) -> ast.FunctionDef | None:
    """The innermost function around a node."""
    around = [f for f in training.all(ast.FunctionDef) if any(n is node for n in ast.walk(f))]
    return min(around, key=lambda f: (f.end_lineno or 0) - f.lineno, default=None)
