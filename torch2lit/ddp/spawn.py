"""Processes that the script starts by `mp.spawn`: is the group one of exactly these processes, numbered as they are?

Then each of them may have a Trainer of the whole group, which is told that its process is there already.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

from ..recover.names import parameter_names
from ..recover.neighbours import imported_modules
from ..recover.roles import Key, Roles, bound_argument
from ..recover.syntax import Source, dotted
from .hindrances import Hindrance, Hindrances, Unfoldable, unfoldable

SPAWN = "torch.multiprocessing.spawn"
_ORDER = ("fn", "args", "nprocs", "join", "daemon", "start_method")
_NUMBER = "the number of the process"
_COUNT = "torch.cuda.device_count"
_LIGHTNINGS = ("LOCAL_RANK", "NODE_RANK", "GROUP_RANK")
"""What Lightning reads, or is told, in the environment of a process."""
_DEEPEST = 6


@dataclass(frozen=True, slots=True)
class Spawn:
    """``mp.spawn(worker, args=(...), nprocs=...)``; ``given`` is what the worker gets after its number."""

    call: ast.Call
    worker: ast.FunctionDef
    given: tuple[ast.expr, ...]
    processes: ast.expr
    inline: bool
    """The arguments stand in the call itself."""


def find_spawn(source: Source, roles: Roles) -> Spawn | None:
    """The one call that starts the script's processes; None when there is none. Raises Unfoldable for one that is not understood."""
    calls = [c for c in source.calls if roles.full_name(c.func) == SPAWN]
    if not calls:
        return None
    call = calls[0]
    if len(calls) > 1:
        raise unfoldable(
            calls[1].lineno,
            "processes are spawned in several places",
            "spawn in one place, or start the script with torchrun",
        )
    if word := _read_by_lightning(source, roles):
        raise unfoldable(
            call.lineno,
            f"`{word}` means something in the script, and Lightning would read it, too",
            "give the variable another name",
        )
    given = dict(zip(_ORDER, call.args, strict=False))
    given |= {k.arg: k.value for k in call.keywords if k.arg is not None}
    if len(given) != len(call.args) + len(call.keywords) or not given.keys() <= set(_ORDER):
        raise _own_way(call)
    worker = _worker(source, call, given.get("fn"))
    values, inline = _values(source, roles, given.get("args"))
    if values is None or len(values) + 1 > len(parameter_names(worker)):
        raise _own_way(call)
    spawn = Spawn(call, worker, values, given.get("nprocs", ast.Constant(1)), inline)
    for name in source.all(ast.Name):
        if name.id == worker.name and name is not given.get("fn") and not _is_alone(source, spawn, name):
            raise unfoldable(
                name.lineno,
                f"`{name.id}` does not run in spawned processes alone",
                "call the function from `mp.spawn` only, or start the script with torchrun instead of spawning",
            )
    return spawn


def _is_alone(source: Source, spawn: Spawn, name: ast.Name) -> bool:
    """Whether a name is that of the worker in a call that makes this process the first and only one: ``worker(0, 1, args)``."""
    call = source.parents[name]
    if not isinstance(call, ast.Call) or call.func is not name or call.keywords or not spawn.inline:
        return False
    if source.scope_of(call) is not source.scope_of(spawn.call) or len(call.args) != len(spawn.given) + 1:
        return False
    number, *rest = call.args
    if not isinstance(number, ast.Constant) or number.value != 0 or isinstance(number.value, bool):
        return False
    counted = False
    for own, spawned in zip(rest, spawn.given, strict=True):
        if ast.unparse(spawned) == ast.unparse(spawn.processes) and not isinstance(spawned, ast.Constant):
            one = isinstance(own, ast.Constant) and own.value == 1
            if not one and not (ast.unparse(own) == ast.unparse(spawned) and _is_of_one(source, spawn, call)):
                return False
            counted = True
        elif ast.unparse(own) != ast.unparse(spawned):
            return False
    return counted


