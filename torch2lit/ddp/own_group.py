"""May the Trainer make the group of processes instead of the script? Nothing may ask the group before the Trainer runs.

What asks only for the number of the process, or of all, is told by torchrun as well.
"""

from __future__ import annotations

import ast
import contextlib
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from ..recover.nest import Nest
from ..recover.roles import Roles
from ..recover.syntax import Source
from .environment import changes_numbers
from .moments import Moment, Timeline
from .samplers import SAMPLERS, Sharded

_DISTRIBUTED = "torch.distributed"
_NUMBERS = {"get_rank": "RANK", "get_world_size": "WORLD_SIZE"}
_KNOWN = {"backend", "init_method", "rank", "world_size"}
_AFTER = frozenset([Moment.AFTER])
_GUARD = re.compile(r"rank|master|main_process|is_main", re.IGNORECASE)
_QUIET = {"torch", "torchvision", "numpy", "tqdm", "PIL", "sklearn", "scipy", "pandas", "matplotlib"}
"""Packages that ask for no group by themselves, beside Python's own."""


@dataclass(frozen=True, slots=True)
class OwnGroup:
    """The statements that make and end the group, with calls of functions that do nothing else; ``backend`` is "gloo",
    "nccl", "device" for what fits the device, or "" for what torch takes when it is told nothing.

    ``numbers`` are the calls before the training that torchrun can answer, with its variable.
    """

    statements: tuple[ast.stmt, ...]
    numbers: tuple[tuple[ast.Call, str], ...]
    backend: str


class _Asked(Exception):
    """The group is needed before the Trainer would make it."""


def group_to_leave(
    source: Source, roles: Roles, nest: Nest, loaders: Sequence[Sharded], optional: bool
) -> OwnGroup | None:
    """What makes the group, when the Trainer may; None when the script has to."""
    try:
        return _Search(source, roles, nest, loaders, optional).run()
    except _Asked:
        return None


