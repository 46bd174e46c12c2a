"""A run of a service (wandb, mlflow) that the script opens: which one is open all through the training, for features that hand it to a logger."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from .feature import AROUND, BEFORE, Part, Training

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_SCOPES = (*_FUNCTIONS, ast.ClassDef)


@dataclass(frozen=True, slots=True)
class Service:
    """The full names of what opens and what ends a run of a service, the methods that end one, and the calls beside which nothing is known."""

    module: str
    opens: frozenset[str]
    ends: frozenset[str]
    methods: frozenset[str]
    unknown: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class OpenRun:
    """The call that opens a run, its statement, and whether it surely runs each time before the training."""

    call: ast.Call
    statement: ast.stmt
    sure: bool


class NotOpen(Exception):
    """Why no one run is known to be open all through the training."""


def opened(training: Training, service: Service) -> OpenRun | None:
    """The one run that is open wherever the training logs; None when the file opens none. Raises `NotOpen`."""
    calls = [c for c in training.all(ast.Call) if training.full_name(c.func) in service.opens]
    if not calls:
        return None
    if training.spread:
        raise NotOpen("several processes may write")
    _check_import(training, service)
    inside, places = _names_of_hooks(training.parts, training), _places_of(training.parts)
    for call in training.all(ast.Call):
        if training.full_name(call.func) in service.unknown:
            raise NotOpen(f"line {call.lineno} may have it write more")
        if _opens_or_ends(training, call, service):
            part = places.get(id(call))
            if part is None or part.place not in AROUND or _functions_of(part) & inside:
                raise NotOpen(f"line {call.lineno} opens or ends a run where the training runs")
    first = places[id(calls[0])]
    sure = len(calls) == 1 and (first.place == BEFORE or _holds_the_loop(first, training.parts))
    return OpenRun(calls[0], first.statement, sure)


def _check_import(training: Training, service: Service) -> None:
    """The module's name has to be known where the Trainer is made, whatever was decided before."""
    for node in training.all(ast.Import):
        if any(a.name.partition(".")[0] == service.module for a in node.names) and node.col_offset:
            raise NotOpen(f"line {node.lineno} imports `{service.module}` only where it is used")


def _opens_or_ends(training: Training, call: ast.Call, service: Service) -> bool:
    if training.full_name(call.func) in service.opens | service.ends:
        return True
    return isinstance(call.func, ast.Attribute) and call.func.attr in service.methods


def _places_of(parts: Sequence[Part]) -> dict[int, Part]:
    """The part in which each call stands; one in a `lambda`, which runs whenever it is called, is nowhere."""
    found: dict[int, Part] = {}
    for part in parts:
        nodes = list(_own_nodes(part.statement))
        later = {id(n) for node in nodes if isinstance(node, ast.Lambda) for n in ast.walk(node)}
        found |= {id(n): part for n in nodes if isinstance(n, ast.Call) and id(n) not in later}
    return found


def _own_nodes(statement: ast.stmt) -> Iterator[ast.AST]:
    """The nodes of a statement that are in no statement of its blocks."""
    waiting: list[ast.AST] = [statement]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += [child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.stmt)]


def _names_of_hooks(parts: Sequence[Part], training: Training) -> set[str]:
    """Every name that the hooks mention, and that the functions and classes of the file mention which go by one of these."""
    scopes: list[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef] = [
        *training.all(ast.FunctionDef),
        *training.all(ast.AsyncFunctionDef),
        *training.all(ast.ClassDef),
    ]
    names = _names(p.statement for p in parts if p.place not in AROUND)
    while more := [s for s in scopes if s.name in names]:
        scopes = [s for s in scopes if s.name not in names]
        names |= _names(more)
    return names


def _names(nodes: Iterable[ast.AST]) -> set[str]:
    found: set[str] = set()
    for root in nodes:
        for node in ast.walk(root):
            if isinstance(node, ast.Name):
                found.add(node.id)
            elif isinstance(node, ast.Attribute):
                found.add(node.attr)
    return found


def _functions_of(part: Part) -> set[str]:
    """The names of the functions and classes around a part."""
    return {s.name for s in part.within if isinstance(s, _SCOPES)}


def _holds_the_loop(part: Part, parts: Sequence[Part]) -> bool:
    """Whether a `with` statement stands around the loop itself, and so is entered before it."""
    inside = {id(n) for n in ast.walk(part.statement)}
    nested = any(isinstance(n, (*_SCOPES, ast.Lambda)) for n in ast.walk(part.statement))
    held = any(id(p.statement) in inside for p in parts if p.place not in AROUND)
    return isinstance(part.statement, ast.With) and held and not nested
