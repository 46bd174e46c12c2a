"""Training that an entry script reaches through its imports: functions and classes of other project files that step an optimizer."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

from .held_steps import held_class, held_step, method_steps
from .names import parameter_names
from .neighbours import Definition, Neighbours
from .own_classes import own_class
from .roles import Roles, bound_argument
from .stepping import STEP_METHODS
from .syntax import Source, dotted, walk

_DEEPEST = 4


@dataclass(frozen=True, slots=True)
class Reached:
    """A call of the entry script that runs training in another file.

    ``passed``: the call gets the function and runs it itself, as the start of a process does.
    """

    call: ast.Call
    definition: Definition
    passed: bool = False


class ProjectFiles:
    """The other files of a program, parsed on demand."""

    def __init__(self, roles: Roles, neighbours: Neighbours) -> None:
        self.roles = roles
        self.neighbours = neighbours
        self._trains: dict[tuple[Path, str], bool] = {}

    def source(self, file: Path) -> tuple[Source, Roles]:
        """A project file with its roles. Raises SyntaxError for what is not Python."""
        roles = self.roles.of_file(file)
        if roles is None:
            raise SyntaxError(f"{file.name} cannot be read as Python")
        return roles.source, roles

    def trains(self, definition: Definition, depth: int = 0) -> bool:
        """Whether running a function, or a method of a class, may step an optimizer, through calls of other functions too."""
        place = (definition.file, definition.node.name)
        if place not in self._trains:
            self._trains[place] = False  # guards against recursion
            self._trains[place] = self.steps(definition) or (
                depth < _DEEPEST and any(self.trains(inner, depth + 1) for inner in self.called_by(definition))
            )
        return self._trains[place]

    def steps(self, definition: Definition) -> bool:
        """Whether the code itself runs a backward pass and a step, if only by a method of an object that it has."""
        attributes = {n.attr for n in walk(definition.node) if isinstance(n, ast.Attribute)}
        if "backward" not in attributes:
            return False
        if any(name in attributes for name in STEP_METHODS):
            return True
        source, roles = self.source(definition.file)
        own = source.function(definition.node.name) or source.classes.get(definition.node.name)
        calls = (n for n in walk(own) if isinstance(n, ast.Call)) if own is not None else ()
        return any(held_step(roles, call, source.scope_of(call))[1] for call in calls)

    def extended_by(self, file: Path) -> list[Definition]:
        """The project's classes in other files that classes of a file extend."""
        source, roles = self.source(file)
        neighbours = self.neighbours.beside(file)
        bases = [roles.full_name(base) for owner in source.classes.values() for base in owner.bases]
        return [found for base in bases if (found := neighbours.definition(base)) is not None]

    def called_by(self, definition: Definition) -> list[Definition]:
        """The project's own functions and classes that the code of a definition calls, and the classes that it extends."""
        source, roles = self.source(definition.file)
        neighbours = self.neighbours.beside(definition.file)
        found: dict[tuple[Path, str], Definition] = {}
        parts: list[ast.AST] = [n.func for n in walk(definition.node) if isinstance(n, ast.Call)]
        if isinstance(definition.node, ast.ClassDef):
            parts += definition.node.bases
        for part in parts:
            name = dotted(part)
            own: ast.FunctionDef | ast.ClassDef | None = source.function(name) or source.classes.get(name)
            inner = (
                Definition(definition.file, definition.module, own)
                if own is not None
                else neighbours.definition(roles.full_name(part))
            )
            if inner is not None:
                found.setdefault((inner.file, inner.node.name), inner)
        return list(found.values())


def is_evaluation(function: ast.AST) -> bool:
    """Whether a function looks like the evaluation of an epoch: a loop without gradients."""
    if not isinstance(function, ast.FunctionDef) or not any(isinstance(n, ast.For) for n in walk(function)):
        return False
    modes = ("no_grad", "inference_mode")
    quiet = [n.func for n in walk(function) if isinstance(n, ast.Call)] + list(function.decorator_list)
    return any(dotted(part).rpartition(".")[2] in modes for part in quiet)