class _Search:
    def __init__(self, source: Source, roles: Roles, nest: Nest, loaders: Sequence[Sharded], optional: bool) -> None:
        self.source = source
        self.roles = roles
        self.nest = nest
        self.gone = {id(n) for one in loaders for n in ast.walk(one.sampler.value)}
        self.gone |= {id(n) for one in loaders if one.made is not None for n in ast.walk(one.made)}
        self.optional = optional

    def run(self) -> OwnGroup:
        calls = [c for c in self.source.calls if self._is(c, "init_process_group")]
        if len(calls) != 1:
            raise _Asked
        made = self._alone(calls[0])
        backend = self._backend(calls[0])
        self._check_imports()
        timeline = Timeline(self.source, made, self.nest.outermost)
        if changes_numbers(self.source, self.roles) or self._waits(timeline):
            raise _Asked
        inside = {id(n) for n in ast.walk(made)}
        numbers: list[tuple[ast.Call, str]] = []
        ends: list[ast.stmt] = []
        for node, name in self._mentions():
            parent = self.source.parents[node]
            if id(node) in inside | self.gone:
                continue
            if name == "is_available" or ".ReduceOp." in self.roles.full_name(node):
                continue
            if not isinstance(parent, ast.Call) or parent.func is not node:
                raise _Asked
            late = timeline.of(parent) <= _AFTER
            if name == "destroy_process_group" and late and not parent.args and not parent.keywords:
                with contextlib.suppress(_Asked):  # there is a group to end in any case
                    ends.append(self._alone(parent))
            elif late:
                continue
            elif name in _NUMBERS and not parent.args and not parent.keywords and not self.optional:
                numbers.append((parent, _NUMBERS[name]))
            else:
                raise _Asked
        self._check_samplers(timeline)
        return OwnGroup(tuple(part for s in [made, *ends] for part in self._with_calls(s)), tuple(numbers), backend)

    def _waits(self, timeline: Timeline) -> bool:
        """Whether one process may do something before the group is made for which the others wait there."""
        guards: list[ast.If | ast.IfExp] = [*self.source.all(ast.If), *self.source.all(ast.IfExp)]
        guards = [n for n in guards if _GUARD.search(ast.unparse(n.test))]
        return any(Moment.BEFORE in timeline.of(guard) for guard in guards)

    def _is(self, call: ast.Call, name: str) -> bool:
        full = self.roles.full_name(call.func)
        return full.startswith(f"{_DISTRIBUTED}.") and full.rpartition(".")[2] == name

    def _mentions(self) -> list[tuple[ast.expr, str]]:
        """Whatever of `torch.distributed` the file names, with its last name."""
        found: list[tuple[ast.expr, str]] = []
        for node in [*self.source.all(ast.Name), *self.source.all(ast.Attribute)]:
            full = self.roles.full_name(node)
            whole = not isinstance(self.source.parents[node], ast.Attribute)
            if whole and (full == _DISTRIBUTED or full.startswith(f"{_DISTRIBUTED}.")):
                found.append((node, full.rpartition(".")[2]))
        return found

    def _looks(self, test: ast.expr) -> bool:
        """Whether a condition only looks if there is a group."""
        match test:
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return self._looks(operand)
            case ast.BoolOp(values=values):
                return all(map(self._looks, values))
            case ast.Call(args=[], keywords=[]):
                return self._is(test, "is_initialized") or self._is(test, "is_available")
        return False

    def _alone(self, call: ast.Call) -> ast.stmt:
        """The statement that is a call and nothing else, and that runs whenever its function does.

        A look if there is a group belongs to it.
        """
        statement = self.source.parents[call]
        scope = self.source.scope_of(call)
        if not isinstance(statement, ast.Expr):
            raise _Asked
        around = self.source.parents[statement]
        if isinstance(around, ast.If) and around.body == [statement] and not around.orelse and self._looks(around.test):
            statement = around
        for ancestor in self.source.ancestors(statement):
            if ancestor is scope:
                break
            if not (isinstance(ancestor, ast.If) and "__name__" in ast.unparse(ancestor.test) and not ancestor.orelse):
                raise _Asked
        return statement

    def _with_calls(self, statement: ast.stmt) -> list[ast.stmt]:
        """A statement; where it is all that its function does, the function and its one call instead."""
        scope = self.source.scope_of(statement)
        if isinstance(scope, ast.Module):
            return [statement]
        rest = [s for s in scope.body if s is not statement and not _is_text(s)]
        if rest:
            return [statement]
        mentions = [n for n in self.source.all(ast.Name) if n.id == scope.name]
        call = self.source.parents[mentions[0]] if len(mentions) == 1 else None
        plain = isinstance(call, ast.Call) and call.func is mentions[0] and all(
            isinstance(a, ast.Name | ast.Constant) for a in [*call.args, *(k.value for k in call.keywords)]
        )  # fmt: skip
        if not plain or scope.decorator_list or self.source.parents[scope] is not self.source.tree:
            raise _Asked
        assert isinstance(call, ast.Call)
        return [scope, self._alone(call)]

    def _backend(self, call: ast.Call) -> str:
        given = {k.arg: k.value for k in call.keywords}
        if len(call.args) > 1 or not given.keys() <= _KNOWN:
            raise _Asked
        match given.get("init_method"):
            case None | ast.Constant(value=None | "env://"):
                pass
            case _:
                raise _Asked
        match call.args[0] if call.args else given.get("backend"):
            case None:
                return ""
            case ast.Constant(value="gloo" | "nccl" as name):
                return str(name)
            case ast.IfExp(test=test, body=ast.Constant(value="nccl"), orelse=ast.Constant(value="gloo")):
                if ast.unparse(test) == "torch.cuda.is_available()":
                    return "device"
            case ast.Call() as asked if self._is(asked, "get_default_backend_for_device"):
                return "device"
        raise _Asked

    def _check_imports(self) -> None:
        imports: list[ast.Import | ast.ImportFrom] = [*self.source.all(ast.Import), *self.source.all(ast.ImportFrom)]
        for statement in imports:
            own = isinstance(statement, ast.ImportFrom) and statement.level > 0
            names = (
                [statement.module or ""] if isinstance(statement, ast.ImportFrom) else [a.name for a in statement.names]
            )
            for name in names:
                top = name.partition(".")[0]
                if own or (top not in _QUIET and top not in sys.stdlib_module_names):
                    raise _Asked
            if any(a.name == "*" for a in statement.names):
                raise _Asked

    def _check_samplers(self, timeline: Timeline) -> None:
        """A sampler asks the group how many processes there are, unless it is told."""
        for call in self.source.calls:
            if (
                self.roles.full_name(call.func) in SAMPLERS
                and id(call) not in self.gone
                and not timeline.of(call) <= _AFTER
            ):
                told = {
                    k.arg for k in call.keywords if not isinstance(k.value, ast.Constant) or k.value.value is not None
                }
                if not {"num_replicas", "rank"} <= told:
                    raise _Asked


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