def _is_of_one(source: Source, spawn: Spawn, call: ast.Call) -> bool:
    """Whether a call stands in the `else` of ``if processes > 1:``, in which the processes are spawned."""
    below: ast.AST = call
    for ancestor in source.ancestors(call):
        if isinstance(ancestor, ast.If) and below in ancestor.orelse:
            inside = any(spawn.call is n for s in ancestor.body for n in ast.walk(s))
            match ancestor.test:
                case ast.Compare(left=left, ops=[ast.Gt()], comparators=[ast.Constant(value=1)]):
                    if inside and ast.unparse(left) == ast.unparse(spawn.processes):
                        return True
        below = ancestor
    return False


def _read_by_lightning(source: Source, roles: Roles) -> str:
    """A variable of the environment that the script or a project file that it imports names, "" when they name none."""
    texts, seen = [(source.text, roles.neighbours)], set[Path]()
    for text, around in texts:
        if word := next((w for w in _LIGHTNINGS if w in text), ""):
            return word
        for module in imported_modules(text.encode("utf-8", "surrogatepass")) if around is not None else []:
            assert around is not None
            if (file := around.file(module)) is not None and file not in seen:
                seen.add(file)
                texts.append((around.text(file), around.beside(file)))
    return ""


def _own_way(call: ast.Call) -> Unfoldable:
    return unfoldable(
        call.lineno,
        f"`{dotted(call.func)}` starts processes in its own way",
        "start the script with torchrun, or call `mp.spawn(function, args=(...), nprocs=...)` once",
    )


def _worker(source: Source, call: ast.Call, node: ast.expr | None) -> ast.FunctionDef:
    """The function that every process runs."""
    function = source.function(node.id) if isinstance(node, ast.Name) else None
    if function is None or function.decorator_list or source.parents[function] is not source.tree:
        raise _own_way(call)
    a = function.args
    if a.vararg or a.kwarg or a.kwonlyargs or not [*a.posonlyargs, *a.args]:
        raise _own_way(call)
    return function


def _values(source: Source, roles: Roles, node: ast.expr | None) -> tuple[tuple[ast.expr, ...] | None, bool]:
    inline = True
    if isinstance(node, ast.Name):
        inline = False
        key = roles.key(source.scope_of(node), node.id)
        node = _only_value(source, roles, key) if key is not None else None
        if node is None:
            return None, False
    match node:
        case None:
            return (), True
        case ast.Tuple(elts=elements) | ast.List(elts=elements) if not any(
            isinstance(e, ast.Starred) for e in elements
        ):
            return tuple(elements), inline
    return None, False


def _stores(roles: Roles, key: Key) -> list[ast.Name]:
    return [n for n in roles.mentions(key) if not isinstance(n.ctx, ast.Load)]


def _only_value(source: Source, roles: Roles, key: Key) -> ast.expr | None:
    """What a name holds wherever it is read, when one statement alone gives it a value."""
    bindings = roles.bindings(key)
    if len(_stores(roles, key)) != 1 or len(bindings) != 1 or bindings[0].index is not None:
        return None
    if roles.rebound_unseen(key) or (not isinstance(key[0], ast.Module) and key[1] in parameter_names(key[0])):
        return None
    return bindings[0].value if isinstance(bindings[0].statement, ast.Assign) else None


def check_numbers(source: Source, roles: Roles, spawn: Spawn, group: ast.Call) -> None:
    """Raises Unfoldable unless a call of ``init_process_group`` makes a group of just the spawned processes."""
    given = {keyword.arg: keyword.value for keyword in group.keywords}
    values, hindrances = _Values(source, roles, spawn), Hindrances()
    for name, expected in (("rank", _NUMBER), ("world_size", values.of_caller(spawn.processes))):
        node = given.get(name)
        if node is None or not expected or values.of(node) != expected:
            what = "the number of the process" if name == "rank" else "how many processes are spawned"
            hindrances.add(
                Hindrance(
                    group.lineno,
                    f"the group's `{name}` is not known to be {what}",
                    "hand the process number of `mp.spawn` and `nprocs` on as they are, or start the script with torchrun",
                )
            )
    hindrances.settle()


