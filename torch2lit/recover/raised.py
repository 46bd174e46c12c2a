"""What a piece of code may raise of its own accord, and what around a loop would see it."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field

from .stops import caught
from .syntax import Source, dotted, walk

_EXITS = {"sys.exit", "exit", "quit"}
_INTERRUPT, _EXIT, _ALL, _ANY = "KeyboardInterrupt", "SystemExit", "BaseException", "*"


@dataclass
class Takers:
    """What sees an exception on its way out of a loop: the handlers around it, or anything, which sees every one."""

    everything: bool = False
    handlers: list[set[str]] = field(default_factory=list)

    def take(self, raised: set[str]) -> bool:
        """Whether one of the exceptions is seen."""
        if self.everything:
            return bool(raised)
        return any(_takes(names, kind) for names in self.handlers for kind in raised)


def takers_around(source: Source, loop: ast.AST) -> Takers:
    """What sees the exceptions of a loop, in the functions that call it as well."""
    found = Takers()
    found.everything = any(dotted(call.func) in ("atexit.register", "register") for call in source.calls)
    waiting: list[ast.AST] = [loop]
    seen: set[str] = set()
    while waiting:
        node = waiting.pop()
        for above in source.ancestors(node):
            if isinstance(above, ast.Try) and node in above.body:
                found.everything = found.everything or bool(above.finalbody)
                found.handlers += map(caught, above.handlers)
            elif isinstance(above, ast.With):
                found.everything = found.everything or any(_looks(item, source) for item in above.items)
            node = above
            if isinstance(above, ast.FunctionDef | ast.AsyncFunctionDef):
                if above.name not in seen:
                    seen.add(above.name)
                    waiting += _calls_of(source, above.name)
                break
    return found


def raised_by(source: Source, code: Iterable[ast.AST]) -> set[str]:
    """The names of the exceptions that the code, and the file's functions that it names, raise by a statement; "*" for any."""
    found: set[str] = set()
    waiting = list(code)
    named: set[str] = set()
    seen = {id(node) for node in waiting}
    while waiting:
        for node in walk(waiting.pop()):
            match node:
                case ast.Name(id=name) | ast.Attribute(attr=name):
                    named.add(name)
                case ast.Raise(exc=raised):
                    kind = raised.func if isinstance(raised, ast.Call) else raised
                    found.add(dotted(kind).rpartition(".")[2] or _ANY if kind is not None else _ANY)
                case ast.Assert():
                    found.add("AssertionError")
                case ast.Call(func=function) if dotted(function) in _EXITS:
                    found.add(_EXIT)
        more = [f for f in source.functions if f.name in named and id(f) not in seen]
        seen |= {id(f) for f in more}
        waiting += more
    return found


def _takes(names: set[str], kind: str) -> bool:
    if not names or kind == _ANY or _ALL in names or kind in names:
        return True
    if kind in (_INTERRUPT, _EXIT):
        return False
    return bool(names - {_INTERRUPT, _EXIT})  # one of them may be a base of it


def _looks(item: ast.withitem, source: Source) -> bool:
    """Whether a context may look at what has happened when it ends: one of the script's own, or one that takes exceptions."""
    names = {n.id for n in walk(item.context_expr) if isinstance(n, ast.Name)}
    own = names & ({*source.classes} | {f.name for f in source.functions})
    call = item.context_expr
    return bool(own) or (isinstance(call, ast.Call) and dotted(call.func).rpartition(".")[2] == "suppress")


def _calls_of(source: Source, name: str) -> list[ast.AST]:
    """Every call of a function or of a method of this name."""
    methods = (c for c in source.calls if isinstance(c.func, ast.Attribute) and c.func.attr == name)
    return [*source.calls_to(name), *methods]
