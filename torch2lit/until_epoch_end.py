"""Whether a statement of an epoch would read, and write, the same at the epoch's end, where a callback may do what it does: what follows it only tells, and counts.

Where more follows, nothing of that may need a file that is written only then.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence

from .feature import Part, Training

_ASKS = {
    "len", "str", "repr", "float", "int", "bool", "round", "min", "max", "sum", "abs", "isinstance", "format",
    "time.time", "time.perf_counter", "time.monotonic", "time.process_time", "time.strftime", "time.ctime",
    "datetime.datetime.now", "datetime.timedelta", "math.exp", "math.sqrt", "math.log", "os.path.join", "numpy.mean",
}  # fmt: skip
_GO_THROUGH = {"min", "max", "sum", "numpy.mean"}
_TOLD_BY = {"__str__", "__repr__", "__format__", "__len__", "__float__", "__int__", "__bool__"}
_TELLS = {"print", "logging.info", "logging.debug", "logging.warning", "sys.stdout.flush", "sys.stdout.write"}
_ASKING_METHODS = {"format", "item", "strftime", "total_seconds"}
_TELLING_METHODS = {"add_scalar", "add_scalars", "info", "debug", "set_postfix", "set_description"}
_WITHOUT_FILES = {"torch", "numpy", "math", "time", "datetime", "random", "collections", "copy", "logging"}
_WITH_FILES = {"torch.load", "torch.save", "numpy.load", "numpy.save", "numpy.savez", "numpy.savetxt", "numpy.loadtxt"}
_ON_READING = {"__getattr__", "__getattribute__", "__getstate__", "__reduce__", "__reduce_ex__"}
_SAVE = {"torch.save", "open"}
_OF_FILES = {"os", "shutil"}
_METHODS_WITHOUT_FILES = (
    _ASKING_METHODS | _TELLING_METHODS
    | {"append", "update", "step", "eval", "train", "zero_grad", "size", "mean", "sum", "cpu", "detach", "numpy", "state_dict", "write", "flush", "clear", "get_last_lr", "reset"}
)  # fmt: skip
_RUNS_MORE = (
    ast.For,
    ast.While,
    ast.With,
    ast.AsyncFor,
    ast.AsyncWith,
    ast.Await,
    ast.Yield,
    ast.YieldFrom,
    ast.comprehension,
    ast.Import,
    ast.ImportFrom,
)


def changed_behind(
    training: Training, part: Part, read: Iterable[ast.AST], *, besides: Sequence[ast.AST] = (), silent: bool = False
) -> str:
    """What may make it another thing, "" when nothing that follows in the epoch does, ``besides`` what goes with it.

    ``silent``: what follows must not tell anything either, as the statement does.
    """
    names = {n.id for one in read for n in ast.walk(one) if isinstance(n, ast.Name)}
    properties = {f.name for f in training.all(ast.FunctionDef) if f.decorator_list}
    for behind in (one for one in training.following(part) if one not in besides):
        for node in ast.walk(behind):
            if why := _changes(training, part, node, names, properties, silent):
                return why
    return ""


def _changes(training: Training, part: Part, node: ast.AST, names: set[str], properties: set[str], silent: bool) -> str:
    """Why one node of what follows may change what is read."""
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()) if name in names:
            return f"`{name}` gets another value behind it, in line {node.lineno}"
        case ast.AugAssign(target=ast.Name() as target) if training.number(target, part):
            return ""
        case ast.Call(func=function) if _only_looks(training, function) and not _runs_own(training, node):
            return f"line {node.lineno} tells something behind it" if silent and _tells(training, function) else ""
        case ast.Attribute(attr=attr, ctx=ast.Load()) if attr in properties:
            return _may_change(node)
        case ast.Attribute(ctx=ast.Store() | ast.Del()) | ast.Subscript(ctx=ast.Store() | ast.Del()):
            return _may_change(node)
        case ast.AugAssign() | ast.Call():
            return _may_change(node)
    return _may_change(node) if isinstance(node, _RUNS_MORE) else ""


def ends_behind(training: Training, part: Part) -> int:
    """The line of what follows in the epoch that says that the script may end there, 0 for none."""
    behind = (n for one in training.following(part) for n in ast.walk(one))
    return next((n.lineno for n in behind if isinstance(n, ast.Raise | ast.Assert)), 0)


def needs_changes(training: Training, part: Part, functions: Sequence[ast.FunctionDef]) -> str:
    """What follows in the epoch that may read what the functions of the statement change; "" for nothing."""
    inside = [n for function in functions for n in ast.walk(function)]
    bound = {name for n in inside if isinstance(n, ast.Global | ast.Nonlocal) for name in n.names}
    changing = any(_changes_more(training, n) for n in inside)
    for name in (n for one in training.following(part) for n in ast.walk(one) if isinstance(n, ast.Name)):
        plain = training.full_name(name) or training.number(name, part) or training.is_epoch(name, part)
        if isinstance(name.ctx, ast.Load) and (name.id in bound or (changing and not plain)):
            return f"line {name.lineno} may read what `{functions[0].name}` changes"
    return ""


def _changes_more(training: Training, node: ast.AST) -> bool:
    """Whether a node of a function that saves may change more than files, and its own variables."""
    match node:
        case ast.Attribute(ctx=ast.Store() | ast.Del()) | ast.Subscript(ctx=ast.Store() | ast.Del()) | ast.AugAssign():
            return True
        case ast.Attribute(attr=attr):
            return any(f.name == attr and f.decorator_list for f in training.all(ast.FunctionDef))
        case ast.Call(func=function):
            full = training.full_name(function)
            known = full in _ASKS | _SAVE or full.partition(".")[0] in _OF_FILES or _only_looks(training, function)
            return not known and not _is_method(training, function, {"state_dict", "write"})
    return False


def asks_more(training: Training, part: Part, saved: ast.expr, besides: Sequence[ast.AST] = ()) -> str:
    """Whether what is saved runs code of the script's own that something which follows may feel; "" when not."""
    if all(one in besides for one in training.following(part)):
        return ""
    own = {f.name for f in training.all(ast.FunctionDef)}
    properties = {f.name for f in training.all(ast.FunctionDef) if f.decorator_list}
    if own & _ON_READING:
        return "to read what it saves may change something that is told behind it"
    for node in ast.walk(saved):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in own or name == "next":
                return f"`{name}` may change something that is told behind it"
            case ast.Call(func=ast.Attribute(attr=name)) if name in own:
                return f"`{name}` may change something that is told behind it"
            case ast.Attribute(attr=name) if name in properties:
                return f"`{name}` may change something that is told behind it"
    return ""


