"""The one `argparse` parser of a script: its flags, and where its values come in."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..recover.syntax import walk
from .flags import Flag, flag_of
from .scene import Scene
from .stays import Stays, quoted

_PARSER = "argparse.ArgumentParser"
_SAID = ("description", "prog", "epilog", "usage")
"""What of a parser a LightningCLI says as well."""
_DROPPED = ("formatter_class",)
"""What only lays the help out."""


@dataclass(frozen=True, slots=True)
class Entered:
    """The one call of a function that gets nothing but the values: its parameter and the argument."""

    function: ast.FunctionDef
    parameter: ast.arg
    statement: ast.stmt
    argument: ast.Name


@dataclass(slots=True)
class Parser:
    """A parser whose flags are all written out.

    ``statements`` make it and its flags, ``function`` holds them where they stand in one of their own. ``made`` gives the values to the variable ``values``.
    ``said`` are arguments of the parser itself. ``lines`` are those of the flags, from and to, counted from 0. ``reads_nothing``: an empty list is read in place of the command line.
    """

    name: str
    made: ast.Assign
    values: str
    statements: list[ast.stmt]
    flags: dict[str, Flag]
    adds: dict[str, ast.Call]
    said: list[ast.keyword]
    lines: tuple[int, int]
    reads_nothing: bool = False
    function: ast.FunctionDef | None = None
    docstring: ast.stmt | None = field(default=None)
    entered: Entered | None = None
    """Where the training is in a function that is handed the values; ``values`` is its parameter then."""

    @property
    def names(self) -> set[str]:
        """What the values are called, there and where they come in."""
        return {self.values, _target(self.made)}


def find_parser(scene: Scene) -> Parser:
    """The parser. Raises `Stays`."""
    source = scene.source
    calls = [c for c in source.calls if scene.full_name(c.func) == _PARSER]
    if len(calls) != 1:
        raise Stays("the script has no parser of `argparse`" if not calls else "the script has more than one parser")
    creation = source.statement_of(calls[0])
    match creation:
        case ast.Assign(targets=[ast.Name(id=name) as target], value=value) if value is calls[0]:
            pass
        case _:
            raise Stays("the parser has no name", creation)
    said = _said(scene, calls[0])
    block = source.block_of(creation)
    adds, parse, last = _taken_apart(scene, name, block[block.index(creation) :])
    flags: dict[str, Flag] = {}
    of: dict[str, ast.Call] = {}
    for call in adds:
        flag = flag_of(call)
        if (foreign := scene.foreign(call, {name})) or flag.name in flags:
            raise Stays(f"`{flag.spelled}` reads `{foreign}`" if foreign else f"two flags are `{flag.name}`", call)
        flags[flag.name], of[flag.name] = flag, call
    if not flags:
        raise Stays("the parser has no flags", creation)
    named = [n for s in [creation, *(source.statement_of(c) for c in adds), parse] for n in walk(s)]
    if other := next((n for n in scene.mentions(target) if n not in named), None):
        raise Stays(f"{quoted(source.statement_of(other))} does something else with the parser", other)
    lines = ((creation.end_lineno or creation.lineno), parse.lineno - 1)
    statements = [creation, *(source.statement_of(c) for c in adds), parse]
    if scene.comment(creation):
        raise Stays("a comment stands behind the parser", creation)
    nothing = any(isinstance(n, ast.List) for n in walk(parse))
    if isinstance(parse, ast.Assign) and not isinstance(last, ast.Return):
        return Parser(name, parse, _target(parse), statements, flags, of, said, lines, nothing)
    made, function, docstring = _function_of(scene, creation, parse, last)
    return Parser(name, made, _target(made), statements, flags, of, said, lines, nothing, function, docstring)


def _said(scene: Scene, call: ast.Call) -> list[ast.keyword]:
    found = []
    for argument in [*(ast.keyword("prog", a) for a in call.args[:1]), *call.keywords]:
        if argument.arg in _DROPPED:
            continue
        if argument.arg not in _SAID or len(call.args) > 1 or scene.foreign(argument.value, {"__doc__"}):
            raise Stays("the parser reads its flags in a way of its own", call)
        found.append(argument)
    return found


def _taken_apart(scene: Scene, name: str, block: Sequence[ast.stmt]) -> tuple[list[ast.Call], ast.stmt, ast.stmt]:
    """The calls that add flags, the statement that parses, and the one behind it where that gives the values back."""
    adds: list[ast.Call] = []
    for place, statement in enumerate(block):
        if place and not scene.is_alone(statement):
            raise Stays("two statements share a line", statement)
        match statement:
            case ast.Expr(
                value=ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr="add_argument")) as call
            ) if owner == name:
                adds.append(call)
            case ast.Assign(targets=[ast.Name(id=values)], value=ast.Call() as call) if _parses(call, name):
                following = block[place + 1] if place + 1 < len(block) else statement
                match following:
                    case ast.Return(value=ast.Name(id=returned)) if returned == values:
                        return adds, statement, following
                return adds, statement, statement
            case ast.Return(value=ast.Call() as call) if _parses(call, name):
                return adds, statement, statement
            case _ if place:
                raise Stays(f"{quoted(statement)} stands between the flags, or reads them otherwise", statement)
    raise Stays("the flags are not read where they are made", block[0])


def _parses(call: ast.Call, name: str) -> bool:
    match call:
        case ast.Call(
            func=ast.Attribute(value=ast.Name(id=owner), attr="parse_args"), args=[] | [ast.List(elts=[])], keywords=[]
        ):
            return owner == name
    return False


def _target(statement: ast.Assign) -> str:
    [target] = statement.targets
    assert isinstance(target, ast.Name)
    return target.id


def _function_of(
    scene: Scene, creation: ast.stmt, parse: ast.stmt, last: ast.stmt
) -> tuple[ast.Assign, ast.FunctionDef, ast.stmt | None]:
    """The call of the function that holds nothing but the parser."""
    source = scene.source
    function = source.parents[creation]
    if not isinstance(function, ast.FunctionDef) or source.parents[function] is not source.tree:
        raise Stays("the values of the flags are given back in the midst of something else", parse)
    if function.decorator_list or any(isinstance(n, ast.arg) for n in walk(function.args)):
        raise Stays(f"`{function.name}` takes arguments", function)
    first = function.body[0]
    has_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    if function.body.index(creation) != int(has_docstring) or function.body[-1] is not last:
        raise Stays(f"`{function.name}` does more than to read the flags", function)
    if scene.comment(parse) or scene.comment(last):
        raise Stays("a comment stands behind the values", parse)
    named = scene.named(function.name)
    if len(named) != 1 or source.function(function.name) is not function:
        raise Stays(f"`{function.name}` is called from more than one place", function)
    made = source.statement_of(named[0])
    match made:
        case ast.Assign(targets=[ast.Name()], value=ast.Call(func=called, args=[], keywords=[])) if called is named[0]:
            return made, function, first if has_docstring else None
    raise Stays(f"what `{function.name}` gives back gets no name", made)


def is_known_in(scene: Scene, parser: Parser, function: ast.AST) -> bool:
    """Whether a function reads the values by their name at the file's margin, and runs at most once: one statement calls it, and no loop around that."""
    source, target = scene.source, parser.made.targets[0]
    if not isinstance(function, ast.FunctionDef) or source.parents[parser.made] is not source.tree:
        return False
    assert isinstance(target, ast.Name)
    named, called = scene.named(function.name), source.calls_to(function.name)
    if len(named) != 1 or len(called) != 1 or scene.roles.key(function, target.id) != scene.variable(target):
        return False
    around = [a for a in source.ancestors(called[0]) if isinstance(a, ast.stmt)]
    plain = all(isinstance(a, ast.Expr | ast.Assign | ast.If) for a in around) and called[0].lineno > parser.made.lineno
    return plain and source.parents[function] is source.tree and not function.decorator_list


