"""Whether flags have their values for good, and whether the Trainer may be made where they are read."""

from __future__ import annotations

import ast
from collections.abc import Collection

from ..recover.syntax import dotted, walk
from .parser import Parser
from .scene import Scene
from .stays import Stays, quoted

_READERS = {"print", "str", "repr", "vars", "dict", "hasattr", "getattr", "isinstance", "format", "len", "type", "sorted"}  # fmt: skip
_READING = ("json.", "yaml.", "pprint.", "logging.", "wandb.")
_SETS = {"setattr", "delattr", "exec", "eval"}
_AROUND = {"chdir", "putenv", "set_device"}
_CHANGES = {"update", "setdefault", "pop", "clear"}


def check_kept(scene: Scene, parser: Parser, used: Collection[str], saved: ast.stmt | None) -> None:
    """Nothing gives one of these flags another value behind the parser; ``saved`` is where the module keeps them. Raises `Stays`."""
    source = scene.source
    for node in source.all(ast.Attribute):
        if node.attr in used and not isinstance(node.ctx, ast.Load) and dotted(node.value) != "self":
            raise Stays(f"{quoted(source.statement_of(node))} gives `{node.attr}` another value", node)
        if node.attr == "__dict__":
            raise Stays(f"{quoted(source.statement_of(node))} may change a flag", node)
    for call in source.calls:
        if isinstance(call.func, ast.Name) and call.func.id in _SETS:
            raise Stays(f"{quoted(call)} may change a flag", call)
        if isinstance(call.func, ast.Name) and call.func.id == "vars" and _is_changed(scene, call):
            raise Stays(f"{quoted(source.statement_of(call))} may change a flag", call)
    own = {*walk(saved)} if saved is not None else set()
    for name in (n for each in sorted(parser.names) for n in scene.named(each) if n not in own):
        _check_mention(scene, name, parser)


def _check_mention(scene: Scene, name: ast.Name, parser: Parser) -> None:
    parent = scene.source.parents[name]
    if not isinstance(name.ctx, ast.Load):
        if scene.source.statement_of(name) is not parser.made:
            raise Stays(f"{quoted(scene.source.statement_of(name))} gives `{name.id}` another value", name)
        return
    match parent:
        case ast.Attribute():
            return
        case ast.FormattedValue():
            return
        case ast.Call(func=function) if name in parent.args:
            _check_call(scene, parent, function)
        case ast.keyword():
            call = scene.source.parents[parent]
            assert isinstance(call, ast.Call | ast.ClassDef)
            _check_call(scene, call, call.func if isinstance(call, ast.Call) else name)
        case _:
            raise Stays(f"{quoted(scene.source.statement_of(name))} hands all flags on", name)


def _check_call(scene: Scene, call: ast.AST, function: ast.expr) -> None:
    """The call gets all flags and changes none: it only reads, or it is the file's own, where every change is seen."""
    name = scene.full_name(function)
    own = isinstance(function, ast.Name) and not name and scene.is_of_the_file(function)
    if own or (isinstance(function, ast.Name) and function.id in _READERS) or name.startswith(_READING):
        return
    raise Stays(f"`{ast.unparse(function)}` gets all flags, and may change one", call)


def _is_changed(scene: Scene, call: ast.AST) -> bool:
    match scene.source.parents[call]:
        case ast.Subscript(ctx=ctx):
            return not isinstance(ctx, ast.Load)
        case ast.Attribute(attr=attribute):
            return attribute in _CHANGES
        case ast.Assign():
            return True
    return False


def check_surroundings(scene: Scene, made: ast.stmt) -> None:
    """Nothing behind the flags changes the folder or the environment in which a Trainer is made. Raises `Stays`."""
    source = scene.source
    for node in source.all(ast.Attribute):
        statement = source.statement_of(node)
        if source.parents[statement] is source.tree and statement.lineno < made.lineno:
            continue
        if node.attr in _AROUND or (node.attr == "environ" and _is_written(scene, node)):
            raise Stays(
                f"{quoted(statement)} changes what the Trainer is made in, and a LightningCLI makes it before", node
            )


def _is_written(scene: Scene, node: ast.Attribute) -> bool:
    parent = scene.source.parents[node]
    match parent:
        case ast.Subscript(ctx=ctx):
            return not isinstance(ctx, ast.Load)
        case ast.Attribute(attr=attribute):
            return attribute in _CHANGES
    return True
