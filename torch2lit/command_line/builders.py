"""What a script makes for its module, which the module can make for itself: its network, and losses that draw nothing."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..recover.syntax import walk
from .parser import Parser
from .scene import Scene
from .stays import Stays, quoted


@dataclass(frozen=True, slots=True)
class Builder:
    """A statement ``name = value.to(device)`` whose value an attribute of the module gets.

    ``moved`` is the text of ``.to(device)``. ``still``: to make it draws no random number and reads nothing but its own arguments.
    """

    name: str
    attribute: str
    statement: ast.Assign
    value: ast.expr
    moved: str
    still: bool


def builder_of(scene: Scene, name: ast.Name, attribute: str, block: Sequence[ast.stmt]) -> Builder:
    """The one statement of the block that makes what a name stands for. Raises `Stays`."""
    statement = scene.only_binding(name)
    match statement:
        case ast.Assign(targets=[ast.Name()], value=value) if statement in block and scene.is_alone(statement):
            inner, moved = _without_move(scene, value)
            if isinstance(inner, ast.Call) and _makes_a_network(scene, inner):
                return Builder(name.id, attribute, statement, inner, moved, _is_still(scene, inner))
    place = statement or (block[0] if block else None)
    raise Stays(
        f"the module is handed `{name.id}`, which no one statement beside the flags makes as a network or a loss", place
    )


def _without_move(scene: Scene, value: ast.expr) -> tuple[ast.expr, str]:
    """What is made, and the text of the call that only moves it."""
    match value:
        case ast.Call(func=ast.Attribute(value=inner, attr="to" | "cuda" | "cpu"), args=arguments, keywords=[]):
            if all(isinstance(a, ast.Name | ast.Constant | ast.Attribute) for a in arguments):
                text, start = scene.source.segment(value), scene.source.segment(inner)
                if text.startswith(start) and "\n" not in text[len(start) :]:
                    return inner, text[len(start) :]
    return value, ""


def _makes_a_network(scene: Scene, call: ast.Call) -> bool:
    """Whether it calls something that may make a module: not a number, an optimizer or a loader."""
    if any(isinstance(n, ast.Attribute) and n.attr.endswith("parameters") for n in walk(call)):
        return False
    name = scene.full_name(call.func)
    if isinstance(call.func, ast.Name) and not name:
        return scene.variable(call.func) is not None
    return not name.startswith(("torch.utils", "torch.optim"))


def _is_still(scene: Scene, call: ast.Call) -> bool:
    name = scene.full_name(call.func)
    plain = all(not isinstance(n, ast.Call) or n is call for n in walk(call))
    return name.startswith("torch.nn.") and name.endswith("Loss") and plain


def in_one_place(builders: Sequence[Builder], block: Sequence[ast.stmt]) -> list[Builder]:
    """The builders that are not still, in order: nothing else runs between them. Raises `Stays`."""
    drawing = sorted((b for b in builders if not b.still), key=lambda b: b.statement.lineno)
    if not drawing:
        raise Stays("the module is handed no network", block[0])
    own = {b.statement for b in builders}
    first, last = block.index(drawing[0].statement), block.index(drawing[-1].statement)
    if between := next((s for s in block[first:last] if s not in own), None):
        raise Stays(f"{quoted(between)} stands between the making of `{drawing[0].name}` and of `{drawing[-1].name}`", between)  # fmt: skip
    return drawing


def text_of(scene: Scene, builder: Builder, others: Mapping[str, Builder], parser: Parser, flag: str) -> str:
    """What makes it, in the words of the module: ``flag`` is how a flag's value reads there, its name in braces. Raises `Stays`."""
    changes: dict[ast.AST, str] = {}
    for node in walk(builder.value):
        match node:
            case ast.Attribute(value=ast.Name(id=owner), attr=attribute) if owner == parser.values:
                changes[node] = flag.format(attribute)
            case ast.Name(id=name_id) if name_id in others and others[name_id] is not builder:
                if builder.still or others[name_id].statement.lineno > builder.statement.lineno:
                    raise Stays(f"`{builder.name}` is made of `{name_id}`", builder.statement)
                changes[node] = f"self.{others[name_id].attribute}"
    known = {parser.values, *(n.id for n in changes if isinstance(n, ast.Name))}
    if foreign := scene.foreign(builder.value, known):
        raise Stays(f"`{builder.name}` is made of `{foreign}`, which is no flag", builder.statement)
    whole = [n for n in walk(builder.value) if isinstance(n, ast.Name) and n.id == parser.values]
    if any(scene.source.parents[n] not in changes for n in whole):
        raise Stays(f"`{builder.name}` is made of all flags at once", builder.statement)
    return scene.reworded(builder.value, changes)


def flags_in(node: ast.AST, values: str) -> list[str]:
    """The flags that a piece of code reads by name."""
    return [
        n.attr
        for n in walk(node)
        if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name) and n.value.id == values
    ]