class _Values:
    """Values in a spawned process, in words that also say what they are where it is spawned; "" for any other."""

    def __init__(self, source: Source, roles: Roles, spawn: Spawn) -> None:
        self.source = source
        self.roles = roles
        self.spawn = spawn

    def of(self, node: ast.expr, depth: int = 0) -> str:
        """A value in a spawned process."""
        if depth > _DEEPEST:
            return ""
        match node:
            case ast.Constant(value=int(value)):
                return repr(value)
            case ast.Call(args=[], keywords=[]):
                return _COUNT if self.roles.full_name(node.func) == _COUNT else ""
            case ast.Attribute(value=value, attr=attribute):
                base = self.of(value, depth + 1)
                return f"{base}.{attribute}" if base and self._kept(attribute) else ""
            case ast.Name(id=name):
                key = self.roles.key(self.source.scope_of(node), name)
                return self._of_variable(key, depth) if key is not None else ""
        return ""

    def _of_variable(self, key: Key, depth: int) -> str:
        scope, name = key
        if (value := _only_value(self.source, self.roles, key)) is not None:
            return self.of(value, depth + 1)
        if isinstance(scope, ast.Module) or name not in parameter_names(scope) or _stores(self.roles, key):
            return ""
        if scope is self.spawn.worker:
            place = parameter_names(scope).index(name)
            if place == 0:
                return _NUMBER
            return self.of_caller(self.spawn.given[place - 1]) if place <= len(self.spawn.given) else ""
        if not isinstance(scope, ast.FunctionDef):
            return ""
        calls = self.source.calls_to(scope.name)
        mentions = [n for n in self.source.all(ast.Name) if n.id == scope.name]
        arguments = [bound_argument(scope, c, name) for c in calls]
        if not calls or len(mentions) != len(calls) or self.source.function(scope.name) is not scope:
            return ""
        found = {self.of(a, depth + 1) if a is not None else "" for a in arguments}
        return found.pop() if len(found) == 1 else ""

    def of_caller(self, node: ast.expr, depth: int = 0) -> str:
        """A value where the processes are spawned; two expressions with the same words are the same value."""
        match node:
            case ast.Constant(value=int(value)):
                return repr(value)
            case ast.Call(args=[], keywords=[]):
                return _COUNT if self.roles.full_name(node.func) == _COUNT else ""
            case ast.Attribute(value=value, attr=attribute):
                base = self.of_caller(value, depth + 1)
                return f"{base}.{attribute}" if base and self._kept(attribute) else ""
            case ast.Name(id=name):
                key = self.roles.key(self.source.scope_of(self.spawn.call), name)
                if key is None:
                    return ""
                only = _only_value(self.source, self.roles, key)
                if only is not None and depth < _DEEPEST and (words := self.of_caller(only, depth + 1)):
                    return words
                single = len(_stores(self.roles, key)) <= 1
                return name if single or self.spawn.inline else ""
        return ""

    def _kept(self, attribute: str) -> bool:
        """Whether an attribute has one value from the start of the processes on."""
        caller = self.source.scope_of(self.spawn.call)
        for node in self.source.all(ast.Attribute):
            if node.attr == attribute and not isinstance(node.ctx, ast.Load):
                before = self.source.scope_of(node) is caller and node.lineno < self.spawn.call.lineno
                if not before or not self.spawn.inline:
                    return False
        return True


def distributed_name(source: Source, roles: Roles) -> str:
    """What the file calls ``torch.distributed``; "" when it has no name for it."""
    taken = {n.id for n in source.all(ast.Name) if not isinstance(n.ctx, ast.Load)}
    taken |= {a.arg for a in source.all(ast.arg)}
    top = {a.asname or a.name.partition(".")[0] for s in source.tree.body if isinstance(s, ast.Import | ast.ImportFrom)
           for a in s.names}  # fmt: skip
    for name in sorted(top - taken):
        if roles.origins.get(name) == "torch.distributed":
            return name
    return next((f"{n}.distributed" for n in sorted(top - taken) if roles.origins.get(n) == "torch"), "")
