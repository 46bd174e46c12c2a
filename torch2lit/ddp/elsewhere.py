"""A class that trains in one file and is made in another: what do the project's other files do with the processes, and with it?"""

from __future__ import annotations

import ast
import re

from ..recover.project_text import BETWEEN
from ..recover.syntax import Seen, Source, source_of

_WORDS = re.compile(r"init_process_group|spawn|start_processes|SLURM_|new_group|init_device_mesh|init_rpc")
_RENUMBERS = re.compile(
    r"environ\[['\"](?:\w*RANK|\w*WORLD_SIZE)['\"]\]\s*=[^=]|environ\.(?:update|setdefault|pop|clear)\(|\bputenv\("
)


def files_with_processes(view: Seen) -> list[Source] | None:
    """The project's other files that have to do with processes; None when one of them cannot be read or renumbers them."""
    texts = [text for text in view.others.split(BETWEEN) if _WORDS.search(text) or _RENUMBERS.search(text)]
    if any(_RENUMBERS.search(text) for text in texts):
        return None
    try:
        return [source_of(text) for text in texts]
    except SyntaxError:
        return None


def trains_when_made(view: Seen, method: str) -> bool:
    """Whether every other file that names the class makes an object of it and trains it right away, by this method."""
    name, made = view.family.leaf.name, 0
    for text in view.others.split(BETWEEN):
        if not re.search(rf"\b{name}\b", text):
            continue
        try:
            source = source_of(text)
        except SyntaxError:
            return False
        if any(node.attr == name for node in source.all(ast.Attribute)) or any(
            node.name == name for node in source.all(ast.ClassDef)
        ):
            return False
        for node in source.all(ast.Name):
            if node.id == name:
                if not _trains_right_away(source, node, method):
                    return False
                made += 1
    return made > 0


def _trains_right_away(source: Source, name: ast.Name, method: str) -> bool:
    call = source.parents[name]
    statement = source.parents[call]
    match statement:
        case ast.Assign(targets=[ast.Name(id=variable)], value=value) if value is call and isinstance(call, ast.Call):
            pass
        case _:
            return False
    block = getattr(source.parents[statement], "body", [])
    if call.func is not name or statement not in block or statement is block[-1]:
        return False
    match block[block.index(statement) + 1]:
        case ast.Expr(
            value=ast.Call(func=ast.Attribute(value=ast.Name(id=used), attr=called), args=arguments, keywords=keywords)
        ):
            plain = all(
                isinstance(a, ast.Name | ast.Constant | ast.Attribute)
                for a in [*arguments, *(k.value for k in keywords)]
            )
            return used == variable and called == method and plain
    return False
