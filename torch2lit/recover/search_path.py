"""The folders that a file puts on ``sys.path``, read from its text.

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
sys.path.append(str(Path(__file__).resolve().parent.parent))
add_path(lib_path)                    where add_path is a function of the file that does one of these
"""

from __future__ import annotations

import ast
from pathlib import Path

from .syntax import walk

_ADDS = ("append", "insert")
_FURTHER = {"dirname", "parent"}
_SAME = {"abspath", "realpath", "resolve", "absolute", "normpath", "str", "fspath", "expanduser", "Path"}


def added_folders(tree: ast.Module, folder: Path) -> list[Path]:
    """The folders in the order of the text; what is not made of the file's own place and texts is left out."""
    if not any(isinstance(n, ast.Attribute) and n.attr == "path" for n in walk(tree)):
        return []
    adders = {
        f.name
        for f in walk(tree)
        if isinstance(f, ast.FunctionDef)
        and f.args.args
        and any(_is_name(added, f.args.args[0].arg) for added in _added(f))
    }
    values = _values(tree)
    wheres = list(_added(tree))
    wheres += [
        n.args[0]
        for n in walk(tree)
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id in adders and n.args
    ]
    found: list[Path] = []
    for where in wheres:
        place = _place(where, folder, values, 0)
        if place is not None and place not in found:
            found.append(place)
    return found


def _added(tree: ast.AST) -> list[ast.expr]:
    found = []
    for node in walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Attribute(attr="path"), attr=added), args=[*_, where]) if (
                added in _ADDS
            ):
                found.append(where)
    return found


def _values(tree: ast.Module) -> dict[str, ast.expr]:
    return {
        target.id: node.value
        for node in walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _is_name(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _place(node: ast.expr, folder: Path, values: dict[str, ast.expr], depth: int) -> Path | None:
    """The file or folder that an expression means; the file itself is a made-up name in its folder."""
    if depth > 8:
        return None
    match node:
        case ast.Constant(value=str(text)):
            return folder / text if not text.startswith("/") else None
        case ast.Name(id="__file__"):
            return folder / "__file__"
        case ast.Name(id=name) if name in values:
            return _place(values[name], folder, values, depth + 1)
        case ast.Attribute(value=value, attr=attr) if attr in _FURTHER:
            inner = _place(value, folder, values, depth + 1)
            return _up(inner) if inner is not None else None
        case ast.Subscript(value=ast.Attribute(value=value, attr="parents"), slice=ast.Constant(value=int(number))):
            inner = _place(value, folder, values, depth + 1)
            for _ in range(number + 1):
                inner = _up(inner) if inner is not None else None
            return inner
        case ast.BinOp(left=left, op=ast.Div(), right=ast.Constant(value=str(text))):
            inner = _place(left, folder, values, depth + 1)
            return inner / text if inner is not None else None
        case ast.Call(func=function, args=arguments):
            return _of_call(function, arguments, folder, values, depth)
    return None


def _of_call(
    function: ast.expr, arguments: list[ast.expr], folder: Path, values: dict[str, ast.expr], depth: int
) -> Path | None:
    name = (
        function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else ""
    )
    if name in ("getcwd", "cwd"):
        return folder
    if name in _SAME:
        base = arguments[0] if arguments else function.value if isinstance(function, ast.Attribute) else None
        return _place(base, folder, values, depth + 1) if base is not None else None
    if name == "dirname" and arguments:
        inner = _place(arguments[0], folder, values, depth + 1)
        return _up(inner) if inner is not None else None
    if name in ("join", "joinpath"):
        parts = arguments if name == "join" else [getattr(function, "value", None), *arguments]
        first = _place(parts[0], folder, values, depth + 1) if parts and isinstance(parts[0], ast.expr) else None
        for part in parts[1:]:
            if first is None or not isinstance(part, ast.Constant) or not isinstance(part.value, str):
                return None
            first = first / part.value
        return first
    return None


def _up(path: Path) -> Path:
    """One step up; ``..`` at the end is one step that cannot be taken back."""
    return path / ".." if path.name == ".." else path.parent
