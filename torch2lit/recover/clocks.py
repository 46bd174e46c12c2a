"""Which code reads a clock, or what memory is in use: what it measures depends on where it stands.

time.time() - end            torch.cuda.synchronize()            timer.stop(), where the script's own Timer asks the time
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .neighbours import Neighbours
from .roles import Roles
from .syntax import Scope, dotted, root_name, walk

_CLOCKS = (
    "time.", "timeit.", "psutil.", "resource.getrusage", "tracemalloc.", "os.times", "cProfile.",
    "torch.cuda.synchronize", "torch.cuda.Event", "torch.cuda.memory_", "torch.cuda.max_memory_", "torch.cuda.mem_get_info",
    "torch.cuda.reset_", "torch.cuda.utilization", "torch.cuda.current_stream", "torch.mps.synchronize", "torch.mps.current_allocated",
    "torch.mps.driver_allocated", "torch.xpu.synchronize", "torch.accelerator.synchronize", "torch.profiler.",
    "torch.autograd.profiler.", "torch.utils.benchmark.", "GPUtil.", "pynvml.",
)  # fmt: skip
_CALENDAR = {"now", "utcnow", "today"}
_EVENT_METHODS = {"elapsed_time", "synchronize"}
"""Methods that nothing but events, streams and the like has."""


class Clocks:
    """Answers for one file. Works on demand and remembers."""

    def __init__(self, roles: Roles, known: dict[str, Clocks] | None = None) -> None:
        self.roles = roles
        self.source = roles.source
        self._known = {} if known is None else known
        """One for each file, as files may call each other's functions."""
        if isinstance(roles.neighbours, Neighbours):
            self._known[os.path.realpath(roles.neighbours.path)] = self
        self._functions: dict[ast.FunctionDef, bool] = {}
        """What is known of the file's functions."""

    def read(self, node: ast.AST, scope: Scope) -> bool:
        """Whether running the node reads a clock, directly or through functions and objects of the script's own."""
        start = Way(self, scope, [node])
        seen: dict[ast.FunctionDef, Way] = {}
        waiting = [start]
        while waiting:
            way = waiting.pop()
            for call in (n for part in way.code for n in walk(part) if isinstance(n, ast.Call)):
                if way.clocks._asks(call, way.scope):
                    return way.reads()
                for clocks, function in way.clocks._run_by(call, way.scope):
                    known = clocks._functions.get(function)
                    if known:
                        return way.reads()
                    if known is None and function not in seen:
                        seen[function] = Way(clocks, function, function.body, way)
                        waiting.append(seen[function])
        for function, way in seen.items():
            way.clocks._functions[function] = False
        return False

    def _asks(self, call: ast.Call, scope: Scope) -> bool:
        """Whether a call itself reads a clock: its function is known for it, or its object is an event or a profiler."""
        full = self.roles.full_name(call.func)
        if is_clock(full) and dotted(call.func).partition(".")[0] in self.roles.origins:
            return True
        if not isinstance(call.func, ast.Attribute):
            return False
        return call.func.attr in _EVENT_METHODS or any(map(is_clock, self._makers_of(call.func, scope)))

    def _run_by(self, call: ast.Call, scope: Scope) -> Iterator[tuple[Clocks, ast.FunctionDef]]:
        """The functions of the project that a call may run; a method of any object may be one of this name in the file's classes."""
        if isinstance(call.func, ast.Attribute):
            yield from self._own_methods(call.func.attr)
            for made in self._makers_of(call.func, scope):
                yield from self._in_neighbour(made, call.func.attr)
            return
        full = self.roles.full_name(call.func)
        if (function := self.source.function(full)) is not None:
            yield self, function
            return
        if self._is_called_object(call, scope):
            yield from self._own_methods("__call__")
        yield from self._in_neighbour(full)

    def _makers_of(self, method: ast.Attribute, scope: Scope) -> list[str]:
        """The full names of what makes the object whose method is called."""
        key = self.roles.key(scope, root_name(method))
        values = [b.value for b in self.roles.bindings(key)] if key is not None else []
        return [self.roles.full_name(n.func) for v in values for n in walk(v) if isinstance(n, ast.Call)]

    def _is_called_object(self, call: ast.Call, scope: Scope) -> bool:
        """Whether an object of one of the file's classes is called."""
        if not isinstance(call.func, ast.Name):
            return False
        key = self.roles.key(scope, call.func.id)
        made = [b.value for b in self.roles.bindings(key)] if key else []
        return any(isinstance(m, ast.Call) and dotted(m.func) in self.source.classes for m in made)

    def _own_methods(self, name: str) -> Iterator[tuple[Clocks, ast.FunctionDef]]:
        for definition in self.source.classes.values():
            yield from ((self, m) for m in definition.body if isinstance(m, ast.FunctionDef) and m.name == name)

    def _in_neighbour(self, full: str, method: str = "") -> Iterator[tuple[Clocks, ast.FunctionDef]]:
        """A function of another file, or what makes an object of its class, or the method of one."""
        if not full or not isinstance(self.roles.neighbours, Neighbours):
            return
        found = self.roles.neighbours.definition(full)
        if found is None or (other := self._of_file(found.file)) is None:
            return
        function = other.source.function(found.node.name)
        if found.node.name in other.source.classes:
            yield from other._own_methods(method or "__init__")
        elif function is not None and not method:
            yield other, function

    def _of_file(self, file: Path) -> Clocks | None:
        place = os.path.realpath(file)
        if place not in self._known:
            roles = self.roles.of_file(file)
            return Clocks(roles, self._known) if roles is not None else None
        return self._known[place]


@dataclass(frozen=True, slots=True)
class Way:
    """Code that is looked through, and the code that calls it."""

    clocks: Clocks
    scope: Scope
    code: Sequence[ast.AST]
    caller: Way | None = None

    def reads(self) -> bool:
        """Remember of all functions on the way to here that they read a clock, which is True."""
        way: Way | None = self
        while way is not None and way.caller is not None:
            assert isinstance(way.scope, ast.FunctionDef)
            way.clocks._functions[way.scope] = True
            way = way.caller
        return True


def is_clock(full: str) -> bool:
    """Whether a full name is that of a function that reads a clock, or what memory is in use."""
    if full.startswith(_CLOCKS):
        return True
    return full.startswith("datetime.") and full.rpartition(".")[2] in _CALENDAR
