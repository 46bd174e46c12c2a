"""What one statement shows or keeps: the values, with what stands before them.

print(f"loss: {loss:.4f}")                      formatted as a float, so a number or of one element
progress(i, n, "loss: %.4f" % loss)             the same, whatever the function does with the text
message = "loss: {:.4f}".format(loss)           the same, when the text is shown later
print("loss", loss.item())                      as it is
losses.append(loss.item())                      into a history
writer.add_scalar("loss", loss.item(), step)    to a writer
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace

from ..formatted_numbers import label_of
from ..recover.syntax import Source, walk
from .shown import Shown
from .shown_texts import is_text, shown_by_text, text_of

_TEXTS = re.compile(
    r"print|info|debug|warning|critical|log|write(?:row|line)?s?|(?:log|print|write)_?\w+|\w+_?(?:log|print)"
)
"""Functions and methods that put texts out."""
_SCALARS = {"add_scalar", "log_metric", "log_value", "scalar_summary"}
_ENTRIES = {"log", "add_scalars", "log_metrics", "log_dict", "print"}
_BARS = {"set_description", "set_description_str", "set_postfix", "set_postfix_str"}
"""Methods of progress bars: an idiom answers for them."""


def shown_numbers(source: Source, statement: ast.stmt) -> list[Shown]:
    """What a statement shows, in order."""
    match statement:
        case ast.Expr(value=ast.Call(func=function) as call) if not any(isinstance(a, ast.Starred) for a in call.args):
            last = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
            return list(_of_call(source, call, function, last))
        case ast.Assign(targets=[target], value=value) | ast.AugAssign(target=target, value=value):
            if is_text(source, value) and _is_shown_later(source, target):
                return [s for s in shown_by_text(source, value) if s.formatted]
    return []


def shown_by_bar(source: Source, statement: ast.stmt) -> list[Shown]:
    """What the label of a progress bar shows: ``set_postfix(loss=loss)``, ``set_description(f"loss: {loss:.4f}")``."""
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr="set_postfix")) as call):
            named = [(k.arg or "", k.value) for k in call.keywords]
            for argument in call.args:
                if isinstance(argument, ast.Dict):
                    keys = [k.value if isinstance(k, ast.Constant) else "" for k in argument.keys]
                    named += [(str(key), v) for key, v in zip(keys, argument.values, strict=True)]
            return [shown for name, value in named for shown in _entry(source, name, value)]
        case ast.Expr(value=ast.Call() as call):
            given = [*call.args, *(k.value for k in call.keywords)]
            return [s for a in given for s in shown_by_text(source, a) if s.formatted]
    return []


def _entry(source: Source, name: str, value: ast.expr) -> Iterator[Shown]:
    if is_text(source, value):
        yield from (replace(s, label=name) for s in shown_by_text(source, value) if s.formatted)
    else:
        yield Shown(name, text_of(source, value))


def _is_shown_later(source: Source, target: ast.expr) -> bool:
    """Whether a text that is put together is what a call shows, or what an object such as a bar holds."""
    if isinstance(target, ast.Attribute):
        return True
    if not isinstance(target, ast.Name):
        return False
    for call in source.calls:
        last = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        if _TEXTS.fullmatch(last) or last in _BARS:
            given = [*call.args, *(k.value for k in call.keywords)]
            if any(isinstance(a, ast.Name) and a.id == target.id for a in given):
                return True
    return False


def _of_call(source: Source, call: ast.Call, function: ast.expr, last: str) -> Iterator[Shown]:
    if last == "append" and isinstance(function, ast.Attribute) and len(call.args) == 1 and not call.keywords:
        if (holder := _holder(function.value)) and root_of(function.value) not in _names(call.args[0]):
            yield from _kept(source, call.args[0], holder)
        return
    if last in _SCALARS and len(call.args) >= 2:
        if isinstance(call.args[0], ast.Constant) and isinstance(call.args[0].value, str):
            yield Shown(call.args[0].value, text_of(source, call.args[1]))
        return
    if last in _ENTRIES:
        yield from _entries(source, call)
    if _TEXTS.fullmatch(last):
        yield from _of_texts(source, call.args)
    elif last not in _BARS:
        for argument in [*call.args, *(k.value for k in call.keywords)]:
            yield from (s for s in shown_by_text(source, argument) if s.formatted)


def _entries(source: Source, call: ast.Call) -> Iterator[Shown]:
    """What goes under a name of its own."""
    for argument in [*call.args, *(k.value for k in call.keywords)]:
        if isinstance(argument, ast.Dict):
            for key, value in zip(argument.keys, argument.values, strict=True):
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    yield Shown(key.value, text_of(source, value))
    if isinstance(call.func, ast.Attribute):
        for keyword in call.keywords:
            if keyword.arg is not None and not isinstance(keyword.value, ast.Dict):
                yield Shown(keyword.arg, text_of(source, keyword.value))


def _of_texts(source: Source, arguments: list[ast.expr]) -> Iterator[Shown]:
    before = ""
    for argument in arguments:
        match argument:
            case ast.Constant(value=value):
                before = value if isinstance(value, str) else ""
                continue
            case ast.List(elts=values) | ast.Tuple(elts=values):
                for value in values:
                    if not isinstance(value, ast.Starred):
                        yield Shown("", text_of(source, value))
            case ast.Call(func=ast.Name(id="str"), args=[value]) if not is_text(source, argument):
                yield Shown(label_of(before), text_of(source, value))
            case _ if is_text(source, argument):
                yield from shown_by_text(source, argument)
            case _:
                yield from _added(source, argument, before)
        before = ""


def _added(source: Source, argument: ast.expr, before: str) -> Iterator[Shown]:
    """What is shown as it is, or as a part of a text: "loss: " + str(loss)."""
    match argument:
        case ast.BinOp(left=left, op=ast.Add(), right=ast.Call(func=ast.Name(id="str"), args=[value])):
            words = left.right if isinstance(left, ast.BinOp) else left
            if isinstance(left, ast.BinOp):
                yield from _added(source, left, "")
            if isinstance(words, ast.Constant) and isinstance(words.value, str):
                yield Shown(label_of(words.value), text_of(source, value))
        case ast.BinOp(left=ast.BinOp() as left, op=ast.Add(), right=ast.Constant(value=str())):
            yield from _added(source, left, "")
        case _:
            yield Shown(label_of(before), text_of(source, argument))


def _kept(source: Source, value: ast.expr, holder: str) -> Iterator[Shown]:
    match value:
        case ast.Tuple(elts=elements) | ast.List(elts=elements):
            for element in elements:
                if not isinstance(element, ast.Starred):
                    yield Shown("", text_of(source, element))
        case _:
            yield Shown("", text_of(source, value), holder=holder)


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