def reached_evaluations(source: Source, roles: Roles, files: ProjectFiles) -> list[Reached]:
    """The calls inside of the entry script's loops that lead to evaluations in other files, in source order."""
    return [
        one
        for one in _calls_into_project(source, roles, files)
        if is_evaluation(one.definition.node)
        and not files.trains(one.definition)
        and any(isinstance(a, ast.For) for a in source.ancestors(one.call))
    ]


def reached_training(source: Source, roles: Roles, files: ProjectFiles) -> list[Reached]:
    """The calls of the entry script that lead to training in other files, in source order."""
    called = [one for one in _calls_into_project(source, roles, files) if files.trains(one.definition)]
    passed = called or [one for one in _passed_into_calls(source, roles, files) if files.trains(one.definition)]
    return passed or calls_with_stepping_object(source, roles, files)


def _passed_into_calls(source: Source, roles: Roles, files: ProjectFiles) -> list[Reached]:
    """The project's functions that calls get as arguments: ``Process(target=train, ...)``, ``mp.spawn(train, ...)``."""
    found = []
    for call in source.calls:
        for value in [*call.args, *(k.value for k in call.keywords)]:
            if not isinstance(value, ast.Name | ast.Attribute) or dotted(value).partition(".")[0] not in roles.origins:
                continue
            full = roles.full_name(value)
            definition = files.neighbours.definition(full) if "." in full else None
            if definition is not None and isinstance(definition.node, ast.FunctionDef):
                found.append(Reached(call, definition, passed=True))
    return found


def calls_with_stepping_object(source: Source, roles: Roles, files: ProjectFiles) -> list[Reached]:
    """The calls that hand a function of another file an object whose call or method steps there."""
    found = []
    for one in _calls_into_project(source, roles, files):
        function = one.definition.node
        if not isinstance(function, ast.FunctionDef):
            continue
        for name in parameter_names(function):
            argument = bound_argument(function, one.call, name)
            if not isinstance(argument, ast.Name):
                continue
            scope = source.scope_of(one.call)
            held = own_class(roles, argument, scope) or held_class(roles, argument, scope)
            if held is not None and any(method_steps(held, method)[1] for method in _called_on(function, name)):
                found.append(one)
                break
    return found


def _called_on(function: ast.FunctionDef, name: str) -> list[str]:
    """The methods that a function calls of one of its parameters; ``__call__`` when it calls the parameter itself."""
    found = []
    for node in walk(function):
        match node:
            case ast.Call(func=ast.Name(id=called)) if called == name:
                found.append("__call__")
            case ast.Call(func=ast.Attribute(value=ast.Name(id=called), attr=method)) if called == name:
                found.append(method)
    return found


def _calls_into_project(source: Source, roles: Roles, files: ProjectFiles) -> list[Reached]:
    found = []
    for call in source.calls:
        full = roles.full_name(call.func)
        if dotted(call.func).partition(".")[0] not in roles.origins or "." not in full:
            found += [Reached(call, d) for d in _classes_named_anew(source, roles, files, call)]
            continue
        definition = files.neighbours.definition(full)
        if definition is not None:
            found.append(Reached(call, definition))
    return found


def _classes_named_anew(source: Source, roles: Roles, files: ProjectFiles, call: ast.Call) -> list[Definition]:
    """The project's classes of which a call makes an object under a name of the script's own: ``Exp = ExpForecast``, ``Exp(args)``."""
    if not isinstance(call.func, ast.Name) or (key := roles.key(source.scope_of(call), call.func.id)) is None:
        return []
    values = [b.value for b in roles.bindings(key) if b.index is None and isinstance(b.value, ast.Name | ast.Attribute)]
    names = [roles.full_name(v) for v in values if dotted(v).partition(".")[0] in roles.origins]
    found = [files.neighbours.definition(name) for name in names if "." in name]
    return [d for d in found if d is not None and isinstance(d.node, ast.ClassDef)]
