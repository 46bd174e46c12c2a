"""Which code reads a clock, or what memory is in use: what it measures depends on where it stands.

time.time() - end            torch.cuda.synchronize()            timer.stop(), where the script's own Timer asks the time
"""

from __future__ import annotations

import ast
import os
from pathlib import Path

from .neighbours import Neighbours
from .roles import Key, Roles
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
        self._functions: dict[Scope, bool] = {}
        self._methods: frozenset[str] | None = None
        self._foreign: dict[str, bool] = {}

    def read(self, node: ast.AST, scope: Scope) -> bool:
        """Whether running the node reads a clock, directly or through functions and objects of the script's own."""
        return any(isinstance(n, ast.Call) and self._reads(n, scope) for n in walk(node))

    def _reads(self, call: ast.Call, scope: Scope) -> bool:
        full = self.roles.full_name(call.func)
        if is_clock(full) and dotted(call.func).partition(".")[0] in self.roles.origins:
            return True
        if isinstance(call.func, ast.Attribute):
            if call.func.attr in _EVENT_METHODS or call.func.attr in self._own_methods():
                return True
            key = self.roles.key(scope, root_name(call.func))
            return key is not None and self._holds_clock(key, call.func.attr)
        if (function := self.source.function(full)) is not None:
            return self._in_function(function)
        return self._is_called_object(call, scope) or self._in_neighbour(full)

    def _is_called_object(self, call: ast.Call, scope: Scope) -> bool:
        """Whether an object is called whose class asks the time when it is."""
        if "__call__" not in self._own_methods() or not isinstance(call.func, ast.Name):
            return False
        key = self.roles.key(scope, call.func.id)
        made = [b.value for b in self.roles.bindings(key)] if key else []
        return any(isinstance(m, ast.Call) and dotted(m.func) in self.source.classes for m in made)

    def _in_function(self, function: ast.FunctionDef) -> bool:
        if function not in self._functions:
            self._functions[function] = False  # guards against recursion
            self._functions[function] = any(self.read(s, function) for s in function.body)
        return self._functions[function]

    def _own_methods(self) -> frozenset[str]:
        """The names of methods of the file's classes that read clocks; a method of any object may be one of them."""
        if self._methods is None:
            methods = [
                m for c in self.source.classes.values() for m in c.body if isinstance(m, ast.FunctionDef)
            ]  # fmt: skip
            self._methods, before = frozenset(), None
            while self._methods != before:  # a method may read a clock through another one
                before = self._methods
                self._functions.clear()
                self._methods = frozenset(m.name for m in methods if self._in_function(m))
        return self._methods

    def _holds_clock(self, key: Key, method: str) -> bool:
        """Whether a name holds an event, a profiler, or an object of a neighbour file whose method reads a clock."""
        for binding in self.roles.bindings(key):
            for made in (n for n in walk(binding.value) if isinstance(n, ast.Call)):
                full = self.roles.full_name(made.func)
                if is_clock(full) or self._in_neighbour(full, method):
                    return True
        return False

    def _in_neighbour(self, full: str, method: str = "") -> bool:
        """Whether a function of another file, or the method of its class, reads a clock."""
        if not full or not isinstance(self.roles.neighbours, Neighbours):
            return False
        place = f"{full}:{method}"
        if place not in self._foreign:
            self._foreign[place] = False  # guards against recursion
            found = self.roles.neighbours.definition(full)
            if found is not None and (other := self._of_file(found.file)) is not None:
                self._foreign[place] = _in_definition(other, found.node.name, method)
        return self._foreign[place]

    def _of_file(self, file: Path) -> Clocks | None:
        place = os.path.realpath(file)
        if place not in self._known:
            roles = self.roles.of_file(file)
            return Clocks(roles, self._known) if roles is not None else None
        return self._known[place]


def _in_definition(clocks: Clocks, name: str, method: str) -> bool:
    definition = clocks.source.classes.get(name)
    if definition is not None:
        return (method or "__init__") in clocks._own_methods()
    function = clocks.source.function(name)
    return function is not None and not method and clocks._in_function(function)


def is_clock(full: str) -> bool:
    """Whether a full name is that of a function that reads a clock, or what memory is in use."""
    if full.startswith(_CLOCKS):
        return True
    return full.startswith("datetime.") and full.rpartition(".")[2] in _CALENDAR
