"""The module of a converted script: what its constructor is handed, and which flags it reads."""

from __future__ import annotations

import ast
from collections.abc import Collection
from dataclasses import dataclass

from ..recover.syntax import dotted, walk
from .scene import Scene
from .stays import Stays

_SAVED = (
    ("self.hparams.update",),
    ("self.save_hyperparameters",),
    ("self.save_hyperparameters", "logger"),
    ("self.save_hyperparameters", "ignore"),
    ("self.save_hyperparameters", "ignore", "logger"),
)
"""The calls that keep all flags, with their keywords. What they ignore is no plain value, as a flag's is."""


@dataclass(frozen=True, slots=True)
class Module:
    """The class, its constructor, and the statement that makes the one object, by name.

    ``handed`` are the constructor's parameters but the one of the flags, with what the call gives each; ``saved`` is the statement that keeps the flags, None where it gets none.
    ``read`` are the flags that its methods read, ``held`` the attributes that hold all flags where they read one.
    """

    node: ast.ClassDef
    constructor: ast.FunctionDef
    made: ast.Assign
    instance: str
    handed: dict[str, ast.expr]
    saved: ast.stmt | None
    read: tuple[str, ...]
    held: tuple[ast.Attribute, ...]


def find_module(scene: Scene, name: str, values: str) -> Module:
    """What is known of a module of that name. Raises `Stays`."""
    source = scene.source
    node = source.classes[name]
    if source.parents[node] is not source.tree:
        raise Stays(f"`{name}` is a class inside of a function", node)
    mentions = scene.named(name)
    made = source.statement_of(mentions[0]) if len(mentions) == 1 else None
    match made:
        case ast.Assign(targets=[ast.Name(id=instance)], value=ast.Call(func=called, args=arguments, keywords=[])) if (
            called is mentions[0]
        ):
            pass
        case _:
            raise Stays(f"a `{name}` is made in more than one place", made or node)
    constructor = next((f for f in node.body if isinstance(f, ast.FunctionDef) and f.name == "__init__"), None)
    if constructor is None:
        raise Stays(f"`{name}` has no constructor", node)
    parameters = [a.arg for a in constructor.args.args[1:]]
    handed = dict(zip(parameters, arguments, strict=False))
    if len(handed) < max(len(parameters), len(arguments)):
        raise Stays(f"`{name}` is not made with all its arguments", made)
    flags = next((p for p, a in handed.items() if isinstance(a, ast.Name) and a.id == values), "")
    saved = _saved(constructor, flags) if flags else None
    handed.pop(flags, None)
    kept_as = _kept_as(saved)
    held = tuple(n for n in walk(node) if isinstance(n, ast.Attribute) and kept_as and dotted(n) == f"self.{kept_as}")
    held = tuple(n for n in held if isinstance(n.ctx, ast.Load))
    return Module(node, constructor, made, instance, handed, saved, _read(scene, node, held), held)


def _saved(constructor: ast.FunctionDef, flags: str) -> ast.stmt:
    """The statement that keeps all flags, which is all that is done with them: ``self.save_hyperparameters(vars(args))``, or ``self.args = args``."""
    found = [s for s in constructor.body if any(isinstance(n, ast.Name) and n.id == flags for n in walk(s))]
    match found:
        case [
            ast.Expr(
                value=ast.Call(
                    func=function, args=[ast.Call(func=ast.Name(id="vars"), args=[ast.Name()])], keywords=kept
                )
            ) as saved
        ] if (dotted(function), *(k.arg for k in kept)) in _SAVED:
            return saved
        case [ast.Assign(value=ast.Name()) as saved] if _kept_as(saved):
            return saved
    raise Stays("the module does more with the flags than to keep them", found[0] if found else constructor)


def _kept_as(saved: ast.stmt | None) -> str:
    """The attribute that holds all flags, "" where they are hyper-parameters."""
    match saved:
        case ast.Assign(targets=[ast.Attribute(value=ast.Name(id="self"), attr=attribute)]):
            return attribute
    return ""


def _read(scene: Scene, node: ast.ClassDef, held: Collection[ast.Attribute]) -> tuple[str, ...]:
    """The flags that the methods read. Raises `Stays` where they do something else with them."""
    found = []
    for attribute in (n for n in walk(node) if isinstance(n, ast.Attribute) and (n.attr == "hparams" or n in held)):
        match scene.source.parents[attribute]:
            case ast.Attribute(attr="update") if dotted(attribute) == "self.hparams":
                continue
            case ast.Attribute(attr=flag, ctx=ast.Load()):
                found.append(flag)
            case _:
                raise Stays("the module reads all flags at once, or changes one", attribute)
    return tuple(dict.fromkeys(found))