def entered_with(scene: Scene, parser: Parser, function: ast.AST) -> Entered:
    """How the flags' values come into a function. Raises `Stays` where they come in another way than by one call beside them."""
    source, target = scene.source, parser.made.targets[0]
    assert isinstance(target, ast.Name)
    if not isinstance(function, ast.FunctionDef) or source.parents[function] is not source.tree:
        raise Stays("the flags are read elsewhere than where the training begins", parser.made)
    named = scene.named(function.name)
    call = source.parents[named[0]] if len(named) == 1 else None
    match call, function.args:
        case (
            ast.Call(func=called, args=[ast.Name() as given], keywords=[]),
            ast.arguments(posonlyargs=[], args=[parameter], vararg=None, kwonlyargs=[], kwarg=None, defaults=[]),
        ) if called is named[0] and scene.variable(given) == scene.variable(target):
            statement = source.statement_of(call)
            below = statement in source.block_of(parser.made) and statement.lineno > parser.made.lineno
            whole = not function.decorator_list and parameter.annotation is None
            if below and whole and source.function(function.name) is function and scene.is_alone(statement):
                if len(scene.bound((function, parameter.arg))) == 1:
                    return Entered(function, parameter, statement, given)
    raise Stays(f"`{function.name}` is handed more than the flags, or not beside them", parser.made)
