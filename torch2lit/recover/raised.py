"""What a piece of code may raise of its own accord, and what around a loop would see it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from .quiet import is_quiet
from .stops import caught
from .syntax import Source, dotted, walk

_EXITS = {"sys.exit", "exit", "quit"}
_OF_FILES = {"OSError", "IOError", "EnvironmentError", "FileNotFoundError", "FileExistsError", "PermissionError"}
_IMPLIED = {
    "IndexError", "KeyError", "LookupError", "ZeroDivisionError", "ArithmeticError", "ValueError", "AttributeError", "NameError", "UnboundLocalError", "TypeError",
    *_OF_FILES,
}  # fmt: skip
"""What a handler is written for when it names it: `except Exception` waits for nothing in particular."""
_BROAD = {"Exception", "BaseException", "RuntimeError", "StandardError"}
"""What handlers name that wait for nothing in particular."""
_INTERRUPT, _EXIT, _ALL, _ANY = "KeyboardInterrupt", "SystemExit", "BaseException", "*"


@dataclass
class Takers:
    """What sees an exception on its way out of a loop: the handlers around it, or anything, which sees every one."""

    everything: bool = False
    handlers: list[set[str]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return self.everything or bool(self.handlers)

    def take(self, raised: set[str]) -> bool:
        """Whether one of the exceptions is seen."""
        if self.everything:
            return bool(raised)
        return any(_takes(names, kind) for names in self.handlers for kind in raised)

    def may_see(self, source: Source, code: Sequence[ast.AST]) -> bool:
        """Whether code like this may raise by itself where something sees every exception."""
        all_seen = self.everything or any(not names or names & _BROAD for names in self.handlers)
        return all_seen and not is_quiet(source, code)

    def await_from(self, source: Source, code: Sequence[ast.AST]) -> bool:
        """Whether a handler is written for an exception that Python itself raises in code like this, or in a function that it names."""
        awaited = {name for names in self.handlers for name in names} & _IMPLIED
        return bool(awaited) and any(_implies(node, awaited) for node in _with_functions(source, code))


def takers_around(source: Source, loop: ast.AST) -> Takers:
    """What sees the exceptions of a loop, in the functions that call it as well."""
    return _takers(source, [loop])


def takers_of_calls(source: Source, function: ast.FunctionDef | ast.AsyncFunctionDef) -> Takers:
    """What sees the exceptions of a function that leave it."""
    return _takers(source, _calls_of(source, function.name))


def _takers(source: Source, waiting: list[ast.AST]) -> Takers:
    found = Takers()
    found.everything = any(dotted(call.func) in ("atexit.register", "register") for call in source.calls)
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
    for node in _with_functions(source, code):
        match node:
            case ast.Raise(exc=raised):
                kind = raised.func if isinstance(raised, ast.Call) else raised
                found.add(dotted(kind).rpartition(".")[2] or _ANY if kind is not None else _ANY)
            case ast.Assert():
                found.add("AssertionError")
            case ast.Call(func=function) if dotted(function) in _EXITS:
                found.add(_EXIT)
    return found


def _with_functions(source: Source, code: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """The nodes of the code and of the file's functions that it names."""
    waiting = list(code)
    named: set[str] = set()
    seen = {id(node) for node in waiting}
    while waiting:
        for node in walk(waiting.pop()):
            if isinstance(node, ast.Name | ast.Attribute):
                named.add(node.id if isinstance(node, ast.Name) else node.attr)
            yield node
        more = [f for f in source.functions if f.name in named and id(f) not in seen]
        seen |= {id(f) for f in more}
        waiting += more


def _implies(node: ast.AST, awaited: set[str]) -> bool:
    """Whether Python may raise one of these where it runs the node."""
    match node:
        case ast.Subscript(ctx=ast.Load() | ast.Del()):
            return bool(awaited & {"IndexError", "KeyError", "LookupError"})
        case (
            ast.BinOp(op=ast.Div() | ast.FloorDiv() | ast.Mod())
            | ast.AugAssign(op=ast.Div() | ast.FloorDiv() | ast.Mod())
        ):
            return bool(awaited & {"ZeroDivisionError", "ArithmeticError"})
        case ast.Tuple(ctx=ast.Store()) | ast.List(ctx=ast.Store()):
            return "ValueError" in awaited
        case ast.Attribute(attr=name):
            taken = {"IndexError", "KeyError", "LookupError"} if name in ("pop", "popitem", "popleft") else set()
            taken |= {"ValueError"} if name in ("index", "remove") else set()
            return bool(awaited & {"AttributeError", *taken})
        case ast.Name(id=name, ctx=ast.Load()):
            return bool(awaited & {"NameError", "UnboundLocalError"}) or (
                name in ("int", "float", "complex") and "ValueError" in awaited
            )
        case ast.Call():
            return bool(awaited & {"TypeError", *_OF_FILES})
    return False


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