def needs_files(training: Training, part: Part, path: ast.expr, besides: Sequence[ast.AST] = ()) -> str:
    """What follows in the epoch that may look for the file at the path, or write it; "" for nothing."""
    for behind in (one for one in training.following(part) if one not in besides):
        for call in (n for n in ast.walk(behind) if isinstance(n, ast.Call)):
            if not _saves_another(training, call, path) and _may_need_files(training, call, frozenset()):
                return f"line {call.lineno} may need its file"
    return ""


def _saves_another(training: Training, call: ast.Call, path: ast.expr) -> bool:
    """Whether a call saves a file whose name surely ends otherwise."""
    if training.full_name(call.func) != "torch.save" or len(call.args) != len(("saved", "path")):
        return False
    one, other = _end_of(path), _end_of(call.args[1])
    return bool(one and other) and not one.endswith(other) and not other.endswith(one)


def _end_of(path: ast.expr) -> str:
    """The text with which a path ends for sure."""
    match path:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=[*_, last]) | ast.BinOp(right=last, op=ast.Add() | ast.Div()):
            return _end_of(last)
        case ast.Call(func=ast.Attribute(attr="join"), args=[*_, last]):
            return _end_of(last)
    return ""


def _may_need_files(training: Training, call: ast.Call, above: frozenset[str]) -> bool:
    """Whether a call, of a function of the script what that calls, may have to do with files."""
    full = training.full_name(call.func)
    if full in _ASKS or full in _TELLS or (full.partition(".")[0] in _WITHOUT_FILES and full not in _WITH_FILES):
        return False
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    own = [f for f in training.all(ast.FunctionDef) if f.name == name]
    if not own:
        return full != "" or name not in _METHODS_WITHOUT_FILES
    inner = [n for f in own for n in ast.walk(f) if isinstance(n, ast.Call)]
    return name in above or any(_may_need_files(training, one, above | {name}) for one in inner)


def _may_change(node: ast.AST) -> str:
    line = f"line {node.lineno}" if hasattr(node, "lineno") else "a loop behind it"
    return f"{line} may change what it saves"


def _only_looks(training: Training, function: ast.expr) -> bool:
    """Whether what is called changes nothing that anything else reads."""
    return _asks(training, function) or _tells(training, function)


def _asks(training: Training, function: ast.expr) -> bool:
    return training.full_name(function) in _ASKS or _is_method(training, function, _ASKING_METHODS)


def _tells(training: Training, function: ast.expr) -> bool:
    return training.full_name(function) in _TELLS or _is_method(training, function, _TELLING_METHODS)


def _is_method(training: Training, function: ast.expr, names: set[str]) -> bool:
    """Whether it is such a method, and none of a class of the file."""
    known = isinstance(function, ast.Attribute) and function.attr in names
    return known and not any(f.name == function.attr for f in training.all(ast.FunctionDef))  # type: ignore[attr-defined]


def _runs_own(training: Training, call: ast.Call) -> bool:
    """Whether to tell something, or to go through it, may run more than that: text that an object changes itself to tell, a generator that is drawn on."""
    told = [f for f in training.all(ast.FunctionDef) if f.name in _TOLD_BY]
    changing = any(isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store) for f in told for n in ast.walk(f))
    kept = any(isinstance(a.value, ast.GeneratorExp) for a in training.all(ast.Assign)) or training.all(ast.Yield)
    goes_through = training.full_name(call.func) in _GO_THROUGH or any(isinstance(a, ast.Starred) for a in call.args)
    return changing or (bool(kept) and goes_through)
