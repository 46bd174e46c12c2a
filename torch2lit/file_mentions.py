"""What else of the script may read a file that it saves: what names its path, a part of it, or lists its folder."""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Iterable, Iterator, Set

from .checkpoint_names import Unnamed
from .feature import Training

_LISTS = {"os.listdir", "os.scandir", "os.walk", "glob.glob", "glob.iglob"}
_LISTING_METHODS = {"glob", "rglob", "iterdir"}


def mentions(training: Training, path: ast.expr, known: Set[int]) -> Iterator[ast.AST]:
    """Every place in the file that may mean it, apart from those that are known. Raises Unnamed when the path may have other values."""
    yield from _listings(training, path)
    texts = set(_texts(path))
    endings = {posixpath.splitext(text)[1] or text for text in texts if "." in text}
    match path:
        case ast.Name():
            value = training.value(path)
            if value is None or value.hidden or value.start is None:
                raise Unnamed("the name of its file may have other values")
            known = known | {id(n) for n in ast.walk(value.start.statement)}
            yield from (n for n in value.mentions if id(n) not in known)
            texts |= set(_texts(value.start.value))
        case ast.Attribute(attr=attribute):
            yield from (a for a in training.all(ast.Attribute) if a.attr == attribute and id(a) not in known)
    whole = {text for text in texts if "." in text and text not in endings}
    saves = _in_other_saves(training)
    for constant in training.all(ast.Constant):
        if id(constant) in known or not isinstance(constant.value, str):
            continue
        ends = constant.value in endings and id(constant) not in saves
        if ends or _is_one_of(constant.value, whole) or _finds(constant.value, endings):
            yield constant


def _texts(path: ast.expr) -> Iterator[str]:
    """The texts of a path, without the forms of its values."""
    forms = {
        id(n)
        for f in ast.walk(path)
        if isinstance(f, ast.FormattedValue) and f.format_spec
        for n in ast.walk(f.format_spec)
    }
    for node in ast.walk(path):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in forms:
            yield node.value


def _in_other_saves(training: Training) -> set[int]:
    saves = [c for c in training.all(ast.Call) if training.full_name(c.func) == "torch.save"]
    return {id(n) for call in saves for argument in call.args for n in ast.walk(argument)}


def _is_one_of(text: str, names: Iterable[str]) -> bool:
    """Whether a text is one of these names, in whatever folder."""
    return "." in text and posixpath.basename(text) in {posixpath.basename(name) for name in names}


def _finds(text: str, endings: Iterable[str]) -> bool:
    """Whether a text is a pattern that ends so."""
    return "*" in text and any(text.endswith(ending) for ending in endings)


def _listings(training: Training, path: ast.expr) -> Iterator[ast.Call]:
    """The calls that list a folder of which the path speaks."""
    named = _named(path) | _folder(path)
    for call in training.all(ast.Call):
        method = isinstance(call.func, ast.Attribute) and call.func.attr in _LISTING_METHODS
        if (method or training.full_name(call.func) in _LISTS) and (not call.args or named & _named(call)):
            yield call


def _folder(path: ast.expr) -> set[str]:
    """The folder with which a path begins, where it begins with a text."""
    match path:
        case ast.Constant(value=str(text)):
            return {posixpath.dirname(text) or "."}
        case ast.JoinedStr(values=[ast.Constant(value=str(text)), *_]) | ast.BinOp(left=ast.Constant(value=str(text))):
            return {posixpath.dirname(text) or "."}
        case ast.Call(args=[ast.Constant(value=str(text)), *_]):
            return {text.rstrip("/") or "."}
    return set()


def _named(node: ast.AST) -> set[str]:
    """The variables, options and folders of which an expression speaks."""
    called = {id(n) for c in ast.walk(node) if isinstance(c, ast.Call) for n in _dotted_name(c.func)}
    roots = {id(a.value) for a in ast.walk(node) if isinstance(a, ast.Attribute)}
    found = set[str]()
    for part in ast.walk(node):
        match part:
            case ast.Name(id=name) if id(part) not in called | roots:
                found.add(name)
            case ast.Attribute(attr=name) if id(part) not in called:
                found.add(name)
            case ast.Constant(value=str(text)):
                found.add((posixpath.dirname(text) if "*" in text else text.rstrip("/")) or ".")
    return found


def _dotted_name(function: ast.expr) -> Iterator[ast.expr]:
    """The parts of the name of a function; a method is called on what is read."""
    node = function
    while isinstance(node, ast.Attribute):
        yield node
        node = node.value
    if isinstance(node, ast.Name) and node is function:
        yield node
