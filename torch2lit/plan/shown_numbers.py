"""What one statement shows or keeps: the values, with what stands before them.

print(f"loss: {loss:.4f}")                      formatted as a float, so a number or of one element
print("loss", loss.item())                      as it is
losses.append(loss.item())                      into a history
writer.add_scalar("loss", loss.item(), step)    to a writer
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

import libcst as cst

from ..formatted_numbers import label_of, numbers_in
from ..recover.syntax import Source, walk

_TEXTS = {
    "print",
    "info",
    "debug",
    "warning",
    "write",
    "log",
    "critical",
    "tqdm.write",
    "log_string",
    "logging",
    "log_print",
    "print_log",
}
"""Functions and methods that put texts out."""
_SCALARS = {"add_scalar", "log_metric", "log_value", "scalar_summary"}
_ENTRIES = {"log", "add_scalars", "log_metrics", "log_dict"}


@dataclass(frozen=True, slots=True)
class Shown:
    """One value. ``formatted``: as a float: "exact" where an array of more than no dimension would raise, "loose" where one element may
    have dimensions, "" when it is not."""

    label: str
    value: str
    formatted: str = ""
    holder: str = ""

    @property
    def node(self) -> ast.expr:
        """The value as a tree."""
        return ast.parse(self.value, mode="eval").body


def shown_numbers(source: Source, statement: ast.stmt) -> list[Shown]:
    """What a statement shows, in order."""
    match statement:
        case ast.Expr(value=ast.Call(func=function) as call) if not any(isinstance(a, ast.Starred) for a in call.args):
            last = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
            return list(_of_call(source, call, function, last))
    return []


def _of_call(source: Source, call: ast.Call, function: ast.expr, last: str) -> Iterator[Shown]:
    if last == "append" and isinstance(function, ast.Attribute) and len(call.args) == 1 and not call.keywords:
        if (holder := _holder(function.value)) and root_of(function.value) not in _names(call.args[0]):
            yield from _kept(source, call.args[0], holder)
        return
    if last in _SCALARS and len(call.args) >= 2:
        if isinstance(call.args[0], ast.Constant) and isinstance(call.args[0].value, str):
            yield Shown(call.args[0].value, _text(source, call.args[1]))
        return
    for argument in [*call.args, *(k.value for k in call.keywords)]:
        if last in _ENTRIES and isinstance(argument, ast.Dict):
            for key, value in zip(argument.keys, argument.values, strict=True):
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    yield Shown(key.value, _text(source, value))
    if last in _TEXTS:
        yield from _of_texts(source, call.args)


def _of_texts(source: Source, arguments: list[ast.expr]) -> Iterator[Shown]:
    before = ""
    for argument in arguments:
        if isinstance(argument, ast.Constant):
            before = argument.value if isinstance(argument.value, str) else ""
            continue
        formatted = _formatted(source, argument)
        yield from formatted
        if not formatted:
            yield from _plain_values(source, argument, before)
        before = ""


def _formatted(source: Source, argument: ast.expr) -> list[Shown]:
    """The values that the texts in an argument format as floats."""
    found: list[Shown] = []
    for part in _joined(argument):
        text = _text(source, part)
        loose = isinstance(part, ast.BinOp) and isinstance(part.op, ast.Mod)
        try:
            parsed = cst.parse_expression(text)
        except cst.ParserSyntaxError:
            continue
        for label, value in numbers_in(parsed):
            code = cst.Module([]).code_for_node(value)
            found.append(Shown(label, code, "loose" if loose else "exact"))
    return found


def _joined(argument: ast.expr) -> list[ast.expr]:
    """The texts that are added up to one."""
    match argument:
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return [*_joined(left), *_joined(right)]
    return [argument]


def _plain_values(source: Source, argument: ast.expr, before: str) -> Iterator[Shown]:
    match argument:
        case ast.JoinedStr(values=values):
            for value in values:
                if isinstance(value, ast.Constant):
                    before = str(value.value)
                elif isinstance(value, ast.FormattedValue) and value.format_spec is None:
                    yield Shown(label_of(before), _text(source, value.value))
        case ast.BinOp(left=ast.Constant(value=str()), op=ast.Mod()):
            return
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str()), attr="format")):
            return
        case _:
            yield Shown(label_of(before), _text(source, argument))


def _kept(source: Source, value: ast.expr, holder: str) -> Iterator[Shown]:
    match value:
        case ast.Tuple(elts=elements) | ast.List(elts=elements):
            for element in elements:
                if not isinstance(element, ast.Starred):
                    yield Shown("", _text(source, element))
        case _:
            yield Shown("", _text(source, value), holder=holder)


def _holder(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Subscript(value=ast.Name() | ast.Attribute(), slice=ast.Constant(value=str(key))):
            return key
        case ast.Attribute(attr=attr):
            return attr
    return ""


def root_of(node: ast.expr) -> str:
    """The name that an expression begins with, "" when it begins with something else."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _names(node: ast.expr) -> set[str]:
    return {n.id for n in walk(node) if isinstance(n, ast.Name)}


def _text(source: Source, node: ast.expr) -> str:
    text = source.segment(node)
    if "\n" not in text and "#" not in text:
        try:
            ast.parse(text, mode="eval")
            return text
        except SyntaxError:
            pass
    return ast.unparse(node)
